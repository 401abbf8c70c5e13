"""A galaxy in colour beside its answer, the shares of the bands in it, and the curves of removed light."""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.report.style import BLACK, BLUE, GREEN, GREY, ORANGE

LINES = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (BLACK, ":"), (GREY, "-"), ("#CC79A7", "--"), ("#56B4E9", "-."))


def galaxy_panels(colour, draw_answer, shares, players, curves, unit, title):
    """Four panels of one galaxy.

    Parameters
    ----------
    colour : ndarray, shape (rows, columns, 3)
        Between 0 and 1.
    draw_answer : callable
        Draws the PDF or the class probabilities into the axes that it is given.
    shares : ndarray, shape (n_members, n_players)
        Shapley values, the explained member first.
    players : sequence of str
    curves : dict of str to (ndarray, ndarray), shape (n_steps + 1,) each
        Of each method: share of the flux that has been removed, and the target.
    unit : str
        What the target is.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(11, 2.7), layout="constrained")
    stamp, answer, bars, removal = figure.subplots(1, 4, width_ratios=(0.8, 1.15, 1, 1.25))
    stamp.imshow(colour, origin="lower", interpolation="nearest")
    stamp.set_axis_off()
    draw_answer(answer)
    places = np.arange(len(players))
    bars.bar(places, shares[0], color=[BLUE if value >= 0 else ORANGE for value in shares[0]], width=0.65)
    for member in shares[1:]:
        bars.plot(places, member, "_", color=BLACK, markersize=7, markeredgewidth=0.8)
    bars.axhline(0, color=BLACK, linewidth=0.8)
    bars.set_xticks(places, ["E(B-V)" if name == "ebv" else name for name in players], fontsize=8)
    bars.set_ylabel("Shapley value", fontsize=8)
    for (colour_of, dash), (name, (flux, values)) in zip(LINES, curves.items()):
        removal.plot(100 * np.asarray(flux), values, color=colour_of, linestyle=dash, linewidth=1.3, label=name)
    removal.set_xlabel("flux removed [%], first what the map ranks first", fontsize=8)
    removal.set_ylabel(unit, fontsize=8)
    if curves:
        removal.legend(frameon=False, fontsize=6.5)
    for axes in (answer, bars, removal):
        axes.tick_params(labelsize=7)
    figure.suptitle(title, fontsize=10)
    return figure


def pdf_answer(edges, pdf, pdf_ensemble, z_spec):
    """Function that draws the PDFs of a network and its ensemble with the redshift of the catalogue."""

    def draw(axes):
        width = np.diff(edges)
        axes.stairs(pdf_ensemble / width, edges, fill=True, color="#D0D0D0", label="ensemble")
        axes.stairs(pdf / width, edges, color=BLUE, linewidth=1.2, label="this network")
        if np.isfinite(z_spec):
            axes.axvline(z_spec, color=ORANGE, linestyle="--", linewidth=1.2, label="z_spec")
        cumulative = np.cumsum((pdf + pdf_ensemble) / np.sum(pdf + pdf_ensemble))
        ends = [float(np.interp(level, cumulative, edges[1:])) for level in (0.005, 0.995)]
        low, high = np.nanmin([*ends, z_spec]), np.nanmax([*ends, z_spec])
        margin = max(0.15 * (high - low), 3 * width[0])
        axes.set_xlim(max(edges[0], low - margin), min(edges[-1], high + margin))
        axes.set_xlabel("redshift", fontsize=8)
        axes.set_ylabel("probability density", fontsize=8)
        axes.legend(frameon=False, fontsize=6.5)

    return draw


def class_answer(names, probabilities, truth):
    """Function that draws class probabilities of all members, the explained one first; `truth` is -1 if unknown."""

    def draw(axes):
        places = np.arange(len(names))
        colours = [GREEN if place == truth else GREY for place in places]
        axes.bar(places, probabilities[0], color=colours, width=0.6)
        for member in probabilities[1:]:
            axes.plot(places, member, "_", color=BLACK, markersize=9)
        labels = [f"{name}\n(true)" if place == truth else name for place, name in zip(places, names)]
        axes.set_xticks(places, labels, fontsize=8)
        axes.set(ylim=(0, 1.02))
        axes.set_ylabel("probability", fontsize=8)

    return draw
