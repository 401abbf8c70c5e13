"""Recalibration of PDFs by a monotone map of their cumulative distribution, the same for all galaxies or local.

Where the PIT of galaxies is not uniform, the cumulative distribution F of a PDF is replaced by G(F) with G the
distribution of the PIT. G is that of beta calibration, logit G(u) = c + a ln u - b ln(1 - u) with a, b > 0: the
identity for c = 0, a = b = 1; c moves a PDF, a and b stretch its two wings. Global, the three numbers are the same for
all galaxies; local, c, ln a and ln b are linear in features of the PDF, its mean and width. A Gaussian prior about the
identity, whose width cross-validation chooses, keeps few galaxies from bending it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

KINDS = ("none", "global", "local")  # from simple to less so
PRIORS = (0.03, 0.06, 0.12, 0.25, 1.0)  # widths of the prior of c, ln a, ln b that are tried; our choice
LOCAL_SHARE = 0.5  # width of the prior of the slopes in units of that of the constants
MIN_GAIN = 1.0  # of the cross-validated ln likelihood that the local map must have over the global one
FEATURE_LIMIT = 2.5  # standard deviations; beyond, the map is that of the limit
PIT_LIMIT = 1e-3  # PIT values nearer to 0 or 1 count as this near: outliers beyond a PDF do not set its width
CDF_FLOOR = 1e-12


@dataclass(frozen=True)
class PitMap:
    """Monotone map of the cumulative distribution.

    Attributes
    ----------
    kind : {"none", "global", "local"}
    coefficients : tuple of tuple of float, shape (3, n_features)
        Of c, ln a and ln b: one each for a global map, four for a local one; empty without a map.
    centre, scale : tuple of float, shape (2,)
        Of the mean of a PDF [redshift] and of the logarithm of its mean absolute deviation, in the features of a local
        map.
    prior : float
        Width of the prior.
    """

    kind: str = "none"
    coefficients: tuple = ()
    centre: tuple = (0.0, 0.0)
    scale: tuple = (1.0, 1.0)
    prior: float = 0.0

    def pdf(self, pdf, grid):
        """Recalibrated PDFs, shape (n, n_bins); NaN where the PDF is."""
        pdf = np.asarray(pdf, float)
        if self.kind == "none":
            return pdf
        shift, log_left, log_right = np.asarray(self.coefficients) @ features(pdf, grid, self).T
        below = np.cumsum(pdf, axis=1)[:, :-1]
        above = np.cumsum(pdf[:, ::-1], axis=1)[:, -2::-1]  # not 1 - below, which loses the upper wing to rounding
        logit = shift[:, None] + np.exp(log_left)[:, None] * np.log(np.clip(below, CDF_FLOOR, 1))
        logit -= np.exp(log_right)[:, None] * np.log(np.clip(above, CDF_FLOOR, 1))
        cdf = np.concatenate([np.zeros((len(pdf), 1)), _sigmoid(logit), np.ones((len(pdf), 1))], axis=1)
        return np.maximum(np.diff(cdf, axis=1), 0)


def features(pdf, grid, pit_map):
    """Features of PDFs on which a map depends, shape (n, 1) for a global map and (n, 4) for a local one.

    They are 1, the scaled mean m of the PDF, m^2 - 1, and the scaled logarithm of its mean absolute deviation.
    """
    if pit_map.kind != "local":
        return np.ones((len(pdf), 1))
    mean, width = place_and_width(pdf, grid)
    mean, width = (
        np.clip((values - centre) / scale, -FEATURE_LIMIT, FEATURE_LIMIT)
        for values, centre, scale in zip((mean, width), pit_map.centre, pit_map.scale)
    )
    return np.stack([np.ones_like(mean), mean, mean**2 - 1, width], axis=1)


def place_and_width(pdf, grid):
    """Mean of each PDF and the logarithm of its mean absolute deviation, at least a quarter of a bin; shapes (n,)."""
    mean = grid.expectation(pdf)
    deviation = np.sum(pdf * np.abs(grid.midpoints - mean[:, None]), axis=1)
    return mean, np.log(np.maximum(deviation, grid.width / 4))


def fit_pit_map(pdf, pit, grid, kind, prior):
    """Map of one kind and prior.

    Parameters
    ----------
    pdf : ndarray, shape (n, n_bins)
    pit : ndarray, shape (n,)
    grid : RedshiftGrid
    kind : {"none", "global", "local"}
    prior : float

    Returns
    -------
    PitMap
    """
    if kind == "none":
        return PitMap()
    centre, scale = (0.0, 0.0), (1.0, 1.0)
    if kind == "local":
        shapes = place_and_width(pdf, grid)
        centre = tuple(float(np.mean(values)) for values in shapes)
        scale = tuple(float(np.std(values)) or 1.0 for values in shapes)
    empty = PitMap(kind, (), centre, scale, prior)
    design, logs = features(pdf, grid, empty), _logs(pit)
    widths = prior * np.where(np.arange(design.shape[1]) == 0, 1, LOCAL_SHARE)

    def loss(flat):
        value, gradient = log_density(flat.reshape(3, -1), design, *logs)
        penalty = flat / np.tile(widths, 3) ** 2
        return 0.5 * flat @ penalty - value.sum(), penalty - gradient.ravel()

    found = minimize(loss, np.zeros(3 * design.shape[1]), jac=True, method="L-BFGS-B").x.reshape(3, -1)
    return PitMap(kind, tuple(map(tuple, found.tolist())), centre, scale, prior)


def choose_pit_map(pdf, pit, grid, part):
    """Kind and prior with the highest cross-validated likelihood of the PIT; the simpler kind unless it pays.

    Parameters
    ----------
    pdf : ndarray, shape (n, n_bins)
    pit : ndarray, shape (n,)
    grid : RedshiftGrid
    part : ndarray of int, shape (n,)
        Part of the cross-validation that each galaxy is in; copies of a galaxy are in one.

    Returns
    -------
    kind : str
    prior : float
    gains : dict of str to float
        Highest cross-validated ln likelihood of each kind, summed over galaxies; that of no map is 0.
    """
    best = {"none": (0.0, 0.0)}
    for kind in KINDS[1:]:
        totals = {prior: _cross_validated(pdf, pit, grid, part, kind, prior) for prior in PRIORS}
        prior = max(totals, key=totals.get)
        best[kind] = totals[prior], prior
    kind = "global" if best["global"][0] > 0 else "none"
    if best["local"][0] > best[kind][0] + MIN_GAIN:
        kind = "local"
    return kind, best[kind][1], {name: gain for name, (gain, _) in best.items()}


def _cross_validated(pdf, pit, grid, part, kind, prior):
    """Sum of the ln densities of the PIT values of each part, by a map fitted to the others."""
    total = 0.0
    for left_out in np.unique(part):
        others = part != left_out
        pit_map = fit_pit_map(pdf[others], pit[others], grid, kind, prior)
        design = features(pdf[~others], grid, pit_map)
        total += log_density(np.asarray(pit_map.coefficients), design, *_logs(pit[~others]))[0].sum()
    return float(total)


def log_density(coefficients, design, log_u, log_v):
    """Logarithm of the density g of the PIT, and the gradient of its sum.

    Parameters
    ----------
    coefficients : ndarray, shape (3, n_features)
        Of c, ln a and ln b.
    design : ndarray, shape (n, n_features)
    log_u, log_v : ndarray, shape (n,)
        Logarithms of the PIT u and of 1 - u.

    Returns
    -------
    values : ndarray, shape (n,)
        ln g(u) with g = dG/du = G (1 - G) [a / u + b / (1 - u)].
    gradient : ndarray, shape (3, n_features)
    """
    shift, left, right = coefficients @ design.T
    left, right = np.exp(left), np.exp(right)
    logit = shift + left * log_u - right * log_v
    of_left, of_right = left * np.exp(-log_u), right * np.exp(-log_v)
    slope = 1 - 2 * _sigmoid(logit)
    values = np.log(of_left + of_right) - np.logaddexp(0, logit) - np.logaddexp(0, -logit)
    by_part = [
        slope,
        slope * left * log_u + of_left / (of_left + of_right),
        -slope * right * log_v + of_right / (of_left + of_right),
    ]
    return values, np.stack(by_part) @ design


def _logs(pit):
    """Logarithms of the PIT and of one minus it, kept from the ends by `PIT_LIMIT`."""
    pit = np.clip(pit, PIT_LIMIT, 1 - PIT_LIMIT)
    return np.log(pit), np.log1p(-pit)


def _sigmoid(values):
    """1 / (1 + exp(-x)) without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * values))
