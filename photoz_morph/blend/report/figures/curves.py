"""Completeness, purity, IoU and errors of fluxes against magnitude and blendedness, with intervals over images.

Each function takes scores, those of `evaluation.evaluate_blend` where it says nothing else, by the name of the method
and returns a Matplotlib Figure made without pyplot. A method keeps its colour from figure to figure.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from photoz_morph.blend.report.style import method_styles
from photoz_morph.report.style import GREY, LIGHT_GREY, legend_below, marks_of

SPREAD = 0.35  # our choice: fraction of a bin over which the methods stand side by side


def magnitude_curves(scores, title):
    """Completeness of targets against true, purity of detections against measured magnitude.

    Parameters
    ----------
    scores : dict of str to dict
    title : str
        Says whether the images are real or simulated.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(8.6, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    first = next(iter(scores.values()))
    edges, band = np.array(first["by_magnitude"]["edges"]), first["band"]
    middle = 0.5 * (edges[1:] + edges[:-1])
    labels = {"completeness": f"true {band} [mag]", "purity": f"measured {band} [mag]"}
    for axes, (quantity, label) in zip(panels, labels.items()):
        rows = {name: part["by_magnitude"][quantity] for name, part in scores.items()}
        _curves(axes, rows, scores, middle, np.diff(edges))
        axes.set(xlabel=label, ylabel=quantity, ylim=(-0.02, 1.04))
        axes.xaxis.set_major_locator(MultipleLocator(1))
        axes.tick_params(labelleft=True)
    used = [value["value"] is not None for part in scores.values()
            for values in zip(*(part["by_magnitude"][name] for name in labels)) for value in values]  # fmt: skip
    used = np.array(used).reshape(len(scores), len(middle), 2).any(axis=(0, 2))
    panels[1].axhline(first["purity"], color=GREY, linewidth=0.8, linestyle=":")
    for axes in panels:
        axes.set_xlim(edges[:-1][used].min() - 0.1, edges[1:][used].max() + 0.1)
    legend_below(figure, marks_of(panels[0]), min(len(scores), 3))
    figure.suptitle(title)
    return figure


def blendedness_curves(scores, title):
    """Completeness and purity at the stated purity, and IoU of the pixels of sources, against blendedness.

    Arguments as for `magnitude_curves`.
    """
    names = {"completeness": "completeness", "purity": "purity", "source_iou": "IoU of sources"}
    figure = Figure(figsize=(10.4, 4.0), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    for axes, (quantity, label) in zip(panels, names.items()):
        _blendedness_panel(axes, {name: part["by_blendedness"][quantity] for name, part in scores.items()}, scores)
        axes.set(ylabel=label, ylim=(-0.02, 1.04))
        axes.tick_params(labelleft=True)
    legend_below(figure, marks_of(panels[0]), min(len(scores), 3))
    figure.suptitle(title)
    return figure


def flux_curves(scores, title):
    """Error of the fluxes of all and of found targets, and bias of the found ones, against blendedness.

    Arguments as for `magnitude_curves`.
    """
    figure = Figure(figsize=(10.4, 4.0), layout="constrained")
    panels = figure.subplots(1, 3)
    labels = {"median_absolute": "median absolute error of fluxes", "median": "median error (bias) of fluxes"}
    shown = (
        ("of_all", "median_absolute", "all targets"),
        ("of_found", "median_absolute", "found targets"),
        ("of_found", "median", "found targets"),
    )
    for axes, (kind, statistic, of_which) in zip(panels, shown):
        rows = {name: [row[statistic] for row in part["by_blendedness"]["flux_error"][kind]]
                for name, part in scores.items()}  # fmt: skip
        _blendedness_panel(axes, rows, scores)
        axes.set_ylabel(labels[statistic])
        axes.set_title(of_which, fontsize=10)
        if statistic == "median":
            axes.axhline(0, color=GREY, linewidth=0.8)
        else:
            axes.set_ylim(bottom=0)
    top = max(axes.get_ylim()[1] for axes in panels[:2])
    for axes in panels[:2]:
        axes.set_ylim(0, top)
    legend_below(figure, marks_of(panels[0]), min(len(scores), 3))
    figure.suptitle(title)
    return figure


def deblending_curves(scores, title):
    """Errors of flux, colour and shape of galaxies that were freed of their neighbours, against blendedness.

    Parameters
    ----------
    scores : dict of str to dict
        From `deblending_scores.evaluate_deblended`.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(10.4, 7.2), layout="constrained")
    panels = figure.subplots(2, 3)
    shown = (
        ("flux_error", "median_absolute", "median absolute error of fluxes"),
        ("flux_error", "median", "median error (bias) of fluxes"),
        ("colour_error", "median_absolute", "median absolute error of colours [mag]"),
        ("size_error", "median_absolute", "median absolute relative error of sizes"),
        ("size_error", "median", "median relative error (bias) of sizes"),
        ("e1_error", "median_absolute", "median absolute error of e1"),
    )
    for axes, (quantity, statistic, label) in zip(panels.flat, shown):
        rows = {name: [row[statistic] for row in part["by_blendedness"][quantity]] for name, part in scores.items()}
        _blendedness_panel(axes, rows, scores)
        axes.set_ylabel(label)
        if statistic == "median":
            axes.axhline(0, color=GREY, linewidth=0.8)
        else:
            axes.set_ylim(bottom=0)
    legend_below(figure, marks_of(panels[0, 0]), min(len(scores), 3))
    figure.suptitle(title)
    return figure


def _blendedness_panel(axes, rows, scores):
    """Values in bins of blendedness, which stand side by side at equal distances: they span a factor of a thousand."""
    edges = np.array(next(iter(scores.values()))["by_blendedness"]["edges"])
    middle = np.arange(len(edges) - 1.0)
    _curves(axes, rows, scores, middle, np.ones(len(middle)))
    axes.set_xlim(-0.5, len(middle) - 0.5)
    percent = [f"{100 * edge:g}" for edge in edges[1:-1]]
    axes.set_xticks(np.arange(len(percent)) + 0.5, percent)
    axes.set_xlabel("blendedness [%]")
    for strong in np.flatnonzero(np.isclose(edges, 0.1)):  # strongly blended from here on
        axes.axvspan(strong - 0.5, len(middle) - 0.5, color=LIGHT_GREY, alpha=0.35, linewidth=0, zorder=0)


def _curves(axes, rows, scores, middle, width):
    """A line of each method with its intervals; `rows` are lists of `{"value", "interval"}` by its name."""
    styles, n = method_styles(scores), len(rows)
    for number, (name, row) in enumerate(rows.items()):
        colour, dashes, marker = styles[name]
        value = np.array([np.nan if score["value"] is None else score["value"] for score in row], float)
        ends = np.array([[np.nan if end is None else end for end in score["interval"]] for score in row], float)
        x = middle + SPREAD * width * (number - (n - 1) / 2) / max(n, 2)
        axes.vlines(x, *ends.T, color=colour, linewidth=1.1)
        axes.plot(x, value, dashes, color=colour, marker=marker, markersize=5, linewidth=1.5, label=name)
