"""Predictions as the HDF5 file of a qp ensemble, as RAIL reads and writes it; qp is not needed.

The ensemble is of type `hist`: group `meta` with the edges of the bins, `data` with the densities `pdfs`, float32, and
`ancil` with every column of the table under its own name and, if RAIL has a name for it, also under that name
(`RAIL_NAMES`, links to the same numbers; `z_q2p5`, `z_97p5`, `z_std` and `distribution_type` are added). qp ignores
attributes, so the meta of the table, units and descriptions are kept there. Inside a bin qp's cumulative distribution
is linear, as here: PIT and quantiles are the same.

A galaxy without a PDF keeps its row, with NaN for densities. qp warns of these on reading and gives NaN for that row
only; `ensemble[ensemble.ancil["flag"] == 0]` leaves it out.
"""

import json

import h5py
import numpy as np
from astropy.table import Column, Table

from photoz_morph.metrics.redshifts.pdf_scores import SLICE_ROWS, in_slices
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.streaming.joined_files import text_widths
from photoz_morph.system.columns import require_distinct_names
from photoz_morph.system.sizes import check_hdf5

# RAIL's name -> ours. RAIL's own z_q84 is the 85 % quantile (`_calculate_summary_stats`); this one is the 84 % one.
RAIL_NAMES = {
    "id": "obj_id", "redshift": "z_spec", "z_median": "z_median", "z_mode": "z_mode", "z_mean": "z_phot",
    "z_q16": "z_lower", "z_q84": "z_upper",
}  # fmt: skip
ADDED_NAMES = ("z_q2p5", "z_97p5", "z_std", "distribution_type")  # z_97p5 without q is RAIL's
POSTERIOR = 1  # of RAIL's DistributionType


def write_qp(parts, grid, path):
    """Write predictions as a `hist` ensemble, part by part.

    Parameters
    ----------
    parts : Parts or OnePart
        Of a table from `predictions_table`; see `streaming.parts`.
    grid : RedshiftGrid
    path : path-like

    Raises
    ------
    ValueError
        If a column of the catalogue has a name that RAIL uses for another quantity, or names of columns differ only in
        letter case.
    """
    template, n_rows = parts.template, parts.n_rows
    require_distinct_names(template.colnames)
    taken = [
        name for name in (*RAIL_NAMES, *ADDED_NAMES) if name in template.colnames and RAIL_NAMES.get(name) != name
    ]
    if taken:
        raise ValueError(f"catalogue column {', '.join(taken)} has a name that RAIL uses for its own; rename it")
    widths = text_widths(parts, "utf-8")
    with h5py.File(path, "w") as file:
        file.attrs["photoz_morph"] = json.dumps(template.meta, default=lambda number: number.item())
        file.attrs["columns"] = json.dumps(template.colnames)
        meta = file.create_group("meta")
        meta["pdf_name"], meta["pdf_version"] = np.array([b"hist"]), np.array([0])
        meta["bins"] = grid.edges[None]
        densities = file.create_dataset("data/pdfs", (n_rows, grid.n_bins), np.float32)
        densities.attrs["description"] = template["pdf"].description or ""
        ancil = file.create_group("ancil")
        _make_ancil(template, n_rows, widths, ancil)
        start = 0
        for table in parts.tables():
            pdf = np.asarray(table["pdf"])
            rows = slice(start, start + len(table))
            for first in range(0, len(table), SLICE_ROWS):
                part = pdf[first : first + SLICE_ROWS]
                densities[start + first : start + first + len(part)] = part / grid.width
            for name in table.colnames:
                if name != "pdf":
                    values = np.asarray(table[name])
                    ancil[name][rows] = np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values
            for name, values in _derived(pdf, grid, template.meta).items():
                ancil[name][rows] = values
            start += len(table)


def _make_ancil(template, n_rows, widths, ancil):
    """Make empty datasets of the columns, RAIL's names for some of them, and the further quantities of RAIL."""
    for name in template.colnames:
        if name == "pdf":
            continue
        column = template[name]
        dtype = f"S{widths[name]}" if name in widths else column.dtype
        ancil.create_dataset(name, (n_rows, *column.shape[1:]), dtype)
        ancil[name].attrs.update(unit=str(column.unit or ""), description=column.description or "")
    for name, ours in RAIL_NAMES.items():
        if name != ours and ours in ancil and (name != "z_mean" or _is_mean(template.meta)):
            ancil[name] = ancil[ours]  # a hard link: the numbers are stored once
    for name in _derived_names(template.meta):
        ancil.create_dataset(name, (n_rows,), np.int64 if name == "distribution_type" else np.float64)


def _is_mean(meta):
    """True if z_phot is the mean over bin midpoints, as qp's."""
    return meta.get("zphot_at", "midpoints") == "midpoints"


def _derived_names(meta):
    """Names of the quantities of RAIL that no column of the table holds."""
    return ADDED_NAMES if _is_mean(meta) else ("z_mean", *ADDED_NAMES)


def _derived(pdf, grid, meta):
    """The quantities of `_derived_names` of some PDFs."""
    functions = {
        "z_mean": grid.expectation,
        "z_q2p5": lambda part: grid.quantile(part, 0.025),
        "z_97p5": lambda part: grid.quantile(part, 0.975),
        "z_std": lambda part: _standard_deviation(part, grid),
    }
    values = {name: in_slices(functions[name], pdf) for name in _derived_names(meta) if name in functions}
    return {**values, "distribution_type": np.full(len(pdf), POSTERIOR)}


def _standard_deviation(pdf, grid):
    """Standard deviation of each PDF over bin midpoints, as in qp."""
    offset = grid.midpoints - grid.expectation(pdf)[:, None]
    return np.sqrt(np.sum(pdf * offset**2, axis=1))


def read_qp(path):
    """Read the table from a file of `write_qp`, with its meta, units and descriptions but without RAIL's names.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Table

    Raises
    ------
    OSError, KeyError, ValueError
        If the file is truncated, is another kind of ensemble, was not written by photoz-morph, or its edges are not
        those of its grid.
    """
    with h5py.File(path) as file:
        check_hdf5(file)
        check_qp(file)
        return read_qp_rows(file, json.loads(file.attrs["columns"]))


def check_qp(file):
    """Raise a ValueError unless an open HDF5 file is an ensemble from `write_qp` whose edges are those of its grid."""
    if "meta" not in file:
        raise ValueError("no group meta, which a qp ensemble has")
    kind = file["meta/pdf_name"][0].decode()
    if kind != "hist":
        raise ValueError(f"a qp ensemble of type {kind!r}, where photoz-morph reads and writes 'hist'")
    if "photoz_morph" not in file.attrs:
        raise ValueError("a qp ensemble that photoz-morph did not write: it lacks survey, origin and grid")
    for group in ("data", "ancil"):
        if group not in file:
            raise ValueError(f"no group {group}, which photoz-morph writes")
    grid, edges = _grid_of_meta(json.loads(file.attrs["photoz_morph"])), file["meta/bins"][:].ravel()
    if edges.shape != grid.edges.shape or not np.allclose(edges, grid.edges, rtol=0, atol=1e-9):
        raise ValueError(f"{len(edges)} edges from {edges[0]:g} to {edges[-1]:g} are not those of its {grid}")
    require_distinct_names(json.loads(file.attrs["columns"]))


def read_qp_rows(file, names, rows=slice(None)):
    """Columns of some rows of an open file that passed `check_qp`, with meta, units and descriptions."""
    table = Table(meta=json.loads(file.attrs["photoz_morph"]))
    for name in names:
        stored = file["data/pdfs" if name == "pdf" else f"ancil/{name}"]
        values = stored[rows]
        if name == "pdf":
            values *= np.float32(_grid_of_meta(table.meta).width)  # from density to probability
        elif values.dtype.kind == "S":
            values = np.char.decode(values, "utf-8")
        notes = {key: stored.attrs.get(key) or None for key in ("unit", "description")}
        table[name] = Column(values, **notes)
    return table


def _grid_of_meta(meta):
    """Redshift grid that the meta describes."""
    return RedshiftGrid(*(meta[key] for key in ("z_min", "z_max", "n_bins")))
