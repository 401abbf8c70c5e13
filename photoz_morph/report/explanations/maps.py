"""Maps of what a network looks at, band by band, below the stamp in the same bands."""

import textwrap

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.report.style import BLACK, GREY, ORANGE

LARGEST = 99.7  # percentile of the absolute map at the ends of its colours: single pixels would take them all
WHITE_SIGMA, SOFTENING_SIGMA = 60.0, 2.0  # of the stamps: our choice
TITLE_PER_INCH = 12  # letters of size 10
SIGNED, UNSIGNED = "RdBu_r", "Reds"


def attribution_maps(image, sky_sigma, mask, bands, maps, title, marked=None):
    """Stamp and maps of a galaxy: a column for each band, a row for each method.

    Parameters
    ----------
    image : ndarray, shape (rows, columns, n_bands)
    sky_sigma : ndarray, shape (n_bands,)
        Noise of the sky [image unit].
    mask : ndarray of bool, shape (rows, columns)
        Pixels of the galaxy, outlined.
    bands : sequence of str
    maps : dict of str to (ndarray, str, bool, sequence of str)
        By title: the map, shape (rows, columns, n_bands) or (rows, columns) for all bands together; its unit; whether
        it has a sign; and names of the checks that it fails.
    title : str
    marked : (int, int), optional
        Row and column of a pixel that is circled.

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_columns, n_rows = len(bands) + 1, len(maps) + 1
    figure = Figure(figsize=(1.45 * n_columns + 1.1, 1.5 * n_rows + 0.5), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.03, wspace=0.02, hspace=0.02)
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    sky = np.where(sky_sigma > 0, sky_sigma, 1)
    stamps = [image[..., band] / sky[band] for band in range(len(bands))]
    for axes, stamp, name in zip(grid[0], [*stamps, sum(stamps) / np.sqrt(len(bands))], (*bands, "all bands")):
        shown = np.arcsinh(stamp / SOFTENING_SIGMA)
        axes.imshow(shown, origin="lower", cmap="Greys", vmin=-1, vmax=np.arcsinh(WHITE_SIGMA / SOFTENING_SIGMA),
                    interpolation="nearest")  # fmt: skip
        axes.set_title(name, fontsize=9)
        if marked is not None:
            axes.plot(marked[1], marked[0], "o", markersize=9, markerfacecolor="none", markeredgecolor=ORANGE)
    grid[0, 0].set_ylabel("stamp", fontsize=8)
    for row, (name, (values, unit, is_signed, failed)) in zip(grid[1:], maps.items()):
        _row(figure, row, np.asarray(values, float), unit, is_signed, mask)
        text = "\n".join([name, *([f"fails {check}" for check in failed] or ["passes"])])
        row[0].set_ylabel(text, fontsize=7, color=ORANGE if failed else BLACK)
    figure.suptitle(textwrap.fill(title, int(TITLE_PER_INCH * figure.get_figwidth())), fontsize=10)
    return figure


def _row(figure, row, values, unit, is_signed, mask):
    """Maps of a method on one scale, and the sum over its bands."""
    panels = [values[..., band] for band in range(values.shape[-1])] + [values.sum(axis=-1)] if values.ndim == 3 else []
    if not panels:  # of all bands together
        panels = [None] * (len(row) - 1) + [values]
    known = np.concatenate([panel.ravel() for panel in panels[:-1] if panel is not None] or [panels[-1].ravel()])
    for axes, panel in zip(row, panels):
        if panel is None:
            axes.set_facecolor("none")
            continue
        pixels = known if panel is not panels[-1] else panel.ravel()
        end = np.nanpercentile(np.abs(pixels), LARGEST) or 1.0
        low, cmap = (-end, SIGNED) if is_signed else (0, UNSIGNED)
        drawn = axes.imshow(panel, origin="lower", cmap=cmap, vmin=low, vmax=end, interpolation="nearest")
        axes.contour(mask, [0.5], colors=GREY, linewidths=0.6)
        if panel is panels[-1] or panel is panels[-2]:
            bar = figure.colorbar(drawn, ax=axes, shrink=0.9, pad=0.02, format="%.2g")
            bar.ax.tick_params(labelsize=5.5)
            if panel is panels[-1]:
                bar.set_label(unit, fontsize=5.5)
