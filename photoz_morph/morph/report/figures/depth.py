"""Figure of accuracy against survey depth.

Takes the dictionaries of `evaluation.depth.read_depth` by the name of the run and returns a matplotlib Figure made
without pyplot.
"""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.morph.report.figures.perturbations import LINE_STYLES
from photoz_morph.morph.report.style import RUN_COLOURS, RUN_MARKERS
from photoz_morph.morph.report.tables.depth import depths_of
from photoz_morph.report.style import GREY, LIGHT_GREY, legend_below, marks_of

SHIFT = 0.012  # dex between runs, so that no bar is hidden


def accuracy_against_depth(results, title):
    """Accuracy after each number of years, a line for each run.

    Parameters
    ----------
    results : dict of str to dict
        By the name of the run; of the same galaxies.
    title : str
        Says whether the galaxies are real or simulated.

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    Bars are 95 % intervals over galaxies, in groups, and networks; circles without bars are single networks.
    """
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    ticks = depths_of(results)
    for number, (run, result) in enumerate(results.items()):
        colour, marker = RUN_COLOURS[number % len(RUN_COLOURS)], RUN_MARKERS[number % len(RUN_MARKERS)]
        dashes = LINE_STYLES[number % len(LINE_STYLES)][0]
        scores = [part["accuracy"] for part in result["years"].values()]
        years = np.array([float(name) for name in result["years"]])
        years = years * 10 ** (SHIFT * (number - (len(results) - 1) / 2))
        axes.plot(years, [score["value"] for score in scores], dashes, color=colour, marker=marker, markersize=5,
                  linewidth=1.5, label=run)  # fmt: skip
        axes.vlines(years, *np.clip(np.transpose([score["interval"] for score in scores]), 0, 1), color=colour)
        for year, part in zip(years, result["years"].values()):
            axes.plot([year] * len(part["seeds"]), part["seeds"], "o", color=colour, markersize=2.5, alpha=0.6)
    label = np.asarray(next(iter(results.values()))["galaxies"]["label"])
    majority = axes.axhline(np.bincount(label).max() / len(label), color=GREY, linewidth=1, linestyle=(0, (1, 2)))
    axes.set(xscale="log", xlabel="years of observation", ylabel="accuracy")
    axes.set_xticks([float(tick) for tick in ticks], ticks)
    axes.minorticks_off()
    axes.grid(color=LIGHT_GREY, linewidth=0.5)
    marks = {run: mark for run, mark in marks_of(axes).items() if run in results}
    legend_below(figure, marks | {"always the most frequent class": majority}, min(len(marks) + 1, 3))
    figure.suptitle(title)
    return figure
