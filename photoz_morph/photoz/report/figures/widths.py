"""Figures of PDF widths: scores without the widest, their histogram, and the coverage of central intervals.

Each function takes arrays and returns a matplotlib Figure, made without pyplot; `style.save_figure` writes it.
"""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.metrics.fractions import fraction_error
from photoz_morph.metrics.redshifts.width_cuts import PAPER_FRACTIONS, width_cuts
from photoz_morph.report.style import BLACK, BLUE, GREY, LIGHT_GREY, ORANGE

# Score: label of its axis and factor.
PANELS = {
    "sigma_mad": (r"$\sigma_\mathrm{MAD}$", 1),
    "eta": (r"$\eta$ [%]", 100),
    "bias": (r"bias $\langle\Delta z\rangle$", 1),
    "crps": ("mean CRPS", 1),
}
NAMED_LEVELS = (0.68, 0.9)  # their coverage is printed in the figure
WIDTH_LABEL = r"width of the PDF, $q_{84} - q_{16}$"


def width_cut_figure(width, residual, title, crps=None, group_id=None):
    """Scores of the remaining galaxies against the fraction with the widest PDFs that was removed.

    Parameters
    ----------
    width : ndarray, shape (n,)
        q84 - q16 of each PDF.
    residual : ndarray, shape (n,)
        Normalised residuals.
    title : str
        Says whether the galaxies are real or simulated.
    crps : ndarray, shape (n,), optional
        Of each galaxy.
    group_id : ndarray, shape (n,), optional
        Galaxies of one group are not counted as independent.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        As `width_cuts`: among others for fewer than `width_cuts.MIN_GALAXIES` galaxies.

    Notes
    -----
    Pasquet et al. (2019), Sec. 5 and Table 2. Bands are standard errors; neighbouring points have most galaxies in
    common. The cuts of the paper, 10 % and 20 %, are marked where they leave `MIN_GALAXIES`.
    """
    cuts = width_cuts(width, residual, crps, group_id=group_id)
    shown = [name for name in PANELS if name in cuts]
    figure = Figure(figsize=(8.6, 6.0), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True)
    removed = 100 * cuts["removed"]
    for axes, name in zip(panels.flat, shown):
        label, factor = PANELS[name]
        value, error = factor * cuts[name], factor * cuts[f"{name}_error"]
        axes.fill_between(removed, value - error, value + error, color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(removed, value, color=BLUE, linewidth=1.5)
        if name == "bias":
            axes.axhline(0, color=BLACK, linewidth=0.8)
        else:
            axes.set_ylim(0, 1.12 * (value + error).max())
        texts = []
        for fraction in (0, *PAPER_FRACTIONS):
            at = np.argmin(np.abs(cuts["removed"] - fraction))
            if not np.isclose(cuts["removed"][at], fraction):
                continue
            axes.plot(removed[at], value[at], color=ORANGE, marker="o", markersize=5)
            if fraction:
                axes.axvline(removed[at], color=ORANGE, linewidth=0.8, linestyle=":")
            number = f"{value[at]:.2f} ± {error[at]:.2f} %" if factor == 100 else f"{value[at]:.5f} ± {error[at]:.5f}"
            texts.append(f"{100 * fraction:.0f} % removed: {number}")
        axes.set_title("\n".join(texts), fontsize=8, loc="right")
        axes.set_ylabel(label)
        axes.grid(color=LIGHT_GREY, linewidth=0.4)
    for axes in panels.flat[len(shown) :]:
        axes.set_axis_off()
    for axes in panels[1]:
        axes.set_xlabel("widest PDFs removed [%]")
    panels[0, 0].set_xlim(0, max(removed.max(), 1))
    figure.suptitle(f"{title}, n = {len(width):,}")
    return figure


def width_histogram(width, title, n_bins=60):
    """Histogram of PDF widths with the limits that remove the widest 10 % and 20 %.

    Parameters
    ----------
    width : ndarray, shape (n,)
        q84 - q16 of each PDF.
    title : str
        Says whether the galaxies are real or simulated.
    n_bins : int

    Returns
    -------
    matplotlib.figure.Figure
    """
    width = np.asarray(width, float)
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    axes = figure.subplots()
    end = 1.3 * np.quantile(width, 0.99)
    edges = np.linspace(0, end, n_bins + 1)
    count = np.histogram(width, edges)[0]
    axes.stairs(count, edges, fill=True, color=LIGHT_GREY)
    axes.stairs(count, edges, color=BLACK, linewidth=0.9)
    marks = [(0.5, BLUE, "-", "median")]
    for fraction, dash in zip(PAPER_FRACTIONS, (":", "--")):
        marks.append((1 - fraction, ORANGE, dash, f"widest {100 * fraction:.0f} %"))
    for quantile, colour, dash, label in marks:
        limit = np.quantile(width, quantile)
        axes.axvline(limit, color=colour, linestyle=dash, linewidth=1.2, label=f"{label}: {limit:.4f}")
    hidden = int(np.sum(width > end))
    if hidden:
        axes.text(0.98, 0.15, f"{hidden:,} beyond", transform=axes.transAxes, ha="right", fontsize=8, color=GREY)
    axes.set(xlim=(0, end), ylim=(0, 1.05 * count.max()), xlabel=WIDTH_LABEL, ylabel=f"galaxies per {edges[1]:.2g}")
    axes.set_title(f"{title}, n = {len(width):,}")
    axes.legend(frameon=False, fontsize=9)
    return figure


def coverage_figure(levels, observed, error, n, title):
    """Fraction of z_spec inside the central interval of each PDF against its probability, above their difference.

    Parameters
    ----------
    levels : ndarray, shape (n_levels,)
        Probability inside the interval, 0 to 1.
    observed : ndarray, shape (n_levels,)
        Fraction of galaxies whose z_spec is inside.
    error : ndarray, shape (n_levels,)
        Standard error of `observed`, as from `pit_tests.coverage`.
    n : int
        Galaxies.
    title : str
        Says whether the galaxies are real or simulated.

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    On the diagonal if the PDFs are calibrated; above it PDFs are too wide, below it too narrow. The band is 1.96 times
    the square root of level (1 - level) / n about the diagonal, larger by as much as groups make `error` larger than
    that of n independent galaxies. Levels use the same galaxies, so that a curve leaves the band over many levels
    at once.
    """
    levels, observed, error = (np.asarray(values, float) for values in (levels, observed, error))
    band = 1.96 * np.sqrt(levels * (1 - levels) / n) * error / fraction_error(n * observed, n)
    figure = Figure(figsize=(5.2, 6.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.3])
    for axes, base in ((upper, levels), (lower, np.zeros(len(levels)))):
        label = "95 % if calibrated"
        axes.fill_between(levels, base - band, base + band, color=GREY, alpha=0.3, lw=0, label=label)
        axes.plot(levels, base, color=BLACK, linewidth=1, linestyle=":", label="calibrated")
        axes.plot(levels, base + observed - levels, color=BLUE, marker=".", linewidth=1.4, label="observed")
        axes.grid(color=LIGHT_GREY, linewidth=0.4)
    for level, fraction, noise in zip(levels, observed, error):
        if np.isclose(level, NAMED_LEVELS).any():
            upper.plot(level, fraction, color=ORANGE, marker="o", markersize=5, linestyle="none",
                       label=f"{100 * level:.0f} %: {100 * fraction:.1f} ± {100 * noise:.1f} %")  # fmt: skip
            lower.plot(level, fraction - level, color=ORANGE, marker="o", markersize=5)
    limit = 1.15 * max(np.abs(observed - levels).max(), band.max(), 1e-3)
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel=r"fraction of $z_\mathrm{spec}$ inside", title=title)
    upper.legend(frameon=False, fontsize=9, loc="upper left")
    lower.set(ylim=(-limit, limit), xlabel="probability of the central interval", ylabel="observed - nominal")
    return figure
