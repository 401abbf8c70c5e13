"""Figure of the scores of a run between those of baselines and the bounds that a simulation knows."""

from matplotlib.figure import Figure

from photoz_morph.report.style import BLACK, BLUE, GREEN, GREY, ORANGE, logarithmic_x

PANELS = {"sigma_mad": r"$\sigma_\mathrm{MAD}$", "crps": "mean CRPS"}
MARKS = {"run": (ORANGE, "o"), "baseline": (BLUE, "s"), "bound": (GREEN, "D")}


def attainable_scores(methods, title):
    """Two scores of several methods, one line each, on logarithmic axes; bounds are drawn as lines across.

    Parameters
    ----------
    methods : list of (str, str, dict)
        Name; what it is, "run", "baseline" or "bound"; and its scores, as in `evaluation.comparison.compare`. From top
        to bottom.
    title : str
        Says that the galaxies are simulated.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(8.6, 1.3 + 0.34 * len(methods)), layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True)
    for axes, (score, label) in zip(panels, PANELS.items()):
        for row, (_, kind, scores) in enumerate(methods):
            value, error = scores[score]["value"], scores[score]["error"]
            colour, marker = MARKS[kind]
            if kind != "baseline":
                style = {"linestyle": "-" if kind == "run" else "--", "linewidth": 0.9, "zorder": 1}
                axes.axvline(value, color=colour, alpha=0.6, **style)
            axes.errorbar(value, row, xerr=error, color=colour, marker=marker, linestyle="none", capsize=2)
            axes.annotate(f"{value:.4f}", (value, row), (0, 6), textcoords="offset points", ha="center", fontsize=7,
                          color=BLACK)  # fmt: skip
        logarithmic_x(axes)
        axes.margins(x=0.12)
        axes.set_xlabel(label)
        axes.grid(axis="x", color=GREY, alpha=0.2)
    panels[0].set_yticks(range(len(methods)), [name for name, _, _ in methods])
    panels[0].set_ylim(len(methods) - 0.5, -0.8)
    figure.suptitle(title, fontsize=10)
    return figure
