"""Scores without target labels against the accuracy by the labels."""

from matplotlib.figure import Figure

from photoz_morph.metrics.selection.scores import SCORES
from photoz_morph.morph.report.style import RUN_COLOURS, RUN_MARKERS
from photoz_morph.report.style import BLACK, GREY, LIGHT_GREY, legend_below, marks_of

N_COLUMNS = 5


def selection_figure(selection, title):
    """A panel for each score: accuracy in Y1 of every network against its score, and the network chosen.

    Parameters
    ----------
    selection : dict
        From `rank_runs`.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_rows = -(-len(SCORES) // N_COLUMNS)
    figure = Figure(figsize=(11.6, 2.9 * n_rows + 0.8), layout="constrained")
    panels = figure.subplots(n_rows, N_COLUMNS, sharey=True, squeeze=False)
    runs = selection["runs"]
    best = max(max(part["networks"]["accuracy"]) for part in runs.values())
    for axes, (score, (name, sign, _)) in zip(panels.flat, SCORES.items()):
        for number, (run, part) in enumerate(runs.items()):
            colour = RUN_COLOURS[number % len(RUN_COLOURS)]
            marker = RUN_MARKERS[(number + number // len(RUN_COLOURS)) % len(RUN_MARKERS)]
            axes.plot(part["networks"][score], part["networks"]["accuracy"], marker, color=colour, markersize=5,
                      label=run, alpha=0.85)  # fmt: skip
        choice = selection["choices"][score]
        run, number = choice["network"]
        chosen = runs[run]["networks"]
        axes.plot(chosen[score][number - 1], chosen["accuracy"][number - 1], "o", color="none", markeredgecolor=BLACK,
                  markersize=12, markeredgewidth=1.2, label="chosen by the score")  # fmt: skip
        axes.axhline(best, color=GREY, linestyle=":", linewidth=1, label="best by the labels")
        correlation = choice["rank_correlation"]
        below = "" if correlation is None else f"\nrank correlation {correlation:+.2f}"
        axes.set_title(f"{name}{below}", fontsize=8.5)
        if sign < 0:
            axes.invert_xaxis()  # better to the right in every panel
        axes.tick_params(labelsize=8)
        axes.locator_params(axis="x", nbins=4)
        axes.grid(color=LIGHT_GREY, linewidth=0.5)
    for row in panels:
        row[0].set_ylabel("accuracy in Y1")
    legend_below(figure, marks_of(panels[0, 0]), 6)
    figure.suptitle(title)
    return figure
