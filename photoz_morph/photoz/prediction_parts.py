"""Predictions in a file, read a few thousand galaxies at a time, and random samples of whole groups of them.

`PredictionParts` has the interface of `streaming.parts`: what takes a table in parts takes a file of any length. FITS
is read by rows, Parquet, HDF5 and HATS also by columns: a pass that needs no PDFs reads none. Rows come in the order of
the file, those of a HATS catalogue in that of its pixels.

A random sample of groups is one of a hash of their identifier: `group_share` is between 0 and 1, the same in every file
and for every galaxy of a group, and a sample is the groups below a limit.
"""

import json
import warnings
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.table import vstack

from photoz_morph.metrics.checks import parent_id
from photoz_morph.photoz.formats.compact import expand
from photoz_morph.photoz.formats.hats import hats_batches
from photoz_morph.photoz.formats.qp import check_qp, read_qp_rows
from photoz_morph.photoz.predictions import UNREADABLE, check_probability, check_suffix, grid_of, present_keys
from photoz_morph.system.sizes import check_fits, check_hdf5, check_parquet
from photoz_morph.system.tables import from_arrow, table_of

PART_ROWS = 20_000  # 14 MB of PDFs on 180 bins, and as much again where they are worked on
BLOCK = 2880  # bytes that a FITS file is a multiple of
PDF_NAMES = ("pdf", "pdf_code")


class PredictionParts:
    """Predictions in a file, of which `part_rows` rows at a time are in memory.

    Parameters
    ----------
    path : path-like
        As for `predictions.read_predictions`.
    part_rows : int

    Attributes
    ----------
    path : Path
    template : Table
        No rows; the columns, their units and descriptions, and the meta.
    n_rows : int
    grid : RedshiftGrid

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is truncated, is not a predictions table, or contradicts its own grid.
    """

    def __init__(self, path, part_rows=PART_ROWS):
        self.path, self._part_rows = Path(path), part_rows
        check_suffix(self.path)
        if not (self.path.is_dir() if self.path.suffix == ".hats" else self.path.is_file()):
            raise FileNotFoundError(f"{self.path}: no such file; `photoz predict` writes it")
        self._read = READERS[self.path.suffix]
        self.template, self.n_rows = next(self._checked(self._read(self.path, None, 0)))
        self.grid = grid_of(self.template, self.path)

    def tables(self, names=None):
        """Iterate over the rows, or over some columns of them, as Tables; PDFs are checked where they are read.

        Raises
        ------
        ValueError
            If a part is damaged, or a good row has no probabilities.
        """
        if names is not None:
            names = [name for name in dict.fromkeys(names) if name in self.template.colnames]
        with_pdf = names is None or "pdf" in names
        if with_pdf and names is not None:
            names = list(dict.fromkeys([*names, "flag", "obj_id"]))
        for table in self._checked(self._read(self.path, names, self._part_rows)):
            if with_pdf:
                try:
                    good = np.asarray(table["flag"]) == 0
                    check_probability(np.asarray(table["pdf"]), good, table["obj_id"])
                except ValueError as error:
                    raise ValueError(f"{self.path}: {error}; predict again") from error
            yield table

    def _checked(self, tables):
        """Tables of a reader with today's keys and whole PDFs; its errors become one line that names the file."""
        while True:
            try:
                found = next(tables, None)
                if found is None:
                    return
                table, n_rows = found if isinstance(found, tuple) else (found, None)
                table.meta = present_keys(table.meta)
                table = expand(table)
            except UNREADABLE as error:
                reason = " ".join(str(error).split())
                raise ValueError(
                    f"{self.path}: not a predictions table, or truncated ({reason}); predict again"
                ) from error
            yield table if n_rows is None else (table, n_rows)


def group_share(group_id, seed=0):
    """Place of each group between 0 and 1, a hash of its identifier; shape (n,).

    Parameters
    ----------
    group_id : ndarray of int, shape (n,)
    seed : int

    Notes
    -----
    The finaliser of splitmix64 (Steele, Lea & Flood 2014), a bijection of 64-bit integers whose output passes tests
    of randomness for consecutive input.
    """
    with np.errstate(over="ignore"):
        value = np.asarray(group_id).astype(np.int64).astype(np.uint64)
        value = value + np.uint64(0x9E3779B97F4A7C15) * np.uint64(2 * seed + 1)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            value = (value ^ (value >> np.uint64(shift))) * np.uint64(factor)
        return ((value ^ (value >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


def sample_predictions(parts, n_rows, seed=0):
    """Random sample of whole groups of galaxies, about `n_rows` rows or all there are.

    Parameters
    ----------
    parts : PredictionParts
    n_rows : int
    seed : int

    Returns
    -------
    Table
        Rows in the order of the file; its meta has `sampled`, the fraction of the groups, where it is not all.
    """
    share = min(1.0, n_rows / max(parts.n_rows, 1))
    if share == 1.0:
        found = list(parts.tables())
    else:
        found = [table[group_share(parent_id(table), seed) < share] for table in parts.tables()]
    return _joined(found, parts, {"sampled": share} if share < 1 else {})


def rows_of(parts, obj_id):
    """Rows of a file with the given identifiers, in the order of the file.

    Parameters
    ----------
    parts : PredictionParts
    obj_id : ndarray of int

    Returns
    -------
    Table
    """
    wanted = np.unique(np.asarray(obj_id))
    return _joined([table[np.isin(np.asarray(table["obj_id"]), wanted)] for table in parts.tables()], parts, {})


def _joined(tables, parts, meta):
    """One table of parts."""
    tables = [table for table in tables if len(table)]
    joined = vstack(tables, metadata_conflicts="silent") if len(tables) > 1 else (tables or [parts.template.copy()])[0]
    joined.meta = {**parts.template.meta, **meta}
    return joined


def _fits_tables(path, names, part_rows):
    """Parts of the rows of a FITS file; of `part_rows` 0 a table without rows and the number of all."""
    check_fits(path)
    with warnings.catch_warnings(), fits.open(path, memmap=True, lazy_load_hdus=True) as hdus:
        warnings.filterwarnings("error", message=".*truncated|Error validating")
        header, start = hdus["PREDICTIONS"].header.copy(), hdus.fileinfo("PREDICTIONS")["datLoc"]
    n_rows, row_bytes = header["NAXIS2"], header["NAXIS1"]
    if header.get("PCOUNT", 0):
        raise ValueError("columns of variable length, which photoz-morph does not write")
    with open(path, "rb") as file:
        file.seek(start)
        for first in range(0, n_rows, part_rows) if part_rows else [0]:
            n_here = min(part_rows, n_rows - first)
            content = file.read(n_here * row_bytes)
            if len(content) < n_here * row_bytes:
                raise ValueError(f"ends within row {first + len(content) // row_bytes} of {n_rows}")
            header["NAXIS2"] = n_here
            padded = header.tostring().encode("ascii") + content + bytes(-len(content) % BLOCK)
            table = table_of(fits.BinTableHDU.fromstring(padded))
            kept = table if names is None else table[_stored(names, table.colnames)]
            yield kept if part_rows else (kept, n_rows)


def _parquet_tables(path, names, part_rows):
    """Parts of the rows of a Parquet file; of `part_rows` 0 a table without rows and the number of all."""
    # Pages are read when they are needed, also of files with a single row group.
    with pq.ParquetFile(path, page_checksum_verification=True, buffer_size=2**20, pre_buffer=False) as file:
        check_parquet(file.metadata, Path(path).stat().st_size)
        schema = file.schema_arrow
        if not part_rows:
            yield from_arrow(schema.empty_table()), file.metadata.num_rows
            return
        columns = None if names is None else _stored(names, schema.names)
        for batch in file.iter_batches(part_rows, columns=columns):
            rows = pa.Table.from_batches([batch])
            fields = [schema.field(name) for name in rows.column_names]
            yield from_arrow(rows.cast(pa.schema(fields, metadata=schema.metadata)))


def _qp_tables(path, names, part_rows):
    """Parts of the rows of a qp ensemble; of `part_rows` 0 a table without rows and the number of all."""
    with h5py.File(path) as file:
        check_hdf5(file)
        check_qp(file)
        stored = json.loads(file.attrs["columns"])
        n_rows = len(file["data/pdfs"])
        if not part_rows:
            yield read_qp_rows(file, stored, slice(0, 0)), n_rows
            return
        for first in range(0, n_rows, part_rows):
            yield read_qp_rows(file, _stored(names or stored, stored), slice(first, first + part_rows))


def _hats_tables(path, names, part_rows):
    """Parts of the rows of a HATS catalogue; of `part_rows` 0 a table without rows and the number of all."""
    yield from hats_batches(path, names and _stored(names, (*names, *PDF_NAMES)), part_rows)


def _stored(names, there):
    """Names of the columns in the file: a PDF may be there in its compact form."""
    wanted = {*names, *(PDF_NAMES if "pdf" in names else ())}
    return [name for name in there if name in wanted]


READERS = {".fits": _fits_tables, ".parquet": _parquet_tables, ".hdf5": _qp_tables, ".hats": _hats_tables}
