"""Bias, scatter and outliers of redshifts against the separation and the brightness of a neighbour."""

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from photoz_morph.report.style import BLACK, GREY, LIGHT_GREY, legend_below, logarithmic_x, marks_of

LABELS = {"bias": "bias", "sigma_mad": r"$\sigma_{\rm MAD}$", "eta": r"$\eta$ (beyond 0.05)"}
MARKERS = "os^vDPX"


def study_figure(results, title):
    """A row for each score, a column without and one with deblending; a line for each difference of magnitudes.

    Parameters
    ----------
    results : dict
        From `study.blending_study`.
    title : str
        Says that the galaxies are simulated.

    Returns
    -------
    matplotlib.figure.Figure
    """
    separations, differences = np.array(results["separations"]), results["mag_differences"]
    columns = {"blended": "no deblending", "deblended": f"deblended by {results['deblender']}"}
    figure = Figure(figsize=(9.2, 8.6), layout="constrained")
    panels = figure.subplots(len(LABELS), len(columns), sharex=True, sharey="row")
    colours = colormaps["viridis_r"](np.linspace(0.08, 0.95, len(differences)))
    for row, (score, label) in zip(panels, LABELS.items()):
        alone = results["alone"][score]
        for axes, name in zip(row, columns):
            axes.axhspan(*alone["interval"], color=LIGHT_GREY, alpha=0.7, linewidth=0, zorder=0)
            axes.axhline(alone["value"], color=GREY, linewidth=1, label="no neighbour", zorder=1)
            for k, (difference, colour) in enumerate(zip(differences, colours)):
                cells = [cell[score] for cell in results[name][k]]
                x = separations * 1.025 ** (k - (len(differences) - 1) / 2)
                axes.vlines(x, *np.array([cell["interval"] for cell in cells]).T, color=colour, linewidth=1)
                axes.plot(x, [cell["value"] for cell in cells], color=colour, marker=MARKERS[k % len(MARKERS)],
                          markersize=4.5, linewidth=1.4, label=_difference_text(difference))  # fmt: skip
        row[0].set_ylabel(label)
    for axes, heading in zip(panels[0], columns.values()):
        axes.set_title(heading, fontsize=11)
    for axes in panels[-1]:
        axes.set_xlabel("separation [arcsec]")
        logarithmic_x(axes)
    for axes in panels.flat:
        axes.axhline(0, color=BLACK, linewidth=0.5, zorder=0)
    legend_below(figure, marks_of(panels[0, 0]), 3)
    figure.suptitle(title)
    return figure


def _difference_text(difference):
    """A difference of magnitudes in words."""
    if difference == 0:
        return "neighbour as bright"
    return f"neighbour {abs(difference):g} mag {'fainter' if difference > 0 else 'brighter'}"
