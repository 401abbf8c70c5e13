"""Mocks of both depths side by side: the examples figure and contact sheets of each class.

One stretch holds for all panels of a figure and both depths, set by the ten-year sky noise: what looks deeper is deeper
and what looks brighter is brighter. (The panels of the paper's Figure 1 are stretched one by one.)
"""

import numpy as np
from matplotlib.figure import Figure

CLASS_COLOURS = {"spiral": "#ffa600", "elliptical": "#bc5090", "merger": "#003f5c"}  # the paper's own
CLASS_COLOURS["not merger"] = CLASS_COLOURS["spiral"]
GREY_BAND = 1  # r, of g, r, i: the deepest
# Our choices: the stretch turns from linear to logarithmic at so many sigma of the ten-year sky, ...
SOFTENING_SIGMA = 2.0
BLACK_SIGMA, WHITE_QUANTILE = -3.0, 0.9995  # ... black is below the sky and white at the cores of typical galaxies
BAND_SCALES = (2.5, 1.5, 1.0)  # our choice, as for SDSS: g - r = 0.55 and r - i = 0.44 come out white
FADE = 8.0  # our choice: colours turn to grey below so many softenings, or the noise of one year would be gaudy
SKY_BORDER = 10  # [pixel] width of the frame in which the sky noise is measured
GAP = 3  # [pixel] between the stamps of a mosaic
N_EXAMPLES, N_SHEET = 4, 32  # galaxies of each class in the examples figure and at most on a contact sheet
SHEET_COLUMNS = 8


def sky_sigma(images):
    """Noise of the sky in each band: the median over images of 1.4826 MAD in their outer frame, shape (n_bands,).

    Parameters
    ----------
    images : ndarray, shape (n, height, width, n_bands)
        Of any unit.
    """
    images = np.asarray(images, float)
    frame = np.ones(images.shape[1:3], bool)
    frame[SKY_BORDER:-SKY_BORDER, SKY_BORDER:-SKY_BORDER] = False
    border = images[:, frame]
    deviation = np.abs(border - np.median(border, axis=1, keepdims=True))
    return np.median(1.4826 * np.median(deviation, axis=1), axis=0)


def stretch(images, reference, colour=False):
    """Images between 0 and 1 with an arcsinh stretch that is the same for all.

    Parameters
    ----------
    images : ndarray, shape (n, height, width, 3)
        g, r, i [nJy].
    reference : ndarray, shape (m, height, width, 3)
        Images that set black, white and the turn to a logarithm: the ten-year ones.
    colour : bool
        i, r, g as red, green and blue instead of r in grey.

    Returns
    -------
    ndarray, shape (n, height, width) or (n, height, width, 3)

    Notes
    -----
    Lupton et al. (2004), Eqs. 1-2, for the colours: the stretch acts on the mean of the bands, which keeps the hue.
    """
    images, reference = np.asarray(images, float), np.asarray(reference, float)
    scales = np.array(BAND_SCALES) if colour else np.eye(3)[GREY_BAND]
    weights = scales / scales.sum()
    softening = SOFTENING_SIGMA * sky_sigma((reference @ weights)[..., None])[0]
    black = BLACK_SIGMA / SOFTENING_SIGMA
    white = max(np.quantile(reference @ weights, WHITE_QUANTILE) / softening, 1.0)
    luminance = images @ weights
    low, high = np.arcsinh([black, white])
    grey = np.clip((np.arcsinh(luminance / softening) - low) / (high - low), 0, 1)
    if not colour:
        return grey
    flux = images[..., ::-1] * scales[::-1] / scales.mean()
    ratio = 1 + (flux - luminance[..., None]) / np.maximum(luminance, FADE * softening)[..., None]
    bright = np.maximum(grey[..., None] * ratio, 0)
    return bright / np.maximum(bright.max(axis=-1, keepdims=True), 1)


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
