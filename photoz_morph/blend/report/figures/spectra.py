"""Power spectra of fields: of truth and restorations from scale to scale, and how they depend on parameters."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter

from photoz_morph.metrics.maps.spectra import power_spectra
from photoz_morph.report.style import GREY, LIGHT_GREY, ORANGE, legend_below, logarithmic_x, marks_of

QUARTILES = (
    (0, 25, "#56B4E9", "lowest quarter"), (25, 75, GREY, "middle half"), (75, 100, ORANGE, "highest quarter"),
)  # fmt: skip
DEPTH = 100  # our choice: powers below the least true one by more are not shown
LABEL = "wave number [fundamental mode]"


def spectra_by_scale(truth, fields, scores, styles, title):
    """Power spectra of true and restored fields, with their correlation and transfer functions.

    Parameters
    ----------
    truth : ndarray, shape (n, size, size)
    fields : dict of str to ndarray
        Name -> restored fields as the truth.
    scores : dict of str to dict
        From `maps.scores.evaluate_answers`, by the same names.
    styles : dict of str to (str, str, str)
        Colour, dash and marker by the same names.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(10.6, 3.9), layout="constrained")
    panels = figure.subplots(1, 3)
    k, power = power_spectra(truth)
    true = power.mean(axis=0)
    panels[0].plot(k, true, color=LIGHT_GREY, linewidth=5, label="truth")  # below baselines, which are black
    for name, restored in fields.items():
        colour, dashes, _ = styles[name]
        panels[0].plot(k, power_spectra(restored)[1].mean(axis=0), dashes, color=colour, linewidth=1.6, label=name)
        by_scale = scores[name]["by_scale"]
        for axes, quantity in zip(panels[1:], ("correlation", "transfer")):
            value, low, high = np.array(
                [[score["value"], *score["interval"]] for score in by_scale[quantity]], float
            ).T  # fmt: skip
            axes.plot(by_scale["k"], value, dashes, color=colour, linewidth=1.6)
            axes.fill_between(by_scale["k"], low, high, color=colour, alpha=0.25, linewidth=0)
    panels[0].set_yscale("log")
    panels[0].set_ylim(true.min() / DEPTH, 2 * true.max())
    labels = ("mean power [variance per mode]", "correlation with the truth", "transfer: ratio of amplitudes")
    for axes, label in zip(panels, labels):
        logarithmic_x(axes)
        axes.set(xlabel=LABEL, ylabel=label)
    for axes in panels[1:]:
        axes.axhline(1, color=GREY, linewidth=0.8)
        axes.set_ylim(0, 1.15)
    legend_below(figure, marks_of(panels[0]), 1 + len(fields))
    figure.suptitle(title)
    return figure


def spectra_of_parameters(fields, parameters, names, title):
    """Mean power spectra of fields of low, middle and high parameters, over that of all: what a spectrum tells of them.

    Parameters
    ----------
    fields : ndarray, shape (n, size, size)
    parameters : ndarray, shape (n, n_parameters)
    names : sequence of str
        Of the parameters.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    k, power = power_spectra(fields)
    figure = Figure(figsize=(3.6 * len(names) + 0.6, 3.9), layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name, values in zip(panels, names, parameters.T):
        for low, high, colour, words in QUARTILES:
            ends = np.percentile(values, (low, high))
            part = power[(values >= ends[0]) & (values <= ends[1])] / power.mean(axis=0)
            axes.plot(k, part.mean(axis=0), color=colour, linewidth=1.6, label=words)
            axes.fill_between(k, *np.percentile(part, (16, 84), axis=0), color=colour, alpha=0.2, linewidth=0)
        axes.axhline(1, color=GREY, linewidth=0.8)
        logarithmic_x(axes)
        axes.set(xlabel=LABEL)
        axes.set_title(f"fields by {name}", fontsize=10)
    panels[0].set_yscale("log")
    panels[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panels[0].yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panels[0].yaxis.set_minor_formatter("")
    panels[0].set_ylabel("power over the mean of all fields")
    legend_below(figure, marks_of(panels[0]), 3)
    figure.suptitle(title)
    return figure
