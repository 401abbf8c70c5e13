"""Maps of particles, smoothed by Gaussians whose width follows the density of particles.

A single width would leave blobs in sparse tails or wash out nuclei. Five widths, each twice the one before, are
drawn on grids as coarse as they allow, and a particle of a width in between is divided between its two neighbours.
"""

import numpy as np
from scipy.special import erf

from photoz_morph.simulation.morphology.populations import FIELD_PIXELS

__all__ = ["WIDTHS", "adaptive_widths", "smooth_field", "splat"]

CELLS = (1, 2, 4, 8, 16)  # [pixels] of the grids
WIDTHS = 1.2 * np.array(CELLS)  # [pixels] standard deviations; above 1.2 cells a grid leaves no ripple (e^-28)
NEIGHBOURS = 60  # particles in the area of a Gaussian, 4 pi sigma^2: 13 % noise
MARGIN = 64  # [pixels] around the field whose particles still shine into it


def adaptive_widths(x, y):
    """Standard deviation of the Gaussian that holds about 60 particles, for each particle.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Positions [pixels], within 64 of the field.

    Returns
    -------
    ndarray, shape (n,), float32
        [pixels] 1.2 to 19.2.
    """
    widths = np.zeros(len(x), np.float32)
    for cell in CELLS[::-1]:
        n_cells = (FIELD_PIXELS + 2 * MARGIN) // cell + 1
        flat = _cell_numbers(x, y, cell, n_cells)
        counts = np.bincount(flat, minlength=n_cells**2).reshape(n_cells, n_cells).astype(np.float32)
        density = _blur(counts).ravel()[flat] / cell**2
        finer = np.sqrt(NEIGHBOURS / (4 * np.pi * density))
        # A finer grid is used where the width is at most its cells; elsewhere it would hold too few particles.
        widths = np.where(widths < 1.5 * cell, finer, widths)
    return widths.clip(WIDTHS[0], WIDTHS[-1])


def splat(x, y, weights, widths):
    """Sums of circular Gaussians.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Centres [pixels], 0 for the centre of the first pixel.
    weights : ndarray, shape (n_maps, n)
        Sums of the Gaussians, for every map.
    widths : ndarray, shape (n,)
        Standard deviations [pixels], 1.2 to 19.2.

    Returns
    -------
    ndarray, shape (n_maps, 500, 500), float32
        Indexed [map, y, x]. Light outside the field is lost, the rest is kept exactly.
    """
    maps = np.zeros((len(weights), FIELD_PIXELS, FIELD_PIXELS), np.float32)
    level = np.log2(widths / WIDTHS[0])
    for i, (cell, width) in enumerate(zip(CELLS, WIDTHS)):
        fraction = 1 - np.abs(level - i)
        members = np.flatnonzero(fraction > 0)
        if len(members):
            _add_level(maps, x[members], y[members], fraction[members] * weights[:, members], cell, width)
    return maps


def smooth_field(width, rng):
    """Gaussian random field of zero mean and unit variance, shape (500, 500), float32.

    Its correlation falls by e over twice the width [pixels], one of WIDTHS.
    """
    cell = CELLS[np.flatnonzero(WIDTHS == width)[0]]
    kernel = _kernel(-MARGIN - 0.5, (FIELD_PIXELS + 2 * MARGIN) // cell, 0, FIELD_PIXELS, cell, width)
    field = kernel @ rng.standard_normal((kernel.shape[1],) * 2, np.float32) @ kernel.T
    return field / np.float32((kernel[FIELD_PIXELS // 2] ** 2).sum())


def _add_level(maps, x, y, weights, cell, width):
    """Add the Gaussians of one width, within the box that holds them."""
    boxes = []
    for u in (x, y):
        first = np.floor((u.min() + 0.5) / cell) * cell - 0.5
        n_cells = int((u.max() - first) // cell) + 1
        start = int(np.clip(first - 5 * width, 0, FIELD_PIXELS))
        stop = int(np.clip(first + n_cells * cell + 5 * width + 1, 0, FIELD_PIXELS))
        boxes.append((first, n_cells, start, stop, _kernel(first, n_cells, start, stop, cell, width)))
    (x0, nx, left, right, kernel_x), (y0, ny, bottom, top, kernel_y) = boxes
    flat = ((y - y0) // cell).astype(np.intp) * nx + ((x - x0) // cell).astype(np.intp)
    for image, weight in zip(maps, weights):
        cells = np.bincount(flat, weight, nx * ny).reshape(ny, nx).astype(np.float32)
        image[bottom:top, left:right] += kernel_y @ cells @ kernel_x.T


def _kernel(first, n_cells, start, stop, cell, width):
    """Part of each cell's Gaussian in pixels start to stop, shape (stop - start, n_cells); `first` is an edge."""
    centres = first + cell * (np.arange(n_cells) + 0.5)
    edges = np.arange(start, stop + 1) - 0.5
    return np.diff(0.5 * erf((edges[:, None] - centres) / (np.sqrt(2) * width)), axis=0).astype(np.float32)


def _cell_numbers(x, y, cell, n_cells):
    """Index in the flattened grid of the field with its margin."""
    return ((y + MARGIN + 0.5) // cell).astype(np.intp) * n_cells + ((x + MARGIN + 0.5) // cell).astype(np.intp)


def _blur(counts):
    """Mean over 3 x 3 cells with weights 1, 2, 1 in each direction; empty beyond the edge."""
    padded = np.pad(counts, 1)
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 16
