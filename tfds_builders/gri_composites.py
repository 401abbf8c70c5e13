"""TFDS dataset of colour composites: labelled simulated galaxies and images of the real sky; `morph build` writes it.

The simulated images are LSST mocks as SDSS would show them, the real ones those of a folder with a CSV file of classes,
such as Galaxy Zoo. Both have 8 bits, one size and one angular scale in units of their galaxy.
"""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from photoz_morph.catalogs.folds import SPLITS, assign_split
from photoz_morph.mocks.composite import BANDS, FIELD_RADII, CompositeSettings, sdss_composite
from photoz_morph.mocks.labels import CLASS_NAMES, MERGER
from photoz_morph.mocks.rgb_folder import find_rgb_images, read_rgb
from photoz_morph.shards.mocks import depths, find_mock_shards, read_mock_catalog, read_mock_shard
from photoz_morph.system.provenance import code_version
from tfds_builders.examples import ExampleBuilder, check_ids, only_settings
from tfds_builders.prepare import prepare

NAME, PAIRED_NAME = "gri_composites", "tng_lsst_mocks"
TARGET = "target_"  # before the name of a split of the real images
INTEGERS = ("obj_id", "group_id", "copy", "label", "label_g", "intended_type", "subhalo_id", "snapshot")
FLOATS = ("gini", "m20", "gini_g", "m20_g")
UNKNOWN = {name: -1 for name in INTEGERS} | {name: np.float32(np.nan) for name in FLOATS}
YEARS = 10  # depth of the mocks, whose own noise is small beside that of SDSS
TRUTHS = ("label", "intended_type")
NOISE_STREAM = 3


class GriComposites(ExampleBuilder):
    """Images of 8 bits in splits `train`, `validation`, `test` of simulated and `target_train` ... of real galaxies.

    The split of a galaxy is the stable hash of its `group_id`; that of a real one is its own.
    """

    splits = (*SPLITS, *(f"{TARGET}{split}" for split in SPLITS))
    facts = {"size": 128}
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Make mocks with `morph simulate` and `morph mock`, and give a folder of images."

    def _info(self):
        shape = (self.facts["size"], self.facts["size"], len(BANDS))
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Tensor(shape=shape, dtype=np.uint8, encoding="bytes"),
                    **{name: np.int64 for name in INTEGERS},
                    **{name: np.float32 for name in FLOATS},
                }
            ),
            supervised_keys=None,
            metadata=tfds.core.MetadataDict(
                origin="composites", survey="lsst", bands=",".join(BANDS), unit="8 bits", code=code_version(),
                **self.facts,
            ),
            citation="Lintott et al. 2008, 2011; Lupton et al. 2004",
        )  # fmt: skip



def build(
    mocks_dir, images_dir, labels, data_dir, size=128, field_radii=FIELD_RADII, truth="label", with_mergers=True,
    classes=None, name_column=None, label_column="label", seed=1, overwrite=False, progress=True,
):  # fmt: skip
    """Build the dataset from a folder of mock shards and a folder of real images.

    Parameters
    ----------
    mocks_dir : path-like
        Shards with depth Y10.
    images_dir, labels : path-like
        Real images and their classes; see `mocks.rgb_folder.find_rgb_images`.
    data_dir : path-like
        The dataset is written to data_dir/gri_composites/1.0.0.
    size : int
        Side of all images [pixel].
    field_radii : float
        Side of the real images in Petrosian radii, and so that of the composites.
    truth : {"label", "intended_type"}
        Class of a simulated galaxy: by its Gini and M20, or the one that the simulation aimed at, which is nearer to
        classes by eye.
    with_mergers : bool
        Whether mergers are a class; otherwise they are left out.
    classes, name_column, label_column
        As for `find_rgb_images`.
    seed : int
        Of the noise.
    overwrite, progress : bool
        Whether to replace an existing dataset, and to show a progress bar.

    Returns
    -------
    dict of str to int
        Galaxies in each split.

    Raises
    ------
    FileNotFoundError
        If there are no shards or images.
    ValueError
        If a file is broken, a setting is out of range, a split would be empty, or the folder holds a dataset of mocks.
    """
    settings = CompositeSettings(size, field_radii)
    if truth not in TRUTHS:
        raise ValueError(f"truth is {truth!r}, must be one of {', '.join(TRUTHS)}")
    if (Path(data_dir) / PAIRED_NAME).exists():
        raise ValueError(f"{data_dir}: holds a dataset of mocks; give a folder of its own as --data-dir")
    shards, facts = _simulated(mocks_dir, truth, with_mergers)
    images = find_rgb_images(images_dir, labels, name_column, label_column, classes)
    images = [image for image in images if with_mergers or image.label != MERGER]
    real = dict(zip(images, assign_split(np.array([image.obj_id for image in images]))))
    for image in images:  # a broken one is found before hours of rendering
        read_rgb(image.path, 16)
    counts = {split: sum(int(np.sum(part[split])) for _, part in shards) for split in SPLITS}
    counts |= {f"{TARGET}{split}": int(sum(own == split for own in real.values())) for split in SPLITS}
    empty = [split for split, number in counts.items() if number == 0]
    if empty:
        where = images_dir if empty[0].startswith(TARGET) else mocks_dir
        raise ValueError(f"{where}: too few galaxies leave none for {', '.join(empty)}; give more")
    facts |= {"size": size, "field_radii": float(field_radii), "truth": truth, "mergers": bool(with_mergers),
              "seed": seed, "target": Path(images_dir).resolve().name, "galaxies": counts}  # fmt: skip

    def examples(split):
        if split.startswith(TARGET):
            found = (_real_example(image, size) for image, own in real.items() if f"{TARGET}{own}" == split)
        else:
            found = _simulated_examples(shards, split, truth, settings, seed)
        for example in found:
            yield split, f"{example['obj_id']}", example

    with tqdm(total=sum(counts.values()), desc="build", unit=" galaxies", disable=not progress) as bar:
        builder = GriComposites(facts=facts, examples=examples, on_example=bar.update, data_dir=data_dir)
        prepare(builder, mocks_dir, overwrite)
    return counts


def _simulated(mocks_dir, truth, with_mergers):
    """Shards, each with the rows of every split as bool, and how the mocks were made."""
    shards, settings, ids = [], [], []
    for path in find_mock_shards(mocks_dir):
        table, header = read_mock_catalog(path)
        if YEARS not in depths(header):
            raise ValueError(f"{path}: holds depths {header['YEARS']}; composites need Y10, mock it")
        label = np.asarray(table[truth])
        use = (label >= 0) & (label < len(CLASS_NAMES)) & (with_mergers | (label != MERGER))
        use &= np.asarray(table["flag"]) == 0 if truth == "label" else True
        splits = assign_split(table["group_id"]) if len(table) else np.array([], str)
        shards.append((path, {split: use & (splits == split) for split in SPLITS}))
        names = {"mocks_origin": "ORIGIN", "mocks_binning": "BINNING", "mocks_pixel_scale": "PIXSCALE"}
        settings.append({name: header[keyword] for name, keyword in names.items()})
        ids.append(np.asarray(table["obj_id"])[use])
    check_ids(mocks_dir, np.concatenate(ids), "drop one of its rows")
    return shards, only_settings(mocks_dir, settings)


def _simulated_examples(shards, split, truth, settings, seed):
    """Iterate over the composites of the simulated galaxies of a split."""
    for path, rows in shards:
        if not rows[split].any():
            continue
        images, table, header = read_mock_shard(path, np.flatnonzero(rows[split]), (YEARS,))
        for image, row in zip(images[YEARS], table):
            rng = np.random.default_rng([seed, NOISE_STREAM, row["obj_id"]])
            known = {name: int(row[name]) for name in INTEGERS if name in row.colnames}
            known |= {name: np.float32(row[name]) for name in FLOATS}
            picture = sdss_composite(image, header["PIXSCALE"], rng, settings)
            yield UNKNOWN | known | {"image": picture, "copy": 0, "label": int(row[truth])}


def _real_example(image, size):
    """A real image with what is known of it."""
    known = {"obj_id": image.obj_id, "group_id": image.obj_id, "copy": 0, "label": image.label}
    return UNKNOWN | known | {"image": read_rgb(image.path, size)}
