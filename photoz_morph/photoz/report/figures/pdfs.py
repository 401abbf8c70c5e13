"""Figures of redshift PDFs: galaxies beside their PDFs, and the calibration of the PDFs (PIT).

Each function takes arrays or a predictions table and returns a matplotlib Figure, made without pyplot, so it works
without a display and leaves no global state; `style.save_figure` writes it.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from photoz_morph.metrics.redshifts import point_scores
from photoz_morph.metrics.redshifts.pdf_scores import in_slices
from photoz_morph.report.images import rgb, scale_bar
from photoz_morph.report.style import BLACK, BLUE, GREEN, GREY, ORANGE, legend_below, marks_of
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.surveys import get_survey

PIXEL_NAMES = {"simulated": "simulated pixels", "real": "real {} pixels"}


def galaxies_with_pdf(images, table, grid, title="", n_columns=2, survey=None):
    """Colour images of galaxies, each beside its redshift PDF.

    Parameters
    ----------
    images : ndarray, shape (n, size, size, n_bands)
        Stamps of the survey; rows grow to the north, columns to the west.
    table : Table
        Predictions of the same galaxies; with `ra`, `dec`, `z_spec` where known.
    grid : RedshiftGrid
    title : str
        Followed by the origin of the pixels.
    n_columns : int
        Galaxies in a row of the figure.
    survey : Survey, optional
        By default the shipped one that the table's meta names.

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
    survey = survey or get_survey(table.meta["survey"])
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
    marks = {}
    for _, axes in panels[: len(table)]:
        marks |= marks_of(axes)
    legend_below(figure, marks, 4)
    figure.suptitle(f"{title} ({pixels})" if title else pixels[0].upper() + pixels[1:])
    return figure


def _shown_redshifts(table, grid):
    """Redshift range of all panels, which holds the PDFs and z_spec with a margin."""
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
    scale_bar(axes, size, pixel_scale)
    white = {"color": "white", "fontsize": 7}
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


def pit_histogram(pit, title, n_bins=20, pit_member=None, pit_rescaled=None):
    """Histogram of PIT values, flat for calibrated PDFs.

    Parameters
    ----------
    pit : ndarray, shape (n,)
        Of the ensemble.
    title : str
        Says the method and whether the galaxies are real or simulated.
    n_bins : int
    pit_member : ndarray, shape (n, n_members), optional
        Of the PDFs of single members.
    pit_rescaled : dict of str to ndarray, shape (n,), optional
        From `rescaled_pit`, by the name in the legend.

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    As Pasquet et al. (2019), Fig. 10. The band holds 95 % of the bars of a calibrated sample (binomial noise). A hump
    means PDFs too wide, peaks at 0 and 1 PDFs too narrow, a slope a bias.
    """
    pit = np.asarray(pit, float)
    noise = np.sqrt((n_bins - 1) / len(pit))  # of a bar relative to 1, binomial with probability 1 / n_bins
    figure = Figure(figsize=(6.4, 5.0), layout="constrained")
    axes = figure.subplots()
    band = Rectangle((0, 1 - 1.96 * noise), 1, 3.92 * noise, color=GREY, alpha=0.25, linewidth=0)
    band.set_label("95 % if calibrated")
    axes.add_patch(band)
    axes.axhline(1, color=BLACK, linewidth=1, linestyle=":", label=f"flat, sd {point_scores.FLAT_PIT_STD:.3f}")
    members = np.empty((len(pit), 0)) if pit_member is None else np.asarray(pit_member, float)
    for number, values in enumerate(members.T):
        label = f"{members.shape[1]} members, sd {_range_text(members.std(axis=0))}"
        label = "_" * bool(number) + label  # one entry in the legend for all
        axes.stairs(*_density(values, n_bins), color=GREY, linewidth=0.8, baseline=None, label=label)
    for (name, values), colour, dash in zip((pit_rescaled or {}).items(), (ORANGE, GREEN), ("--", "-.")):
        label = f"{name}, sd {np.std(values):.3f}"
        axes.stairs(*_density(values, n_bins), color=colour, ls=dash, linewidth=1.2, baseline=None, label=label)
    label = f"{'mean PDF, ' if members.size else ''}n = {len(pit):,}, sd {pit.std():.3f}"
    axes.stairs(*_density(pit, n_bins), color=BLUE, linewidth=2, baseline=None, label=label)
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel=r"PIT = CDF($z_\mathrm{spec}$)", ylabel="density", title=title)
    legend_below(figure, marks_of(axes), 2)
    return figure


def rescaled_pit(z_spec, pdf, grid, factor):
    """PIT of PDFs stretched about their means by a factor.

    Parameters
    ----------
    z_spec : ndarray, shape (n,)
    pdf : ndarray, shape (n, n_bins)
    grid : RedshiftGrid
    factor : float
        1.2 for PDFs 20 % wider.

    Returns
    -------
    ndarray, shape (n,)

    Notes
    -----
    The CDF of m + factor (z - m) at z_spec is the CDF of z at m + (z_spec - m) / factor, so that no PDF is rebinned.
    """
    def pit_of(pdf, z_spec):
        mean = grid.expectation(pdf)
        return grid.cdf_at(pdf, mean + (z_spec - mean) / factor)

    return in_slices(pit_of, np.asarray(pdf), np.asarray(z_spec, float))


def _density(pit, n_bins):
    """Heights of a histogram that is 1 where flat, and its edges."""
    count, edges = np.histogram(pit, bins=n_bins, range=(0, 1))
    return count * n_bins / len(pit), edges


def _range_text(values):
    """The smallest and the largest value, or the only one."""
    texts = sorted({f"{value:.3f}" for value in values})
    return texts[0] if len(texts) == 1 else f"{texts[0]} to {texts[-1]}"
