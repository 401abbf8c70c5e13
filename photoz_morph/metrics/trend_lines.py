"""Straight lines through bias and sigma_MAD in bins of a property: slope, error, flatness, and what they show.

In go the residuals of each bin and x; out comes a `Line`. `trends.trend` makes the bins.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from photoz_morph.metrics.photoz import sigma_mad

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
        Chance of such a slope and of such a chi-square if the statistic does not depend on x.
    per : str
        What the slope is per, such as "mag".
    finding : str
        FLAT, SLOPE, NOT_FLAT (but no straight slope), HINT (real if it were alone, chance among so many), or why
        nothing was found.
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
        """Chance of the less probable of slope and chi-square, counted twice for the two looks (Bonferroni)."""
        return float(np.minimum(1, 2 * np.minimum(self.p_slope, self.p_flat)))  # NaN stays NaN

    @property
    def slope_sigmas(self):
        """Slope over its error."""
        return self.slope / self.slope_error if self.slope_error > 0 else np.nan

    @property
    def slope_text(self):
        """Slope with its error and unit, two digits of the error."""
        n_digits = int(np.clip(1 - np.floor(np.log10(self.slope_error)), 0, 9)) if self.slope_error > 0 else 3
        return f"{self.slope:+.{n_digits}f} ± {self.slope_error:.{n_digits}f} per {self.per}"

    @property
    def verdict(self):
        """The finding with its numbers."""
        sigmas = f"{abs(self.slope_sigmas):.1f} sigma"
        chi_square = f"chi-square {self.chi_square:.0f} for {self.n_dof}, {p_text(self.p_flat)}"
        if self.finding == FLAT:
            return f"{FLAT} (slope {self.slope_text}, {sigmas})"
        if self.finding == SLOPE:
            return f"slope {self.slope_text} ({sigmas})"
        if self.finding == NOT_FLAT:
            return f"{NOT_FLAT} ({chi_square}), but no straight slope"
        if self.finding == HINT:
            reason = f"slope {self.slope_text}, {sigmas}" if self.p_slope <= self.p_flat else chi_square
            return f"hint ({reason}), within chance for so many trends"
        return self.finding


def bias_line(x, residual_bins, per):
    """Line of the mean residual; `x` of single galaxies in the order of the joined bins."""
    residual = np.concatenate(residual_bins)
    centred = x - x.mean()
    spread = np.sum(centred**2)
    slope = np.sum(centred * residual) / spread
    leverage = 1 / len(x) + centred**2 / spread
    rest = (residual - residual.mean() - slope * centred) / (1 - np.minimum(leverage, 1 - 1e-9))
    slope_error = np.sqrt(np.sum((centred * rest) ** 2)) / spread
    count = np.array([len(part) for part in residual_bins])
    values = np.array([part.mean() for part in residual_bins])
    errors = np.array([part.std(ddof=1) for part in residual_bins]) / np.sqrt(count)
    chi_square, p_flat = _welch(values, errors, count)
    p_slope = 2 * stats.t.sf(abs(slope) / slope_error, len(x) - 2) if slope_error > 0 else np.nan
    return Line(
        values, errors, slope, slope_error, x.mean(), residual.mean(), rest.std() / np.sqrt(len(x)), chi_square,
        len(count) - 1, p_slope, p_flat, per,
    )  # fmt: skip


def _welch(values, errors, count):
    """Chi-square of bins about their weighted mean, and its p-value after Welch (1951); NaN without scatter."""
    if not np.all(errors > 0):
        return np.nan, np.nan
    weight, n_bins = errors**-2, len(values)
    chi_square = np.sum(weight * (values - np.average(values, weights=weight)) ** 2)
    unsure = np.sum((1 - weight / weight.sum()) ** 2 / (count - 1)) / (n_bins**2 - 1)
    ratio = chi_square / (n_bins - 1) / (1 + 2 * (n_bins - 2) * unsure)
    return chi_square, stats.f.sf(ratio, n_bins - 1, 1 / (3 * unsure))


def sigma_mad_line(x, residual_bins, per):
    """Line of sigma_MAD; `x` of the bins."""
    count = np.array([len(part) for part in residual_bins])
    values = np.array([sigma_mad(part) for part in residual_bins])
    if not np.all(values > 0):
        return replace(no_line(per), values=values, errors=np.full(len(values), np.nan))
    alike = np.concatenate([(part - np.median(part)) / value for part, value in zip(residual_bins, values)])
    relative = mad_error(alike) * np.sqrt(len(alike) / count * (1 + SMALL_BIN / count))
    errors = relative * values
    pivot = np.average(x, weights=count)
    centred = x - pivot
    spread = np.sum(count * centred**2)
    slope = np.sum(count * centred * values) / spread
    slope_error = np.sqrt(np.sum((count * centred * errors) ** 2)) / spread
    # Of the logarithms: errors in proportion to the values would give low bins more weight.
    logs = np.log(values)
    chi_square = np.sum(((logs - np.average(logs, weights=relative**-2)) / relative) ** 2)
    n_dof = len(count) - 1
    p_flat, p_slope = stats.chi2.sf(chi_square, n_dof), 2 * stats.norm.sf(abs(slope) / slope_error)
    at_pivot = np.average(values, weights=count)
    at_pivot_error = np.sqrt(np.sum((count * errors) ** 2)) / count.sum()
    return Line(
        values, errors, slope, slope_error, pivot, at_pivot, at_pivot_error, chi_square, n_dof, p_slope, p_flat, per
    )


def no_line(per):
    """Line of too few galaxies."""
    nothing = np.empty(0)
    return Line(nothing, nothing, *[np.nan] * 6, 0, np.nan, np.nan, per)


def p_text(p_value):
    """A p-value with two digits, "p < 1e-16" below what its formula can tell."""
    return f"p = {p_value:.2g}" if p_value >= 1e-16 else "p < 1e-16"


def finding(line, threshold, alone=0.0):
    """What a line shows if its `p_value` must not exceed a threshold to be real, and one for it alone to be a hint."""
    if not np.isfinite(line.p_value):
        return "no scatter to compare with"
    if line.p_value > threshold:
        return HINT if line.p_value <= alone else FLAT
    return SLOPE if 2 * line.p_slope <= threshold else NOT_FLAT


def mad_error(values):
    """Standard error of `sigma_mad`, from the density of the values at their median and one MAD from it.

    Parameters
    ----------
    values : ndarray, shape (n,)

    Returns
    -------
    float
        NaN where half of the values are one number. For a Gaussian 1.166 sigma / sqrt(n).

    Notes
    -----
    Root mean square of the influence function of the MAD (Hampel et al. 1986, Sec. 2.3; Falk 1997 for skewed
    distributions). As exact as a bootstrap, without its hundreds of medians. Densities are counts within 0.7 MAD
    n^(-1/5) of a point.
    """
    values = np.asarray(values, float)
    offset = values - np.median(values)
    mad = np.median(np.abs(offset))
    half_width = 0.7 * mad * len(values) ** -0.2
    if mad == 0:
        return np.nan
    below, middle, above = (
        np.mean(np.abs(offset - point) < half_width) / (2 * half_width) for point in (-mad, 0, mad)
    )
    if min(below + above, middle) == 0:
        return np.nan
    influence = np.sign(np.abs(offset) - mad) - (above - below) / middle * np.sign(offset)
    return 1.4826 * np.sqrt(np.mean(influence**2) / len(values)) / (2 * (above + below))
