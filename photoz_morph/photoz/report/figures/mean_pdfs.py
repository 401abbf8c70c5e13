"""Figure of mean PDFs: of the galaxies of several regions, against their distributions of z_spec.

Takes arrays and returns a matplotlib Figure, made without pyplot; `style.save_figure` writes it.
"""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.metrics.redshifts.mean_pdf import mean_pdf_test
from photoz_morph.report.style import BLACK, BLUE, GREY, LIGHT_GREY, ORANGE
from photoz_morph.report.text import p_text


def mean_pdfs(regions, z_spec, pdf, grid, title, group_id=None):
    """Mean PDF of regions beside their distribution of z_spec, with the test that both are the same.

    Parameters
    ----------
    regions : dict of str to ndarray of bool, shape (n,)
        Galaxies of each region, by name; two or more, of which the first is repeated in the others for comparison.
    z_spec : ndarray, shape (n,)
    pdf : ndarray, shape (n, n_bins)
    grid : RedshiftGrid
    title : str
        Says whether the galaxies are real or simulated.
    group_id : ndarray, shape (n,), optional
        Galaxies of one group are not counted as independent.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no region or one has no galaxy.

    Notes
    -----
    As Pasquet et al. (2019), Fig. 13. Error bars are the standard deviation of the number of z_spec in a cell if every
    PDF is right, see `mean_pdf_test`; the lower panels show the differences in units of it.
    """
    if not regions:
        raise ValueError("mean_pdfs needs a region or more, got none")
    z_spec = np.asarray(z_spec, float)
    empty = [name for name, mask in regions.items() if not np.any(mask)]
    if empty:
        raise ValueError(f"region {empty[0]!r} has no galaxy; leave it out")
    group_id = np.arange(len(z_spec)) if group_id is None else np.asarray(group_id)
    tests = {name: mean_pdf_test(z_spec[mask], pdf[mask], grid, group_id[mask]) for name, mask in regions.items()}
    figure = Figure(figsize=(1.2 + 4.2 * len(tests), 5.2), layout="constrained")
    panels = figure.subplots(2, len(tests), sharex=True, sharey="row", squeeze=False, height_ratios=[3, 1])
    first_name, first = next(iter(tests.items()))
    for (name, test), (upper, lower) in zip(tests.items(), panels.T):
        cell = np.diff(test.edges)
        density = test.observed / (test.n * cell)
        middle = 0.5 * (test.edges[1:] + test.edges[:-1])
        upper.stairs(density, test.edges, fill=True, color=LIGHT_GREY)
        error = test.error / (test.n * cell)
        upper.errorbar(
            middle, density, error, color=BLACK, marker="o", markersize=3, linestyle="none", elinewidth=1, capsize=2,
            label=r"$z_\mathrm{spec}$",
        )  # fmt: skip
        if test is not first:
            upper.stairs(first.mean_pdf / grid.width, grid.edges, color=GREY, linewidth=1, linestyle=":", baseline=None,
                         label=f"mean PDF, {first_name}")  # fmt: skip
        upper.stairs(test.mean_pdf / grid.width, grid.edges, color=BLUE, linewidth=1.6, baseline=None,
                     label="mean PDF")  # fmt: skip
        upper.stairs(test.expected / (test.n * cell), test.edges, color=BLUE, linewidth=0.8, linestyle="--",
                     baseline=None, label="mean PDF in the bins")  # fmt: skip
        upper.legend(frameon=False, fontsize=8)
        words = verdict_text(test).replace("z_spec", r"$z_\mathrm{spec}$")
        upper.set_title(f"{name}, n = {test.n:,}\n{words}", fontsize=9)
        pull = np.divide(test.observed - test.expected, test.error, out=np.zeros(len(cell)), where=test.error > 0)
        lower.axhline(0, color=BLUE, linewidth=1)
        lower.axhspan(-1, 1, color=BLUE, alpha=0.12, linewidth=0)
        lower.plot(middle, pull, color=ORANGE, marker="o", markersize=3, linestyle="none")
        lower.set_xlabel("redshift z")
    # Where the PDFs end, and not before the point of the last cell, which may be wide.
    ends = [grid.edges[1 + np.flatnonzero(test.mean_pdf > 1e-4).max(initial=0)] for test in tests.values()]
    highest = max(*ends, *(test.edges[-2:].mean() + 3 * grid.width for test in tests.values()))
    panels[0, 0].set(xlim=(grid.z_min, highest), ylim=(0, None), ylabel="normalised density")
    panels[1, 0].set_ylabel("difference / error", fontsize=9)
    limit = max(3.5, *(np.abs(line.get_ydata()).max() * 1.15 for axes in panels[1] for line in axes.lines[1:]))
    panels[1, 0].set_ylim(-limit, limit)
    figure.suptitle(title)
    return figure


def verdict_text(test):
    """Chi-square of the mean PDF and the shift of its mean redshift, as text."""
    chi_square = f"chi-square {test.chi_square:.1f} for {test.n_dof}, {p_text(test.p_value, 'p')}"
    if not np.isfinite(test.p_value):
        chi_square = "too few galaxies or too narrow PDFs for a chi-square"
    return f"{chi_square}\nmean of PDFs - mean z_spec: {test.mean_shift:+.5f} ± {test.mean_shift_error:.5f}"
