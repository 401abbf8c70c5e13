"""The mean PDF of a set of galaxies against their distribution of z_spec, with a chi-square that uses the PDFs.

`mean_pdf_test` takes z_spec and PDFs on a `RedshiftGrid` and returns the observed and expected numbers of galaxies in
cells of redshift, the error of the observed ones if the PDFs are right, and the difference of the two mean redshifts.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from photoz_morph.metrics.checks import checked_pair
from photoz_morph.metrics.group_sums import mean_error, number_groups

MIN_EXPECTED = 5  # the usual rule of chi-square tests: neighbouring cells are joined until they reach it
CELL = 0.02  # our choice: of the order of a PDF's width
MAX_CONDITION = 1e10  # of a covariance that can be inverted; beyond it the number of galaxies in some cell is fixed


@dataclass(frozen=True)
class MeanPdf:
    """Result of `mean_pdf_test`.

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
        NaN if all galaxies are in one cell, or PDFs are so narrow that the numbers cannot vary.
    design_effect : float
        Factor by which groups increase the variance of the numbers, and decrease chi-square; 1 without groups.
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
    design_effect: float
    mean_shift: float
    mean_shift_error: float


def mean_pdf_test(z_spec, pdf, grid, group_id=None):
    """Chi-square test of the mean PDF of galaxies against their redshift distribution.

    Parameters
    ----------
    z_spec : ndarray, shape (n,)
        Redshifts beyond the grid count in its outermost cells.
    pdf : ndarray, shape (n, n_bins)
        Each is divided by its sum.
    grid : RedshiftGrid
    group_id : ndarray, shape (n,), optional
        Galaxies of one group may resemble each other in any way, those of two groups are independent. By default every
        galaxy is independent.

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
    covariance sum_i (p_ik delta_kl - p_ik p_il), smaller than Poisson's as the galaxies are given. Chi-square uses
    that matrix, without the last cell, as the numbers add up to n. With groups it is divided by their mean design
    effect (Rao & Scott 1981): galaxies of a group are not independent, but each has its own PDF.
    """
    z_spec, pdf = checked_pair(z_spec, pdf, grid)
    group, _ = number_groups(group_id, len(pdf))
    norm = pdf.sum(axis=1, dtype=float)
    in_bins = np.einsum("ij,i->j", pdf, 1 / norm)
    starts = _joined_cells(in_bins, max(round(CELL / grid.width), 1))
    edges = grid.edges[[*starts, grid.n_bins]]
    in_cells = np.add.reduceat(pdf, starts, axis=1, dtype=float) / norm[:, None]
    expected = in_cells.sum(axis=0)
    redshift = np.clip(z_spec, grid.z_min, grid.z_max)
    observed, _ = np.histogram(redshift, edges)
    covariance = np.diag(expected) - in_cells.T @ in_cells
    n_dof = len(expected) - 1
    chi_square, effect = np.nan, 1.0
    if n_dof and np.linalg.cond(covariance[:-1, :-1]) < MAX_CONDITION:
        inverse = np.linalg.inv(covariance[:-1, :-1])
        difference = (observed - expected)[:-1]
        differences = -in_cells
        differences[np.arange(len(z_spec)), np.searchsorted(edges[1:-1], redshift, side="right")] += 1
        effect = _design_effect(differences[:, :-1], inverse, group)
        chi_square = float(difference @ inverse @ difference) / effect
    shift = grid.expectation(pdf) / norm - z_spec
    return MeanPdf(
        n=len(z_spec),
        mean_pdf=in_bins / len(pdf),
        edges=edges,
        observed=observed,
        expected=expected,
        error=np.sqrt(np.maximum(np.diag(covariance), 0) * effect),
        chi_square=chi_square,
        n_dof=n_dof,
        p_value=float(stats.chi2.sf(chi_square, n_dof)),
        design_effect=effect,
        mean_shift=float(shift.mean()),
        mean_shift_error=mean_error(shift, group),
    )


def _design_effect(differences, inverse, group):
    """Mean factor by which groups increase the variance of sums of differences, shape (n, n_cells); 1 or more."""
    n_groups = group.max() + 1
    if n_groups == len(group):
        return 1.0
    sums = np.stack([np.bincount(group, column, n_groups) for column in differences.T], axis=1)
    pairs = np.sum(sums @ inverse * sums) - np.sum(differences @ inverse * differences)
    return max(1 + float(pairs) / len(inverse), 1.0)


def _joined_cells(in_bins, bins_per_cell):
    """First bin of each cell: steps of `bins_per_cell`, joined until each expects `MIN_EXPECTED` galaxies."""
    starts, begin = [], 0
    for end in [*range(bins_per_cell, len(in_bins), bins_per_cell), len(in_bins)]:
        if in_bins[begin:end].sum() >= MIN_EXPECTED:
            starts.append(begin)
            begin = end
    return starts or [0]  # the remainder at the end belongs to the last cell
