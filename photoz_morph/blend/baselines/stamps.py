"""Stamps of detected sources: as they are, and without their neighbours."""

import numpy as np

from photoz_morph.blend.baselines.photometry import without_others
from photoz_morph.blend.scenes.scene import sigma_map


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


def replaced_stamps(image, sigma, segmentation, y, x, size, numbers=None, seed=0):
    """Stamps of sources alone in their surroundings: with their own light and the sky, their neighbours replaced.

    Pixels of others become those on the opposite side of the source, or noise where these are of another source too or
    outside of the stamp.

    Parameters
    ----------
    image : ndarray, shape (height, width, n_bands)
        Sky subtracted.
    sigma : ndarray, shape (n_bands,) or (height, width, n_bands)
    segmentation : ndarray of int, shape (height, width)
        0 where no source is, i + 1 where source i is.
    y, x : ndarray, shape (n,)
        Of the sources [pixel].
    size : int
        Side of a stamp [pixel]. A position lies within half a pixel of index size / 2 - 0.5.
    numbers : ndarray of int, shape (n,), optional
        Of the sources in the map; by default those of all, in order.
    seed : int
        Of the noise, which depends on the number of the source alone.

    Returns
    -------
    stamps : ndarray, shape (n, size, size, n_bands), float32
    is_whole : ndarray of bool, shape (n,)
        Whether the image has all pixels of the stamp; those that it lacks, or that cannot be used, are noise, too.
    """
    y, x = (np.asarray(axis, float) for axis in (y, x))
    numbers = np.arange(1, len(y) + 1) if numbers is None else np.asarray(numbers)
    # The middle of a stamp of even size lies between two pixels; `cut_stamps` has the position at index size // 2.
    shift = 0.5 if size % 2 == 0 else 0.0
    noise = np.where(np.isfinite(image), sigma_map(sigma, image.shape), np.inf)
    inside = [np.clip(axis + shift, 0, n - 1) for axis, n in zip((y, x), image.shape)]
    stamps = cut_stamps(np.asarray(image, np.float32), *inside, size, fill=np.nan)
    sigmas = cut_stamps(noise.astype(np.float32), *inside, size, fill=np.inf)
    owners = cut_stamps(np.asarray(segmentation), *inside, size)
    typical = np.array([np.median(band[np.isfinite(band)]) for band in np.moveaxis(noise, -1, 0)])
    is_whole = np.isfinite(sigmas).all(axis=(1, 2, 3))
    for k, number in enumerate(numbers):
        place = (axis[k] - np.rint(at[k]) + size // 2 for axis, at in zip((y, x), inside))
        own = without_others(stamps[k], owners[k], number, *place, "correct")
        empty = ~np.isfinite(sigmas[k]) | ~np.isfinite(own)
        is_other = (owners[k] != number) & (owners[k] != 0)
        empty |= (is_other & (own == 0).all(axis=-1))[..., None]
        drawn = np.random.default_rng([seed, number]).normal(size=own.shape)
        drawn *= np.where(np.isfinite(sigmas[k]), sigmas[k], typical)
        stamps[k] = np.where(empty, drawn, own)
    return stamps, is_whole
