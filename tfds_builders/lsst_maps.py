"""TFDS dataset of simulated galaxies with maps of their stars and dust; `blend build` writes it."""

import numpy as np
import tensorflow_datasets as tfds

from photoz_morph.catalogs.folds import SPLITS, assign_split
from photoz_morph.shards.galaxy_maps import find_map_shards, read_map_catalog, read_map_shard
from photoz_morph.system.provenance import code_version
from tfds_builders.examples import ExampleBuilder, build_parts, check_ids, only_settings, split_counts

TRUTH = ("abs_mag_r", "log_mass", "log_age", "metallicity", "a_v")  # of the whole galaxy, float32
# Cards in which the shards of a dataset must agree -> keys of its metadata.
SETTINGS = {
    "SURVEY": "survey", "BANDS": "bands", "MAPS": "maps", "SIZE": "size", "PIXSCALE": "pixel_scale",
    "PIXKPC": "pixel_kpc", "BUNIT": "unit", "ZEROPT": "zero_point", "SIGMA": "sky_sigma", "YEARS": "years",
    "ORIGIN": "origin",
}  # fmt: skip


class LsstMaps(ExampleBuilder):
    """Galaxies in g, r, i with maps of stellar mass, age, metallicity and dust, in splits `train`, `validation` and
    `test` (70 : 10 : 20).

    The split of a galaxy is the stable hash of its `group_id`; views of one encounter have the same. The maps are those
    of `photoz_morph.shards.galaxy_maps`.
    """

    facts = {"size": 64, "bands": "g,r,i", "maps": "mass,age,metallicity,a_v"}  # of `SETTINGS`
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Make shards with `blend simulate --kind maps`."

    def _info(self):
        stamp = (self.facts["size"],) * 2
        n_bands, n_maps = (len(self.facts[name].split(",")) for name in ("bands", "maps"))
        cubes = {"image": (*stamp, n_bands), "maps": (*stamp, n_maps), "brightness": stamp}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    name: tfds.features.Tensor(shape=shape, dtype=np.float32, encoding="bytes")
                    for name, shape in cubes.items()
                }
                | {name: np.int64 for name in ("obj_id", "group_id", "kind")}
                | {name: np.float32 for name in TRUTH}
            ),
            supervised_keys=None,
            metadata=tfds.core.MetadataDict(**self.facts, code=code_version()),
            citation="Buck & Wolf 2021, arXiv:2111.01154; Molla, Garcia-Vargas & Bressan 2009, MNRAS 398, 451",
        )



def build(maps_dir, data_dir, overwrite=False, progress=True, pipeline=None):
    """Build the dataset from a folder of shards of galaxies with maps.

    Parameters
    ----------
    maps_dir : path-like
        Shards of one size and depth.
    data_dir : path-like
        The dataset is written to data_dir/lsst_maps/1.0.0.
    overwrite : bool
        Whether to replace an existing dataset.
    progress : bool
        Whether to show a progress bar.
    pipeline : callable, optional
        As for `lsst_blends.build`.

    Returns
    -------
    dict of str to int
        Galaxies in each split.

    Raises
    ------
    FileNotFoundError
        If there are no shards.
    ValueError
        If the dataset exists, a shard is broken, two galaxies share an obj_id, shards of different settings are mixed,
        or a split would be empty.
    """
    paths = find_map_shards(maps_dir)
    facts, counts = _check_catalogs(paths)
    total = sum(counts.values())
    build_parts(LsstMaps, facts, paths, shard_examples, total, maps_dir, data_dir, overwrite, progress, pipeline)
    return counts


def shard_examples(path, splits=SPLITS):
    """Iterate over the galaxies of one shard in some splits: name of the split, key of the order, example."""
    catalog, _ = read_map_catalog(path)
    found = assign_split(catalog["group_id"])
    rows = np.flatnonzero(np.isin(found, splits))
    if len(rows) == 0:
        return
    images, maps, brightness, catalog, _ = read_map_shard(path, rows)
    for number, row in enumerate(catalog):
        example = {
            "image": images[number], "maps": maps[number], "brightness": brightness[number],
            **{name: np.int64(row[name]) for name in ("obj_id", "group_id", "kind")},
            **{name: np.float32(row[name]) for name in TRUTH},
        }  # fmt: skip
        yield str(found[rows[number]]), str(row["obj_id"]), example


def _check_catalogs(paths):
    """Settings and counts of the shards, after the checks that need no pixels."""
    folder, tables = paths[0].parent, [read_map_catalog(path) for path in paths]
    facts = only_settings(folder, ({key: header[card] for card, key in SETTINGS.items()} for _, header in tables))
    check_ids(folder, np.concatenate([catalog["obj_id"] for catalog, _ in tables]), "drop one of its shards")
    group_id = np.concatenate([catalog["group_id"] for catalog, _ in tables])
    return facts, split_counts(folder, group_id, "galaxies", "simulate more")
