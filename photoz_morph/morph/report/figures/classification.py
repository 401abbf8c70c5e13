"""Figures of classifiers: the Gini-M20 plane, confusion matrices, accuracies, reliability and training curves.

Each function takes arrays, or the scores of `evaluation.scores.evaluate_morph` by the name of the run, and returns a
matplotlib Figure made without pyplot. Runs keep their colour from figure to figure, classes have those of the paper.
"""

import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from photoz_morph.mocks.labels import BULGE_GINI, BULGE_SLOPE, MERGER_GINI, MERGER_SLOPE
from photoz_morph.morph.predictions import ADAPTATIONS
from photoz_morph.morph.report.style import BASELINE_STYLES, DOMAIN_STYLES, RUN_STYLES, class_colours
from photoz_morph.report.style import BLACK, BLUE, GREEN, GREY, LIGHT_GREY, ORANGE

LOSS_NAMES = {"mmd": "MMD$^2$ of the latents"}  # of adaptation losses that are not called by their name in the config
CONTOUR_FRACTIONS = (0.9, 0.5)  # our choice: of the reference galaxies, inside each contour
MIN_IN_BIN = 10  # our choice: fewer galaxies have no useful fraction of correct predictions
MAX_POINTS = 6000  # our choice: more points would hide each other


def gini_m20_plane(gini, m20, label, class_names, title, reference=None, reference_name="TNG100"):
    """The plane in which galaxies are labelled, with the cuts, and contours of a reference sample.

    Parameters
    ----------
    gini, m20 : ndarray, shape (n,)
        NaN where the measurement failed.
    label : ndarray of int, shape (n,)
    class_names : sequence of str
    title : str
        Says whether the galaxies are real or simulated.
    reference : tuple of (ndarray, ndarray), optional
        Gini and M20 of other galaxies, drawn as contours.
    reference_name : str

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    Axes and cuts as Lotz et al. (2008), Fig. 2: M20 grows to the left.
    """
    gini, m20, label = np.asarray(gini, float), np.asarray(m20, float), np.asarray(label)
    good = np.isfinite(gini) & np.isfinite(m20) & (label >= 0)
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    axes = figure.subplots()
    low, high = (np.quantile(m20[good], level) for level in (0.002, 0.998))
    edges_x, edges_y = np.linspace(min(low, -2.6) - 0.1, max(high, -0.8) + 0.1, 61), np.linspace(0.35, 0.75, 61)
    shown = np.flatnonzero(good)
    if len(shown) > MAX_POINTS:
        shown = np.random.default_rng(0).choice(shown, MAX_POINTS, replace=False)
    size = np.clip(6000 / len(shown), 2, 14)
    colours = np.array(class_colours(class_names))
    axes.scatter(m20[shown], gini[shown], s=size, c=colours[label[shown]], alpha=0.6, linewidths=0)
    for number, name in enumerate(class_names):
        count = np.sum(label[good] == number)
        axes.scatter([], [], s=25, color=colours[number], label=f"{name} ({count:,})")
    if reference is not None:
        _contours(axes, *reference, edges_x, edges_y)
        axes.plot([], [], color=BLACK, linewidth=1, label=f"{reference_name}: 50 %, 90 %")
    x = np.linspace(edges_x[0], edges_x[-1], 200)
    merger, bulge = MERGER_SLOPE * x + MERGER_GINI, BULGE_SLOPE * x + BULGE_GINI
    axes.plot(x, merger, color=BLACK, linestyle="--", linewidth=1.4)
    axes.plot(x[bulge < merger], bulge[bulge < merger], color=BLACK, linestyle="-.", linewidth=1.4)
    axes.set(xlim=(edges_x[-1], edges_x[0]), ylim=(0.38, 0.74), xlabel=r"$M_{20}$ (i)", ylabel="Gini (i)", title=title)
    axes.legend(frameon=False, fontsize=9, loc="upper left")
    return figure


def _contours(axes, gini, m20, edges_x, edges_y):
    """Contours that hold half and nine tenths of a sample, from a smoothed histogram."""
    good = np.isfinite(gini) & np.isfinite(m20)
    density, _, _ = np.histogram2d(np.asarray(m20)[good], np.asarray(gini)[good], bins=(edges_x, edges_y))
    density = gaussian_filter(density, 1.2)
    ranked = np.sort(density, axis=None)[::-1]
    inside = np.cumsum(ranked) / ranked.sum()
    levels = [ranked[np.searchsorted(inside, fraction)] for fraction in CONTOUR_FRACTIONS]
    middle = [0.5 * (edges[1:] + edges[:-1]) for edges in (edges_x, edges_y)]
    axes.contour(*middle, density.T, levels=levels, colors=BLACK, linewidths=(0.8, 1.3))


def confusion_matrices(scores, title):
    """Confusion matrices: the fraction of each label predicted as each class, a row for each run.

    Parameters
    ----------
    scores : dict of str to dict
        From `evaluate_morph`, by the name of the run.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(7.4, 3.3 * len(scores) + 0.5), layout="constrained")
    rows = figure.subplots(len(scores), 2, squeeze=False)
    for row, (run, part) in zip(rows, scores.items()):
        for axes, (domain, of_domain) in zip(row, part["domains"].items()):
            counts = np.array(of_domain["confusion"], float)
            fraction = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            axes.imshow(fraction, cmap="Blues", vmin=0, vmax=1)
            for (i, j), value in np.ndenumerate(fraction):
                text = f"{100 * value:.0f} %\n{counts[i, j] / part['n_seeds']:,.0f}"
                axes.text(j, i, text, ha="center", va="center", color="white" if value > 0.55 else BLACK, fontsize=9)
            names = part["classes"]
            axes.set_xticks(range(len(names)), names)
            axes.set_yticks(range(len(names)), names, rotation=90, va="center")
            accuracy = of_domain["mean"]["accuracy"]["value"]
            axes.set_title(f"{run}, {domain}: accuracy {accuracy:.3f}", fontsize=10)
            axes.tick_params(length=0)
        row[0].set_ylabel("label")
    for axes in rows[-1]:
        axes.set_xlabel("predicted class")
    figure.suptitle(title)
    return figure


def accuracy_bars(scores, title):
    """Accuracy of each run on both domains with 95 % intervals, the seeds, the majority class and the label ceiling.

    Parameters
    ----------
    scores : dict of str to dict
        From `evaluate_morph`, by the name of the run or baseline; of the same galaxies. Baselines are grey.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    width, first = 0.72 / len(scores), next(iter(scores.values()))
    highest, styles = 0, {False: iter(RUN_STYLES), True: iter(BASELINE_STYLES)}
    for number, (run, part) in enumerate(scores.items()):
        colour, hatch = next(styles["baseline" in part])
        for place, of_domain in enumerate(part["domains"].values()):
            score = of_domain["mean"]["accuracy"]
            x, (low, high) = place + (number - (len(scores) - 1) / 2) * width, score["interval"]
            axes.bar(x, score["value"], 0.92 * width, color=colour, hatch=hatch, alpha=0.75, edgecolor="white",
                     label=run if place == 0 else None)  # fmt: skip
            seeds = [seed["accuracy"]["value"] for seed in of_domain["seeds"]]
            spread = 0.5 * width * (np.arange(len(seeds)) - (len(seeds) - 1) / 2) / max(len(seeds), 2)
            axes.plot(x + spread, seeds, "o", color="white", markeredgecolor=BLACK, markersize=4, zorder=3)
            axes.vlines(x, max(low, 0), min(high, 1), color=BLACK, linewidth=1.5, zorder=4)
            above = max(min(high, 1), *seeds, score["value"]) + 0.012
            axes.text(x, above, f"{score['value']:.3f}", ha="center", va="bottom", fontsize=9,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
            highest = max(highest, above)
    majority, ceiling = first["majority"], first["label_ceiling"]
    always = {of_domain.get("majority_accuracy", majority["accuracy"]) for of_domain in first["domains"].values()}
    lines = [(majority["accuracy"], "--", f"always {majority['class']}: {majority['accuracy']:.3f}")]
    if ceiling:
        lines.append((ceiling["value"], ":", f"labels from g and i agree: {ceiling['value']:.3f}"))
    for value, dashes, text in lines:
        right = 1 if len(always) == 1 else 0.5  # of composites they are those of the simulated galaxies
        axes.axhline(value, xmax=right, color=BLACK, linestyle=dashes, linewidth=1.2, label=text, zorder=0)
    axes.set_xticks(range(len(first["domains"])), first["domains"])
    axes.set(ylabel="accuracy", ylim=(0, max(1, highest + 0.06)), xlim=(-0.55, len(first["domains"]) - 0.45))
    axes.set_title(title)
    axes.set_yticks(np.arange(0, 1.01, 0.2))
    axes.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2)
    return figure


def reliability_diagram(scores, title):
    """Fraction of correct predictions against confidence in both domains, a panel for each run; below, the confidences.

    Parameters
    ----------
    scores : dict of str to dict
        From `evaluate_morph`, by the name of the run.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(max(3.7 * len(scores) + 0.6, 5.2), 5.0), layout="constrained")
    upper, lower = figure.subplots(2, len(scores), sharex=True, sharey="row", squeeze=False, height_ratios=[3, 1])
    for axes, below, (run, part) in zip(upper, lower, scores.items()):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1)
        for domain, of_domain in part["domains"].items():
            colour, dashes, marker = DOMAIN_STYLES[domain]
            number, confidence, right = np.array(of_domain["calibration"], float).T
            full = number >= MIN_IN_BIN * part["n_seeds"]
            error = of_domain["mean"]["ece"]["value"]
            axes.plot(confidence[full] / number[full], right[full] / number[full], dashes, color=colour, marker=marker,
                      markersize=5, label=f"{domain}, ECE {error:.3f}")  # fmt: skip
            below.stairs(number / number.sum(), np.linspace(0, 1, len(number) + 1), color=colour, linestyle=dashes)
        axes.set(title=run, xlim=(0.25, 1.01), ylim=(0, 1.02))
        axes.legend(frameon=False, fontsize=9, loc="upper left")
        below.set(xlabel="confidence")
    upper[0].set_ylabel("fraction correct")
    lower[0].set_ylabel("fraction of all")
    figure.suptitle(title)
    return figure


def morph_training_curves(histories, title, domains=("Y10", "Y1")):
    """Losses and validation accuracy of every seed against epoch, a column for each run.

    Parameters
    ----------
    histories : dict of str to list of dict of str to ndarray, shape (n_epochs,)
        By the name of the run, one per seed: epoch, loss, cross_entropy, validation_loss, validation_accuracy,
        validation_accuracy_target, and adaptation losses by their name in the config. What is missing, never finite
        or always 0 is not drawn.
    title : str
    domains : tuple of str
        Names of source and target.

    Returns
    -------
    matplotlib.figure.Figure
    """
    source, target = domains
    panels = {
        "loss": (("loss", BLUE, "-", "training"), ("validation_loss", ORANGE, "--", f"validation, {source}")),
        "cross-entropy [nat]": (("cross_entropy", BLUE, "-", f"training, labels of {source}"),),
        "adaptation loss": tuple((name, GREEN, "-", LOSS_NAMES.get(name, name)) for name in ADAPTATIONS[1:]),
        "validation accuracy": (("validation_accuracy", BLACK, "-", source),
                                ("validation_accuracy_target", ORANGE, "--", f"{target}, its labels never used")),
    }  # fmt: skip
    figure = Figure(figsize=(max(3.9 * len(histories) + 0.8, 5.2), 8.4), layout="constrained")
    rows = figure.subplots(len(panels), len(histories), sharex="col", sharey="row", squeeze=False)
    for column, (run, seeds) in enumerate(histories.items()):
        for axes, (label, curves) in zip(rows[:, column], panels.items()):
            drawn = 0
            for name, colour, dashes, legend in curves:
                known = [seed for seed in seeds if name in seed and np.nan_to_num(seed[name]).any()]
                drawn += len(known)
                for number, seed in enumerate(known):
                    marker, hidden = "." if len(seed["epoch"]) < 50 else None, "_" * (number > 0)
                    axes.plot(seed["epoch"], seed[name], dashes, color=colour, linewidth=1.1, alpha=0.75,
                              marker=marker, label=hidden + legend)  # fmt: skip
            if drawn:
                axes.legend(frameon=False, fontsize=8)
            else:
                axes.text(0.5, 0.5, "not in this training", ha="center", color=GREY, transform=axes.transAxes)
            axes.grid(color=LIGHT_GREY, linewidth=0.5)
            if column == 0:
                axes.set_ylabel(label)
        rows[0, column].set_title(run, fontsize=10)
        rows[-1, column].set_xlabel("epoch")
        rows[-1, column].xaxis.get_major_locator().set_params(integer=True)
    figure.suptitle(title)
    return figure
