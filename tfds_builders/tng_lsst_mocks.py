"""TFDS dataset of Y10 and Y1 mocks, with both images of a galaxy in one example; `morph build` writes it."""

from functools import partial

import numpy as np
import tensorflow_datasets as tfds
from astropy.table import vstack

from photoz_morph.catalogs.folds import SPLITS, assign_split
from photoz_morph.mocks.labels import MERGER
from photoz_morph.mocks.released_arrays import open_released
from photoz_morph.shards.mocks import find_mock_shards, read_mock_catalog, read_mock_shard
from photoz_morph.surveys import LSST
from photoz_morph.system.provenance import code_version, image_facts
from tfds_builders.examples import ExampleBuilder, build_parts, check_ids, only_settings, split_counts

ROWS_AT_ONCE = 500  # of the released arrays, in one partition of a pipeline
SETTINGS = ("ORIGIN", "BINNING", "FIELDKPC", "NESTED", "PIXSCALE")  # in which the shards of a dataset must agree
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


class TngLsstMocks(ExampleBuilder):
    """LSST Y10 and Y1 mocks with Gini-M20 labels, in splits `train`, `validation` and `test` (70 : 10 : 20).

    The split of a galaxy is the stable hash of its `group_id`, so all copies, views and times of one galaxy or
    encounter are in one split. The authors' released arrays keep their split.
    """

    facts = {"origin": "simulated"}  # or "tng", "images", "released": every number made from the dataset repeats it
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Make mocks with `morph simulate` and `morph mock`."

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
            metadata=tfds.core.MetadataDict(**self.facts, **self._provenance()),
            citation="Ciprijanovic et al. 2021, arXiv:2111.00961",
        )

    def _provenance(self):
        """Survey, bands and unit of the images, and the code that built the dataset."""
        facts = {key: value for key, value in image_facts(LSST).items() if key in ("survey", "bands", "unit")}
        return facts | {"code": code_version()} | ({"unit": "unknown"} if self.facts["origin"] == "released" else {})



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
    facts, counts = _check_catalogs(paths, merger_copies)
    read = partial(shard_examples, merger_copies=merger_copies)
    total = sum(counts[split] for split in SPLITS)
    build_parts(TngLsstMocks, facts, paths, read, total, mocks_dir, data_dir, overwrite, progress, pipeline)
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
    parts = [(split, range(start, min(start + ROWS_AT_ONCE, n_rows)))
             for split, n_rows in counts.items() for start in range(0, n_rows, ROWS_AT_ONCE)]  # fmt: skip
    read, facts = partial(_released_examples, arrays.folder.absolute()), {"origin": "released"}
    total = sum(counts.values())
    build_parts(TngLsstMocks, facts, parts, read, total, arrays_dir, data_dir, overwrite, progress, pipeline)
    return counts


def _released_examples(folder, part, splits=SPLITS):
    """Iterate over some rows of a split of the released arrays, as `shard_examples`."""
    split, rows = part
    if split not in splits:
        return
    unknown = {name: np.float32(np.nan) for name in FLOATS} | {name: -1 for name in INTEGERS}
    for found in open_released(folder).iter_examples(split, rows):
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
    """Settings and counts of the shards, after the checks that need no pixels."""
    folder, settings, tables = paths[0].parent, [], []
    for path in paths:
        table, header = read_mock_catalog(path)
        if not {"10", "1"} <= set(header["YEARS"].split(",")):
            raise ValueError(f"{path}: holds depths {header['YEARS']}; the dataset needs Y10 and Y1, mock both")
        settings.append({name.lower(): header[name] for name in SETTINGS})
        tables.append(table["obj_id", "group_id", "label", "flag"])
    facts = only_settings(folder, settings)
    good = vstack([table[usable(table)] for table in tables])
    check_ids(folder, good["obj_id"], "drop one of its rows")
    copies = np.where(good["label"] == MERGER, merger_copies, 0)
    counts = split_counts(folder, good["group_id"], "galaxies", "give more", weight=1 + copies)
    return facts, counts | {"copies": int(copies.sum()), "without label": sum(map(len, tables)) - len(good)}
