"""Figures of point estimates: z_phot against z_spec, the distribution of residuals, and the trends of the bias.

Each function takes arrays and returns a matplotlib Figure, made without pyplot, so it works without a display and
leaves no global state; `style.save_figure` writes it.
"""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from photoz_morph.metrics.redshifts import point_scores
from photoz_morph.report.style import BLACK, BLUE, GREY, LIGHT_GREY, ORANGE, legend_below, marks_of

RESIDUAL_LABEL = r"$\Delta z = (z_\mathrm{phot} - z_\mathrm{spec})\,/\,(1 + z_\mathrm{spec})$"
RESIDUAL_CELL = 0.0025  # our choice: a quarter of sigma_MAD in Pasquet et al. (2019), and divides the outlier limit
EUCLID_BIAS = 0.002  # required of the mean redshift of a tomographic bin; quoted by Pasquet et al. (2019)
MIN_GALAXIES = 10  # our choice: a mean of fewer has no useful error


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
    The lower panel shows Delta z = (z_phot - z_spec) / (1 + z_spec); dotted lines are the limits of outliers, 0.05.
    """
    z_spec, z_phot = np.asarray(z_spec, float), np.asarray(z_phot, float)
    residual = point_scores.residuals(z_phot, z_spec)
    texts = [
        f"n = {len(residual):,}",
        f"bias = {point_scores.bias(residual):.5f}",
        rf"$\sigma_\mathrm{{MAD}}$ = {point_scores.sigma_mad(residual):.5f}",
        rf"$\eta$ = {100 * point_scores.eta(residual):.2f} %",
    ]
    figure = Figure(figsize=(5, 6.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    line, threshold = np.array([0, z_max]), point_scores.ETA_THRESHOLD
    cells = (np.linspace(0, z_max, n_cells + 1), np.linspace(0, z_max, n_cells + 1))
    residual_cells = (cells[0], np.linspace(-2 * threshold, 2 * threshold, n_cells // 2 + 1))
    for axes, values, edges in ((upper, z_phot, cells), (lower, residual, residual_cells)):
        hidden = len(values) - density_mesh(axes, z_spec, values, edges)
        if hidden:
            axes.text(0.97, 0.04, f"{hidden:,} outside", transform=axes.transAxes, ha="right", fontsize=8, color=GREY)
    upper.plot(line, line, color=BLACK, linewidth=1)
    lower.axhline(0, color=BLACK, linewidth=1)
    for sign in (-1, 1):
        upper.plot(line, line + sign * threshold * (1 + line), color=ORANGE, linestyle=":", linewidth=1.2)
        lower.axhline(sign * threshold, color=ORANGE, linestyle=":", linewidth=1.2)
    upper.text(0.04, 0.96, "\n".join(texts), transform=upper.transAxes, va="top")
    upper.set(xlim=(0, z_max), ylim=(0, z_max), ylabel=r"$z_\mathrm{phot}$", title=title)
    lower.set(xlabel=r"$z_\mathrm{spec}$", ylabel=r"$\Delta z$")
    return figure


def density_mesh(axes, x, y, edges):
    """Draw the number of galaxies in each cell of a plane with a logarithmic colour bar.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    x, y : ndarray, shape (n,)
    edges : tuple of (ndarray, ndarray)
        Of the cells along x and y.

    Returns
    -------
    int
        Galaxies inside the cells.
    """
    count, _, _ = np.histogram2d(x, y, bins=edges)
    norm = LogNorm(1, max(count.max(), 2))  # matplotlib has no logarithmic scale from 1 to 1
    mesh = axes.pcolormesh(*edges, np.ma.masked_equal(count.T, 0), norm=norm, cmap="viridis", rasterized=True)
    axes.figure.colorbar(mesh, ax=axes, label="galaxies per cell")
    return int(count.sum())


def residual_histogram(z_spec, z_phot, title, limit=0.15):
    """Histogram of the normalised residuals with the Gaussian of their bias and sigma_MAD, outliers hatched.

    Parameters
    ----------
    z_spec, z_phot : ndarray, shape (n,)
    title : str
        Says the method and whether the galaxies are real or simulated.
    limit : float
        Residuals are shown up to this value; the rest is counted in the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the redshifts are empty or not finite.

    Notes
    -----
    As Pasquet et al. (2019), Fig. 6; the second panel shows the wings of the same histogram on a logarithmic axis. The
    Gaussian is not a fit.
    """
    residual = point_scores.residuals(z_phot, z_spec)
    bias, sigma, eta = point_scores.bias(residual), point_scores.sigma_mad(residual), point_scores.eta(residual)
    n_cells = round(limit / RESIDUAL_CELL)
    edges = np.arange(-n_cells, n_cells + 1) * RESIDUAL_CELL  # the outlier limit is one of them, up to rounding
    count, _ = np.histogram(residual, edges)
    middle = 0.5 * (edges[1:] + edges[:-1])
    width = max(sigma, RESIDUAL_CELL / 10)  # half of the residuals may be one number
    height = len(residual) * RESIDUAL_CELL / np.sqrt(2 * np.pi) / width
    gaussian = height * np.exp(-0.5 * ((middle - bias) / width) ** 2)
    figure = Figure(figsize=(8.6, 3.9), layout="constrained")
    linear, logarithmic = figure.subplots(1, 2)
    for axes in (linear, logarithmic):
        axes.stairs(count, edges, fill=True, color=LIGHT_GREY)
        axes.stairs(count, edges, color=BLACK, linewidth=0.9, label=f"{len(residual):,} galaxies")
        outside = np.where(np.abs(middle) > point_scores.ETA_THRESHOLD, count, 0)
        label = rf"outliers, $|\Delta z|$ > {point_scores.ETA_THRESHOLD}: $\eta$ = {100 * eta:.2f} %"
        axes.stairs(outside, edges, fill=True, facecolor="none", edgecolor=ORANGE, hatch="////", lw=0, label=label)
        label = rf"Gaussian: bias {bias:.5f}, $\sigma_\mathrm{{MAD}}$ {sigma:.5f}"
        axes.plot(middle, gaussian, color=BLUE, linewidth=1.6, label=label)
        axes.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
        axes.set(xlabel=RESIDUAL_LABEL, ylabel=f"galaxies per {RESIDUAL_CELL:g}")
    linear.set(xlim=(-1.2 * point_scores.ETA_THRESHOLD, 1.2 * point_scores.ETA_THRESHOLD), ylim=(0, None))
    logarithmic.set(xlim=(-limit, limit), yscale="log", ylim=(0.7, 2 * max(count.max(), gaussian.max())))
    hidden = len(residual) - count.sum()
    if hidden:
        text = f"{hidden:,} beyond {limit:g}"
        logarithmic.text(0.98, 0.96, text, transform=logarithmic.transAxes, ha="right", va="top", fontsize=8)
    legend_below(figure, marks_of(linear), 3)
    figure.suptitle(title)
    return figure


def bias_trends(z_spec, z_phot, title, z_max=0.4, cell=0.02):
    """Mean residual in bins of z_spec and of z_phot, over the histograms of these redshifts.

    Parameters
    ----------
    z_spec, z_phot : ndarray, shape (n,)
    title : str
        Says the method and whether the galaxies are real or simulated.
    z_max : float
        End of both redshift axes.
    cell : float
        Width of the redshift bins.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the redshifts are empty or not finite.

    Notes
    -----
    As Pasquet et al. (2019), Fig. 8. Error bars are the standard error of the mean; bins of fewer than
    `MIN_GALAXIES` are left out.
    """
    residual = point_scores.residuals(z_phot, z_spec)
    point_scores.bias(residual)  # raises if empty or not finite
    edges = np.linspace(0, z_max, round(z_max / cell) + 1)
    figure = Figure(figsize=(8.6, 3.9), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    extremes = [EUCLID_BIAS]
    for axes, z, name in zip(panels, (z_spec, z_phot), ("spec", "phot")):
        centre, mean, error = binned_mean(z, residual, edges)
        behind = axes.twinx()
        behind.stairs(*np.histogram(z, edges), fill=True, color=LIGHT_GREY, alpha=0.7)
        behind.set(ylabel="galaxies per bin", ylim=(0, None))
        behind.tick_params(axis="y", labelsize=8, colors=GREY)
        behind.yaxis.label.set_color(GREY)
        axes.set_zorder(behind.get_zorder() + 1)
        axes.patch.set_visible(False)
        axes.axhspan(-EUCLID_BIAS, EUCLID_BIAS, color=ORANGE, alpha=0.25, lw=0, label=rf"$\pm${EUCLID_BIAS} (Euclid)")
        axes.axhline(0, color=BLACK, linewidth=0.8)
        label = "mean residual and its standard error"
        axes.errorbar(centre, mean, error, color=BLUE, marker="o", markersize=4, linewidth=1, capsize=2, label=label)
        axes.set(xlim=(0, z_max), xlabel=rf"$z_\mathrm{{{name}}}$")
        extremes += [*np.abs(mean + error), *np.abs(mean - error)]
    panels[0].set_ylabel(rf"mean {RESIDUAL_LABEL}", fontsize=9)
    panels[0].set_ylim(-1.1 * max(extremes), 1.1 * max(extremes))
    legend_below(figure, marks_of(panels[0]), 2)
    figure.suptitle(title)
    return figure


def binned_mean(x, values, edges):
    """Mean of `values` and its standard error in the bins of `x` that hold `MIN_GALAXIES` or more.

    Parameters
    ----------
    x, values : ndarray, shape (n,)
    edges : ndarray, shape (n_bins + 1,)

    Returns
    -------
    centre, mean, error : ndarray, shape (at most n_bins,)
        `centre` is the mean `x` of the bin.
    """
    x, values = np.asarray(x, float), np.asarray(values, float)
    count, _ = np.histogram(x, edges)
    enough = count >= MIN_GALAXIES
    sums = [np.histogram(x, edges, weights=weights)[0][enough] for weights in (x, values)]
    centre, mean = (total / count[enough] for total in sums)
    # About the mean of all values: the difference of two large squares would lose digits.
    shift = values.mean()
    square = np.histogram(x, edges, weights=(values - shift) ** 2)[0][enough] / count[enough]
    variance = (square - (mean - shift) ** 2) * count[enough] / (count[enough] - 1)
    return centre, mean, np.sqrt(np.maximum(variance, 0) / count[enough])
