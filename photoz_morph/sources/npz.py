"""The public `sdss.npz` and files like it: an array `cube` of images and a record array `labels`, row by row.

The file of the DeepDIP portal holds `cube`, float32 (659857, 64, 64, 5), and `labels`, whose 64 columns include z, EBV,
specObjID, dered_petro_u ... and extinction_u ...; it is stored without compression, so that rows are read where they
lie. A folder with `cube.npy` and `labels.npy`, as `unzip` makes it, is the same.
"""

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from astropy.table import Table

from photoz_morph.sources.galaxy_columns import galaxy_table
from photoz_morph.sources.source import ImageSource, file_facts, fingerprint_of, rows_at_once
from photoz_morph.sources.stamps import StampLayout, flag_bad_pixels, settle_layout, to_stamps
from photoz_morph.sources.stored_arrays import StoredArray, open_npy, open_npz
from photoz_morph.surveys import SDSS, ImagingSurvey

IMAGES, LABELS = "cube", "labels"


@dataclass(frozen=True)
class ArrayPartition:
    """Some rows of the two arrays; see `sources.source`."""

    cube: StoredArray
    labels: StoredArray
    survey: ImagingSurvey
    layout: StampLayout
    name: str
    first: int
    n_rows: int

    def read(self, rows=None, with_checksum=True):
        """Images and table; the format has no checksums of rows."""
        rows = np.arange(self.n_rows) if rows is None else np.asarray(rows)
        table = self.read_table()[rows]
        images = to_stamps(self.cube.rows(self.first + rows), self.layout, self.survey)
        flag_bad_pixels(images, table, self.survey)
        return images, table

    def read_table(self):
        """Table without pixels."""
        return self._table()

    def _table(self, announce=False):
        labels = self.labels.rows(self.first + np.arange(self.n_rows))
        columns = Table({name: np.ascontiguousarray(labels[name]) for name in labels.dtype.names})
        return galaxy_table(columns, self.survey.bands, self.labels.path, self.first, announce)


def read_labels(path):
    """Labels of an .npz file like the public `sdss.npz`, all of them, with `obj_id` as in its partitions.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        As `open_arrays`.
    """
    labels = _arrays(Path(path))[1]
    records = labels.rows(np.arange(labels.shape[0]))
    columns = Table({name: np.ascontiguousarray(records[name]) for name in records.dtype.names})
    if "obj_id" not in columns.colnames:
        columns.add_column(galaxy_table(columns, SDSS.bands, path)["obj_id"], 0)
    return columns


def open_arrays(path, survey, origin="stacked"):
    """Open an uncompressed .npz file, or a folder of `cube.npy` and `labels.npy`.

    Parameters
    ----------
    path : path-like
        Also one of the two files of such a folder.
    survey : ImagingSurvey
        That the images are of; their bands are in its order and their pixels in its unit.
    origin : str
        "simulated" or "stacked".

    Returns
    -------
    ImageSource

    Raises
    ------
    FileNotFoundError
        If one of the two arrays is missing.
    ValueError
        If the file is damaged, compressed, or its arrays have other shapes or types.

    Warns
    -----
    UserWarning
        Which columns were taken for which.
    """
    path = Path(path)
    cube, labels = _arrays(path)
    if path.suffix == ".npz":
        facts = [(array.shape, array.checksum) for array in (cube, labels)]
    else:
        facts = [file_facts(array.path) for array in (cube, labels)]
    layout = settle_layout(cube.shape[1:], survey, cube.path)
    n, step = cube.shape[0], rows_at_once(prod(cube.shape[1:]) * cube.dtype.itemsize)
    partitions = tuple(
        ArrayPartition(cube, labels, survey, layout, f"rows-{number:05d}", first, min(step, n - first))
        for number, first in enumerate(range(0, n, step))
    )
    partitions[0]._table(announce=True)
    return ImageSource(path, survey, origin, partitions, fingerprint_of(*facts))


def _arrays(path):
    """Images and labels, checked."""
    if path.suffix == ".npz":
        arrays = open_npz(path)
        missing = [name for name in (IMAGES, LABELS) if name not in arrays]
        if missing:
            raise ValueError(
                f"{path}: has no array {' and '.join(missing)} (it has {', '.join(arrays) or 'none'}); a file like "
                f"sdss.npz has {IMAGES} and {LABELS}"
            )
    else:
        folder = path if path.is_dir() else path.parent
        arrays = {name: open_npy(folder / f"{name}.npy") for name in (IMAGES, LABELS)}
    cube, labels = arrays[IMAGES], arrays[LABELS]
    if cube.dtype.kind not in "fiu" or len(cube.shape) != 4:
        raise ValueError(f"{cube.path}: {IMAGES} is {cube.dtype} of shape {cube.shape}; give numbers of four axes")
    if labels.dtype.names is None or len(labels.shape) != 1:
        raise ValueError(f"{labels.path}: {LABELS} is no array of records; give one with named fields per galaxy")
    if len(labels.dtype.names) != len({*labels.dtype.names}) or cube.shape[:1] != labels.shape or not cube.shape[0]:
        raise ValueError(
            f"{cube.path}: {IMAGES} has {cube.shape[0]} galaxies and {LABELS} {labels.shape[0]}; they need as many, "
            "and at least one"
        )
    return cube, labels
