"""Mocks of both depths side by side: the examples figure and contact sheets of each class.

All panels of a figure and both depths share one stretch, set by the ten-year sky noise, so that depth and brightness
can be compared by eye. (The panels of the paper's Figure 1 are stretched one by one.)
"""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.morph.report.figures.stretch import stretch
from photoz_morph.morph.report.style import CLASS_COLOURS

GAP = 3  # [pixel] between the stamps of a mosaic
N_EXAMPLES, N_SHEET = 4, 32  # galaxies of each class in the examples figure and at most on a contact sheet
SHEET_COLUMNS = 8


def examples_figure(image_y10, image_y1, label, class_names, title, colour=False, n_examples=N_EXAMPLES):
    """A row for each class with the same galaxies in Y10 and Y1 side by side.

    Parameters
    ----------
    image_y10, image_y1 : ndarray, shape (n, height, width, 3)
        g, r, i [nJy] of the same galaxies; the first of each class are shown.
    label : ndarray of int, shape (n,)
    class_names : sequence of str
    title : str
        Says whether the galaxies are real or simulated.
    colour : bool
    n_examples : int
        Galaxies of each class.

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    Ciprijanovic et al. (2021), Fig. 1.
    """
    label = np.asarray(label)
    domains = [stretch(images, image_y10, colour) for images in (image_y10, image_y1)]
    figure = Figure(figsize=(2.6 * n_examples, 1.3 * len(class_names) + 0.6), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.03, wspace=0.02, hspace=0.02)
    grid = figure.subplots(len(class_names), n_examples, squeeze=False)
    for number, (row, name) in enumerate(zip(grid, class_names)):
        chosen = np.flatnonzero(label == number)[:n_examples]
        for axes in row:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes, index in zip(row, chosen):
            pair = _mosaic([images[index] for images in domains], 2)
            axes.imshow(pair, origin="lower", cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        row[0].set_ylabel(name, fontsize=12, color=CLASS_COLOURS.get(name, "black"), fontweight="bold")
    for axes in grid[0]:
        for x, name in ((0.25, "Y10"), (0.75, "Y1")):
            axes.text(x, 1.03, name, transform=axes.transAxes, ha="center", va="bottom", fontsize=10)
    figure.suptitle(title, fontsize=12)
    return figure


def contact_sheet(image_y10, image_y1, title, colour=True):
    """Many galaxies of one class: Y10 on the left, and on the right at the same places the same galaxies in Y1.

    Parameters
    ----------
    image_y10, image_y1 : ndarray, shape (n, height, width, 3)
        g, r, i [nJy]; the first 32 are shown.
    title : str
    colour : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    shown = slice(0, N_SHEET)
    n_columns = min(SHEET_COLUMNS, len(image_y10))
    n_rows = -(-min(len(image_y10), N_SHEET) // n_columns)
    size = (max(5, 1.35 * n_columns), max(5, 1.35 * n_columns) / 2 * n_rows / n_columns + 0.7)
    figure = Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02)
    for axes, images, name in zip(figure.subplots(1, 2), (image_y10, image_y1), ("Y10", "Y1")):
        mosaic = _mosaic(stretch(images[shown], image_y10, colour), n_columns)
        # Antialiased: a sheet has fewer points on paper than the stamps have pixels.
        axes.imshow(mosaic, origin="lower", cmap="gray", vmin=0, vmax=1, interpolation="antialiased")
        axes.set_title(name, fontsize=10)
        axes.set_axis_off()
    figure.suptitle(title, fontsize=12)
    return figure


def composite_sheet(simulated, real, title):
    """Many galaxies of one class as the networks see them: simulated ones on the left, real ones on the right.

    Parameters
    ----------
    simulated, real : ndarray, shape (n, size, size, 3) and (m, size, size, 3)
        Composites of 8 bits in g, r, i; the first 32 are shown.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_rows = -(-min(max(len(simulated), len(real), 1), N_SHEET) // SHEET_COLUMNS)
    figure = Figure(figsize=(11, 5.5 * n_rows / SHEET_COLUMNS + 0.9), layout="constrained")
    for axes, images, name in zip(figure.subplots(1, 2), (simulated, real), ("simulated", "real")):
        axes.set_title(f"{name}: {min(len(images), N_SHEET)}", fontsize=10)
        axes.set_axis_off()
        axes.set_anchor("N")
        if len(images):
            pictures = np.asarray(images[:N_SHEET], float)[:, ::-1, :, ::-1] / 255  # the first row is the top
            axes.imshow(_mosaic(pictures, SHEET_COLUMNS), origin="lower", interpolation="antialiased")
    figure.suptitle(title, fontsize=12)
    return figure


def _mosaic(stamps, n_columns):
    """One picture of stamps of (height, width) or (height, width, 3), the first at the top left, on white."""
    stamps = np.asarray(stamps)
    height, width = stamps.shape[1:3]
    n_rows = -(-len(stamps) // n_columns)
    shape = (n_rows * (height + GAP) - GAP, n_columns * (width + GAP) - GAP, *stamps.shape[3:])
    picture = np.ones(shape)
    for number, stamp in enumerate(stamps):
        row, column = n_rows - 1 - number // n_columns, number % n_columns  # rows count upwards from the bottom
        y, x = row * (height + GAP), column * (width + GAP)
        picture[y : y + height, x : x + width] = stamp
    return picture
