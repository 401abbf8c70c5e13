"""Figures of trends: bias and sigma_MAD against dust, inclination, neighbours, S/N and seeing.

Each function takes `Trend`s, which hold their errors and verdicts, and returns a matplotlib Figure, made without
pyplot; `style.save_figure` writes it.
"""

import textwrap

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

from photoz_morph.metrics.redshifts.trend_lines import NOT_FLAT, SLOPE
from photoz_morph.photoz.report.tables.trends import verdict
from photoz_morph.report.style import BLACK, BLUE, GREEN, GREY, LIGHT_GREY, ORANGE

STATISTIC_LABELS = {
    "bias": r"mean residual $\langle\Delta z\rangle$",
    "sigma_mad": r"$\sigma_\mathrm{MAD}$",
}
SYMBOLS = {
    "z_phot": r"$z_\mathrm{phot}$", "z_spec": r"$z_\mathrm{spec}$", "E(B-V)": r"$E(B-V)$", "axis ratio b/a": "axis "
    r"ratio $b/a$", "number of neighbours": "number of neighbours", "dereddened r": r"dereddened $r$",
}  # fmt: skip
MARKS = ((BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", "-."), (GREY, "D", ":"))
SHIFT_POINTS = 4  # between the marks of samples at one x
PANEL_CHARACTERS = 48  # that fit above a panel of the grid


def trend_figure(trends, title, statistics=("bias",)):
    """One quantity on the x axis, one panel per statistic, one or several samples or runs in each.

    Parameters
    ----------
    trends : dict of str to Trend
        By label in the legend, at most four: {"with E(B-V)": ..., "without E(B-V)": ...} for two runs,
        {"all": ..., "disks": ...} for two samples, {"": ...} for one.
    title : str
        Says whether the galaxies are real or simulated.
    statistics : sequence of str
        Of "bias", "sigma_mad".

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no trend, or more than four.

    Notes
    -----
    As Pasquet et al. (2019), Fig. 11. Points stand at the median x of bins of equal numbers, horizontal bars span the
    bins; the line is the fitted slope; the verdict is in the legend.
    """
    if not 1 <= len(trends) <= len(MARKS):
        raise ValueError(f"trend_figure draws 1 to {len(MARKS)} trends in a panel, got {len(trends)}")
    figure = Figure(figsize=(1.6 + 4.6 * len(statistics), 4.2 + 0.25 * len(trends)), layout="constrained")
    panels = figure.subplots(1, len(statistics), squeeze=False)[0]
    first = next(iter(trends.values()))
    for axes, statistic in zip(panels, statistics):
        for number, ((label, found), mark) in enumerate(zip(trends.items(), MARKS)):
            shift = SHIFT_POINTS * (number - (len(trends) - 1) / 2)
            line = getattr(found, statistic)
            notes = [f"in {found.n_groups:,} groups"] if found.n_groups < found.n else []
            notes += [f"{found.n_left_out:,} left out"] if found.n_left_out else []
            text = f"{label}, n = {found.n:,}" if label else f"n = {found.n:,}"
            text += f" ({', '.join(notes)})" if notes else ""
            _draw(axes, found, line, mark, f"{text}:\n{verdict(line)}", 4.5, shift)
        _finish(axes, first, statistic, [getattr(found, statistic) for found in trends.values()])
        axes.set(xlabel=_axis_label(first), ylabel=STATISTIC_LABELS[statistic])
        axes.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), handlelength=2.5)
    figure.suptitle(title)
    return figure


def trend_grid(trends, bands, title, statistic="bias"):
    """Bias or sigma_MAD against S/N and PSF FWHM of each band and the difference of FWHM of neighbouring bands.

    Parameters
    ----------
    trends : dict of str to Trend
        From `tables.trends.catalogue_trends`; rows of which there is none are left out.
    bands : sequence of str
    title : str
        Says whether the galaxies are real or simulated.
    statistic : str
        "bias" or "sigma_mad".

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is none of these trends.

    Notes
    -----
    As Pasquet et al. (2019), Fig. C.1. Bins hold equal numbers of galaxies; the line is the fitted slope (per factor
    of ten in S/N) in the band of its error, orange where the trend is real; verdicts allow for all trends together.
    """
    pairs = ["-".join(pair) for pair in zip(bands, bands[1:])]
    wanted = [[f"snr_{band}" for band in bands], [f"psf_fwhm_{band}" for band in bands],
              [f"psf_fwhm_{pair}" for pair in pairs]]  # fmt: skip
    rows = [[trends[key] for key in keys if key in trends] for keys in wanted]
    rows = [row for row in rows if row]
    if not rows:
        raise ValueError("no trend with S/N or PSF FWHM to draw; the predictions lack the columns snr and psf_fwhm")
    n_columns = max(len(row) for row in rows)
    figure = Figure(figsize=(2.75 * n_columns + 0.5, 2.9 * len(rows) + 0.5), layout="constrained")
    panels = figure.subplots(len(rows), n_columns, sharey=True, squeeze=False)
    lines = [getattr(found, statistic) for row in rows for found in row]
    for row, line_of_panels in zip(rows, panels):
        for found, axes in zip(row, line_of_panels):
            line = getattr(found, statistic)
            colour = ORANGE if line.finding in (SLOPE, NOT_FLAT) else BLUE
            _draw(axes, found, line, (colour, "o", "-"), "_trend", 3)
            _finish(axes, found, statistic, lines)
            axes.set_xlabel(_axis_label(found), fontsize=9)
            parts = verdict(line).replace(" (", "\n(").splitlines()
            axes.set_title("\n".join(textwrap.fill(part, PANEL_CHARACTERS) for part in parts), fontsize=6.8)
            axes.tick_params(labelsize=8, labelleft=axes is line_of_panels[0])
        for axes in line_of_panels[len(row) :]:
            axes.set_axis_off()
        line_of_panels[0].set_ylabel(STATISTIC_LABELS[statistic], fontsize=9)
    largest = max((found for row in rows for found in row), key=lambda found: found.n)
    groups = f" in {largest.n_groups:,} groups" if largest.n_groups < largest.n else ""
    figure.suptitle(f"{title}, n = {largest.n:,}{groups}")
    return figure


def _draw(axes, found, line, mark, label, markersize, shift=0.0):
    """Bins with error bars and extents, moved by `shift` points, and the straight line with the band of its error."""
    colour, marker, dash = mark
    if len(found.x) == 0:
        axes.plot([], [], color=colour, marker=marker, linestyle="none", label=label)
        axes.text(0.5, 0.5, "too few galaxies", transform=axes.transAxes, ha="center", color=GREY, fontsize=8)
        return
    moved = axes.transData + ScaledTranslation(shift / 72, 0, axes.figure.dpi_scale_trans)
    axes.hlines(line.values, found.low, found.high, color=colour, linewidth=0.7, alpha=0.45)
    axes.errorbar(
        found.x, line.values, line.errors, color=colour, marker=marker, markersize=markersize, linestyle="none",
        elinewidth=1, capsize=2, label=label, transform=moved,
    )  # fmt: skip
    if not np.isfinite(line.slope):
        return
    axes.update_datalim(np.column_stack([found.x, line.values]))
    ends = np.array([found.low[0], found.high[-1]])
    x = np.geomspace(*ends, 100) if found.is_log else np.linspace(*ends, 100)
    centre, error = line.at(np.log10(x) if found.is_log else x)
    axes.plot(x, centre, color=colour, linestyle=dash, linewidth=1)
    axes.fill_between(x, centre - error, centre + error, color=colour, alpha=0.15, linewidth=0)


def _finish(axes, found, statistic, lines):
    """Zero line, logarithmic x and a y range that holds every bin of `lines`."""
    ends = [line.values + sign * line.errors for line in lines for sign in (-1, 1) if len(line.values)]
    ends = np.concatenate(ends) if ends else np.array([-1e-3, 1e-3])
    ends = ends[np.isfinite(ends)]
    if found.is_log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    elif len(found.x) > 1 and found.high[-1] - found.x[-1] > np.ptp(found.x):
        # A few galaxies far out, such as those behind much dust, would leave half of the panel to their last bin.
        axes.set_xlim(found.low[0] - 0.05 * np.ptp(found.x), found.x[-1] + 0.5 * np.ptp(found.x))
    if statistic == "bias":
        axes.axhline(0, color=BLACK, linewidth=0.8)
        half = 1.15 * np.abs(ends).max()
        axes.set_ylim(-half, half)
    else:
        room = 0.4 * np.ptp(ends)
        axes.set_ylim(max(ends.min() - room, 0), ends.max() + room)
    axes.grid(color=LIGHT_GREY, linewidth=0.4)


def _axis_label(found):
    """Name and unit of the quantity, with symbols."""
    name = found.name
    for plain, symbol in SYMBOLS.items():
        name = name.replace(plain, symbol)
    return f"{name} [{found.unit}]" if found.unit and found.unit != "neighbour" else name
