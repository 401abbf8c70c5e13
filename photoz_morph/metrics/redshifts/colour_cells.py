"""Bias, scatter and attenuation of photometric redshifts in cells of colour space.

`cell_scores` takes the cell of each galaxy, z_spec and z_phot, and returns the scores of each cell; `slopes_at_zero`
says in how many cells a slope is consistent with zero, and in how many it would be by chance.

Within a cell of similar colours, redshifts are attenuated if z_phot - z_spec falls with z_spec: galaxies at high
redshift are put too low, those at low redshift too high. Moran et al. (2025) found this slope in the cells of a
self-organising map to be steep for redshifts from magnitudes and small for those of networks that see pixels. It
vanishes for perfect redshifts only: of a mean of calibrated PDFs it is minus the share of the variance of z_spec in the
cell that the PDFs leave open (`slope_of_pdfs`), whereas the slope of z_phot - z_spec against z_phot is zero. A slope
that differs from that of the PDFs means that these are not calibrated; where both are steep, the method does not know
more of the galaxies.
"""

from dataclasses import dataclass, fields

import numpy as np
from scipy import stats

from photoz_morph.metrics.checks import checked
from photoz_morph.metrics.group_sums import count_groups, mad_error, mean_error, number_groups
from photoz_morph.metrics.redshifts.point_scores import residuals, sigma_mad
from photoz_morph.metrics.redshifts.trend_lines import sandwich_error

MEAN_COUNT = 100  # our choice: galaxies per cell, on average, that the number of cells is chosen for
SIDES = 2, 15  # our choice: fewest and most cells along an axis
MIN_GROUPS = 30  # our choice: cells of fewer parents stay blank, as their slopes have no useful error
N_SIGMA = 2


@dataclass(frozen=True)
class CellScores:
    """Result of `cell_scores`; each is an ndarray with one entry per cell that is not blank.

    Attributes
    ----------
    cell : ndarray of int
        Ascending.
    n, n_groups : ndarray of int
        Galaxies and their parents.
    z_spec, z_spec_sd : ndarray
        Mean and standard deviation of the true redshifts.
    bias, bias_error, sigma_mad, sigma_mad_error : ndarray
        Of the normalised residuals; the last is NaN where half of them are one number.
    slope, slope_error : ndarray
        Of z_phot - z_spec against z_spec.
    slope_of_pdfs : ndarray
        The slope that calibrated PDFs of this width would have; NaN where there are no PDFs.
    z_phot_slope, z_phot_slope_error : ndarray
        Of z_phot - z_spec against z_phot.
    """

    cell: np.ndarray
    n: np.ndarray
    n_groups: np.ndarray
    z_spec: np.ndarray
    z_spec_sd: np.ndarray
    bias: np.ndarray
    bias_error: np.ndarray
    sigma_mad: np.ndarray
    sigma_mad_error: np.ndarray
    slope: np.ndarray
    slope_error: np.ndarray
    slope_of_pdfs: np.ndarray
    z_phot_slope: np.ndarray
    z_phot_slope_error: np.ndarray


def map_side(n):
    """Cells along each axis of a map of n galaxies: about `MEAN_COUNT` in a cell, within `SIDES`."""
    return int(np.clip(np.sqrt(n / MEAN_COUNT), *SIDES))


def cell_scores(cell, z_spec, z_phot, group_id=None, pdf_variance=None):
    """Bias, scatter and attenuation in cells.

    Parameters
    ----------
    cell : ndarray of int, shape (n,)
        Such as from `self_organising_map.CellMap.cell`.
    z_spec, z_phot : ndarray, shape (n,)
    group_id : ndarray, shape (n,), optional
        Galaxies of one group may resemble each other in any way, those of two groups are independent. By default every
        galaxy is independent.
    pdf_variance : ndarray, shape (n,), optional
        Variance of each PDF.

    Returns
    -------
    CellScores
        Cells of fewer than `MIN_GROUPS` groups, or of one redshift, are blank.

    Raises
    ------
    ValueError
        If a redshift is not finite, or shapes differ.

    Notes
    -----
    Slopes are least squares over the galaxies of a cell, their errors the sandwich estimate CR3, the jackknife over
    groups, as in `trends`.
    """
    z_spec, z_phot, cell = checked(z_spec, "z_spec"), checked(z_phot, "z_phot"), np.asarray(cell)
    if not z_spec.shape == z_phot.shape == cell.shape:
        raise ValueError(f"{cell.size} cells, {z_spec.size} z_spec and {z_phot.size} z_phot; they must be one of each")
    group, _ = number_groups(group_id, len(z_spec))
    rows = []
    for number in np.unique(cell):
        here = cell == number
        n_groups = count_groups(group[here])
        if n_groups < MIN_GROUPS or min(np.ptp(z_spec[here]), np.ptp(z_phot[here])) == 0:
            continue
        local, _ = number_groups(group[here], int(here.sum()))
        variance = None if pdf_variance is None else np.asarray(pdf_variance, float)[here]
        rows.append([number, here.sum(), n_groups, *_scores(z_spec[here], z_phot[here], local, variance)])
    names = [field.name for field in fields(CellScores)]
    table = np.array(rows, float).reshape(-1, len(names))
    columns = dict(zip(names, table.T))
    return CellScores(**{name: columns[name].astype(int) if name in ("cell", "n", "n_groups") else columns[name]
                         for name in names})  # fmt: skip


def _scores(z_spec, z_phot, group, variance):
    """The scores of one cell, in the order of `CellScores`."""
    residual, offset = residuals(z_phot, z_spec), z_phot - z_spec
    of_pdfs = np.nan if variance is None else -variance.mean() / z_spec.var()
    return [
        z_spec.mean(), z_spec.std(), residual.mean(), mean_error(residual, group), sigma_mad(residual),
        mad_error(residual, group), *_slope(z_spec, offset, group), of_pdfs, *_slope(z_phot, offset, group),
    ]  # fmt: skip


def _slope(x, y, group):
    """Slope of a straight line and its error."""
    centred = x - x.mean()
    slope = np.sum(centred * y) / np.sum(centred**2)
    return slope, sandwich_error(centred, y - y.mean() - slope * centred, group)


def slopes_at_zero(slope, error, n_groups):
    """Cells whose slope is within `N_SIGMA` errors of zero, and what chance would make of flat ones.

    Parameters
    ----------
    slope, error : ndarray, shape (n_cells,)
    n_groups : ndarray of int, shape (n_cells,)

    Returns
    -------
    dict
        `n_cells`; `n_within` of them and the `share`; the `expected_share` if all slopes are zero, from Student's t of
        `n_groups - 2` degrees of freedom; `p_value`, the chance of so few, if cells are independent; `mean`, weighted
        by the errors, and its `mean_error`. None where there are no cells.
    """
    slope, error, n_groups = (np.asarray(values, float) for values in (slope, error, n_groups))
    n_cells = len(slope)
    if not n_cells:
        return {"n_cells": 0, "n_within": 0, **dict.fromkeys(("share", "expected_share", "p_value", "mean",
                                                              "mean_error"))}  # fmt: skip
    n_within = int(np.sum(np.abs(slope) <= N_SIGMA * error))
    expected = float(np.mean(1 - 2 * stats.t.sf(N_SIGMA, np.maximum(n_groups - 2, 1))))
    weight = 1 / np.maximum(error, 1e-12) ** 2
    return {
        "n_cells": n_cells,
        "n_within": n_within,
        "share": n_within / n_cells,
        "expected_share": expected,
        "p_value": float(stats.binom.cdf(n_within, n_cells, expected)),
        "mean": float(np.sum(weight * slope) / weight.sum()),
        "mean_error": float(weight.sum() ** -0.5),
    }
