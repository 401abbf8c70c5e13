"""Figure of scores against the number of training galaxies."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter

from photoz_morph.report.style import BLACK, BLUE, GREEN, GREY, ORANGE, legend_below, marks_of

PANELS = {"sigma_mad": (r"$\sigma_\mathrm{MAD}$", 1), "eta": (r"$\eta$ [%]", 100), "crps": ("mean CRPS", 1)}
NETWORK_STYLE = {"color": ORANGE, "marker": "o", "linewidth": 2.2}
# In turn, for baselines and for bounds.
STYLES = {
    "baseline": [{"color": BLUE, "marker": "s"}, {"color": BLUE, "marker": "^", "linestyle": ":"},
                 {"color": BLACK, "marker": "D"}, {"color": BLACK, "marker": "v", "linestyle": ":"}],
    "bound": [{"color": GREEN, "linestyle": "--", "marker": "x"}, {"color": GREEN, "linestyle": "-.", "marker": "+"},
              {"color": GREY, "linestyle": "--", "marker": "."}],
}  # fmt: skip
SPREAD = 0.02  # of the points of different methods at one size, so that error bars do not hide each other


def learning_curve_figure(n_training, methods, title):
    """Three scores of several methods against the number of training galaxies, on logarithmic axes.

    Parameters
    ----------
    n_training : list of int
        Sizes of the training sets, in order.
    methods : dict of str to (str, list of dict or None)
        Kind of each method, "run", "baseline" or "bound", and its scores (score -> value, error) at each size; None
        where it has none.
    title : str
        Says whether the galaxies are real or simulated.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(10.0, 4.6), layout="constrained")
    panels = figure.subplots(1, len(PANELS))
    used = {"baseline": 0, "bound": 0}
    styles = {}
    for name, (kind, _) in methods.items():
        styles[name] = NETWORK_STYLE
        if kind != "run":
            styles[name] = STYLES[kind][used[kind] % len(STYLES[kind])]
            used[kind] += 1
    for axes, (score, (label, factor)) in zip(panels, PANELS.items()):
        for number, (name, (_, scores)) in enumerate(methods.items()):
            known = [(n, part[score]) for n, part in zip(n_training, scores) if part is not None]
            shift = 1 + SPREAD * (number - (len(methods) - 1) / 2)
            axes.errorbar(
                [n * shift for n, _ in known], [factor * part["value"] for _, part in known],
                [factor * part["error"] for _, part in known], label=name, markersize=4.5, capsize=2,
                **{"linewidth": 1.2} | styles[name],
            )  # fmt: skip
        axes.set_xscale("log")
        values = [part[score]["value"] for _, scores in methods.values() for part in scores if part is not None]
        if min(values) > 0:  # a fraction of outliers may be 0
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(MaxNLocator(6))  # less than a decade
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(n_training, [f"{n:,}" for n in n_training], rotation=30)
        axes.minorticks_off()
        axes.set(xlabel="training galaxies", ylabel=label)
        axes.grid(color=GREY, alpha=0.2)
    legend_below(figure, marks_of(panels[0]), 4, fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure
