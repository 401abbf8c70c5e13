"""The mean PDF of a set of galaxies against their distribution of z_spec, with a chi-square that uses the PDFs.

In go z_spec and PDFs on a `RedshiftGrid`; out come the galaxies found and expected in cells of redshift, the error of
the former if the PDFs are right, and the difference of the two mean redshifts.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

MIN_EXPECTED = 5  # the usual rule of chi-square tests: neighbouring cells are joined until they expect so many
CELL = 0.02  # our choice: of the order of a PDF's width


@dataclass(frozen=True)
class MeanPdf:
    """What `mean_pdf_test` finds.

    Attributes
    ----------
    n : int
    mean_pdf : ndarray, shape (n_bins,)
        Probability per bin of the grid.
    edges : ndarray, shape (n_cells + 1,)
        Redshifts.
    observed, expected, error : ndarray, shape (n_cells,)
        Galaxies with z_spec in each cell, the sum of the PDFs there, and the standard deviation of the former.
    chi_square, n_dof, p_value : float, int, float
        NaN if all galaxies share a cell.
    mean_shift, mean_shift_error : float
        Mean redshift of the mean PDF minus that of z_spec.
    """

    n: int
    mean_pdf: np.ndarray
    edges: np.ndarray
    observed: np.ndarray
    expected: np.ndarray
    error: np.ndarray
    chi_square: float
    n_dof: int
    p_value: float
    mean_shift: float
    mean_shift_error: float


def mean_pdf_test(z_spec, pdf, grid, cell=CELL):
    """Whether the mean PDF of galaxies is their redshift distribution.

    Parameters
    ----------
    z_spec : ndarray, shape (n,)
        Redshifts beyond the grid count in its outermost cells.
    pdf : ndarray, shape (n, n_bins)
    grid : RedshiftGrid
    cell : float
        Width of the redshift cells, rounded to whole bins; cells that expect fewer than `MIN_EXPECTED` are joined.

    Returns
    -------
    MeanPdf

    Raises
    ------
    ValueError
        If the input is empty, not finite or of the wrong shape.

    Notes
    -----
    As Pasquet et al. (2019), Fig. 13. If each z_spec is a draw from its galaxy's PDF p_i, the numbers n_k have the
    covariance sum_i (p_ik delta_kl - p_ik p_il), smaller than Poisson's as the galaxies are given: chi-square is with
    that matrix.
    """
    z_spec, pdf = np.asarray(z_spec, float), np.asarray(pdf)
    if pdf.shape != (len(z_spec), grid.n_bins) or len(pdf) == 0:
        raise ValueError(f"{len(z_spec)} z_spec and pdf of shape {pdf.shape}; needed are some, and (n, {grid.n_bins})")
    in_bins = pdf.sum(axis=0, dtype=float)
    bad = np.count_nonzero(~np.isfinite(z_spec) | ~np.isfinite(pdf.sum(axis=1)))
    if bad:
        raise ValueError(f"{bad} of {len(pdf)} galaxies have no finite z_spec or PDF; leave them out")
    starts = _joined_cells(in_bins, max(round(cell / grid.width), 1))
    edges = grid.edges[[*starts, grid.n_bins]]
    in_cells = np.add.reduceat(pdf, starts, axis=1).astype(float)
    expected = in_cells.sum(axis=0)
    observed, _ = np.histogram(np.clip(z_spec, grid.z_min, grid.z_max), edges)
    covariance = np.diag(expected) - in_cells.T @ in_cells
    difference = observed - expected
    inverse = np.linalg.pinv(covariance, rcond=1e-9, hermitian=True)  # the numbers add up to n: one direction is empty
    n_dof = len(expected) - 1
    chi_square = float(difference @ inverse @ difference) if n_dof else np.nan
    shift = grid.expectation(pdf) - z_spec
    return MeanPdf(
        n=len(z_spec),
        mean_pdf=in_bins / in_bins.sum(),
        edges=edges,
        observed=observed,
        expected=expected,
        error=np.sqrt(np.maximum(np.diag(covariance), 0)),
        chi_square=chi_square,
        n_dof=n_dof,
        p_value=float(stats.chi2.sf(chi_square, n_dof)) if n_dof else np.nan,
        mean_shift=float(shift.mean()),
        mean_shift_error=float(shift.std() / np.sqrt(len(shift))),
    )


def _joined_cells(in_bins, bins_per_cell):
    """First bin of each cell: steps of `bins_per_cell`, joined until each expects `MIN_EXPECTED` galaxies."""
    starts, begin = [], 0
    for end in [*range(bins_per_cell, len(in_bins), bins_per_cell), len(in_bins)]:
        if in_bins[begin:end].sum() >= MIN_EXPECTED:
            starts.append(begin)
            begin = end
    return starts or [0]  # what is left over at the end belongs to the last cell
