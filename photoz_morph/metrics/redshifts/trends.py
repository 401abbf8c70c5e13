"""Trends of photometric redshifts with a property x: bias and sigma_MAD in bins of x, with errors and a finding.

`trend` takes one value of x and one normalised residual per galaxy and returns a `Trend`: bins of equal numbers of
galaxies, the mean residual and sigma_MAD of each with their errors, the slope of a straight line, the chi-square about
a constant, and a finding. `holm_verdicts` corrects the findings of many trends for their number: of a hundred reports
in which all trends are flat, one calls some trend real. Groups of galaxies, such as simulated copies of one real
galaxy, count as independent of each other; without groups every galaxy does.
"""

from dataclasses import dataclass, replace

import numpy as np

from photoz_morph.metrics.checks import checked
from photoz_morph.metrics.group_sums import count_groups, number_groups
from photoz_morph.metrics.redshifts.trend_lines import Line, bias_line, finding, no_line, sigma_mad_line

LEVEL = 0.01  # our choice: chance that any trend of a family of flat ones is called real
MIN_PER_BIN = 30  # our choice: fewer independent ones have no useful error bar
N_BINS = 10


@dataclass(frozen=True)
class Trend:
    """Result of `trend`; arrays have one entry per bin.

    Attributes
    ----------
    name, unit : str
    is_log : bool
        Whether the line is in log10(x).
    n, n_left_out : int
        Galaxies used, and those without a (positive, where `is_log`) x.
    n_groups : int
        Of the galaxies used; `n` if each is independent.
    x, low, high : ndarray
        Median, smallest and largest x of the bin.
    count : ndarray of int
    bias, sigma_mad : Line
        Without bins if there are too few galaxies.
    """

    name: str
    unit: str
    is_log: bool
    n: int
    n_left_out: int
    n_groups: int
    x: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: np.ndarray
    bias: Line
    sigma_mad: Line


def trend(x, residual, name="", unit="", is_log=False, n_bins=N_BINS, group_id=None):
    """Bias and sigma_MAD of photometric redshifts in bins of a property, with slope, flatness and finding.

    Parameters
    ----------
    x : ndarray, shape (n,)
        The property [unit]. Galaxies where it is not finite are left out and counted.
    residual : ndarray, shape (n,)
        Normalised residuals (z_phot - z_spec) / (1 + z_spec).
    name, unit : str
        For axes and tables.
    is_log : bool
        Work in log10(x), for x of many scales such as a signal-to-noise ratio; x <= 0 is left out and counted.
    n_bins : int
        Bins of equal numbers of galaxies; fewer if they would hold less than `MIN_PER_BIN` groups or values repeat.
    group_id : ndarray, shape (n,), optional
        Galaxies of one group may resemble each other in any way, those of two groups are independent. By default every
        galaxy is independent.

    Returns
    -------
    Trend

    Raises
    ------
    ValueError
        If the residuals are empty or not finite, or x or the groups have another shape.

    Notes
    -----
    Bias is the mean residual, so its slope is that of the mean: least squares over galaxies, not over bins, each
    counting the same. Outliers are not rejected, as they are part of the bias. The
    error is the sandwich estimate CR3 (Bell & McCaffrey 2002), the jackknife over groups; for groups of one that is HC3
    (MacKinnon & White 1985). It holds for scatter that changes with x, as it does with S/N, and for heavy tails.
    Flatness of the bins is tested by Welch's (1951) analysis of variance, a chi-square about the weighted mean with
    corrections for errors known from few galaxies; the covariance of the bins, which may share groups, is CR2 of Bell &
    McCaffrey.

    Errors of sigma_MAD are asymptotic (`group_sums.mad_error`), relative to it the same for all bins but for the
    number of galaxies and groups: the shape of the residuals, and how alike those of a group are, is taken from all
    bins, each divided by its own sigma_MAD. Its line is fitted to the bins.
    """
    x, residual = np.asarray(x, float), checked(residual, "residual")
    if x.shape != residual.shape:
        raise ValueError(f"{name or 'x'} has shape {x.shape}, the residuals have {residual.shape}")
    group, _ = number_groups(group_id, len(x))
    used = np.isfinite(x) & ((x > 0) | (not is_log))
    order = np.argsort(x[used], kind="stable")
    x, residual, group = (array[used][order] for array in (x, residual, group))
    n, n_groups = len(x), count_groups(group)
    starts = _equal_counts(x, group, n_bins)
    x_bins, residual_bins = np.split(x, starts[1:]), np.split(residual, starts[1:])
    coordinate = np.log10 if is_log else np.asarray
    per = "dex" if is_log else unit or "unit"
    if len(starts) < 2:
        reason = f"in fewer than two bins of {MIN_PER_BIN}"
        reason = reason if n_groups >= 2 * MIN_PER_BIN else f"{2 * MIN_PER_BIN} needed"
        size = f"n = {n}" if n_groups == n else f"n = {n} in {n_groups} groups"
        lines = [replace(no_line(per), finding=f"too few galaxies ({size}, {reason})")] * 2
        x_bins = []
    else:
        x_centres = np.array([coordinate(part).mean() for part in x_bins])
        lines = [
            bias_line(coordinate(x), residual_bins, group, per),
            sigma_mad_line(x_centres, residual_bins, group, per),
        ]
        lines = [replace(line, finding=finding(line, LEVEL)) for line in lines]
    return Trend(
        name=name,
        unit=unit,
        is_log=is_log,
        n=n,
        n_left_out=len(used) - n,
        n_groups=n_groups,
        x=np.array([np.median(part) for part in x_bins]),
        low=np.array([part[0] for part in x_bins]),
        high=np.array([part[-1] for part in x_bins]),
        count=np.array([len(part) for part in x_bins], int),
        bias=lines[0],
        sigma_mad=lines[1],
    )


def holm_verdicts(trends, level=LEVEL):
    """Trends with findings corrected for their number (Holm).

    Parameters
    ----------
    trends : list of Trend
        The whole family: all trends of a report, of any run. Earlier findings are replaced.
    level : float
        Chance that any of them is called real if all are flat.

    Returns
    -------
    list of Trend
        In the same order.

    Notes
    -----
    Holm (1979), over bias and sigma_MAD of all trends; those of too few galaxies do not count. It holds for trends
    that depend on each other, such as S/N in two bands. Maps and mean PDFs are separate tests, outside the family.
    """
    keys = [(index, field) for index in range(len(trends)) for field in ("bias", "sigma_mad")]
    p_values = {(index, field): getattr(trends[index], field).p_value for index, field in keys}
    ranked = sorted((key for key in keys if np.isfinite(p_values[key])), key=p_values.get)
    corrected, is_rejecting = list(trends), True
    for rank, (index, field) in enumerate(ranked):
        threshold = level / (len(ranked) - rank)
        is_rejecting = is_rejecting and p_values[index, field] <= threshold
        line = getattr(corrected[index], field)
        line = replace(line, finding=finding(line, threshold if is_rejecting else 0, level))
        corrected[index] = replace(corrected[index], **{field: line})
    return corrected


def _equal_counts(x, group, n_bins):
    """First index of each bin of sorted x, equal numbers as far as repeated values and `MIN_PER_BIN` groups allow."""
    starts = [0]
    n_bins = max(min(n_bins, count_groups(group) // MIN_PER_BIN), 1)
    for wanted in np.arange(1, n_bins) * len(x) // n_bins:
        start = np.searchsorted(x, x[wanted])  # galaxies of one value stay together
        if all(count_groups(part) >= MIN_PER_BIN for part in (group[starts[-1] : start], group[start:])):
            starts.append(int(start))
    return starts
