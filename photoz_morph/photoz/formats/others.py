"""Redshift predictions of any program: PDFs on any grid or point estimates, in parts, with the identifiers of galaxies.

`open_others` reads ensembles of qp in HDF5, arrays in HDF5 or .npz, and FITS, CSV or Parquet tables. Arrays and tables
hold PDFs under one of `PDF_NAMES` and their grid in an array, in the metadata of a Parquet column, or from the caller;
or point estimates under one of `POINT_NAMES`. Ensembles and arrays in HDF5 are read some rows at a time, the others as
a whole.
"""

import json
from pathlib import Path

import numpy as np

from photoz_morph.catalogs.array_files import ARRAY_SUFFIXES, open_arrays, table_of_arrays
from photoz_morph.catalogs.numbers import UNKNOWN_LARGE, UNKNOWN_NUMBERS, floats
from photoz_morph.catalogs.table_files import TABLE_SUFFIXES, read_table_file
from photoz_morph.photoz.formats.binning import SUM_TOLERANCE, Layout, to_grid, with_kind_of_values
from photoz_morph.photoz.formats.other_qp import PART_ROWS, QpFile, is_qp

KIND = "redshift predictions"
ID_NAMES = ("obj_id", "objid", "object_id", "objectid", "id")
PDF_NAMES = ("pdf", "pdfs", "pz", "p_z", "pdz", "yvals", "probability")
EDGE_NAMES = ("edges", "bin_edges", "z_edges", "bins")
NODE_NAMES = ("grid", "zgrid", "z_grid", "nodes", "xvals", "midpoints", "z_mid", "zmid")
POINT_NAMES = (
    "z_phot", "zphot", "photoz", "photo_z", "z_mean", "zmean", "z_median", "zmedian", "z_mode", "zmode", "z_best",
    "zbest", "z_peak", "z_b",
)  # fmt: skip
OFF_GRID = 0.01  # share of a PDF beyond the grid that is worth a remark


class OtherPredictions:
    """Predictions of any program.

    Attributes
    ----------
    path : Path
    kind : str
        What the file holds, such as "a qp ensemble of type interp".
    n_rows : int
    ids : Column or None
        Identifiers of the galaxies, of any type, if the file has any.
    grid : RedshiftGrid or None
        None of point estimates.
    point : str
        Column of the point estimates; "" if they are the means of the PDFs.
    """

    def __init__(self, path, kind, columns, n_rows, pdf_parts, grid, id_name, point):
        self.path, self.kind, self.n_rows, self.grid, self._pdf_parts = Path(path), kind, n_rows, grid, pdf_parts
        self.ids = _found(columns, id_name, ID_NAMES, path, "--id")
        values = _found(columns, point, POINT_NAMES if grid is None else (), path, "--point")
        if grid is None and values is None:
            raise ValueError(
                f"{path}: neither PDFs ({', '.join(PDF_NAMES)}) nor point estimates ({', '.join(POINT_NAMES)}) among "
                f"{_listed(columns)}; name a column of point estimates with --point"
            )
        self.point = "" if values is None else values.name
        self._z_phot = None
        if values is not None:
            if values.ndim != 1:
                shape = values.shape[1:]
                raise ValueError(f"{path}: column {values.name} has values of shape {shape}, not one redshift")
            self._z_phot = floats(values, path, (*UNKNOWN_NUMBERS, *UNKNOWN_LARGE))

    def parts(self, part_rows=PART_ROWS):
        """Iterate over `(start, pdf, z_phot, facts)` of some rows.

        `pdf` has shape (n, n_bins), or is None of point estimates; NaN where there is none. `z_phot` is None if it is
        the mean of the PDF. `facts` counts `n_rescaled` PDFs whose integral was not one, and `n_cut`, of which more
        than `OFF_GRID` lies beyond the grid.
        """
        if self._pdf_parts is None:
            yield 0, None, self._z_phot, {}
            return
        for start, pdf, integral, inside in self._pdf_parts(part_rows):
            good = np.isfinite(pdf).all(axis=1)
            facts = {
                "n_rescaled": int(np.sum(np.abs(integral[good] - 1) > SUM_TOLERANCE)),
                "n_cut": int(np.sum(inside[good] < 1 - OFF_GRID)),
            }
            z_phot = None if self._z_phot is None else self._z_phot[start : start + len(pdf)]
            yield start, pdf, z_phot, facts


def open_others(path, id_name=None, point=None, layout=None):
    """Open the predictions of any program.

    Parameters
    ----------
    path : path-like
        HDF5 (a qp ensemble, or arrays), .npz, FITS, CSV or Parquet.
    id_name : str, optional
        Column of the identifiers, in any letter case; one of `ID_NAMES` by default.
    point : str, optional
        Column of the point estimates; by default they are the means of the PDFs, or without PDFs one of `POINT_NAMES`.
    layout : Layout, optional
        Of the PDFs, where the file does not say it; of a qp ensemble the bins that its PDFs are taken to.

    Returns
    -------
    OtherPredictions

    Raises
    ------
    FileNotFoundError
    ValueError
        If the file cannot be read, a named column is missing, or the grid of the PDFs is unknown or has another number
        of columns.
    """
    path = Path(path)
    suffix, name = path.suffix.lower(), path.name.lower()
    if suffix in ARRAY_SUFFIXES:
        if suffix != ".npz" and path.is_file() and is_qp(path):
            return _open_qp(path, id_name, point, layout)
        return _open_arrays(path, id_name, point, layout)
    if name.endswith(TABLE_SUFFIXES):
        table = read_table_file(path, KIND)
        edges = _parquet_edges(path) if suffix == ".parquet" else {}
        return _open_table(path, table, "a table", id_name, point, layout, edges)
    raise ValueError(f"{path}: unknown suffix; give {KIND} in one of {', '.join((*ARRAY_SUFFIXES, *TABLE_SUFFIXES))}")


def _open_qp(path, id_name, point, layout):
    """An ensemble of qp."""
    if layout is not None and layout.kind != "bins":
        raise ValueError(f"{path}: a qp ensemble has nodes of its own; give --grid bins=... or leave it out")
    file = QpFile(path, layout.grid if layout else None)
    columns = {key: _as_column(key, values) for key, values in file.columns.items()}
    return OtherPredictions(
        path, f"a qp ensemble of type {file.kind}", columns, file.n_rows, file.parts, file.grid, id_name, point
    )


def _open_arrays(path, id_name, point, layout):
    """Arrays in HDF5, of which PDFs are read in parts, or in .npz."""
    with open_arrays(path, KIND) as arrays:
        name = _name_of(arrays, PDF_NAMES, n_axes=2)
        if name is None:
            return _open_table(path, table_of_arrays(arrays, path), "arrays", id_name, point, layout)
        pdf = arrays[name]
        n_rows, n_columns = pdf.shape
        small = {key: array for key, array in arrays.items() if key != name and array.ndim == 1}
        table = table_of_arrays({key: array for key, array in small.items() if len(array) == n_rows}, path, n_rows)
        layout = layout or _stored_layout(small, n_columns, path)
        _check_columns(layout, n_columns, name, path)
        layout = with_kind_of_values(layout, pdf[:1000])
        grid, in_memory = layout.grid, pdf[:] if path.suffix.lower() == ".npz" else None

    def parts(part_rows):
        for start in range(0, n_rows, part_rows):
            rows = slice(start, start + part_rows)
            if in_memory is not None:
                values = in_memory[rows]
            else:
                with open_arrays(path, KIND) as arrays:
                    values = arrays[name][rows]
            yield start, *to_grid(values, layout, grid)

    columns = {key: table[key] for key in table.colnames}
    return OtherPredictions(path, f"arrays, PDFs in {name}", columns, n_rows, parts, grid, id_name, point)


def _open_table(path, table, kind, id_name, point, layout, edges=None):
    """A table of PDFs or of point estimates, in memory."""
    columns = {name: table[name] for name in table.colnames}
    vectors = {name: column for name, column in columns.items() if column.ndim == 2}
    name = _name_of(vectors, PDF_NAMES, n_axes=2)
    if name is None:
        return OtherPredictions(path, f"{kind} of point estimates", columns, len(table), None, None, id_name, point)
    values = np.ma.filled(np.ma.asarray(columns[name]).astype(float), np.nan)
    if layout is None and edges and name in edges:
        layout = Layout("bins", edges[name])
    layout = layout or _stored_layout({}, values.shape[1], path)
    _check_columns(layout, values.shape[1], name, path)
    layout = with_kind_of_values(layout, values)

    def parts(part_rows):
        for start in range(0, len(values), part_rows):
            yield start, *to_grid(values[start : start + part_rows], layout, layout.grid)

    return OtherPredictions(path, f"{kind}, PDFs in {name}", columns, len(table), parts, layout.grid, id_name, point)


def _stored_layout(arrays, n_columns, path):
    """Layout that arrays beside the PDFs describe."""
    edges = _name_of(arrays, EDGE_NAMES)
    if edges is not None and len(arrays[edges]) == n_columns + 1:
        return Layout("bins", arrays[edges][:])
    for name in filter(None, (edges, _name_of(arrays, NODE_NAMES))):
        if len(arrays[name]) == n_columns:
            return Layout("nodes", arrays[name][:])
        if len(arrays[name]) == n_columns + 1:
            return Layout("bins", arrays[name][:])
    raise ValueError(
        f"{path}: the redshift grid of its PDFs of {n_columns} values is unknown; give it with --grid, such as "
        f"bins=0,0.4,{n_columns} or nodes=0,3,{n_columns}"
    )


def _check_columns(layout, n_columns, name, path):
    """Raise a ValueError if PDFs have another number of values than their grid needs."""
    if layout.n_columns != n_columns:
        raise ValueError(
            f"{path}: {name} has {n_columns} values per galaxy, where the grid of {layout.kind} from "
            f"{layout.points[0]:g} to {layout.points[-1]:g} needs {layout.n_columns}; correct --grid"
        )


def _parquet_edges(path):
    """Edges of the bins in the metadata of Parquet columns, by name, as photoz-morph writes them."""
    import pyarrow.parquet  # here, because it loads longer than the rest of the module and few files need it

    found = {}
    for field in pyarrow.parquet.read_schema(path):
        try:
            found[field.name] = np.array(json.loads((field.metadata or {})[b"edges"]), float)
        except (KeyError, ValueError, TypeError):
            continue
    return found


def _name_of(arrays, names, n_axes=1):
    """Name in a file of the first of some names, in any letter case; None if it has none of that many axes."""
    there = {name.lower(): name for name, array in arrays.items() if array.ndim == n_axes}
    return next((there[name] for name in names if name in there), None)


def _found(columns, wanted, names, path, option):
    """Column that was asked for, or the first of some names in any letter case, or None."""
    there = {name.lower(): name for name in columns}
    if wanted is not None:
        if wanted.lower() not in there:
            raise ValueError(f"{path}: {option} names column {wanted}, the file has {_listed(columns)}")
        return columns[there[wanted.lower()]]
    return next((columns[there[name]] for name in names if name in there), None)


def _listed(columns):
    """Names of columns as text."""
    return ", ".join(columns) or "no columns"


def _as_column(name, values):
    """Column of an array, text for bytes."""
    if values.dtype.kind in "SO":
        return table_of_arrays({name: values}, name)[name]
    from astropy.table import Column

    return Column(values, name=name)
