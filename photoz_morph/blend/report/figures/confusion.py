"""Classes of pixels that are confused with each other."""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.report.style import BLACK

MAX_COLUMNS = 3


def confusion_matrices(scores, title):
    """Fraction of the pixels of each true class that are found as each class, a panel for each method.

    Parameters
    ----------
    scores : dict of str to dict
        From `evaluation.evaluate_blend`, by the name of the method.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_columns = min(MAX_COLUMNS, len(scores))
    n_rows = -(-len(scores) // n_columns)
    figure = Figure(figsize=(max(4.4 * n_columns, 5.4), 4.3 * n_rows + 0.5), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False)
    for axes, (name, part) in zip(panels.flat, scores.items()):
        counts, names = np.array(part["confusion"], float), part["classes"]
        shown = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
        counts = counts[np.ix_(shown, shown)]
        fraction = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(fraction, cmap="Blues", vmin=0, vmax=1)
        for (row, column), value in np.ndenumerate(fraction):
            axes.text(column, row, f"{100 * value:.1f} %", ha="center", va="center", fontsize=9,
                      color="white" if value > 0.55 else BLACK)  # fmt: skip
        axes.set_xticks(range(len(shown)), [names[k] for k in shown], rotation=25, ha="right", rotation_mode="anchor")
        sizes = [f"{names[k]}\n{100 * size / counts.sum():.2g} %" for k, size in zip(shown, counts.sum(axis=1))]
        axes.set_yticks(range(len(shown)), sizes)
        axes.set(xlabel="found class of the pixel")
        iou = part["class_iou"]["mean"]["value"]
        axes.set_title(name + ("" if iou is None else f": mean IoU {iou:.3f}"), fontsize=10)
        axes.tick_params(length=0)
    for axes in panels.flat[len(scores) :]:
        axes.set_axis_off()
    for axes in panels[:, 0]:
        axes.set_ylabel("true class of the pixel")
    figure.suptitle(title)
    return figure
