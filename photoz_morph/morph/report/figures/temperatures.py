"""Reliability diagrams before and after temperatures."""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.morph.report.figures.classification import MIN_IN_BIN
from photoz_morph.morph.selection.calibration import TEMPERATURES
from photoz_morph.report.style import BLACK, BLUE, GREEN, GREY, LIGHT_GREY, ORANGE, legend_below, marks_of

STYLES = {
    "none": (BLACK, "-", "o"), "source": (BLUE, "--", "s"), "weighted": (ORANGE, "-.", "^"),
    "transcal": (GREEN, ":", "D"), "oracle": (GREY, (0, (1, 1)), "x"),
}  # fmt: skip


def temperature_figure(calibrations, title):
    """Fraction correct minus confidence against confidence for each temperature, a row of both depths for each run.

    Parameters
    ----------
    calibrations : dict of str to dict
        From `calibrate_run`, by the name of the run.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(8.2, 3.2 * len(calibrations) + 0.9), layout="constrained")
    rows = figure.subplots(len(calibrations), 2, sharex=True, sharey=True, squeeze=False)
    for row, (run, calibration) in zip(rows, calibrations.items()):
        for axes, (domain, methods) in zip(row, calibration["domains"].items()):
            axes.axhline(0, color=GREY, linewidth=1)
            for method, part in methods.items():
                colour, dashes, marker = STYLES[method]
                number, confidence, right = np.array(part["calibration_ensemble"], float).T
                full = number >= MIN_IN_BIN
                difference = (right - confidence)[full] / number[full]
                axes.plot(confidence[full] / number[full], difference, linestyle=dashes, color=colour, marker=marker,
                          markersize=4, linewidth=1.3, label=TEMPERATURES[method][0])  # fmt: skip
            errors = [f"{methods[method]['ensemble']['ece']['value']:.3f}" for method in methods]
            axes.legend(axes.get_lines()[1:], errors, title="ECE", fontsize=7, title_fontsize=7)
            axes.set_title(f"{run}, {domain}", fontsize=9)
            axes.grid(color=LIGHT_GREY, linewidth=0.5)
            axes.set_xlim(0.25, 1.01)
        row[0].set_ylabel("fraction correct − confidence")
    for axes in rows[-1]:
        axes.set_xlabel("confidence")
    legend_below(figure, marks_of(rows[0, 1]), 3)
    figure.suptitle(title)
    return figure
