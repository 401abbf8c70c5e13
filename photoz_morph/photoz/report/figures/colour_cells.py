"""Cells of colour space: maps of numbers, bias and attenuation of each method, and attenuation against that of PDFs.

Each function takes the dictionary of `evaluation.diagnostics.colour_cells` and returns a matplotlib Figure, made
without pyplot; `style.save_figure` writes it.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from photoz_morph.metrics.redshifts.colour_cells import N_SIGMA
from photoz_morph.report.style import BLACK, BLUE, GREEN, GREY, LIGHT_GREY, ORANGE, legend_below, marks_of

COLOUR_QUANTILE = 0.95  # the colour scale ends there, as a few extreme cells would leave the rest in one colour
MAPS = {
    "bias": r"mean residual $\langle\Delta z\rangle$",
    "slope": r"slope of $z_\mathrm{phot} - z_\mathrm{spec}$ against $z_\mathrm{spec}$",
    "z_phot_slope": r"slope of $z_\mathrm{phot} - z_\mathrm{spec}$ against $z_\mathrm{phot}$",
}
MAX_METHODS = 3
STYLES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"))


def cell_maps(found, title):
    """Maps of bias and of both slopes, a row for each method, beside the numbers of galaxies and their redshifts.

    Parameters
    ----------
    found : dict
        From `evaluation.diagnostics.colour_cells`.
    title : str
        Says whether the galaxies are real or simulated.

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    Colours of bias and slopes are symmetric about 0 and the same for all methods; a dot marks a cell that is more than
    two errors from 0, grey is blank.
    """
    cells, side = found["cells"], found["side"]
    names = list(found["methods"])[:MAX_METHODS]
    figure = Figure(figsize=(12.5, 0.9 + 2.9 * len(names)), layout="constrained")
    panels = figure.subplots(len(names), 1 + len(MAPS), squeeze=False)
    facts = {"galaxies": cells["n"], r"mean $z_\mathrm{spec}$": cells["z_spec"]}
    facts[f"${found['colours'][1]}$ of the cell"] = cells[found["colours"][1]]
    limits = {key: _limit([found["methods"][name][key] for name in names]) for key in ("bias", "slope")}
    limits["z_phot_slope"] = limits["slope"]
    for row, (name, (label, values)) in enumerate(zip(names, facts.items())):
        method = found["methods"][name]
        mesh = _draw(panels[row, 0], cells, side, values, cmap="viridis")
        _bar(figure, mesh, panels[row, 0], label)
        for panel, (key, label) in zip(panels[row, 1:], MAPS.items()):
            mesh = _draw(panel, cells, side, method[key], cmap="RdBu_r", vmin=-limits[key], vmax=limits[key])
            _bar(figure, mesh, panel, label, extend="both")
            _dots(panel, cells, method[key], method[f"{key}_error"])
        panels[row, 1].set_title(name, loc="left", fontsize=10, fontweight="bold")
        panels[row, 0].set_ylabel("row of the map")
    for panel in panels[-1]:
        panel.set_xlabel("column of the map")
    figure.suptitle(f"{title}: cells of colour, n = {sum(cells['n']):,}; dots: more than {N_SIGMA} errors from 0")
    return figure


def attenuation(found, title):
    """Slope of each cell against the one that its PDFs would have if they were calibrated.

    Parameters are those of `cell_maps`; methods without PDFs are left out.
    """
    figure = Figure(figsize=(6.4, 5.4), layout="constrained")
    axes = figure.subplots()
    lowest = 0.0
    for (name, method), (colour, marker) in zip(_with_pdfs(found), STYLES):
        expected, slope = np.array(method["slope_of_pdfs"], float), np.array(method["slope"], float)
        axes.errorbar(expected, slope, method["slope_error"], fmt=marker, markersize=4, color=colour, linewidth=0.7,
                      alpha=0.75, label=name)  # fmt: skip
        lowest = min(lowest, expected.min(), slope.min())
    ends = np.array([1.05 * lowest, 0.05])
    axes.plot(ends, ends, color=BLACK, linewidth=1, linestyle="--", label="calibrated PDFs")
    axes.axhline(0, color=GREY, linewidth=0.8, linestyle=":", label="no attenuation")
    axes.set(xlabel="slope that calibrated PDFs of this width have",
             ylabel=r"slope of $z_\mathrm{phot} - z_\mathrm{spec}$ against $z_\mathrm{spec}$ in the cell")  # fmt: skip
    axes.set_title(f"{title}: attenuation in cells of colour", fontsize=10)
    legend_below(figure, marks_of(axes), 3)
    return figure


def has_pdfs(found):
    """True if some method has PDFs, for `attenuation`."""
    return bool(_with_pdfs(found))


def _with_pdfs(found):
    """Names and scores of the methods with PDFs."""
    return [(name, method) for name, method in found["methods"].items() if None not in method["slope_of_pdfs"]]


def _limit(values):
    """End of a symmetric colour scale."""
    return max(float(np.quantile(np.abs(np.array(values, float)), COLOUR_QUANTILE)), 1e-6)


def _draw(panel, cells, side, values, **colours):
    """A map of some values of the cells."""
    raster = np.ma.masked_all((side, side))
    raster[cells["row"], cells["column"]] = np.array(values, float)
    panel.set_facecolor(LIGHT_GREY)
    panel.set_aspect("equal")
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True))
    edges = np.arange(side + 1) - 0.5
    return panel.pcolormesh(edges, edges, raster, rasterized=True, **colours)


def _bar(figure, mesh, panel, label, **options):
    """Colour bar of a panel."""
    bar = figure.colorbar(mesh, ax=panel, shrink=0.9, **options)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.locator = MaxNLocator(5)


def _dots(panel, cells, values, errors):
    """Dots on the cells that differ from 0."""
    far = np.abs(np.array(values, float)) > N_SIGMA * np.array(errors, float)
    panel.plot(np.array(cells["column"])[far], np.array(cells["row"])[far], ".", markersize=3, color=BLACK)
