"""Straight lines through bias and sigma_MAD in bins of a property: slope, error, flatness, finding.

Each takes the residuals of the bins, x, and the group of each galaxy, and returns a `Line`. `trends.trend` makes
the bins.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse, stats

from photoz_morph.metrics.group_sums import count_groups, mad_influence, pair_covariance
from photoz_morph.metrics.redshifts.point_scores import sigma_mad

FLAT, HINT, SLOPE, NOT_FLAT = "consistent with flat", "hint", "slope", "not flat"  # findings
SMALL_BIN = 7  # the variance of ln sigma_MAD of n galaxies is 1 + 7/n asymptotic ones: Gaussian, t3, exponential drawn


@dataclass(frozen=True)
class Line:
    """A statistic in bins of x, and the straight line through it.

    Attributes
    ----------
    values, errors : ndarray, shape (n_bins,)
    slope, slope_error : float
        Per unit of x, or per dex (factor of ten) where `Trend.is_log`.
    pivot, at_pivot, at_pivot_error : float
        Mean x (or log10 x) and the line there, where its error does not depend on that of the slope.
    chi_square : float
        Of the bins about their weighted mean, for `n_dof` degrees of freedom.
    n_dof : int
    p_slope, p_flat : float
        p-values of the slope and of the chi-square, if the statistic does not depend on x.
    per : str
        Unit of x in the slope, such as "mag".
    finding : str
        FLAT, SLOPE, NOT_FLAT (but no straight slope), HINT (significant alone, not among so many), or the reason
        why there is no test.
    """

    values: np.ndarray
    errors: np.ndarray
    slope: float
    slope_error: float
    pivot: float
    at_pivot: float
    at_pivot_error: float
    chi_square: float
    n_dof: int
    p_slope: float
    p_flat: float
    per: str
    finding: str = ""

    def at(self, x):
        """The line and its standard error at x (log10 of it where `Trend.is_log`), each of the shape of x."""
        offset = np.asarray(x, float) - self.pivot
        return self.at_pivot + self.slope * offset, np.hypot(self.at_pivot_error, self.slope_error * offset)

    @property
    def p_value(self):
        """Smaller p-value of slope and chi-square, doubled for the two tests (Bonferroni)."""
        return float(np.minimum(1, 2 * np.minimum(self.p_slope, self.p_flat)))  # NaN stays NaN

    @property
    def slope_sigmas(self):
        """Slope over its error."""
        return self.slope / self.slope_error if self.slope_error > 0 else np.nan


def bias_line(x, residual_bins, group, per):
    """Line of the mean residual; `x` and number of the group of single galaxies, in the order of the joined bins."""
    residual, n = np.concatenate(residual_bins), len(x)
    centred = x - x.mean()
    spread = np.sum(centred**2)
    slope = np.sum(centred * residual) / spread
    offset = residual - residual.mean() - slope * centred
    slope_error = sandwich_error(centred, offset, group)
    values = np.array([part.mean() for part in residual_bins])
    covariance, freedom = _mean_covariance(residual_bins, values, group)
    chi_square, p_flat = _welch(values, covariance, freedom)
    p_slope = 2 * stats.t.sf(abs(slope) / slope_error, count_groups(group) - 2) if slope_error > 0 else np.nan
    rest = offset / (1 - np.minimum(1 / n + centred**2 / spread, 1 - 1e-9))
    at_pivot_error = np.sqrt(np.sum(np.bincount(group, rest - rest.mean()) ** 2)) / n
    return Line(
        values, np.sqrt(np.diag(covariance)), slope, slope_error, x.mean(), residual.mean(), at_pivot_error,
        chi_square, len(values) - 1, p_slope, p_flat, per,
    )  # fmt: skip


def sandwich_error(centred, offset, group):
    """Sandwich estimate CR3 of a slope's error: root of the summed squares of the changes without each group."""
    n, spread = len(centred), np.sum(centred**2)
    count, sum_x, sum_xx, sum_y, sum_xy = (
        np.bincount(group, weights) for weights in (None, centred, centred**2, offset, centred * offset)
    )
    # The normal equations of all galaxies but those of one group, solved for each group in turn.
    determinant = np.maximum((n - count) * (spread - sum_xx) - sum_x**2, 1e-9 * n * spread)
    change = ((n - count) * sum_xy + sum_x * sum_y) / determinant
    return np.sqrt(np.sum(change**2))


def _mean_covariance(residual_bins, values, group):
    """Covariance CR2 of the means of bins, shape (n_bins, n_bins), and the degrees of freedom of each bin."""
    offset = np.concatenate([part - value for part, value in zip(residual_bins, values)])
    groups, bins, count, sums = _filled(residual_bins, group, offset)
    n = np.array([len(part) for part in residual_bins], float)
    part = sums / np.sqrt(1 - np.minimum(count / n[bins], 1 - 1e-9)) / n[bins]
    # Kish (1965), Sec. 11.2: how many groups of one size are worth as much.
    return _products(groups, bins, part, len(n)), n**2 / np.bincount(bins, count**2, len(n)) - 1


def _filled(residual_bins, group, weights):
    """Of each group and bin that has galaxies: numbers of the group and the bin, and the galaxies and summed weights.

    There are at most as many as galaxies, where a table of all groups and bins would have many times that.
    """
    n_bins = len(residual_bins)
    entry = group * n_bins + np.repeat(np.arange(n_bins), [len(part) for part in residual_bins])
    filled, place, count = np.unique(entry, return_inverse=True, return_counts=True)
    return filled // n_bins, filled % n_bins, count.astype(float), np.bincount(place, weights)


def _products(groups, bins, values, n_bins):
    """Sum over the groups of the products of their values in two bins, shape (n_bins, n_bins)."""
    row = np.unique(groups, return_inverse=True)[1]
    table = sparse.csr_array((values, (row, bins)), shape=(row.max() + 1, n_bins))
    return (table.T @ table).toarray()


def _welch(values, covariance, freedom):
    """Chi-square of bins about their weighted mean, and its p-value after Welch (1951); NaN without scatter."""
    if not np.all(np.diag(covariance) > 0):
        return np.nan, np.nan
    chi_square, weight = _chi_square(values, covariance)
    n_bins = len(values)
    unsure = np.sum((1 - weight / weight.sum()) ** 2 / freedom) / (n_bins**2 - 1)
    ratio = chi_square / (n_bins - 1) / (1 + 2 * (n_bins - 2) * unsure)
    return chi_square, stats.f.sf(ratio, n_bins - 1, 1 / (3 * unsure))


def _chi_square(values, covariance):
    """Chi-square of values about the mean that minimises it, and the weights of that mean."""
    weight = np.linalg.solve(covariance, np.ones(len(values)))
    offset = values - np.sum(weight * values) / weight.sum()
    return offset @ np.linalg.solve(covariance, offset), weight


def sigma_mad_line(x, residual_bins, group, per):
    """Line of sigma_MAD; `x` of the bins, number of the group of galaxies in the order of the joined bins."""
    count = np.array([len(part) for part in residual_bins])
    values = np.array([sigma_mad(part) for part in residual_bins])
    if not np.all(values > 0):
        return replace(no_line(per), values=values, errors=np.full(len(values), np.nan))
    alike = np.concatenate([(part - np.median(part)) / value for part, value in zip(residual_bins, values)])
    relative = _relative_covariance(alike, residual_bins, group)
    covariance = relative * np.outer(values, values)
    pivot = np.average(x, weights=count)
    centred = x - pivot
    spread = np.sum(count * centred**2)
    slope = np.sum(count * centred * values) / spread
    slope_error = np.sqrt(count * centred @ covariance @ (count * centred)) / spread
    # Of the logarithms: errors in proportion to the values would give low bins more weight.
    chi_square, _ = _chi_square(np.log(values), relative) if np.all(np.isfinite(relative)) else (np.nan, None)
    n_dof = len(count) - 1
    p_flat, p_slope = stats.chi2.sf(chi_square, n_dof), 2 * stats.norm.sf(abs(slope) / slope_error)
    at_pivot = np.average(values, weights=count)
    at_pivot_error = np.sqrt(count @ covariance @ count) / count.sum()
    return Line(
        values, np.sqrt(np.diag(covariance)), slope, slope_error, pivot, at_pivot, at_pivot_error, chi_square, n_dof,
        p_slope, p_flat, per,
    )  # fmt: skip


def _relative_covariance(alike, residual_bins, group):
    """Covariance of ln sigma_MAD of bins, for galaxies of one scatter and groups of one correlation."""
    influence, factor = mad_influence(alike)
    if not np.isfinite(factor):
        return np.full((len(residual_bins), len(residual_bins)), np.nan)
    groups, bins, count, _ = _filled(residual_bins, group, influence)
    n = np.array([len(part) for part in residual_bins], float)
    variance, shared = np.mean(influence**2), pair_covariance(influence, group)
    relative = (np.diag((variance - shared) * n) + shared * _products(groups, bins, count, len(n))) / np.outer(n, n)
    small = np.sqrt(1 + SMALL_BIN * np.diag(relative) / variance)
    return factor**2 * relative * np.outer(small, small)


def no_line(per):
    """Empty line, for too few galaxies."""
    nothing = np.empty(0)
    return Line(nothing, nothing, *[np.nan] * 6, 0, np.nan, np.nan, per)


def finding(line, threshold, alone=0.0):
    """Finding of a line: real if its `p_value` is at most `threshold`, a hint if it is at most `alone`."""
    if not np.isfinite(line.p_value):
        return "no scatter to compare with"
    if line.p_value > threshold:
        return HINT if line.p_value <= alone else FLAT
    return SLOPE if 2 * line.p_slope <= threshold else NOT_FLAT
