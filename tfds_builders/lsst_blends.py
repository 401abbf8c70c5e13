"""TFDS dataset of simulated fields of blended galaxies and stars, with their truth; `blend build` writes it."""

import numpy as np
import tensorflow_datasets as tfds

from photoz_morph.catalogs.folds import SPLITS, assign_split
from photoz_morph.shards.blends import CLASS_NAMES, find_blend_shards, read_blend_catalog, read_blend_shard
from photoz_morph.system.provenance import code_version
from tfds_builders.examples import ExampleBuilder, build_parts, check_ids, only_settings, split_counts

NAMES = {"scenes": "blends", "pairs": "pairs"}  # kind of the shards -> second word of the name of the dataset
# Feature of a source -> shape and type; the columns are described in `photoz_morph.shards.blends`.
PER_SOURCE = {
    "kind": ((), np.int64), "x": ((), np.float32), "y": ((), np.float32), "redshift": ((), np.float32),
    "mags": ((3,), np.float32), "flux": ((3,), np.float32), "flux_in_image": ((3,), np.float32),
    "size_arcsec": ((), np.float32), "parent": ((), np.int64), "box": ((4,), np.float32), "n_pixels": ((), np.int64),
    "n_visible": ((), np.int64), "snr": ((), np.float32), "blendedness": ((), np.float32), "is_target": ((), np.bool_),
    "first_pixel": ((), np.int64),
}  # fmt: skip
# Cards in which the shards of a dataset must agree -> keys of its metadata.
SETTINGS = {
    "KIND": "kind", "SURVEY": "survey", "BANDS": "bands", "SIZE": "size", "PIXSCALE": "pixel_scale", "BUNIT": "unit",
    "ZEROPT": "zero_point", "SIGMA": "sky_sigma", "YEARS": "years", "FAINTEST": "faintest", "ORIGIN": "origin",
}  # fmt: skip


class LsstBlends(ExampleBuilder):
    """Fields of galaxies and stars in g, r, i, in splits `train`, `validation` and `test` (70 : 10 : 20).

    The split of a field is the stable hash of its `group_id`, and the simulated galaxies of which its sources are made
    are of the same split. A source k is k-th in all features of sources, and k + 1 in `instances`. Its noise-free image
    is at `place` (row, column, height, width) of the field; its pixels are those of `pixels` from `first_pixel` on.

    `builder_class` gives the same builder for pairs of galaxies and for SDSS.
    """

    facts = {"size": 128, "bands": "g,r,i"}  # settings of the simulation; values of `SETTINGS`
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Make shards with `blend simulate`."

    def _info(self):
        size, n_bands = self.facts["size"], len(self.facts["bands"].split(","))
        per_source = {
            name: tfds.features.Tensor(shape=(None, *shape), dtype=dtype) for name, (shape, dtype) in PER_SOURCE.items()
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Tensor(shape=(size, size, n_bands), dtype=np.float32, encoding="bytes"),
                    "instances": tfds.features.Tensor(shape=(size, size), dtype=np.int16, encoding="zlib"),
                    "obj_id": np.int64,
                    "group_id": np.int64,
                    **per_source,
                    "place": tfds.features.Tensor(shape=(None, 4), dtype=np.int64),  # row, column, height, width
                    "pixels": tfds.features.Tensor(shape=(None,), dtype=np.float16, encoding="bytes"),
                }
            ),
            supervised_keys=None,
            metadata=tfds.core.MetadataDict(**self.facts, classes=list(CLASS_NAMES), code=code_version()),
            citation="Bosch et al. 2018, PASJ 70, S5 (blendedness); Boucaud et al. 2020, MNRAS 491, 2481 (pairs)",
        )



def dataset_name(kind, survey):
    """Name of the dataset of a kind of fields of a survey, such as lsst_blends, lsst_pairs or sdss_blends."""
    return f"{survey}_{NAMES[kind]}"


def builder_class(kind, survey):
    """Builder class of the dataset of that name."""
    name = dataset_name(kind, survey)
    if name == LsstBlends.name:
        return LsstBlends
    facts = {"name": name, "__module__": __name__}
    return type("".join(map(str.title, name.split("_"))), (LsstBlends,), facts, skip_registration=True)


def build(blends_dir, data_dir, overwrite=False, progress=True, pipeline=None):
    """Build the dataset from a folder of shards of blends.

    Parameters
    ----------
    blends_dir : path-like
        Shards of one kind, survey, size and depth.
    data_dir : path-like
        The dataset is written to data_dir/lsst_blends/1.0.0, or another `dataset_name`.
    overwrite : bool
        Whether to replace an existing dataset.
    progress : bool
        Whether to show a progress bar.
    pipeline : callable, optional
        (partitions, read, digest, number of examples) to the `photoz_morph.beam.build.BeamBuild` that makes the
        examples; by default this process does.

    Returns
    -------
    dict of str to int
        Images in each split.

    Raises
    ------
    FileNotFoundError
        If there are no shards.
    ValueError
        If the dataset exists, a shard is broken, two images share an obj_id, shards of different settings are mixed, or
        a split would be empty.
    """
    paths = find_blend_shards(blends_dir)
    facts, counts = _check_catalogs(paths)
    of_kind = builder_class(facts["kind"], facts["survey"])
    build_parts(
        of_kind, facts, paths, shard_examples, sum(counts.values()), blends_dir, data_dir, overwrite, progress,
        pipeline, "images",
    )  # fmt: skip
    return counts


def shard_examples(path, splits=SPLITS):
    """Iterate over the images of one shard in some splits: name of the split, key of the order, example."""
    catalog, _ = read_blend_catalog(path)
    rows = np.flatnonzero(np.isin(assign_split(catalog["group_id"]), splits))
    if len(rows) == 0:
        return
    images, _ = read_blend_shard(path, rows)
    for blend in images:
        example = {
            "image": blend.image,
            "instances": blend.instances,
            "obj_id": blend.obj_id,
            "group_id": blend.group_id,
            **{name: np.asarray(blend.sources[name]).astype(dtype) for name, (_, dtype) in PER_SOURCE.items()},
            "place": np.stack([np.asarray(blend.sources[name], np.int64)
                               for name in ("row", "column", "height", "width")], axis=1),
            "pixels": blend.pixels,
        }  # fmt: skip
        yield str(assign_split(blend.group_id)[0]), str(blend.obj_id), example


def _check_catalogs(paths):
    """Settings and counts of the shards, after the checks that need no pixels."""
    folder, tables = paths[0].parent, [read_blend_catalog(path) for path in paths]
    facts = only_settings(folder, ({key: header[card] for card, key in SETTINGS.items()} for _, header in tables))
    check_ids(folder, np.concatenate([catalog["obj_id"] for catalog, _ in tables]), "drop one of its shards")
    group_id = np.concatenate([catalog["group_id"] for catalog, _ in tables])
    return facts, split_counts(folder, group_id, "images", "simulate more")
