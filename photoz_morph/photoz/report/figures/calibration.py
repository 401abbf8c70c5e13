"""Figure of the calibration of PDFs: PIT before and after, and the coverage of intervals against that stated."""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.metrics.redshifts.pit_tests import coverage
from photoz_morph.report.style import BLACK, BLUE, GREEN, GREY, ORANGE, legend_below, marks_of

LEVELS = np.linspace(0.02, 0.98, 49)


def before_and_after(pit_before, pit_after, intervals, title, n_bins=20):
    """PIT histograms before and after calibration, and coverage found minus stated.

    Parameters
    ----------
    pit_before, pit_after : ndarray, shape (n,)
    intervals : list of dict
        `stated`, `found` and `error` of the conformal intervals, from `tables.calibration.coverage_rows`.
    title : str
        Says whether the galaxies are real or simulated.
    n_bins : int

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(9.6, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    noise = 1.96 * np.sqrt((n_bins - 1) / len(pit_after))  # of a bar relative to 1, binomial
    band = {"color": GREY, "alpha": 0.25, "linewidth": 0, "label": "95 % if calibrated"}
    left.axhspan(1 - noise, 1 + noise, **band)
    left.axhline(1, color=BLACK, linewidth=1, linestyle=":")
    styles = {"before": (pit_before, ORANGE, "--", 1.4), "after": (pit_after, BLUE, "-", 2.0)}
    for when, (pit, colour, dash, width) in styles.items():
        heights, edges = np.histogram(pit, bins=n_bins, range=(0, 1))
        label = f"PDFs {when} calibration"
        left.stairs(heights * n_bins / len(pit), edges, color=colour, linestyle=dash, linewidth=width, baseline=None,
                    label=label)  # fmt: skip
        off = 100 * (coverage(pit, LEVELS)[0] - LEVELS)
        right.plot(100 * LEVELS, off, color=colour, linestyle=dash, linewidth=width)
    left.set(xlim=(0, 1), ylim=(0, None), xlabel=r"PIT = CDF($z_\mathrm{spec}$)", ylabel="density")
    half = 196 * np.sqrt(LEVELS * (1 - LEVELS) / len(pit_after))
    right.fill_between(100 * LEVELS, -half, half, **{**band, "label": "_"})
    right.axhline(0, color=BLACK, linewidth=1, linestyle=":")
    stated, found, error = (np.array([row[name] for row in intervals]) for name in ("stated", "found", "error"))
    right.errorbar(100 * stated, 100 * (found - stated), 100 * error, fmt="o", color=GREEN, capsize=3,
                   label="conformal intervals")  # fmt: skip
    right.set(xlim=(0, 100), xlabel="stated coverage of a central interval [%]", ylabel="found - stated [%]")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    legend_below(figure, marks_of(left) | marks_of(right), 4)
    figure.suptitle(title)
    return figure
