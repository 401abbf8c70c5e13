"""Maps of the sky in cells of equal area: mean residual and PDF width, each beside the histogram of its significance.

Each function takes arrays and returns a matplotlib Figure, made without pyplot; `style.save_figure` writes it.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from photoz_morph.metrics.redshifts.sky_cells import MIN_COUNT, healpix_index, sky_cells
from photoz_morph.metrics.redshifts.trends import LEVEL
from photoz_morph.photoz.report.figures.sample import (
    LOCAL_EXTENT_DEG,
    label_all_sky,
    label_field,
    offset_from_centre,
)
from photoz_morph.report.style import BLACK, BLUE, GREY, LIGHT_GREY, ORANGE

ALL_SKY_STEP_DEG = 0.5  # of the raster on which the cells are drawn
LOCAL_STEPS = 400
COLOUR_QUANTILE = 0.98  # the colour scale ends there, as a few extreme cells would leave the rest in one colour


def bias_map(ra, dec, residual, title, cells=None):
    """Mean normalised residual in cells of equal area on the sky.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        J2000 [deg].
    residual : ndarray, shape (n,)
    title : str
        Says whether the galaxies are real or simulated.
    cells : SkyCells, optional
        From `sky_cells`; by default every galaxy counts as independent.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If a residual is not finite or no galaxy has a position.

    Notes
    -----
    As Pasquet et al. (2019), Fig. 12: east is left. A field within 30 deg is drawn in RA and Dec, any other on the
    whole sky. Colours are symmetric about 0; cells of fewer than `sky_cells.MIN_COUNT` galaxies are blank, and the most
    deviant one is ringed.
    """
    cells = cells or sky_cells(ra, dec, residual)
    half = np.quantile(np.abs(cells.mean), COLOUR_QUANTILE) if len(cells.mean) else 1e-3
    colours = {"cmap": "RdBu_r", "vmin": -max(half, 1e-6), "vmax": max(half, 1e-6)}
    return _cell_map(ra, dec, cells, title, r"mean residual $\langle\Delta z\rangle$", colours)


def width_map(ra, dec, width, title, cells=None):
    """Mean width of the PDFs, q84 - q16, in cells of equal area on the sky.

    Parameters are those of `bias_map`, `width` of shape (n,) in the place of `residual`.
    """
    cells = cells or sky_cells(ra, dec, width)
    limits = np.quantile(cells.mean, [1 - COLOUR_QUANTILE, COLOUR_QUANTILE]) if len(cells.mean) else (0, 1)
    colours = {"cmap": "viridis", "vmin": limits[0], "vmax": max(limits[1], limits[0] + 1e-6)}
    return _cell_map(ra, dec, cells, title, r"mean PDF width $q_{84} - q_{16}$", colours)


def sky_text(cells, quantity="the mean residual"):
    """One sentence on whether a property depends on the position, for captions.

    Parameters
    ----------
    cells : SkyCells
    quantity : str

    Returns
    -------
    str
    """
    size = f"{len(cells.cell)} cells of {cells.cell_deg:.2g} deg (HEALPix nside {cells.nside})"
    if not np.isfinite(cells.p_value):
        return f"{size} hold {MIN_COUNT} galaxies or more, too few to say whether {quantity} depends on position."
    where = f"RA {cells.ra[cells.extreme]:.1f}, Dec {cells.dec[cells.extreme]:+.1f} deg"
    # Twice the smaller p-value, for two tests, as in `trend_lines`; 200 shuffles just suffice.
    is_flat = 2 * min(cells.p_value, cells.p_extreme) > LEVEL
    verdict = "is consistent with one value" if is_flat else "depends on position"
    how = "shuffling" if cells.n_groups == cells.n else f"shuffling {cells.n_groups:,} groups of {cells.n:,} galaxies"
    return (
        f"{size}: {quantity} {verdict} (chi-square {cells.chi_square:.0f} for {cells.n_dof}, "
        f"{_chance(cells.p_value, cells.n_shuffles)} by {how}); the most deviant cell, {where}, has "
        f"{cells.mean[cells.extreme]:.4f} ± {cells.error[cells.extreme]:.4f} ({cells.deviation[cells.extreme]:+.1f} "
        f"sigma; {_chance(cells.p_extreme, cells.n_shuffles)} for any of {len(cells.cell)} cells)."
    )


def _chance(p_value, n_shuffles):
    """A p-value as text, a limit where no shuffle reached it."""
    smallest = 1 / (n_shuffles + 1)
    return f"p < {1.005 * smallest:.1g}" if p_value < 1.5 * smallest else f"p = {p_value:.2g}"


def _cell_map(ra, dec, cells, title, label, colours):
    """A map of the cells above the histogram of their deviations."""
    ra, dec = np.asarray(ra, float), np.asarray(dec, float)
    placed = np.isfinite(ra) & np.isfinite(dec)
    ra, dec = ra[placed], dec[placed]
    centre, offset = offset_from_centre(ra)
    figure = Figure(figsize=(10.5, 4.3), layout="constrained")
    grid = figure.add_gridspec(1, 2, width_ratios=[2.6, 1])
    if max(np.ptp(offset), np.ptp(dec)) < LOCAL_EXTENT_DEG:
        axes = figure.add_subplot(grid[0])
        mesh = _local_map(axes, cells, centre, offset, dec, colours)
    else:
        axes = figure.add_subplot(grid[0], projection="mollweide")
        mesh = _all_sky_map(axes, cells, colours)
    bar = figure.colorbar(mesh, ax=axes, label=label, extend="both", shrink=0.6, orientation="horizontal", aspect=35)
    bar.locator = MaxNLocator(6)
    axes.set_title(f"{len(cells.cell)} cells of {cells.cell_deg:.2g} deg", fontsize=10, loc="left")
    _deviations(figure.add_subplot(grid[1]), cells)
    left_out = f", {cells.n_left_out:,} in blank cells" if cells.n_left_out else ""
    figure.suptitle(f"{title}, n = {cells.n:,}{left_out}")
    return figure


def _raster(cells, ra, dec):
    """Means of the cells at positions, masked where there is none."""
    index = healpix_index(ra, dec, cells.nside)
    if len(cells.cell) == 0:
        return np.ma.masked_all(index.shape)
    place = np.minimum(np.searchsorted(cells.cell, index), len(cells.cell) - 1)
    return np.ma.masked_array(cells.mean[place], cells.cell[place] != index)


def _all_sky_map(axes, cells, colours):
    """Mollweide projection centred on RA 180, as `sample.sky_map`."""
    x_edges = np.arange(-180, 180.1, ALL_SKY_STEP_DEG)
    y_edges = np.arange(-90, 90.1, ALL_SKY_STEP_DEG)
    x, y = x_edges[1:] - ALL_SKY_STEP_DEG / 2, y_edges[1:] - ALL_SKY_STEP_DEG / 2
    means = _raster(cells, (180 - x[None, :]) % 360 + 0 * y[:, None], y[:, None] + 0 * x[None, :])
    mesh = axes.pcolormesh(np.deg2rad(x_edges), np.deg2rad(y_edges), means, rasterized=True, **colours)
    axes.grid(color=LIGHT_GREY, linewidth=0.5)
    if cells.extreme >= 0:
        here = (180 - cells.ra[cells.extreme] + 180) % 360 - 180
        _ring(axes, np.deg2rad(here), np.deg2rad(cells.dec[cells.extreme]))
    label_all_sky(axes)
    return mesh


def _local_map(axes, cells, centre, offset, dec, colours):
    """Map of a small field in RA and Dec, with the aspect that keeps angles on the sky."""
    margin = 0.5 * cells.cell_deg
    cos_dec = max(np.cos(np.deg2rad(dec.mean())), 0.01)
    x_edges = centre + np.linspace(offset.min() - margin / cos_dec, offset.max() + margin / cos_dec, LOCAL_STEPS + 1)
    y_edges = np.clip(np.linspace(dec.min() - margin, dec.max() + margin, LOCAL_STEPS + 1), -90, 90)
    x, y = np.meshgrid(0.5 * (x_edges[1:] + x_edges[:-1]), 0.5 * (y_edges[1:] + y_edges[:-1]))
    mesh = axes.pcolormesh(x_edges, y_edges, _raster(cells, x % 360, y), rasterized=True, **colours)
    if cells.extreme >= 0:
        _ring(axes, centre + (cells.ra[cells.extreme] - centre + 180) % 360 - 180, cells.dec[cells.extreme])
        axes.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1))
    label_field(axes, aspect=1 / cos_dec)
    return mesh


def _ring(axes, x, y):
    """A mark around the most deviant cell."""
    axes.plot(x, y, "o", markersize=13, fillstyle="none", color=BLACK, label="most deviant cell")


def _deviations(axes, cells):
    """Histogram of the cells' deviations in units of their errors, with the unit Gaussian and the test in words."""
    deviation = cells.deviation
    if not np.isfinite(cells.p_value):
        axes.set_axis_off()
        axes.text(0.5, 0.5, f"too few cells of {MIN_COUNT} galaxies\nfor a test", ha="center", color=GREY)
        return
    half = max(4.0, np.ceil(np.abs(deviation).max()))
    step = 0.5
    edges = np.arange(-half, half + step / 2, step)
    axes.stairs(np.histogram(deviation, edges)[0], edges, fill=True, color=LIGHT_GREY)
    axes.stairs(np.histogram(deviation, edges)[0], edges, color=BLUE, linewidth=1, label="cells")
    x = np.linspace(-half, half, 201)
    gaussian = len(deviation) * step * np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
    axes.plot(x, gaussian, color=ORANGE, linestyle="--", linewidth=1.2, label="noise alone")
    axes.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(xlim=(-half, half), xlabel=r"(cell - overall mean) / error", ylabel="cells")
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    worst = f"most deviant {deviation[cells.extreme]:+.1f} sigma, {_chance(cells.p_extreme, cells.n_shuffles)}"
    total = f"chi-square {cells.chi_square:.0f} for {cells.n_dof}, {_chance(cells.p_value, cells.n_shuffles)}"
    axes.set_title(f"{total}\n{worst} among {len(deviation)}", fontsize=8)
