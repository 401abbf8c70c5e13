"""Parameters of fields against true ones, with their errors, and whether the errors are right."""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.report.style import BLACK, GREY, legend_below, marks_of

MAX_POINTS = 300  # with error bars that can still be told apart; the first ones, whose order has no meaning
PULLS = np.linspace(-4, 4, 33)


def parameter_scatter(truth, posteriors, names, styles, title):
    """Estimates against truths with errors of one sigma: a row for each method, a column for each parameter.

    Parameters
    ----------
    truth : ndarray, shape (n, n_parameters)
    posteriors : dict of str to ndarray
        Name -> means and logarithms of standard deviations, shape (n, n_parameters, 2).
    names : sequence of str
        Of the parameters.
    styles : dict of str to (str, str, str)
        Colour, dash and marker by the name of the method.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(3.5 * len(names) + 0.6, 3.2 * len(posteriors) + 0.6), layout="constrained")
    panels = figure.subplots(len(posteriors), len(names), squeeze=False, sharex="col", sharey="col")
    for row, (method, posterior) in enumerate(posteriors.items()):
        colour = styles[method][0]
        for column, name in enumerate(names):
            true, mean = truth[:MAX_POINTS, column], posterior[:MAX_POINTS, column, 0]
            sigma = np.exp(posterior[:MAX_POINTS, column, 1])
            axes = panels[row, column]
            axes.errorbar(true, mean, sigma, fmt=".", color=colour, markersize=4, elinewidth=0.6, alpha=0.6)
            ends = truth[:, column].min(), truth[:, column].max()
            axes.plot(ends, ends, color=BLACK, linewidth=0.9)
            axes.set_ylabel(f"{name} of {method}", fontsize=10)
            if row == len(posteriors) - 1:
                axes.set_xlabel(f"true {name}")
            axes.tick_params(labelleft=True)
    figure.suptitle(title)
    return figure


def pull_distributions(truth, posteriors, names, styles, title):
    """Errors in units of the stated standard deviations, against the Gaussian that they should follow.

    Arguments as for `parameter_scatter`.
    """
    figure = Figure(figsize=(3.6 * len(names) + 0.6, 3.6), layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    middle = 0.5 * (PULLS[1:] + PULLS[:-1])
    for column, (axes, name) in enumerate(zip(panels, names)):
        axes.fill_between(middle, np.exp(-0.5 * middle**2) / np.sqrt(2 * np.pi), color=GREY, alpha=0.3, linewidth=0,
                          label="Gaussian")  # fmt: skip
        for method, posterior in posteriors.items():
            pulls = (posterior[:, column, 0] - truth[:, column]) / np.exp(posterior[:, column, 1])
            density = np.histogram(np.clip(pulls, PULLS[0], PULLS[-1]), PULLS)[0] / len(pulls) / np.diff(PULLS)
            colour, dashes, _ = styles[method]
            axes.step(middle, density, where="mid", color=colour, linestyle=dashes, linewidth=1.5, label=method)
        axes.set(xlabel=f"error of {name} / stated sigma", ylim=(0, None))
    panels[0].set_ylabel("density")
    legend_below(figure, marks_of(panels[0]), 1 + len(posteriors))
    figure.suptitle(title)
    return figure
