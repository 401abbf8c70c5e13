"""Figures of photometric redshifts: galaxies beside their PDFs, z_phot against z_spec, PIT.

Each function takes arrays or a predictions table and returns a matplotlib Figure, made without pyplot, so it works
without a display and leaves no global state; `save_figure` writes it. Colours are Okabe & Ito's, told apart by
colour-blind readers, and lines also differ by dash.
"""

from pathlib import Path

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from photoz_morph.metrics import photoz as metrics
from photoz_morph.predictions import ORIGINS
from photoz_morph.report.images import rgb
from photoz_morph.surveys import get_survey

BLUE, ORANGE, BLACK, GREY = "#0072B2", "#D55E00", "#000000", "#777777"  # Okabe & Ito (2008)
PIXEL_NAMES = {"simulated": "simulated pixels", "real": "real {} pixels"}
SCALE_BAR_ARCSEC = 5.0


def galaxies_with_pdf(images, table, grid, title="", n_columns=2):
    """Colour images of galaxies, each beside its redshift PDF.

    Parameters
    ----------
    images : ndarray, shape (n, size, size, n_bands)
        Stamps of the survey in the table's meta; rows grow to the north, columns to the west.
    table : Table
        Predictions of the same galaxies; with `ra`, `dec`, `z_spec` where known.
    grid : RedshiftGrid
    title : str
        The origin of the pixels is added to it.
    n_columns : int
        Galaxies in a row of the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no galaxy, or images and table differ in number.
    """
    if len(images) != len(table) or len(table) == 0:
        raise ValueError(f"{len(images)} images and {len(table)} predictions; galaxies_with_pdf needs one of each")
    survey = get_survey(table.meta["survey"])
    pixels = PIXEL_NAMES[ORIGINS[table.meta["origin"]]].format(survey.name.upper())
    colours = rgb(images, survey)
    low, high = _shown_redshifts(table, grid)
    n_columns = min(n_columns, len(table))
    n_rows = -(-len(table) // n_columns)
    figure = Figure(figsize=(5.2 * n_columns, 2.3 * n_rows + 0.8), layout="constrained")
    panels = figure.subplots(n_rows, 2 * n_columns, squeeze=False, width_ratios=[1, 1.5] * n_columns)
    panels = panels.reshape(n_rows * n_columns, 2)
    for (image_axes, pdf_axes), colour, row in zip(panels, colours, table):
        _draw_image(image_axes, colour, survey.pixel_scale)
        _draw_pdf(pdf_axes, row, grid)
        pdf_axes.set(xlim=(low, high), xlabel="redshift z", ylabel="p(z)")
        pdf_axes.set_title(_galaxy_label(row), fontsize=8)
    for axes in panels[len(table) :].flat:
        axes.set_axis_off()
    labelled = {}
    for _, axes in panels[: len(table)]:
        labelled |= {text: line for line, text in zip(*axes.get_legend_handles_labels())}
    figure.legend(labelled.values(), labelled.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.suptitle(f"{title} ({pixels})" if title else pixels[0].upper() + pixels[1:])
    return figure


def _shown_redshifts(table, grid):
    """One redshift range for all panels: where the PDFs and z_spec are, with a margin."""
    seen = [grid.z_min + 0.1 * (grid.z_max - grid.z_min)]
    good = np.asarray(table["flag"]) == 0
    if good.any():
        pdf = np.asarray(table["pdf"])[good]
        seen += [*grid.quantile(pdf, 0.001), *grid.quantile(pdf, 0.999)]
    if "z_spec" in table.colnames:
        seen += [z for z in np.asarray(table["z_spec"], float) if np.isfinite(z)]
    margin = 0.05 * (max(seen) - min(seen))
    return max(min(seen) - margin, grid.z_min), max(seen) + margin


def _draw_image(axes, colour, pixel_scale):
    """One stamp with a scale bar and the directions of north and east."""
    size = len(colour)
    axes.imshow(colour, origin="lower", interpolation="nearest")
    axes.set_axis_off()
    bar, corner = SCALE_BAR_ARCSEC / pixel_scale, 0.06 * size
    white = {"color": "white", "fontsize": 7}
    axes.plot([corner, corner + bar], [corner, corner], color="white", linewidth=1.5, label="_scale bar")
    axes.text(corner + bar / 2, corner + 0.02 * size, f'{SCALE_BAR_ARCSEC:g}"', ha="center", va="bottom", **white)
    foot, length = (0.92 * size, 0.06 * size), 0.13 * size
    for direction, name, alignment in (((0, 1), "N", ("center", "bottom")), ((-1, 0), "E", ("right", "center"))):
        tip = (foot[0] + length * direction[0], foot[1] + length * direction[1])
        axes.annotate("", tip, foot, arrowprops={"arrowstyle": "->", "color": "white", "shrinkA": 0, "shrinkB": 0})
        axes.text(*tip, name, ha=alignment[0], va=alignment[1], **white)


def _draw_pdf(axes, row, grid):
    """One PDF as steps, its 68 % interval, z_phot and z_spec."""
    if "z_spec" in row.colnames and np.isfinite(row["z_spec"]):
        axes.axvline(row["z_spec"], color=ORANGE, linewidth=2.5, alpha=0.9, label=r"$z_\mathrm{spec}$")
    if row["flag"] == 0:
        density = np.asarray(row["pdf"], float) / grid.width
        axes.axvspan(row["z_lower"], row["z_upper"], color=BLUE, alpha=0.15, linewidth=0, label="68 % interval")
        axes.stairs(density, grid.edges, color=BLUE, label="PDF")
        label = r"$z_\mathrm{phot}$ (mean of the PDF)"
        axes.axvline(row["z_phot"], color=BLUE, linestyle="--", linewidth=1.2, label=label)
    else:
        axes.text(0.5, 0.5, "no PDF (flagged)", transform=axes.transAxes, ha="center", color=GREY)
        axes.set_yticks([])
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)


def _galaxy_label(row):
    """Identifier, position and redshifts of a galaxy, a line each."""
    position = f"\nRA {row['ra']:.5f}, Dec {row['dec']:+.5f} deg" if {"ra", "dec"} <= set(row.colnames) else ""
    z_spec = row["z_spec"] if "z_spec" in row.colnames else np.nan
    numbers = [rf"$z_\mathrm{{spec}}$ = {z_spec:.4f}" if np.isfinite(z_spec) else r"$z_\mathrm{spec}$ unknown"]
    if row["flag"] == 0:
        above, below = row["z_upper"] - row["z_phot"], row["z_phot"] - row["z_lower"]
        numbers.append(rf"$z_\mathrm{{phot}} = {row['z_phot']:.3f}^{{+{above:.3f}}}_{{-{below:.3f}}}$")
    return f"{row['obj_id']}{position}\n{',  '.join(numbers)}"


def z_phot_against_z_spec(z_spec, z_phot, title, z_max=0.4, n_cells=100):
    """Density of galaxies in the plane of z_phot and z_spec above their residuals, with the scores written inside.

    Parameters
    ----------
    z_spec, z_phot : ndarray, shape (n,)
    title : str
        Says the method and whether the galaxies are real or simulated.
    z_max : float
        End of both redshift axes; galaxies beyond it are counted in the figure.
    n_cells : int
        Density cells along each axis.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the redshifts are empty or not finite.

    Notes
    -----
    The lower panel shows Delta z = z_phot - z_spec over 1 + z_spec; dotted lines are the limits of outliers, 0.05.
    """
    z_spec, z_phot = np.asarray(z_spec, float), np.asarray(z_phot, float)
    residual = metrics.residuals(z_phot, z_spec)
    texts = [
        f"n = {len(residual)}",
        f"bias = {metrics.bias(residual):.5f}",
        rf"$\sigma_\mathrm{{MAD}}$ = {metrics.sigma_mad(residual):.5f}",
        rf"$\eta$ = {100 * metrics.eta(residual):.2f} %",
    ]
    figure = Figure(figsize=(5, 6.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    line, threshold = np.array([0, z_max]), metrics.ETA_THRESHOLD
    cells = (np.linspace(0, z_max, n_cells + 1), np.linspace(0, z_max, n_cells + 1))
    residual_cells = (cells[0], np.linspace(-2 * threshold, 2 * threshold, n_cells // 2 + 1))
    for axes, values, edges in ((upper, z_phot, cells), (lower, residual, residual_cells)):
        count, _, _ = np.histogram2d(z_spec, values, bins=edges)
        norm = LogNorm(1, max(count.max(), 2))  # of one galaxy a cell matplotlib cannot make a logarithmic scale
        mesh = axes.pcolormesh(*edges, np.ma.masked_equal(count.T, 0), norm=norm, cmap="viridis", rasterized=True)
        figure.colorbar(mesh, ax=axes, label="galaxies per cell")
        hidden = len(values) - int(count.sum())
        if hidden:
            axes.text(0.97, 0.04, f"{hidden} outside", transform=axes.transAxes, ha="right", fontsize=8, color=GREY)
    upper.plot(line, line, color=BLACK, linewidth=1)
    lower.axhline(0, color=BLACK, linewidth=1)
    for sign in (-1, 1):
        upper.plot(line, line + sign * threshold * (1 + line), color=ORANGE, linestyle=":", linewidth=1.2)
        lower.axhline(sign * threshold, color=ORANGE, linestyle=":", linewidth=1.2)
    upper.text(0.04, 0.96, "\n".join(texts), transform=upper.transAxes, va="top")
    upper.set(xlim=(0, z_max), ylim=(0, z_max), ylabel=r"$z_\mathrm{phot}$", title=title)
    lower.set(xlabel=r"$z_\mathrm{spec}$", ylabel=r"$\Delta z\,/\,(1 + z_\mathrm{spec})$")
    return figure


def pit_histogram(pit, title, n_bins=20):
    """Histogram of PIT values, flat for calibrated PDFs.

    Parameters
    ----------
    pit : ndarray, shape (n,)
    title : str
        Says the method and whether the galaxies are real or simulated.
    n_bins : int

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    The band holds 95 % of the bars of a calibrated sample (binomial noise). A hump means PDFs too wide, horns at 0
    and 1 PDFs too narrow, a slope a bias.
    """
    pit = np.asarray(pit, float)
    count, edges = np.histogram(pit, bins=n_bins, range=(0, 1))
    noise = np.sqrt((n_bins - 1) / len(pit))  # of a bar relative to 1, binomial with probability 1 / n_bins
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    band = Rectangle((0, 1 - 1.96 * noise), 1, 3.92 * noise, color=GREY, alpha=0.25, linewidth=0)
    band.set_label("95 % if calibrated")
    axes.add_patch(band)
    axes.axhline(1, color=BLACK, linewidth=1, linestyle="--")
    text = f"n = {len(pit)}, sd = {pit.std():.3f} (flat: {metrics.FLAT_PIT_STD:.3f})"
    axes.stairs(count * n_bins / len(pit), edges, color=BLUE, linewidth=1.5, label=text)
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel=r"PIT = CDF($z_\mathrm{spec}$)", ylabel="density", title=title)
    axes.legend(frameon=False, loc="lower center")
    return figure


def save_figure(figure, path):
    """Write a figure to a temporary name, then rename it; the suffix (.png, .pdf) gives the format."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.part")
    figure.savefig(temporary, format=path.suffix[1:], dpi=150)
    temporary.replace(path)
