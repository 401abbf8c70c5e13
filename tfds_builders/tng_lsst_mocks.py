"""TFDS dataset of Y10 and Y1 mocks, with both images of a galaxy in one example; `morph build` writes it."""

from functools import partial

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from photoz_morph.catalogs.folds import SPLITS, assign_split
from photoz_morph.mocks.labels import MERGER
from photoz_morph.mocks.released_arrays import open_released
from photoz_morph.shards.mocks import find_mock_shards, read_mock_catalog, read_mock_shard
from photoz_morph.surveys import LSST
from photoz_morph.system.provenance import code_version, image_facts
from tfds_builders.prepare import ContentHash, example_digest, prepare

ROWS_AT_ONCE = 500  # of the released arrays, in one partition of a pipeline
INTEGERS = ("obj_id", "group_id", "label", "label_g", "intended_type", "subhalo_id", "snapshot")  # -1 where unknown
FLOATS = ("gini", "m20", "gini_g", "m20_g")  # NaN where unknown
# Copies of a merger: the original, the three of Ciprijanovic et al. (2021), Sec. 2 (up/down flip, rotations by 90 and
# 180 degrees), and for the fourth, which the paper does not name, the left/right flip.
COPIES = (
    lambda image: image,
    lambda image: image[::-1],
    lambda image: np.rot90(image),
    lambda image: np.rot90(image, 2),
    lambda image: image[:, ::-1],
)


class TngLsstMocks(tfds.core.GeneratorBasedBuilder):
    """LSST Y10 and Y1 mocks with Gini-M20 labels, in splits `train`, `validation` and `test` (70 : 10 : 20).

    The split of a galaxy is the stable hash of its `group_id`, so all copies, views and times of one galaxy or
    encounter are in one split. The authors' released arrays keep their split.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Make mocks with `morph simulate` and `morph mock`."

    def __init__(self, *, origin="simulated", facts=None, examples=None, on_galaxy=None, pipeline=None, **kwargs):
        self.origin = origin  # "simulated", "tng", "images" or "released": every number made from it repeats it
        self.facts = facts or {}  # how the mocks were made
        self.examples = examples  # split -> iterator of (split, key, example)
        self.on_galaxy = on_galaxy or (lambda: None)  # called once an image pair, for a progress bar
        self.pipeline = pipeline  # a BeamBuild that makes the examples, or None: this process does
        self._content = ContentHash()
        super().__init__(**kwargs)

    def _info(self):
        image = tfds.features.Tensor(shape=LSST.image_shape, dtype=np.float32, encoding="bytes")
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image_y10": image,  # [nJy per stamp pixel]; in released arrays an unknown unit
                    "image_y1": image,
                    "copy": np.int64,  # 0 for the original
                    **{name: np.int64 for name in INTEGERS},
                    **{name: np.float32 for name in FLOATS},
                }
            ),
            supervised_keys=None,
            metadata=tfds.core.MetadataDict(origin=self.origin, **self.facts, **self._provenance()),
            citation="Ciprijanovic et al. 2021, arXiv:2111.00961",
        )

    def _provenance(self):
        """Survey, bands and unit of the images, and the code that built the dataset."""
        facts = {key: value for key, value in image_facts(LSST).items() if key in ("survey", "bands", "unit")}
        return facts | {"code": code_version()} | ({"unit": "unknown"} if self.origin == "released" else {})

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


def build(mocks_dir, data_dir, merger_copies=0, overwrite=False, progress=True, pipeline=None):
    """Build the dataset from a folder of mock shards.

    Parameters
    ----------
    mocks_dir : path-like
        Shards with depths Y10 and Y1.
    data_dir : path-like
        The dataset is written to data_dir/tng_lsst_mocks/1.0.0.
    merger_copies : int
        0 to 4 flipped or rotated copies added of each image labelled a merger, in the split of the original; 4 in
        Ciprijanovic et al. (2021).
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
        Galaxies in each split, copies added, and galaxies left out because Gini-M20 could not be measured.

    Raises
    ------
    FileNotFoundError
        If there are no shards.
    ValueError
        If the dataset exists, a shard is broken or lacks a depth, two rows share an obj_id, shards of
        different settings are mixed, or a split would be empty.
    """
    if not 0 <= merger_copies < len(COPIES):
        raise ValueError(f"--merger-copies is {merger_copies}, must be 0 to {len(COPIES) - 1}")
    paths = find_mock_shards(mocks_dir)
    origin, facts, counts = _check_catalogs(paths, merger_copies)
    total = sum(counts[split] for split in SPLITS)
    if pipeline:
        read = partial(shard_examples, merger_copies=merger_copies)
        pipeline = pipeline([path.absolute() for path in paths], read, example_digest, total)

    def examples(split):
        for path in paths:
            yield from shard_examples(path, (split,), merger_copies)

    with tqdm(total=total, desc="build", unit=" galaxies", disable=not progress or bool(pipeline)) as bar:
        builder = TngLsstMocks(
            origin=origin, facts=facts, examples=examples, on_galaxy=bar.update, pipeline=pipeline, data_dir=data_dir
        )
        prepare(builder, mocks_dir, overwrite, pipeline)
    return counts


def shard_examples(path, splits=SPLITS, merger_copies=0):
    """Iterate over the images of one shard in some splits: name of the split, key of the order, example."""
    table, _ = read_mock_catalog(path)
    rows = np.flatnonzero(usable(table) & np.isin(assign_split(table["group_id"]), splits))
    if len(rows) == 0:
        return
    images, table, _ = read_mock_shard(path, rows)
    for index, (split, row) in enumerate(zip(assign_split(table["group_id"]).tolist(), table)):
        for copy in range(1 + (merger_copies if row["label"] == MERGER else 0)):
            example = {
                "image_y10": np.ascontiguousarray(COPIES[copy](images[10][index])),
                "image_y1": np.ascontiguousarray(COPIES[copy](images[1][index])),
                "copy": copy,
                **{name: _integer(row, name) for name in INTEGERS},
                **{name: np.float32(row[name]) for name in FLOATS},
            }
            yield split, _key(example), example


def build_released(arrays_dir, data_dir, overwrite=False, progress=True, pipeline=None):
    """Build the dataset from the authors' released arrays, in their released split.

    Parameters
    ----------
    arrays_dir : path-like
        Folder of `images_Y10_train.npy` and so on (Zenodo 5514180).
    data_dir, overwrite, progress, pipeline
        As of `build`.

    Returns
    -------
    dict of str to int
        Galaxies in each split.
    """
    arrays = open_released(arrays_dir)
    counts = arrays.sizes

    total = sum(counts.values())
    if pipeline:
        parts = [(split, range(start, min(start + ROWS_AT_ONCE, n_rows)))
                 for split, n_rows in counts.items() for start in range(0, n_rows, ROWS_AT_ONCE)]  # fmt: skip
        read = partial(_released_part, arrays.folder.absolute())
        pipeline = pipeline(parts, read, example_digest, total)

    def examples(split):
        return _released_examples(arrays, split)

    with tqdm(total=total, desc="build", unit=" galaxies", disable=not progress or bool(pipeline)) as bar:
        builder = TngLsstMocks(
            origin="released", examples=examples, on_galaxy=bar.update, pipeline=pipeline, data_dir=data_dir
        )
        prepare(builder, arrays_dir, overwrite, pipeline)
    return counts


def _released_part(folder, part):
    """Examples of some rows of a split, as of `shard_examples`."""
    return _released_examples(open_released(folder), *part)


def _released_examples(arrays, split, rows=None):
    """Iterate over the galaxies of a split, as `shard_examples`."""
    unknown = {name: np.float32(np.nan) for name in FLOATS} | {name: -1 for name in INTEGERS}
    for found in arrays.iter_examples(split, rows):
        example = {**unknown, "copy": 0, "group_id": int(found["obj_id"]), **found, "label": int(found["label"])}
        yield split, _key(example), example


def _key(example):
    """Key of an example, whose hash is its place in the dataset."""
    return f"{example['obj_id']}_{example['copy']}"


def usable(table):
    """True for rows with a label; shape (n,)."""
    return (np.asarray(table["flag"]) == 0) & (np.asarray(table["label"]) >= 0)


def _integer(row, name):
    return int(row[name]) if name in row.colnames else -1


def _check_catalogs(paths, merger_copies):
    """Origin, settings and counts of the shards, after the checks that need no pixels."""
    folder = paths[0].parent
    settings, tables = set(), []
    for path in paths:
        table, header = read_mock_catalog(path)
        depths = header["YEARS"].split(",")
        if not {"10", "1"} <= set(depths):
            raise ValueError(f"{path}: holds depths {header['YEARS']}; the dataset needs Y10 and Y1, mock both")
        names = ("ORIGIN", "BINNING", "FIELDKPC", "NESTED", "PIXSCALE")
        settings.add(tuple((name.lower(), header[name]) for name in names))
        tables.append(table["obj_id", "group_id", "label", "flag"])
    if len(settings) > 1:
        differing = {name for name, _ in set.union(*map(set, settings)) - set.intersection(*map(set, settings))}
        raise ValueError(f"{folder}: shards of different {', '.join(sorted(differing))} in one folder; keep them apart")
    good = [usable(table) for table in tables]
    ids = np.concatenate([table["obj_id"][rows] for table, rows in zip(tables, good)])
    values, repeats = np.unique(ids, return_counts=True)
    if np.any(repeats > 1):
        raise ValueError(f"{folder}: obj_id {values[repeats > 1][0]} occurs twice; drop one of its rows")
    groups = np.concatenate([table["group_id"][rows] for table, rows in zip(tables, good)])
    labels = np.concatenate([table["label"][rows] for table, rows in zip(tables, good)])
    splits = assign_split(groups) if len(groups) else np.array([], str)
    copies = np.where(labels == MERGER, merger_copies, 0)
    counts = {split: int(np.sum(1 + copies[splits == split])) for split in SPLITS}
    empty = [split for split in SPLITS if counts[split] == 0]
    if empty:  # TFDS writes no empty split
        raise ValueError(
            f"{folder}: {len(np.unique(groups))} different galaxies leave no galaxy for {', '.join(empty)}; give more"
        )
    facts = dict(settings.pop())
    origin = facts.pop("origin")
    counts |= {"copies": int(copies.sum()), "without label": int(sum(len(table) for table in tables) - len(ids))}
    return origin, facts, counts
