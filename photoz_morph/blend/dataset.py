"""Scenes of a dataset of `blend build`, with the truth of their sources.

Sources are ragged: an image has as many rows of each of their features as it shows sources. So images are read one by
one, in the stored order, each with a table of its sources.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
from astropy.table import Table

from photoz_morph.blend.scenes.scene import Scene
from photoz_morph.catalogs.folds import SPLITS
from photoz_morph.datasets import reading
from photoz_morph.shards.blends import unpack_sources

DATASETS = ("lsst_blends", "lsst_pairs", "sdss_blends", "sdss_pairs", "lsst_maps", "cosmology_fields")
OF_IMAGE = ("image", "instances", "obj_id", "group_id")
OF_LIGHT = ("pixels", "first_pixel", "place")  # noise-free images of the sources


def open_dataset(folder, name=None):
    """Builder of a dataset of `blend build`.

    Parameters
    ----------
    folder : path-like
        The folder given to `build`, if it holds one dataset of this chain; or that of one in it, such as
        blend_data/lsst_pairs, or of its version.
    name : str, optional
        Of `DATASETS`, the one that is wanted if the folder holds several.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If there are several, or it is damaged, or another dataset.
    """
    folder = Path(folder)
    found = [one for one in DATASETS if any(folder.glob(f"{one}/*/dataset_info.json"))]
    if name is not None:
        inside = folder.resolve()
        return reading.open_dataset(inside.parent if inside.name == name else folder, name)
    if len(found) > 1:
        raise ValueError(
            f"{folder}: holds the datasets {', '.join(found)}; give one of them, such as {folder / found[0]}"
        )
    if found:
        return reading.open_dataset(folder, found[0])
    inside = folder.resolve()
    if inside.name in DATASETS:
        return reading.open_dataset(inside.parent, inside.name)
    return reading.open_dataset(folder, inside.parent.name if inside.parent.name in DATASETS else DATASETS[0])


def open_run_dataset(dataset, data_dir=None):
    """Builder of the dataset a run was trained on, or of a copy of it in `data_dir`; see `reading.open_run_dataset`."""

    def identity(builder):
        return {key: describe(builder)[key] for key in ("images_per_split", "origin", "fields", "content_hash")}

    name = dataset["name"].partition("/")[0]
    if data_dir is not None:
        data_dir = open_dataset(data_dir, name).data_dir
    return reading.open_run_dataset(dataset, data_dir, name, identity)


def describe(builder):
    """Description of the dataset for the run folder."""
    others = ("content_hash", "survey", *reading.IMAGE_METADATA)
    metadata = {key: value for key, value in builder.info.metadata.items() if key not in others}
    return {
        "path": str(Path(builder.data_dir).resolve()),
        "name": builder.info.full_name,
        "origin": metadata.pop("origin"),
        "images_per_split": [reading.n_galaxies(builder, split) for split in SPLITS],
        "fields": metadata,
        "content_hash": reading.content_hash(builder),
        "images": reading.image_metadata(builder),
    }


def sky_sigma_of(builder):
    """Noise of an empty pixel in each band, shape (n_bands,) [unit of the image]."""
    return np.array([float(value) for value in builder.info.metadata["sky_sigma"].split(",")])


def bands_of(builder):
    """Bands of the images, in the order of their last axis."""
    return tuple(builder.info.metadata["bands"].split(","))


def read_scenes(builder, split, with_source_images=False):
    """Iterate over the images of a split.

    Parameters
    ----------
    builder : tfds builder
        From `open_dataset`.
    split : str
        Such as "train" or "validation[:100]".
    with_source_images : bool
        Whether to read the noise-free images of the sources, 0.2 MB for each source of a field of 128 pixels.

    Yields
    ------
    Scene
        In the unit of the dataset, with the noise of the sky and a truth of all features of its sources
        (`shards.blends.SOURCE_COLUMNS`) but where their pixels are stored.

    Raises
    ------
    RuntimeError
        If a file of the dataset is damaged.
    """
    bands = bands_of(builder)
    sigma = sky_sigma_of(builder)
    names = [name for name in builder.info.features if with_source_images or name not in OF_LIGHT]
    examples = reading.read_galaxies(builder, split, dict.fromkeys(names, True)).prefetch(2).as_numpy_iterator()
    while True:
        try:
            example = next(examples, None)
        except tf.errors.OpError as error:
            raise reading.damage(builder, split, error) from error
        if example is None:
            return
        image, source_images = example["image"], None
        if with_source_images:
            source_images = unpack_sources(*(example[name] for name in OF_LIGHT), image.shape)
        yield Scene(
            name=str(example["obj_id"]),
            bands=bands,
            image=image,
            sigma=sigma,
            truth=Table({name: example[name] for name in names if name not in (*OF_IMAGE, *OF_LIGHT)}),
            instances=example["instances"],
            source_images=source_images,
            obj_id=int(example["obj_id"]),
            group_id=int(example["group_id"]),
        )
