"""TFDS dataset of simulated galaxies with maps of their stars and dust; `blend build` writes it."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from photoz_morph.catalogs.folds import SPLITS, assign_split
from photoz_morph.shards.galaxy_maps import find_map_shards, read_map_catalog, read_map_shard
from photoz_morph.system.provenance import code_version
from tfds_builders.prepare import ContentHash, example_digest, prepare

TRUTH = ("abs_mag_r", "log_mass", "log_age", "metallicity", "a_v")  # of the whole galaxy, float32
# Cards in which the shards of a dataset must agree -> keys of its metadata.
SETTINGS = {
    "SURVEY": "survey", "BANDS": "bands", "MAPS": "maps", "SIZE": "size", "PIXSCALE": "pixel_scale",
    "PIXKPC": "pixel_kpc", "BUNIT": "unit", "ZEROPT": "zero_point", "SIGMA": "sky_sigma", "YEARS": "years",
    "ORIGIN": "origin",
}  # fmt: skip


class LsstMaps(tfds.core.GeneratorBasedBuilder):
    """Galaxies in g, r, i with maps of stellar mass, age, metallicity and dust, in splits `train`, `validation` and
    `test` (70 : 10 : 20).

    The split of a galaxy is the stable hash of its `group_id`; views of one encounter have the same. The maps are those
    of `photoz_morph.shards.galaxy_maps`.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Make shards with `blend simulate --kind maps`."

    def __init__(self, *, facts=None, examples=None, on_galaxy=None, pipeline=None, **kwargs):
        self.facts = facts or {"size": 64, "bands": "g,r,i", "maps": "mass,age,metallicity,a_v"}  # of `SETTINGS`
        self.examples = examples  # split -> iterator of (split, key, example)
        self.on_galaxy = on_galaxy or (lambda: None)  # called once a galaxy, for a progress bar
        self.pipeline = pipeline  # a BeamBuild that makes the examples, or None: this process does
        self._content = ContentHash()
        super().__init__(**kwargs)

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

    def _split_generators(self, dl_manager):
        if self.pipeline:
            return self.pipeline.generators(SPLITS, self.data_dir)
        return {split: self._generate_examples(split) for split in SPLITS}

    def _generate_examples(self, split):
        for _, key, example in self.examples(split):
            self.on_galaxy()
            self._content.add(split, example)
            yield key, example
        self.info.metadata["content_hash"] = self._content.hexdigest()

    def _process_pipeline_result(self, pipeline_result):
        self._content.add_digest(self.pipeline.digest(self.data_dir))
        self.info.metadata["content_hash"] = self._content.hexdigest()


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
    if pipeline:
        data_dir = Path(data_dir).absolute()  # workers may have another working folder
        pipeline = pipeline([path.absolute() for path in paths], shard_examples, example_digest, total)

    def examples(split):
        for path in paths:
            yield from shard_examples(path, (split,))

    with tqdm(total=total, desc="build", unit=" galaxies", disable=not progress or bool(pipeline)) as bar:
        builder = LsstMaps(facts=facts, examples=examples, on_galaxy=bar.update, pipeline=pipeline, data_dir=data_dir)
        prepare(builder, maps_dir, overwrite, pipeline)
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
    folder = paths[0].parent
    settings, catalogs = set(), []
    for path in paths:
        catalog, header = read_map_catalog(path)
        settings.add(tuple((key, header[card]) for card, key in SETTINGS.items()))
        catalogs.append(catalog)
    if len(settings) > 1:
        differing = {name for name, _ in set.union(*map(set, settings)) - set.intersection(*map(set, settings))}
        raise ValueError(f"{folder}: shards of different {', '.join(sorted(differing))} in one folder; keep them apart")
    ids, repeats = np.unique(np.concatenate([catalog["obj_id"] for catalog in catalogs]), return_counts=True)
    if np.any(repeats > 1):
        raise ValueError(f"{folder}: obj_id {ids[repeats > 1][0]} occurs twice; drop one of its shards")
    splits = assign_split(np.concatenate([catalog["group_id"] for catalog in catalogs]))
    counts = {split: int(np.sum(splits == split)) for split in SPLITS}
    empty = [split for split in SPLITS if counts[split] == 0]
    if empty:  # TFDS writes no empty split
        raise ValueError(f"{folder}: {len(splits)} galaxies leave none for {', '.join(empty)}; simulate more")
    return dict(settings.pop()), counts
