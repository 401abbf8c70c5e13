"""Trends of photometric redshifts with a property x: bias and sigma_MAD in bins of x, with errors and a verdict.

In go one value of x and one normalised residual per galaxy; out comes a `Trend`: bins of equal numbers of galaxies, the
mean residual and sigma_MAD of each with their errors, the slope of a straight line, the chi-square about a constant,
and a verdict in words. `judge` gives the verdicts of many trends together, so that one in a hundred reports on trends
that are all flat, and not nearly every report, calls one of them real. Galaxies count as independent.
"""

from dataclasses import dataclass, replace

import numpy as np

from photoz_morph.metrics.photoz import bias
from photoz_morph.metrics.trend_lines import Line, bias_line, finding, no_line, sigma_mad_line

LEVEL = 0.01  # our choice: chance that any trend of a family of flat ones is called real
MIN_PER_BIN = 30  # our choice: fewer have no useful error bar
N_BINS = 10


@dataclass(frozen=True)
class Trend:
    """What `trend` finds; arrays have one entry per bin.

    Attributes
    ----------
    name, unit : str
    is_log : bool
        Whether the line is in log10(x).
    n, n_left_out : int
        Galaxies used, and those without a (positive, where `is_log`) x or outside the bins.
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
    x: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: np.ndarray
    bias: Line
    sigma_mad: Line


def trend(x, residual, name="", unit="", is_log=False, n_bins=N_BINS, edges=None):
    """Bias and sigma_MAD of photometric redshifts in bins of a property, with slope, flatness and verdict.

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
        Bins of equal numbers of galaxies; fewer if they would hold less than `MIN_PER_BIN` or values repeat.
    edges : ndarray, shape (n_bins + 1,), optional
        Bin edges [unit] instead; the last bin includes its upper edge. Bins of less than `MIN_PER_BIN` are left out.

    Returns
    -------
    Trend

    Raises
    ------
    ValueError
        If the residuals are empty or not finite, or x has another shape.

    Notes
    -----
    Bias is the mean residual, so its slope is that of the mean: least squares over galaxies, not over bins, each
    counting the same. Fits that reject outliers would answer another question, as outliers are part of the bias. The
    error is the sandwich estimate HC3 (MacKinnon & White 1985), which holds for scatter that changes with x, as it does
    with S/N, and for heavy tails. Flatness of the bins is tested by Welch's (1951) analysis of variance, a chi-square
    about the weighted mean with corrections for errors known from few galaxies.

    Errors of sigma_MAD are asymptotic (`trend_lines.mad_error`), relative to it the same for all bins but for the
    number of galaxies: the shape of the residuals is taken from all bins, each divided by its own sigma_MAD. Its line
    is fitted to the bins.
    """
    x, residual = np.asarray(x, float), np.asarray(residual, float)
    bias(residual)  # refuses what is empty or not finite
    if x.shape != residual.shape:
        raise ValueError(f"{name or 'x'} has shape {x.shape}, the residuals have {residual.shape}")
    used = np.isfinite(x) & ((x > 0) | (not is_log))
    if edges is not None:
        edges = np.asarray(edges, float)
        used &= (x >= edges[0]) & (x <= edges[-1])
    order = np.argsort(x[used], kind="stable")
    x_used, residual_used = x[used][order], residual[used][order]
    starts = _equal_counts(x_used, n_bins) if edges is None else np.searchsorted(x_used, edges[:-1])
    limits = list(zip(starts, [*starts[1:], len(x_used)]))
    slices = [slice(start, end) for start, end in limits if end - start >= MIN_PER_BIN]
    x_bins = [x_used[part] for part in slices]
    residual_bins = [residual_used[part] for part in slices]
    coordinate = np.log10 if is_log else np.asarray
    per = "dex" if is_log else unit or "unit"
    if len(slices) < 2:
        enough = len(x_used) >= 2 * MIN_PER_BIN
        reason = f"in fewer than two bins of {MIN_PER_BIN}" if enough else f"{2 * MIN_PER_BIN} needed"
        lines = [replace(no_line(per), finding=f"too few galaxies (n = {len(x_used)}, {reason})")] * 2
        x_bins, slices = [], []
    else:
        lines = [
            bias_line(coordinate(np.concatenate(x_bins)), residual_bins, per),
            sigma_mad_line(np.array([coordinate(part).mean() for part in x_bins]), residual_bins, per),
        ]
        lines = [replace(line, finding=finding(line, LEVEL)) for line in lines]
    n = sum(len(part) for part in x_bins) if slices else len(x_used)
    return Trend(
        name=name,
        unit=unit,
        is_log=is_log,
        n=n,
        n_left_out=len(x) - n,
        x=np.array([np.median(part) for part in x_bins]),
        low=np.array([part[0] for part in x_bins]),
        high=np.array([part[-1] for part in x_bins]),
        count=np.array([len(part) for part in x_bins], int),
        bias=lines[0],
        sigma_mad=lines[1],
    )


def judge(trends, level=LEVEL):
    """The same trends with verdicts that allow for their number.

    Parameters
    ----------
    trends : list of Trend
        The whole family: all that a report looks at.
    level : float
        Chance that any of them is called real if all are flat.

    Returns
    -------
    list of Trend

    Notes
    -----
    Holm (1979), over bias and sigma_MAD of all trends; those of too few galaxies do not count. It holds for trends
    that depend on each other, such as S/N in two bands.
    """
    keys = [(index, field) for index in range(len(trends)) for field in ("bias", "sigma_mad")]
    p_values = {(index, field): getattr(trends[index], field).p_value for index, field in keys}
    ranked = sorted((key for key in keys if np.isfinite(p_values[key])), key=p_values.get)
    judged, is_rejecting = list(trends), True
    for rank, (index, field) in enumerate(ranked):
        threshold = level / (len(ranked) - rank)
        is_rejecting = is_rejecting and p_values[index, field] <= threshold
        line = getattr(judged[index], field)
        line = replace(line, finding=finding(line, threshold if is_rejecting else 0, level))
        judged[index] = replace(judged[index], **{field: line})
    return judged


def _equal_counts(x, n_bins):
    """First index of each bin of sorted x, equal numbers as far as repeated values and `MIN_PER_BIN` allow."""
    n_bins = max(min(n_bins, len(x) // MIN_PER_BIN), 1)
    starts = [0]
    for wanted in np.arange(1, n_bins) * len(x) // n_bins:
        start = np.searchsorted(x, x[wanted])  # galaxies of one value stay together
        if start - starts[-1] >= MIN_PER_BIN and len(x) - start >= MIN_PER_BIN:
            starts.append(int(start))
    return starts
