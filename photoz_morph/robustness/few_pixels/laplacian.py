"""Pixels that a cosmic-ray detector would mask: the Laplacian criterion of L.A.Cosmic on stamps of known noise.

A pixel is caught if it is sharper than the noise and than the finest structure that the seeing allows. The criterion is
applied to the image and to its negative, so that dark pixels are caught, too. `unseen_limits` inverts it: by how much a
single pixel can be changed without being caught.

Notes
-----
van Dokkum (2001), Sec. 3, with the conventions and defaults of its implementation astroscrappy: the Laplacian of the
image sampled twice as finely, clipped at zero and binned back, over twice the noise, less its 5 x 5 median, is above
4.5, and above 5 times the fine structure; neighbours of a caught pixel are caught above 4.5, and theirs above 0.3
times 4.5. There is one iteration, as nothing is replaced.
"""

import numpy as np
from scipy.ndimage import binary_dilation, median_filter

SIGMA_LIMIT, FINE_LIMIT, NEIGHBOUR_SHARE = 4.5, 5.0, 0.3  # sigclip, objlim and sigfrac of astroscrappy
SMALLEST_FINE = 0.01  # of the fine structure in units of the noise, astroscrappy
N_HALVINGS = 40  # of the range of a change: more than the digits of float32


def caught_pixels(images, sky_sigma, flux_per_electron):
    """Pixels that the criterion would mask.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns, n_bands)
        Sky-subtracted [image unit].
    sky_sigma : ndarray, shape (n, n_bands)
        Standard deviation of a pixel of empty sky [image unit].
    flux_per_electron : ndarray, shape (n, n_bands)
        Value that one electron of the whole exposure stands for [image unit]; 0 leaves the noise of the light out.

    Returns
    -------
    ndarray of bool, shape (n, rows, columns, n_bands)
    """
    images = np.asarray(images, float)
    noise, mask = _noise(images, sky_sigma, flux_per_electron), np.zeros(images.shape, bool)
    square = np.ones((1, 3, 3, 1), bool)
    for sign in (1, -1):
        sharpness, needed, _ = _sharpness(sign * images, noise)
        found = sharpness > needed
        for limit in (SIGMA_LIMIT, NEIGHBOUR_SHARE * SIGMA_LIMIT):
            found = binary_dilation(found, square) & (sharpness > limit)
        mask |= found
    return mask


def unseen_limits(image, sky_sigma, flux_per_electron):
    """Largest change of each pixel, alone, that the criterion does not catch.

    Parameters
    ----------
    image : ndarray, shape (rows, columns, n_bands)
    sky_sigma, flux_per_electron : ndarray, shape (n_bands,)
        See `caught_pixels`.

    Returns
    -------
    up, down : ndarray, shape (rows, columns, n_bands)
        0 or more [image unit]. The medians are those of the image without the change, which they hardly notice; of
        several changes side by side ask `caught_pixels`.
    """
    image = np.asarray(image, float)[None]
    noise = _noise(image, np.asarray(sky_sigma)[None], np.asarray(flux_per_electron)[None])
    slack = {}
    for sign in (1, -1):
        sharpness, needed, median = _sharpness(sign * image, noise)
        slack[sign] = needed + median, np.maximum(needed - sharpness, 0)
    limits = []
    for sign in (1, -1):
        allowed = 2 * noise * slack[sign][0]
        low, high = np.zeros_like(image), _largest(sign * image, allowed)
        for _ in range(N_HALVINGS):
            middle = (low + high) / 2
            fits = _laplacian(sign * image, middle) <= allowed
            low, high = np.where(fits, middle, low), np.where(fits, high, middle)
        # A pixel that rises makes its four neighbours sharper in the negative: two of their four corners see it.
        opposite = np.pad(4 * noise * slack[-sign][1], [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=np.inf)
        for rows, columns in ((0, 1), (2, 1), (1, 0), (1, 2)):
            low = np.minimum(low, opposite[:, rows : rows + image.shape[1], columns : columns + image.shape[2]])
        limits.append(low[0])
    return tuple(limits)


def _noise(images, sky_sigma, flux_per_electron):
    """Noise of each pixel [image unit], by the light of its 5 x 5 median."""
    sky_sigma, flux_per_electron = (np.asarray(part, float)[:, None, None] for part in (sky_sigma, flux_per_electron))
    return np.sqrt(sky_sigma**2 + np.maximum(_median(images, 5), 0) * flux_per_electron)


def _sharpness(images, noise):
    """Laplacian in units of the noise less its median, the value above which it is caught, and that median."""
    significance = _laplacian(images) / (2 * noise)
    median = _median(significance, 5)
    fine = _median(images, 3)
    fine = np.maximum((fine - _median(fine, 7)) / noise, SMALLEST_FINE)
    return significance - median, np.maximum(SIGMA_LIMIT, FINE_LIMIT * fine), median


def _laplacian(images, change=0.0):
    """Laplacian of images sampled twice as finely, clipped and binned back; each pixel alone changed."""
    total, own = 0.0, 2 * (images + change)
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="edge")
    above, below, left, right = padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]
    for vertical in (above, below):
        for horizontal in (left, right):
            total = total + np.maximum(own - vertical - horizontal, 0)
    return total / 4


def _largest(images, allowed):
    """A change after which every pixel has a larger Laplacian than allowed."""
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="edge")
    highest = np.maximum(np.maximum(padded[:, :-2, 1:-1], padded[:, 2:, 1:-1]),
                         np.maximum(padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]))  # fmt: skip
    return np.maximum(highest - images, 0) + allowed


def _median(images, side):
    return median_filter(images, size=(1, side, side, 1), mode="nearest")
