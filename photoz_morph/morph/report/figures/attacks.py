"""Figures of one-pixel attacks: success against queries, and the galaxies, pixels and values of the flips.

Takes tables and images of `attack_files.read_attack`, by the name of the run, and returns matplotlib Figures, made
without pyplot. Images are drawn with one arcsinh stretch as everywhere in the morphology report.
"""

from itertools import product

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.metrics.fractions import effective_number, wilson_interval
from photoz_morph.morph.report.figures.stretch import GREY_BAND, sky_sigma, stretch
from photoz_morph.morph.report.style import CLASS_COLOURS, RUN_STYLES
from photoz_morph.morph.report.tables.attacks import attack_label, budget, flipped_fraction, search_queries
from photoz_morph.report.style import BLACK, BLUE, GREEN, GREY, LIGHT_GREY, ORANGE, legend_below, marks_of

ERROR_LEVEL = 0.68  # of the shaded bands and error bars
BANDS = ("g", "r", "i")
BAND_COLOURS = {"g": GREEN, "r": ORANGE, "i": BLACK}
PATTERNS = tuple("".join(signs) for signs in product("-+", repeat=3))


def success_curves(attacks, title):
    """Fraction of the attacked galaxies flipped within a number of queries, a panel for each attack.

    Parameters
    ----------
    attacks : dict of str to dict of str to Table
        By the name of the run, then of the attack; attacks of one name share a panel.
    title : str
        Says whether the galaxies are real or simulated.

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    All galaxies of an attack have the same budget, so that the Kaplan-Meier estimate is the plain fraction.
    """
    names = list(dict.fromkeys(name for of_run in attacks.values() for name in of_run))
    n_columns = min(len(names), 2)
    n_rows = -(-len(names) // n_columns)
    figure = Figure(figsize=(max(4.6 * n_columns, 6.4), 4.6 * n_rows + 0.4), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True)
    for axes, name in zip(panels.flat, names):
        labels = dict.fromkeys(attack_label(of_run[name].meta) for of_run in attacks.values() if name in of_run)
        axes.set_title("\n".join(labels), fontsize=10)
        for (run, of_run), (colour, _) in zip(attacks.items(), RUN_STYLES):
            if name in of_run:
                _draw_curves(axes, of_run[name], run, colour)
        axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14))
        axes.grid(color=LIGHT_GREY, linewidth=0.5)
        axes.set(xscale="log", ylim=(0, 1.02), xlabel="queries")
        axes.tick_params(labelbottom=True)
    for axes in panels.flat[len(names) :]:
        axes.set_axis_off()
    for axes in panels[:, 0]:
        axes.set_ylabel("fraction flipped")
    panels[0, 0].set_xlim(left=1)
    figure.suptitle(title)
    return figure


def _draw_curves(axes, table, run, colour):
    """The curve of a search with its interval, and that of random corners beside it."""
    for kind, dashes, width, words in (("flipped", "-", 1.8, ""), ("random_flipped", "--", 1.1, ", random corners")):
        queries, fraction = flip_curve(table, kind)
        label = f"{run}{words}: {100 * fraction[-1]:.0f} % of {len(table):,}"
        axes.step(queries, fraction, dashes, where="post", color=colour, linewidth=width, label=label)
        if kind == "flipped":
            draw_band(axes, table, queries, fraction, colour)


def draw_band(axes, table, queries, fraction, colour):
    """Shade the interval about a `flip_curve`."""
    band = wilson_interval(fraction, effective_number(table["group_id"]), ERROR_LEVEL)
    axes.fill_between(queries, *band, step="post", color=colour, alpha=0.15, linewidth=0)


def flip_curve(table, kind="flipped"):
    """Fraction of the galaxies flipped within a number of `search_queries`.

    Parameters
    ----------
    table : Table
        From `attack_files.read_attack`.
    kind : {"flipped", "random_flipped"}

    Returns
    -------
    queries : ndarray of int, shape (k,)
        Increasing, from 1 to the budget; the fraction is constant in between.
    fraction : ndarray, shape (k,)
    """
    needed = search_queries(table, kind)[np.asarray(table[kind], bool)]
    queries = np.unique([1, *needed, budget(table.meta)])
    return queries, np.searchsorted(np.sort(needed), queries, side="right") / len(table)


def pixel_places(attacks, originals, title):
    """Positions of the pixels that flipped a galaxy: on the stamp, by distance from its centre and by brightness.

    Parameters
    ----------
    attacks : dict of str to Table
        By the name of the run.
    originals : dict of str to ndarray, shape (n, height, width, 3)
        Images before the attack, g, r, i [image unit].
    title : str

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    The expectation for random pixels is the distribution of all pixels, of the stamp and of the attacked images.
    """
    figure = Figure(figsize=(12.0, 4.4), layout="constrained")
    stamp, distance, brightness = figure.subplots(1, 3, width_ratios=[1, 1.15, 1.15])
    first = np.asarray(next(iter(originals.values())))
    height, width = first.shape[1:3]
    stamp.imshow(1 - 0.6 * stretch(first, first).mean(axis=0), origin="lower", cmap="gray", vmin=0, vmax=1)
    every_distance = np.hypot(*(np.indices((height, width)) - [[[(height - 1) / 2]], [[(width - 1) / 2]]])).ravel()
    every_brightness = []
    for number, ((run, table), (colour, _)) in enumerate(zip(attacks.items(), RUN_STYLES)):
        flipped = np.flatnonzero(np.asarray(table["flipped"], bool))
        rows, columns = (np.asarray(table[name])[flipped] for name in ("row", "column"))
        images = np.asarray(originals[run])[..., GREY_BAND]
        sigma = sky_sigma(originals[run])[GREY_BAND]
        every_brightness.append(images.ravel() / sigma)
        label = f"{run}, {len(flipped):,} pixels"
        stamp.plot(columns, rows, "os^"[number], color=colour, markersize=5, fillstyle="none", label=label)
        radius = np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2)
        _cumulative(distance, radius, colour, label)
        _cumulative(brightness, images[flipped, rows, columns] / sigma, colour, label)
    dashed = {"dashes": "--", "label": "all pixels"}
    _cumulative(distance, every_distance, GREY, **dashed)
    _cumulative(brightness, np.quantile(np.concatenate(every_brightness), np.linspace(0, 1, 2001)), GREY, **dashed)
    stamp.set(xlabel="column [pixel]", ylabel="row [pixel]", xlim=(-0.5, width - 0.5), ylim=(-0.5, height - 0.5))
    stamp.set_title("over the mean of the images", fontsize=10)
    distance.set(xlabel="distance from the centre [pixel]", ylabel="fraction of the pixels", xlim=(0, None))
    brightness.set(xlabel=r"brightness before, r [sky $\sigma$]")
    brightness.set_xscale("symlog", linthresh=3)
    ticks = [-3, 0, 3, 10, 100, 1000, 10000]
    brightness.set_xticks(ticks, [f"{tick:,}".replace("-", "−") for tick in ticks])
    brightness.minorticks_off()
    for axes in (distance, brightness):
        axes.set_ylim(0, 1.02)
        axes.grid(color=LIGHT_GREY, linewidth=0.5)
    distance.legend(frameon=False, fontsize=8, loc="lower right")
    figure.suptitle(title)
    return figure


def _cumulative(axes, values, colour, label, dashes="-"):
    """Draw the cumulative distribution of values."""
    ordered = np.sort(np.asarray(values, float))
    axes.step(ordered, np.arange(1, len(ordered) + 1) / max(len(ordered), 1), dashes, where="post", color=colour,
              linewidth=1.5, label=label)  # fmt: skip


def pixel_values(attacks, originals, title):
    """Changes of the pixels: in each band in sigma of the sky, and the combinations of brighter and darker bands.

    Parameters
    ----------
    attacks : dict of str to Table
        By the name of the run.
    originals : dict of str to ndarray, shape (n, height, width, 3)
        Images before the attack, g, r, i [image unit].
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_runs = len(attacks)
    figure = Figure(figsize=(12.0, max(2.2 * n_runs, 3.2) + 0.8), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.1, 1])
    changes = left.subplots(n_runs, 1, sharex=True, squeeze=False)[:, 0]
    patterns = right.subplots()
    every = {}
    for run, table in attacks.items():
        flipped = np.asarray(table["flipped"], bool)
        change = np.asarray(table["new_value"], float)[flipped] - np.asarray(table["old_value"], float)[flipped]
        every[run] = change / sky_sigma(originals[run])
    edges = _change_edges(np.concatenate(list(every.values())))
    for number, ((run, change), axes) in enumerate(zip(every.items(), changes)):
        for band, values, dashes in zip(BANDS, change.T, ("-", "--", ":")):
            axes.stairs(np.histogram(values, edges)[0], edges, color=BAND_COLOURS[band], linestyle=dashes,
                        linewidth=1.5, label=band)  # fmt: skip
        axes.set(ylabel="galaxies")
        axes.set_xscale("symlog", linthresh=10)
        axes.set_title(f"{run}, {len(change):,} flipped", fontsize=10)
        axes.axvline(0, color=GREY, linewidth=0.8)
        _draw_patterns(patterns, change, number, n_runs, run)
    changes[0].legend(frameon=False, fontsize=9)
    changes[-1].set_xlabel(r"change of the pixel [sky $\sigma$]")
    patterns.axhline(1 / len(PATTERNS), color=GREY, linestyle="--", linewidth=1, label="all corners alike")
    patterns.set_xticks(range(len(PATTERNS)), [pattern.replace("-", "−") for pattern in PATTERNS])
    patterns.set(xlabel="bands g, r, i brighter (+) or darker (−) than before", ylabel="fraction of the flipped")
    ticks = [tick for tick in patterns.get_yticks() if tick <= 1]
    patterns.set(ylim=(0, 1.25 * patterns.get_ylim()[1]), yticks=ticks)  # room for the legend
    patterns.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
    figure.suptitle(title)
    return figure


def _change_edges(changes):
    """Edges of a histogram of changes [sky sigma], even on the symmetric logarithmic axis."""
    reach = np.arcsinh(np.abs(changes).max() / 10 if changes.size else 1) * 1.05
    return 10 * np.sinh(np.linspace(-reach, reach, 41))


def _draw_patterns(axes, change, number, n_runs, run):
    """Bars of a run: the frequency of each combination of brighter and darker bands."""
    found = ["".join("+" if value > 0 else "-" for value in galaxy) for galaxy in change]
    fraction = np.array([found.count(pattern) for pattern in PATTERNS]) / max(len(found), 1)
    low, high = wilson_interval(fraction, max(len(found), 1), ERROR_LEVEL)
    colour, hatch = RUN_STYLES[number]
    width = 0.8 / n_runs
    x = np.arange(len(PATTERNS)) + (number - (n_runs - 1) / 2) * width
    axes.bar(x, fraction, 0.92 * width, color=colour, hatch=hatch, alpha=0.75, edgecolor="white", label=run)
    axes.vlines(x, low, high, color=BLACK, linewidth=1)


def margin_queries(attacks, title):
    """Queries of the search against the margin before, a panel for each run, coloured by the label.

    Parameters
    ----------
    attacks : dict of str to Table
        By the name of the run.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(max(4.2 * len(attacks), 5.2), 4.3), layout="constrained")
    panels = figure.subplots(1, len(attacks), squeeze=False, sharey=True)[0]
    for axes, (run, table) in zip(panels, attacks.items()):
        margin, queries = np.asarray(table["margin_before"], float), search_queries(table)
        flipped = np.asarray(table["flipped"], bool)
        for index, name in enumerate(table.meta["classes"].split(",")):
            colour, of_class = CLASS_COLOURS.get(name, BLUE), np.asarray(table["label"]) == index
            axes.plot(margin[of_class & flipped], queries[of_class & flipped], "o", color=colour, markersize=4,
                      alpha=0.8, label=name)  # fmt: skip
            axes.plot(margin[of_class & ~flipped], queries[of_class & ~flipped], "^", color=colour, markersize=7,
                      fillstyle="none")  # fmt: skip
        axes.plot([], [], "^", color=GREY, markersize=7, fillstyle="none", label="not flipped")
        axes.axhline(budget(table.meta), color=GREY, linestyle=":", linewidth=1)
        fraction = flipped_fraction(table)
        axes.set_title(f"{run}: {100 * fraction['value']:.0f} % of {fraction['n']:,} flipped", fontsize=10)
        axes.set(xlabel="margin before [logit]", yscale="log")
        axes.grid(color=LIGHT_GREY, linewidth=0.5)
    panels[0].set_ylabel("queries")
    legend_below(figure, marks_of(panels[0]), 4, 10)
    figure.suptitle(title)
    return figure
