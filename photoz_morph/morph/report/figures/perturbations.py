"""Figures of runs under physical perturbations: accuracy against severity, and one galaxy under every kind.

Functions take the dictionaries of `perturbation_scores.read_perturbations`, or arrays, and return a matplotlib
Figure made without pyplot.
"""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.morph.report.figures.stretch import stretch
from photoz_morph.morph.report.style import RUN_COLOURS
from photoz_morph.report.style import GREY, LIGHT_GREY, legend_below, marks_of

LINE_STYLES = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"))  # distinct without colour, too
PANEL_COLUMNS = 4
FEW_PIXELS = ("hot_pixel", "dead_pixel", "cosmic_ray", "bit_flip")  # kinds that are hard to see without a circle
CIRCLE_POINTS = 7  # diameter of the circle


def accuracy_against_severity(results, title):
    """A panel for each kind, a line for each run: accuracy from no perturbation to the most severe one.

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
    Bars are 95 % intervals over galaxies, in groups, and networks. Steps of severity are drawn equally wide.
    """
    kinds = {name: kind for result in results.values() for name, kind in result["kinds"].items()}
    n_columns = min(PANEL_COLUMNS, len(kinds))
    n_rows = -(-len(kinds) // n_columns)
    figure = Figure(figsize=(max(2.75 * n_columns, 5.2), 2.55 * n_rows + 0.9), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for axes, (name, kind) in zip(panels.flat, kinds.items()):
        for number, (run, result) in enumerate(results.items()):
            if name in result["kinds"]:
                _line(axes, result, name, run, number, len(results))
        ticks = [_number(row["severity"]) for row in kind["severities"]]
        axes.set_xticks(range(len(ticks) + 1), ["none", *ticks], fontsize=8)
        axes.set_xlabel(kind["unit"], fontsize=9)
        axes.set_title(kind["title"], fontsize=10)
        axes.axhline(_majority(next(iter(results.values()))), color=GREY, linewidth=1, linestyle=(0, (1, 2)))
        axes.grid(axis="y", color=LIGHT_GREY, linewidth=0.5)
    for axes in panels[:, 0]:
        axes.set_ylabel("accuracy")
    for axes in panels.flat[len(kinds) :]:
        axes.set_visible(False)
    drawn = {}  # a run may lack the kind of the first panel
    for axes in panels.flat[: len(kinds)]:
        drawn |= marks_of(axes)
    marks = {run: drawn[run] for run in results if run in drawn}
    marks["always the most frequent class"] = panels.flat[0].lines[-1]
    legend_below(figure, marks, min(len(marks), 4))
    figure.suptitle(title)
    return figure


def _line(axes, result, name, run, number, n_runs):
    """Accuracies of one run in the panel of one kind; runs are shifted sideways, so that no bar is hidden."""
    # One dash more than colours: a dozen runs look different.
    colour, (dashes, marker) = RUN_COLOURS[number % len(RUN_COLOURS)], LINE_STYLES[number % len(LINE_STYLES)]
    scores = [result["clean"]["accuracy"], *(row["accuracy"] for row in result["kinds"][name]["severities"])]
    x = np.arange(len(scores)) + min(0.1, 0.8 / n_runs) * (number - (n_runs - 1) / 2)
    low, high = np.clip(np.transpose([score["interval"] for score in scores]), 0, 1)
    axes.plot(x, [score["value"] for score in scores], dashes, color=colour, marker=marker, markersize=4, linewidth=1.3,
              label=run)  # fmt: skip
    axes.vlines(x, low, high, color=colour, linewidth=1)


def _majority(result):
    """Fraction of the most frequent label among the galaxies of a result."""
    label = np.asarray(result["galaxies"]["label"])
    return np.bincount(label).max() / len(label)


def _number(value):
    """A severity as a tick: powers of ten above a thousand, few digits below."""
    if value >= 1000:
        exponent = int(np.floor(np.log10(value)))
        factor = value / 10**exponent
        return rf"$10^{exponent}$" if factor == 1 else rf"${factor:g}\!\cdot\!10^{exponent}$"
    return f"{value:.3g}" if value < 1 else f"{value:g}"


def perturbation_sheet(image, examples, kinds, title):
    """One galaxy under every kind (rows) and severity (columns), the unperturbed image first; one stretch for all.

    Parameters
    ----------
    image : ndarray, shape (size, size, 3)
        g, r, i [nJy].
    examples : dict of str to ndarray, shape (n_severities, size, size, 3)
        From `registry.perturbation_examples`.
    kinds : dict of str to Perturbation
        Titles, units and severities, by name: `registry.PERTURBATIONS`.
    title : str
        Says whether the galaxy is real or simulated.

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    Of kinds that change single pixels, the one that changes most is circled.
    """
    n_columns = 1 + max(len(images) for images in examples.values())
    figure = Figure(figsize=(1.35 * n_columns + 1.1, 1.55 * len(examples) + 0.6), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)
    grid = figure.subplots(len(examples), n_columns, squeeze=False)
    for row, (name, images) in zip(grid, examples.items()):
        kind = kinds[name]
        pictures = stretch(np.concatenate([image[None], images]), image[None], colour=True)
        texts = ["none", *(_number(severity) for severity in kind.severities)]
        for axes in row:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes, picture, pixels, text in zip(row, pictures, [image, *images], texts):
            axes.imshow(picture, origin="lower", interpolation="nearest")
            axes.set_title(text, fontsize=8, pad=2)
            if name in FEW_PIXELS and pixels is not image:
                _circle_change(axes, np.abs(pixels - image).max(axis=-1))
        row[0].set_ylabel(f"{kind.title}\n{kind.unit}", fontsize=8)
    figure.suptitle(title, fontsize=12)
    return figure


def _circle_change(axes, change):
    """A circle about the pixel with the largest change, of shape (size, size)."""
    row, column = np.unravel_index(change.argmax(), change.shape)
    axes.plot(column, row, "o", markersize=CIRCLE_POINTS, fillstyle="none", color="white", markeredgewidth=0.8)
