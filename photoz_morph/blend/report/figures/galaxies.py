"""Galaxies taken out of blends: examples with samples, and how often the truth lies within the intervals of samples."""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.blend.report.figures.overlays import composite
from photoz_morph.blend.report.style import method_styles
from photoz_morph.report.style import GREY, legend_below, marks_of

N_SHOWN = 3  # samples of an example; our choice
RESIDUAL_SIGMA = 5.0  # at the ends of the colours of residuals [sigma of the sky]; our choice


def coverage_figure(scores, title):
    """Part of the true fluxes and pixels within the central intervals of samples, against the stated part.

    Parameters
    ----------
    scores : dict of str to dict
        From `deblending_scores.evaluate_deblended`, those of methods with samples.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(8.6, 4.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    styles, low = method_styles(scores), 1.0
    for axes, (kind, label) in zip(panels, (("flux", "fluxes"), ("pixels", "pixels"))):
        for name, part in scores.items():
            colour, dashes, marker = styles[name]
            rows = part["coverage"][kind]
            if not rows:
                continue
            levels = part["coverage"]["levels"]
            value = [row["value"] for row in rows]
            axes.vlines(levels, *np.transpose([row["interval"] for row in rows]), color=colour, linewidth=1.1)
            axes.plot(levels, value, dashes, color=colour, marker=marker, markersize=5, linewidth=1.5, label=name)
            low = min(low, *value, *levels)
        axes.set(xlabel="stated part", title=label)
        axes.tick_params(labelleft=True)
    for axes in panels:
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
        axes.set(xlim=(max(low - 0.05, 0), 1.0), ylim=(max(low - 0.05, 0), 1.02))
    panels[0].set_ylabel("part within the interval")
    legend_below(figure, marks_of(panels[0]), min(len(scores), 3))
    figure.suptitle(title)
    return figure


def blend_gallery(examples, title):
    """Blends with the true and the predicted galaxy, samples of it, and what is wrong with it.

    Parameters
    ----------
    examples : list of dict
        `role`, a word for the row; `error`, the relative error of the flux; `blendedness`; `bands`; `sigma`, the noise
        of the sky in each; `image`, `truth` and `galaxy`, shape (size, size, n_bands); and `samples`, of the same with
        one more axis before, or None.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_samples = max(0 if one["samples"] is None else min(len(one["samples"]), N_SHOWN) for one in examples)
    titles = ["blend", "true galaxy", "predicted", *(f"sample {k + 1}" for k in range(n_samples)), "predicted - true"]
    titles += ["scatter of samples"] if n_samples else []
    figure = Figure(figsize=(1.75 * len(titles) + 0.9, 1.85 * len(examples) + 0.9), layout="constrained")
    panels = figure.subplots(len(examples), len(titles), squeeze=False)
    shown = spread = None
    for row, one in zip(panels, examples):
        sigma = np.asarray(one["sigma"], float)
        samples = [] if one["samples"] is None else list(one["samples"][:n_samples])
        for axes, image in zip(row, (one["image"], one["truth"], one["galaxy"], *samples)):
            axes.imshow(composite(image, sigma, one["bands"]), origin="lower", interpolation="nearest")
        noise = np.sqrt(np.sum(sigma**2))
        residual = (np.asarray(one["galaxy"], float) - one["truth"]).sum(axis=-1) / noise
        shown = row[3 + n_samples].imshow(
            residual, origin="lower", interpolation="nearest", cmap="RdBu_r", vmin=-RESIDUAL_SIGMA, vmax=RESIDUAL_SIGMA
        )
        if samples:
            scatter = np.asarray(one["samples"], float).sum(axis=-1).std(axis=0, ddof=1) / noise
            spread = row[-1].imshow(
                scatter, origin="lower", interpolation="nearest", cmap="viridis", vmin=0, vmax=RESIDUAL_SIGMA
            )
        row[0].set_ylabel(
            f"{one['role']}: flux {100 * one['error']:+.0f} %\nblendedness {100 * one['blendedness']:.0f} %", fontsize=8
        )
    for axes, text in zip(panels[0], titles):
        axes.set_title(text, fontsize=9)
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
    figure.colorbar(shown, ax=panels[:, 3 + n_samples], location="bottom", shrink=0.9, label="sigma of the sky")
    if spread is not None:
        figure.colorbar(spread, ax=panels[:, -1], location="bottom", shrink=0.9, label="sigma of the sky")
    figure.suptitle(title, fontsize=11)
    return figure
