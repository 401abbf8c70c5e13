"""Stamps for `morph infer`, as partitions of one depth: shards of mocks, the dataset of `morph build`, other formats.

See `sources.source` for what a partition is. Stamps of other formats are of the depth that the user says.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from astropy.table import Table

from photoz_morph.morph.exported_model import check_facts, check_mock_shard
from photoz_morph.shards.mocks import find_mock_shards, read_mock_catalog, read_mock_shard
from photoz_morph.sources.formats import open_source
from photoz_morph.sources.source import ImageSource, file_facts, fingerprint_of, rows_at_once
from photoz_morph.surveys import LSST

KEPT = ("obj_id", "group_id", "ra", "dec")  # not the flag of mocks, which is that of their Gini-M20 label
DATASET = "tng_lsst_mocks"
DATASET_YEARS = (10, 1)  # depths of its images


@dataclass(frozen=True)
class MockPartition:
    """One shard of mocks at one depth."""

    path: Path
    years: int
    n_rows: int

    @property
    def name(self):
        """Name of the file without its suffix."""
        return self.path.stem

    def read(self, rows=None):
        """Stamps [nJy] and table."""
        images, table, _ = read_mock_shard(self.path, rows, (self.years,))
        return images[self.years], _kept(table)

    def read_table(self):
        """Table without pixels."""
        return _kept(read_mock_catalog(self.path)[0])


@dataclass(frozen=True)
class MockDatasetPartition:
    """Consecutive galaxies of a split of the dataset of `morph build`, at one depth."""

    folder: Path
    split: str
    name: str
    years: int
    first: int  # in its split
    n_rows: int

    def read(self, rows=None):
        """Stamps [nJy] and table."""
        from photoz_morph.datasets.reading import read_galaxies

        feature = f"image_y{self.years}"
        galaxies = read_galaxies(_builder(self.folder), self._slice(), {feature: True}).as_numpy_iterator()
        images = np.stack([galaxy[feature] for galaxy in galaxies])
        rows = np.arange(self.n_rows) if rows is None else np.asarray(rows)
        return images[rows], self.read_table()[rows]

    def read_table(self):
        """Table without pixels; `copy` tells the flipped copies of a galaxy apart."""
        from photoz_morph.datasets.reading import read_columns

        columns = read_columns(_builder(self.folder), self._slice())
        return Table({name: columns[name] for name in ("obj_id", "group_id", "copy")})

    def _slice(self):
        return f"{self.split}[{self.first}:{self.first + self.n_rows}]"


def open_stamps(path, model, years):
    """Open stamps of any accepted format and check them against a model; no pixels are read.

    Parameters
    ----------
    path : path-like
        A folder of mock shards or one of them, the folder of a dataset of `morph build`, or what
        `sources.formats.open_source` accepts.
    model : ExportedMorphModel
    years : int
        Depth of the stamps.

    Returns
    -------
    ImageSource

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If a file is damaged or has no known format, lacks the depth, or has another survey, unit, binning or pixel
        size than the model.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder; create mocks with `morph mock`")
    if any(path.glob("mocks-*.fits")) or path.suffix == ".fits":
        return _open_mocks(path, model, years)
    if any(path.glob(f"{DATASET}/*/dataset_info.json")) or (path / "dataset_info.json").exists():
        return _open_dataset(path, model, years)
    if path.is_dir() and not any(path.iterdir()):
        find_mock_shards(path)  # raises
    source = open_source(path, LSST)
    check_facts(model, path, {"SURVEY": LSST.name, "BUNIT": LSST.image_unit})
    return source


def _open_mocks(path, model, years):
    """Shards of mocks as a source."""
    paths = find_mock_shards(path) if path.is_dir() else [path]
    partitions, facts = [], []
    for shard in paths:
        check_mock_shard(model, shard, years)
        table, header = read_mock_catalog(shard)
        partitions.append(MockPartition(shard, years, len(table)))
        facts.append((*file_facts(shard), years))
    return ImageSource(path, LSST, header["ORIGIN"], tuple(partitions), fingerprint_of(*facts))


def _open_dataset(path, model, years):
    """Dataset of `morph build` as a source."""
    if years not in DATASET_YEARS:
        raise ValueError(f"{path}: holds depths {DATASET_YEARS}, not {years}; give one of these as --years")
    builder = _builder(path)
    metadata = builder.info.metadata
    settings = {name.upper(): value for name, value in metadata.items()}
    unit = metadata.get("unit") or ("unknown" if metadata["origin"] == "released" else LSST.image_unit)
    check_facts(model, path, {"SURVEY": LSST.name, "BUNIT": unit, **settings})
    step = rows_at_once(int(np.prod(LSST.image_shape)) * 4)
    partitions = tuple(
        MockDatasetPartition(path, split, f"{split}-{number:05d}", years, first, min(step, info.num_examples - first))
        for split, info in builder.info.splits.items()
        for number, first in enumerate(range(0, info.num_examples, step))
    )
    fingerprint = fingerprint_of(metadata.get("content_hash"), years, *(part.n_rows for part in partitions))
    return ImageSource(path, LSST, metadata["origin"], partitions, fingerprint)


@lru_cache(maxsize=2)
def _builder(folder):
    """Builder of the dataset in a folder; TensorFlow is imported here."""
    from photoz_morph.datasets.reading import open_dataset

    return open_dataset(folder, DATASET)


def _kept(table):
    """Columns of a mock catalogue that classes are written beside."""
    return table[[name for name in KEPT if name in table.colnames]]
