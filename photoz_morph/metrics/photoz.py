"""Scores of photometric redshifts: point estimates against z_spec, and binned PDFs against z_spec.

In go spectroscopic redshifts, shape (n,), and PDFs on a `RedshiftGrid`, shape (n, n_bins); out come one number per
galaxy (`residuals`, `pit`, `crps`, `interval_width`), one number per sample (`bias`, `sigma_mad`, `eta`), and the
bootstrap error of any of the latter. Definitions are those of Pasquet et al. (2019), Sec. 4.1.
"""

import numpy as np

ETA_THRESHOLD = 0.05  # Pasquet et al. (2019), Sec. 4.1; deep surveys often quote 0.15
FLAT_PIT_STD = 12**-0.5  # of a uniform distribution on [0, 1]
SLICE_ROWS = 20_000  # PDFs worked on at once: 30 MB a float64 copy with 180 bins
RESAMPLE_ENTRIES = 4_000_000  # galaxies times resamples drawn at once: 32 MB of indices


def residuals(z_phot, z_spec):
    """Normalised redshift residuals (z_phot - z_spec) / (1 + z_spec), shape (n,)."""
    z_phot, z_spec = np.asarray(z_phot, float), np.asarray(z_spec, float)
    return (z_phot - z_spec) / (1 + z_spec)


def bias(residuals):
    """Mean normalised residual (qp and RAIL call the median "bias").

    Parameters
    ----------
    residuals : ndarray, shape (..., n)

    Returns
    -------
    float or ndarray, shape (...)

    Raises
    ------
    ValueError
        If `residuals` is empty or holds a non-finite value.
    """
    return np.mean(_checked(residuals, "residuals"), axis=-1)


def sigma_mad(residuals):
    """Dispersion of normalised redshift residuals, robust to outliers.

    Parameters
    ----------
    residuals : ndarray, shape (..., n)
        Dimensionless (z_phot - z_spec) / (1 + z_spec).

    Returns
    -------
    float or ndarray, shape (...)
        1.4826 times the median absolute deviation about the median.

    Raises
    ------
    ValueError
        If `residuals` is empty or holds a non-finite value.

    Notes
    -----
    Pasquet et al. (2019), Sec. 4.1. Unlike Ilbert et al. (2006), the median is subtracted.
    """
    residuals = _checked(residuals, "residuals")
    deviation = np.abs(residuals - np.median(residuals, axis=-1, keepdims=True))
    return 1.4826 * np.median(deviation, axis=-1)  # 1 / Phi^-1(3/4): the standard deviation of a Gaussian


def eta(residuals, threshold=ETA_THRESHOLD):
    """Fraction of outliers, |residual| > threshold. A fraction: tables print it in per cent.

    `residuals` of shape (..., n) as for `sigma_mad`, which also has the errors raised.
    """
    return np.mean(np.abs(_checked(residuals, "residuals")) > threshold, axis=-1)


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
    z_spec, pdf = _checked_pair(z_spec, pdf, grid)
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
    Hersbach (2000). CDF - H is linear from edge to edge but for the step at z_spec, and a line from a to b has
    the mean square (a^2 + ab + b^2) / 3; the bin that holds z_spec is integrated in two parts.
    """
    z_spec, pdf = _checked_pair(z_spec, pdf, grid)

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
    pdf = _checked_pdf(pdf, grid)
    wing = (1 - level) / 2
    return in_slices(lambda part: grid.quantile(part, 1 - wing) - grid.quantile(part, wing), pdf)


# Each score: the quantity of single galaxies it is made of, and how it condenses them along the last axis.
SCORES = {
    "bias": ("residual", bias),
    "sigma_mad": ("residual", sigma_mad),
    "eta": ("residual", eta),
    "crps": ("crps", lambda values: np.mean(values, axis=-1)),
    "pit_std": ("pit", lambda values: np.std(values, axis=-1)),
    "width_68": ("width_68", lambda values: np.mean(values, axis=-1)),
}


def galaxy_scores(z_spec, pdf, grid, z_phot=None):
    """The quantities of single galaxies the scores condense: residual, crps, pit, width_68; each of shape (n,).

    `z_phot` defaults to the mean of each PDF; see `scores` for the rest.
    """
    z_spec, pdf = _checked_pair(z_spec, pdf, grid)
    z_phot = in_slices(grid.expectation, pdf) if z_phot is None else z_phot
    return {
        "residual": _checked(residuals(z_phot, z_spec), "z_phot"),
        "crps": crps(z_spec, pdf, grid),
        "pit": pit(z_spec, pdf, grid),
        "width_68": interval_width(pdf, grid),
    }


def scores(z_spec, pdf, grid, z_phot=None):
    """All scores of one sample.

    Parameters
    ----------
    z_spec : ndarray, shape (n,)
    pdf : ndarray, shape (n, n_bins)
    grid : RedshiftGrid
    z_phot : ndarray, shape (n,), optional
        Point estimates; the mean of each PDF by default.

    Returns
    -------
    dict
        bias, sigma_mad, eta (a fraction), mean crps, pit_std (0.2887 where calibrated, smaller where PDFs are too
        wide) and the mean width_68.

    Raises
    ------
    ValueError
        If the input is empty, not finite or of the wrong shape.
    """
    per_galaxy = galaxy_scores(z_spec, pdf, grid, z_phot)
    return {name: float(condense(per_galaxy[quantity])) for name, (quantity, condense) in SCORES.items()}


def bootstrap(statistic, values, n_resamples=200, seed=0):
    """A statistic of samples redrawn with replacement from the galaxies; its standard deviation is the error.

    The same length and seed redraw the same galaxies, so the difference of two calls is a paired bootstrap.

    Parameters
    ----------
    statistic : callable
        Maps (k, n) to (k,), such as `sigma_mad`.
    values : ndarray, shape (n,)
        One value per galaxy.
    n_resamples, seed : int

    Returns
    -------
    ndarray, shape (n_resamples,)

    Raises
    ------
    ValueError
        If `values` is empty or not finite, or `n_resamples` is below 2.

    Notes
    -----
    Efron (1979). Resamples are drawn a few at a time, so memory does not grow with their number.
    """
    values = _checked(values, "values")
    if n_resamples < 2:
        raise ValueError(f"a bootstrap error needs at least 2 resamples, got {n_resamples}")
    rng = np.random.default_rng(seed)
    n, at_once = len(values), max(1, RESAMPLE_ENTRIES // len(values))
    sizes = [min(at_once, n_resamples - start) for start in range(0, n_resamples, at_once)]
    return np.concatenate([statistic(values[rng.integers(0, n, (size, n))]) for size in sizes])


def in_slices(function, *arrays):
    """`function` of row-matched arrays, called on some thousand rows at a time and joined."""
    starts = range(0, max(len(arrays[0]), 1), SLICE_ROWS)
    return np.concatenate([function(*(array[start : start + SLICE_ROWS] for array in arrays)) for start in starts])


def _checked(values, name):
    """Float array that is not empty and finite."""
    values = np.asarray(values, float)
    if values.size == 0:
        raise ValueError(f"{name} is empty; no galaxy is left to score")
    bad = values.size - np.count_nonzero(np.isfinite(values))
    if bad:
        raise ValueError(f"{name}: {bad} of {values.size} values are not finite; leave flagged galaxies out")
    return values


def _checked_pdf(pdf, grid):
    """PDFs of the width of the grid, finite."""
    pdf = np.asarray(pdf)
    if pdf.ndim != 2 or pdf.shape[1] != grid.n_bins:
        raise ValueError(f"pdf has shape {pdf.shape}, the grid needs (n, {grid.n_bins})")
    if len(pdf) == 0:
        raise ValueError("pdf is empty; no galaxy is left to score")
    bad = np.count_nonzero(~np.isfinite(pdf.sum(axis=1)))
    if bad:
        raise ValueError(f"pdf: {bad} of {len(pdf)} rows are not finite; leave flagged galaxies out")
    return pdf


def _checked_pair(z_spec, pdf, grid):
    """Redshifts and PDFs of the same galaxies."""
    z_spec, pdf = _checked(z_spec, "z_spec"), _checked_pdf(pdf, grid)
    if z_spec.shape != (len(pdf),):
        raise ValueError(f"z_spec has shape {z_spec.shape}, the {len(pdf)} PDFs need ({len(pdf)},)")
    return z_spec, pdf
