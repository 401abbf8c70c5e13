"""Scores of single binned PDFs against z_spec: PIT, CRPS, conditional density loss, width of the central interval.

Each takes spectroscopic redshifts, shape (n,), and PDFs on a `RedshiftGrid`, shape (n, n_bins), rows summing to one,
and returns one number per galaxy. All are exact for a density that is constant inside bins, like that of `qp.hist`.
"""

import numpy as np

from photoz_morph.metrics.checks import checked_pair, checked_pdf

SLICE_ROWS = 20_000  # PDFs worked on at once: 30 MB a float64 copy with 180 bins


def pit(z_spec, pdf, grid):
    """Probability integral transform: the cumulative distribution of each PDF at z_spec.

    Parameters
    ----------
    z_spec : ndarray, shape (n,)
    pdf : ndarray, shape (n, n_bins)
    grid : RedshiftGrid

    Returns
    -------
    ndarray, shape (n,)
        Uniform on [0, 1] for calibrated PDFs; 0 or 1 for a z_spec outside the grid.

    Raises
    ------
    ValueError
        If the input is empty, not finite or of the wrong shape.
    """
    z_spec, pdf = checked_pair(z_spec, pdf, grid)
    return in_slices(grid.cdf_at, pdf, z_spec)


def crps(z_spec, pdf, grid):
    """Continuous ranked probability score of each PDF, exact for a density constant inside bins.

    Parameters
    ----------
    z_spec : ndarray, shape (n,)
        May lie outside the grid: the distance to its edge is then part of the score.
    pdf : ndarray, shape (n, n_bins)
    grid : RedshiftGrid

    Returns
    -------
    ndarray, shape (n,)
        Integral of [CDF(z) - H(z - z_spec)]^2 dz, in units of redshift.

    Raises
    ------
    ValueError
        If the input is empty, not finite or of the wrong shape.

    Notes
    -----
    Hersbach (2000). CDF - H is linear from edge to edge except for the step at z_spec, and a line from a to b has
    the mean square (a^2 + ab + b^2) / 3; the bin that holds z_spec is integrated in two parts.
    """
    z_spec, pdf = checked_pair(z_spec, pdf, grid)

    def crps_of(pdf, z_spec):
        cdf = grid.cdf(pdf)
        nearest = np.clip(z_spec, grid.z_min, grid.z_max)
        position = (nearest - grid.z_min) / grid.width
        holder = np.minimum(position.astype(int), grid.n_bins - 1)
        below = np.arange(grid.n_bins) < holder[:, None]
        left, right = cdf[:, :-1], cdf[:, 1:]
        squares = np.where(below, _mean_square(left, right), _mean_square(1 - left, 1 - right))
        row, part = np.arange(len(cdf)), position - holder
        at_z_spec = left[row, holder] + part * (right[row, holder] - left[row, holder])
        squares[row, holder] = part * _mean_square(left[row, holder], at_z_spec) + (1 - part) * _mean_square(
            1 - at_z_spec, 1 - right[row, holder]
        )
        return grid.width * squares.sum(axis=1) + np.abs(z_spec - nearest)

    return in_slices(crps_of, pdf, z_spec)


def _mean_square(first, last):
    """Mean square of a line that runs from one value to another."""
    return (first**2 + first * last + last**2) / 3


def cde_loss(z_spec, pdf, grid):
    """Contribution of each galaxy to the conditional density loss, exact for a density constant inside bins.

    Parameters
    ----------
    z_spec : ndarray, shape (n,)
        The density is 0 where it lies outside the grid.
    pdf : ndarray, shape (n, n_bins)
    grid : RedshiftGrid

    Returns
    -------
    ndarray, shape (n,)
        Integral of p(z)^2 dz - 2 p(z_spec), in units of 1 / redshift; lower is better, and its mean is the loss.

    Raises
    ------
    ValueError
        If the input is empty, not finite or of the wrong shape.

    Notes
    -----
    Izbicki & Lee (2017); up to a constant the mean squared distance of the PDFs from the true densities.
    qp integrates by trapezoids on a grid of points and takes p at the point nearest to z_spec. Its default points are
    0.0083 apart, nearly four bins of 2.2e-3, and its value then differs: give it `eval_grid` with points in
    every bin.
    """
    z_spec, pdf = checked_pair(z_spec, pdf, grid)

    def cde_loss_of(pdf, z_spec):
        density = np.asarray(pdf, float)
        density = density / (density.sum(axis=1, keepdims=True) * grid.width)
        inside = grid.contains(z_spec)
        holder = grid.bin_index(np.where(inside, z_spec, grid.z_min))
        at_z_spec = np.where(inside, density[np.arange(len(density)), holder], 0.0)
        return grid.width * np.einsum("ij,ij->i", density, density) - 2 * at_z_spec

    return in_slices(cde_loss_of, pdf, z_spec)


def interval_width(pdf, grid, level=0.68):
    """Width of the central interval of each PDF: equal probability is cut from both wings.

    Parameters
    ----------
    pdf : ndarray, shape (n, n_bins)
    grid : RedshiftGrid
    level : float
        Probability inside: 0.68 gives q84 - q16.

    Returns
    -------
    ndarray, shape (n,)
        In units of redshift.

    Raises
    ------
    ValueError
        If the PDFs are not finite or of the wrong shape, or `level` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level of an interval is a probability between 0 and 1, got {level}")
    pdf = checked_pdf(pdf, grid)
    wing = (1 - level) / 2
    return in_slices(lambda part: grid.quantile(part, 1 - wing) - grid.quantile(part, wing), pdf)


def in_slices(function, *arrays):
    """`function` of row-matched arrays, called on `SLICE_ROWS` rows at a time and joined."""
    starts = range(0, max(len(arrays[0]), 1), SLICE_ROWS)
    return np.concatenate([function(*(array[start : start + SLICE_ROWS] for array in arrays)) for start in starts])
