"""Stamps of detected sources: as they are, and without their neighbours."""

import numpy as np


def cut_stamps(image, y, x, size, fill=0.0):
    """Squares around positions, the pixel of the position at index size // 2.

    Parameters
    ----------
    image : ndarray, shape (height, width, ...)
    y, x : ndarray, shape (n,)
        Positions in the image [pixel].
    size : int
    fill : float
        Value beyond the image.

    Returns
    -------
    ndarray, shape (n, size, size, ...)

    Raises
    ------
    ValueError
        If a position is outside of the image.
    """
    image = np.asarray(image)
    rows, columns = (np.rint(np.asarray(axis, float)).astype(int) for axis in (y, x))
    outside = (rows < 0) | (columns < 0) | (rows >= image.shape[0]) | (columns >= image.shape[1])
    if outside.any():
        k = outside.argmax()
        raise ValueError(f"position y {y[k]:g}, x {x[k]:g} is outside of the image of {image.shape[:2]} pixels")
    before, after = size // 2, size - size // 2
    padding = [(before, after), (before, after)] + [(0, 0)] * (image.ndim - 2)
    padded = np.pad(image, padding, constant_values=fill)
    stamps = [padded[row : row + size, column : column + size] for row, column in zip(rows, columns)]
    return np.array(stamps, image.dtype).reshape(len(rows), size, size, *image.shape[2:])


def deblended_stamps(image, segmentation, y, x, size, with_sky=False):
    """Stamps of sources without the pixels of others.

    Parameters
    ----------
    image : ndarray, shape (height, width, n_bands)
    segmentation : ndarray of int, shape (height, width)
        0 where no source is, i + 1 where source i is.
    y, x : ndarray, shape (n,)
        Of the sources in the order of the map [pixel].
    size : int
    with_sky : bool
        Whether pixels of no source are kept, in which a source has its faint wings and the image its noise; by default
        the sum of the stamps is the image within the segments.

    Returns
    -------
    ndarray, shape (n, size, size, n_bands), float32
        0 in the pixels that are left out.
    """
    stamps = cut_stamps(np.asarray(image, np.float32), y, x, size)
    owners = cut_stamps(np.asarray(segmentation), y, x, size, fill=-1)
    numbers = np.arange(1, len(stamps) + 1)[:, None, None]
    keeps = (owners == numbers) | ((owners == 0) & with_sky)
    return np.where(keeps[..., None], stamps, np.float32(0))
