"""Redshift distributions of tomographic bins: stacked PDFs against histograms of the true redshifts, and their means.

Takes arrays and returns a matplotlib Figure, made without pyplot; `style.save_figure` writes it.
"""

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from photoz_morph.metrics.redshifts.tomography import N_BINS, bin_limits, bin_of, stacked
from photoz_morph.report.style import BLACK, BLUE, GREY, LIGHT_GREY, ORANGE, legend_below, marks_of

REQUIRED = 0.002  # (1 + z), of mean redshifts, by Euclid and by LSST after a year
N_CELLS = 60  # of the histograms, over the redshifts shown
QUANTILE = 0.999  # of the redshifts, where the axis ends


def redshift_distributions(z_spec, z_phot, pdf, grid, found, title, n_bins=N_BINS, group_id=None):
    """Stacked PDFs of each bin over the histogram of its true redshifts, and the shifts of the mean redshifts.

    Parameters
    ----------
    z_spec, z_phot : ndarray, shape (n,)
    pdf : ndarray, shape (n, n_bins of the grid)
    grid : RedshiftGrid
    found : dict
        From `evaluation.diagnostics.tomography` of the same galaxies.
    title : str
        Says the method and whether the galaxies are real or simulated.
    n_bins : int
        Tomographic bins.
    group_id : ndarray, shape (n,), optional
        Of the bins, see `bin_limits`.

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    Grey bands are the requirement of 0.002 (1 + z) on mean redshifts.
    """
    limits = bin_limits(z_phot, n_bins, group_id)
    number, n_shown = bin_of(z_phot, limits), len(limits) - 1
    figure = Figure(figsize=(9.0, 6.2), layout="constrained")
    panels = figure.subplots(2, 1, height_ratios=[2.2, 1])
    end = min(grid.z_max, 1.1 * np.quantile(z_spec, QUANTILE))
    edges = np.linspace(min(grid.z_min, z_spec.min()), end, N_CELLS + 1)
    for index, colour in enumerate(colormaps["viridis"](np.linspace(0.05, 0.85, n_shown))):
        here = number == index
        share = here.mean()  # so that the bins add up to the whole distribution
        density = share * np.histogram(z_spec[here], edges)[0] / here.sum() / np.diff(edges)
        panels[0].stairs(density, edges, fill=True, color=colour, alpha=0.25)
        panels[0].stairs(density, edges, color=colour, linewidth=0.8)
        stack = share * stacked(pdf[here]) / grid.width
        panels[0].stairs(stack, grid.edges, color=colour, linewidth=1.8, baseline=None)
    for limit in limits[1:-1]:
        panels[0].axvline(limit, color=GREY, linewidth=0.8, linestyle=":")
    panels[0].set(xlim=edges[[0, -1]], ylim=(0, None), xlabel="redshift", ylabel="density of galaxies")
    panels[0].plot([], [], color=BLACK, linewidth=1.8, label="stacked PDFs")
    panels[0].fill_between([], [], color=BLACK, alpha=0.25, label=r"true $z_\mathrm{spec}$")
    panels[0].plot([], [], color=GREY, linewidth=0.8, linestyle=":", label=r"limits in $z_\mathrm{phot}$")
    _shifts(panels[1], found)
    legend_below(figure, marks_of(panels[0]) | marks_of(panels[1]), 6)
    figure.suptitle(f"{title}: {n_shown} tomographic bins, n = {len(z_spec):,}")
    return figure


def _shifts(panel, found):
    """Shifts of the mean redshifts of the bins, with their errors."""
    bins = found["bins"]
    x = np.arange(1, len(bins) + 1)
    panel.axhspan(-REQUIRED, REQUIRED, color=LIGHT_GREY, alpha=0.5, linewidth=0, label=f"{REQUIRED} (1 + z)")
    panel.axhline(0, color=GREY, linewidth=0.8)
    for offset, key, colour, marker, label in (
        (-0.06, "shift", BLUE, "o", "stacked PDFs"),
        (0.06, "z_phot_shift", ORANGE, "s", r"mean $z_\mathrm{phot}$"),
    ):
        values, errors = ([one[name] for one in bins] for name in (key, f"{key}_error"))
        panel.errorbar(x + offset, values, errors, fmt=marker, markersize=5, color=colour, capsize=3,
                       label=f"shift of {label}")  # fmt: skip
    reach = max(abs(end) for end in panel.get_ylim())
    reach = max(reach, 1.5 * REQUIRED)
    panel.set(xlim=(0.5, len(bins) + 0.5), ylim=(-reach, reach), xticks=x, xlabel="tomographic bin",
              ylabel=r"$\Delta\langle z\rangle / (1 + \langle z\rangle)$")  # fmt: skip
