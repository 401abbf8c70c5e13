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
from photoz_morph.system.columns import require_distinct_names
from photoz_morph.system.sizes import check_hdf5

# RAIL's name -> ours. RAIL's own z_q84 is the 85 % quantile (`_calculate_summary_stats`); this one is the 84 % one.
RAIL_NAMES = {
    "id": "obj_id", "redshift": "z_spec", "z_median": "z_median", "z_mode": "z_mode", "z_mean": "z_phot",
    "z_q16": "z_lower", "z_q84": "z_upper",
}  # fmt: skip
ADDED_NAMES = ("z_q2p5", "z_97p5", "z_std", "distribution_type")  # z_97p5 without q is RAIL's
POSTERIOR = 1  # of RAIL's DistributionType


def write_qp(table, grid, path):
    """Write predictions as a `hist` ensemble.

    Parameters
    ----------
    table : Table
        From `predictions_table`.
    grid : RedshiftGrid
    path : path-like

    Raises
    ------
    ValueError
        If a column of the catalogue has a name that RAIL uses for another quantity, or names of columns differ only in
        letter case.
    """
    require_distinct_names(table.colnames)
    taken = [name for name in (*RAIL_NAMES, *ADDED_NAMES) if name in table.colnames and RAIL_NAMES.get(name) != name]
    if taken:
        raise ValueError(f"catalogue column {', '.join(taken)} has a name that RAIL uses for its own; rename it")
    pdf = np.asarray(table["pdf"])
    with h5py.File(path, "w") as file:
        file.attrs["photoz_morph"] = json.dumps(table.meta, default=lambda number: number.item())
        file.attrs["columns"] = json.dumps(table.colnames)
        meta = file.create_group("meta")
        meta["pdf_name"], meta["pdf_version"] = np.array([b"hist"]), np.array([0])
        meta["bins"] = grid.edges[None]
        densities = file.create_dataset("data/pdfs", pdf.shape, np.float32)
        densities.attrs["description"] = table["pdf"].description or ""
        for start in range(0, len(pdf), SLICE_ROWS):
            rows = slice(start, start + SLICE_ROWS)
            densities[rows] = pdf[rows] / grid.width
        _write_ancil(table, pdf, grid, file.create_group("ancil"))


def _write_ancil(table, pdf, grid, ancil):
    """Write the columns, RAIL's names for some of them, and the further quantities of RAIL."""
    for name in table.colnames:
        if name == "pdf":
            continue
        column = table[name]
        values = np.asarray(column)
        ancil[name] = np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values
        ancil[name].attrs.update(unit=str(column.unit or ""), description=column.description or "")
    is_mean = table.meta.get("zphot_at", "midpoints") == "midpoints"
    for name, ours in RAIL_NAMES.items():
        if name != ours and ours in ancil and (name != "z_mean" or is_mean):
            ancil[name] = ancil[ours]  # a hard link: the numbers are stored once
    if not is_mean:
        ancil["z_mean"] = in_slices(grid.expectation, pdf)
    ancil["z_q2p5"] = in_slices(lambda part: grid.quantile(part, 0.025), pdf)
    ancil["z_97p5"] = in_slices(lambda part: grid.quantile(part, 0.975), pdf)
    ancil["z_std"] = in_slices(lambda part: _standard_deviation(part, grid), pdf)
    ancil["distribution_type"] = np.full(len(pdf), POSTERIOR)


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
        table = Table(meta=json.loads(file.attrs["photoz_morph"]))
        grid = RedshiftGrid(*(table.meta[key] for key in ("z_min", "z_max", "n_bins")))
        edges = file["meta/bins"][:].ravel()
        if edges.shape != grid.edges.shape or not np.allclose(edges, grid.edges, rtol=0, atol=1e-9):
            raise ValueError(f"{len(edges)} edges from {edges[0]:g} to {edges[-1]:g} are not those of its {grid}")
        names = json.loads(file.attrs["columns"])
        require_distinct_names(names)
        for name in names:
            stored = file["data/pdfs" if name == "pdf" else f"ancil/{name}"]
            values = stored[:]
            if name == "pdf":
                values *= np.float32(grid.width)  # from density to probability
            elif values.dtype.kind == "S":
                values = np.char.decode(values, "utf-8")
            notes = {key: stored.attrs.get(key) or None for key in ("unit", "description")}
            table[name] = Column(values, **notes)
    return table
