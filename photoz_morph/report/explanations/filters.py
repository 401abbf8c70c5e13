"""What filters of a network respond to: kernels, strongest patches beside their projections, maps, made images."""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.report.style import BLACK

GAP = 1  # [pixel] between the panels of a mosaic


def kernel_panels(kernels, bands, title, n_filters=16):
    """Kernels of a layer: a row for each band, a column for each filter.

    Parameters
    ----------
    kernels : ndarray, shape (n_filters, rows, columns, n_bands)
        Response to one sigma of light in a pixel of a band.
    bands : sequence of str
    title : str
    n_filters : int
        That are shown, the strongest first.

    Returns
    -------
    matplotlib.figure.Figure
    """
    kernels = np.asarray(kernels)
    order = np.argsort(-np.abs(kernels).sum(axis=(1, 2, 3)))[:n_filters]
    figure = Figure(figsize=(0.62 * len(order) + 0.6, 0.62 * len(bands) + 0.6), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.02, hspace=0.02)
    grid = figure.subplots(len(bands), len(order), squeeze=False)
    for column, number in zip(grid.T, order):
        end = np.abs(kernels[number]).max() or 1.0
        for axes, kernel in zip(column, np.moveaxis(kernels[number], -1, 0)):
            axes.imshow(kernel, origin="lower", cmap="RdBu_r", vmin=-end, vmax=end, interpolation="nearest")
            _bare(axes)
        column[0].set_title(str(number), fontsize=7)
    for axes, band in zip(grid[:, 0], bands):
        axes.set_ylabel(band, fontsize=8, rotation=0, labelpad=8)
    figure.suptitle(title, fontsize=10)
    return figure


def strongest_panels(patches, projections, filters, title):
    """The strongest patches of filters as three by three, and what in them excites the filter.

    Parameters
    ----------
    patches : ndarray, shape (n_filters, n, rows, columns, 3)
        In colour, between 0 and 1.
    projections : ndarray, shape (n_filters, n, rows, columns, n_bands)
        Drawn as their mean over the bands.
    filters : sequence of int
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    n = len(filters)
    figure = Figure(figsize=(1.35 * n + 0.4, 3.4), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)
    for column, patch, projection, number in zip(figure.subplots(2, n, squeeze=False).T, patches, projections, filters):
        column[0].imshow(_mosaic(np.nan_to_num(patch, nan=1.0)), origin="lower", interpolation="nearest")
        signal = projection.mean(axis=-1)  # NaN beyond the edge of the stamp, in all bands
        end = np.nanpercentile(np.abs(signal), 99.5) or 1.0
        column[1].imshow(_mosaic(signal), origin="lower", cmap="RdBu_r", vmin=-end, vmax=end, interpolation="nearest")
        column[0].set_title(f"filter {number}", fontsize=8)
        for axes in column:
            _bare(axes)
    figure.suptitle(title, fontsize=10)
    return figure


def feature_map_panels(maps, title, n_maps=32):
    """Maps of a layer for one galaxy, those that vary most.

    Parameters
    ----------
    maps : ndarray, shape (rows, columns, n_maps)
    title : str
    n_maps : int

    Returns
    -------
    matplotlib.figure.Figure
    """
    chosen = np.argsort(-maps.std(axis=(0, 1)))[:n_maps]
    n_columns = min(16, len(chosen))
    n_rows = -(-len(chosen) // n_columns)
    figure = Figure(figsize=(0.68 * n_columns, 0.8 * n_rows + 0.5), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.02, hspace=0.02)
    for axes in figure.subplots(n_rows, n_columns, squeeze=False).flat:
        _bare(axes)
    for axes, number in zip(figure.axes, chosen):
        axes.imshow(maps[..., number], origin="lower", cmap="viridis", interpolation="nearest")
        axes.set_title(str(number), fontsize=6, pad=2)
    figure.suptitle(title, fontsize=10)
    return figure


def made_panels(rows, columns, title):
    """Images in a grid with a text above each column and left of each row.

    Parameters
    ----------
    rows : dict of str to sequence of (ndarray, str)
        By the text on the left: images, in colour between 0 and 1 or signed maps, with what stands below each.
    columns : sequence of str
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(1.65 * len(columns) + 0.5, 1.85 * len(rows) + 0.5), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for line, (name, images) in zip(grid, rows.items()):
        for axes, (image, text) in zip(line, images):
            _bare(axes)
            if np.ndim(image) == 3:
                axes.imshow(image, origin="lower", interpolation="nearest")
            else:
                end = np.nanpercentile(np.abs(image), 99.7) or 1.0
                axes.imshow(image, origin="lower", cmap="RdBu_r", vmin=-end, vmax=end, interpolation="nearest")
            axes.set_xlabel(text, fontsize=7, labelpad=2, color=BLACK)
        line[0].set_ylabel(name, fontsize=7.5)
    for axes, name in zip(grid[0], columns):
        axes.set_title(name, fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure


def _bare(axes):
    """No ticks and no frame."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _mosaic(images):
    """Nine images as three by three, the first at the upper left, on white."""
    images = np.asarray(images, float)
    rows, columns = images.shape[1:3]
    blank = np.nan if images.ndim == 3 else 1.0
    picture = np.full((3 * (rows + GAP) - GAP, 3 * (columns + GAP) - GAP, *images.shape[3:]), blank)
    for number, image in enumerate(images[:9]):
        y, x = (2 - number // 3) * (rows + GAP), number % 3 * (columns + GAP)
        picture[y : y + rows, x : x + columns] = image
    return picture
