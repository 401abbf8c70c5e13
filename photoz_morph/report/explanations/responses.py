"""Figures of science with known truth: where attribution lies, and what an answer does when one thing is changed."""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.report.style import BLACK, BLUE, GREY, LIGHT_GREY, ORANGE


def share_bars(regions, shares, title):
    """Shares of several quantities in the regions of stamps, with their intervals.

    Parameters
    ----------
    regions : sequence of str
    shares : dict of str to list of dict
        By quantity: `value` and `interval` in each region.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(6.5, 3.2), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(shares)
    for number, ((name, scores), colour) in enumerate(zip(shares.items(), (BLUE, ORANGE, LIGHT_GREY, GREY))):
        places = np.arange(len(regions)) + (number - (len(shares) - 1) / 2) * width
        values = 100 * np.array([score["value"] for score in scores])
        ends = 100 * np.array([score["interval"] for score in scores]).T
        axes.bar(places, values, width, color=colour, label=name)
        axes.errorbar(places, values, np.abs(ends - values), fmt="none", ecolor=BLACK, elinewidth=0.9, capsize=2)
    axes.set_xticks(np.arange(len(regions)), regions)
    axes.set_ylabel("share [%]")
    axes.legend(frameon=False, fontsize=8)
    axes.set_title(title, fontsize=10)
    return figure


def response_points(names, means, spreads, unit, title):
    """Mean and root mean square change of an answer by each change of the galaxies.

    Parameters
    ----------
    names : sequence of str
    means, spreads : list of dict
        `value`, `interval` and `n` of the mean and of the root mean square.
    unit, title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(8.5, 0.33 * len(names) + 1.3), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(names))[::-1]
    for axes, scores, label in ((left, means, f"mean change: {unit}"), (right, spreads, f"root mean square: {unit}")):
        values = np.array([score["value"] for score in scores])
        ends = np.array([score["interval"] for score in scores]).T
        axes.errorbar(values, places, xerr=np.abs(ends - values), fmt="o", color=BLUE, markersize=4, capsize=2)
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set_xlabel(label, fontsize=8)
        axes.tick_params(labelsize=8)
    left.set_yticks(places, [f"{name} (n = {score['n']})" for name, score in zip(names, means)])
    figure.suptitle(title, fontsize=10)
    return figure
