"""Checks of the input of scores: not empty, finite, of matching shapes, probabilities that sum to one.

The `checked` functions return arrays to calculate with or raise a ValueError; `scored_rows` and `parent_id` read a
table of predictions.
"""

import numpy as np

SUM_TOLERANCE = 1e-4  # a float32 softmax sums to one within 1e-6; 1e-4 would shift z_phot by a tenth of the bias


def checked(values, name):
    """Float array that is finite and not empty; `name` is that in the error message."""
    values = np.asarray(values, float)
    if values.size == 0:
        raise ValueError(f"{name} is empty; no galaxy is left to score")
    bad = values.size - np.count_nonzero(np.isfinite(values))
    if bad:
        raise ValueError(f"{name}: {bad} of {values.size} values are not finite; leave flagged galaxies out")
    return values


def checked_pdf(pdf, grid):
    """Finite PDFs on the bins of a grid; shape (n, n_bins)."""
    pdf = np.asarray(pdf)
    if pdf.ndim != 2 or pdf.shape[1] != grid.n_bins:
        raise ValueError(f"pdf has shape {pdf.shape}, the grid needs (n, {grid.n_bins})")
    if len(pdf) == 0:
        raise ValueError("pdf is empty; no galaxy is left to score")
    bad = np.count_nonzero(~np.isfinite(pdf.sum(axis=1)))
    if bad:
        raise ValueError(f"pdf: {bad} of {len(pdf)} rows are not finite; leave flagged galaxies out")
    return pdf


def checked_pair(z_spec, pdf, grid):
    """Redshifts and PDFs of the same galaxies, shapes (n,) and (n, n_bins)."""
    z_spec, pdf = checked(z_spec, "z_spec"), checked_pdf(pdf, grid)
    if z_spec.shape != (len(pdf),):
        raise ValueError(f"z_spec has shape {z_spec.shape}, the {len(pdf)} PDFs need ({len(pdf)},)")
    return z_spec, pdf


def is_probability(values):
    """Mask of the rows that are probabilities: none negative, and their sum is one within `SUM_TOLERANCE`.

    `values` has shape (..., n); a row that holds NaN is no probability.
    """
    values = np.asarray(values)
    total = values.sum(axis=-1, dtype=float)
    return (np.abs(total - 1) < SUM_TOLERANCE) & (values.min(axis=-1) >= 0)


def scored_rows(table):
    """Mask of the predictions that can be scored: flag 0 and a finite z_spec.

    Parameters
    ----------
    table : Table
        From `predictions.predictions_table`; without column `z_spec` no row can be scored.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    if "z_spec" not in table.colnames:
        return np.zeros(len(table), bool)
    return (np.asarray(table["flag"]) == 0) & np.isfinite(np.asarray(table["z_spec"], float))


def parent_id(table):
    """Identifier of the parent galaxy: `group_id` where the table has it, `obj_id` otherwise; shape (n,)."""
    return np.asarray(table["group_id" if "group_id" in table.colnames else "obj_id"])
