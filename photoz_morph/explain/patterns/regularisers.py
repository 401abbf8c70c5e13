"""What keeps an image that is made for a network from becoming noise: shifts, blurring; random numbers per galaxy."""

import numpy as np
from scipy.ndimage import gaussian_filter


def streams(objects, seed, use):
    """Random numbers of each galaxy, the same whatever others are made with it.

    Parameters
    ----------
    objects : ndarray of int, shape (n,)
        Identifiers.
    seed : int
        Of the run.
    use : str
        What the numbers are for.

    Returns
    -------
    list of numpy.random.Generator
    """
    name = int.from_bytes(use.encode(), "little")
    return [np.random.default_rng([seed, int(galaxy) & (2**63 - 1), name]) for galaxy in objects]


def rolled(images, shifts):
    """Images shifted around their edges.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns, n_bands)
    shifts : ndarray of int, shape (n, 2)
        Down and right [pixel].
    """
    return np.stack([np.roll(image, tuple(shift), axis=(0, 1)) for image, shift in zip(images, shifts)])


def blurred(images, sigma):
    """Images convolved with a Gaussian in each band, the same ones for a width of 0.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns, n_bands)
    sigma : float
        [pixel]
    """
    return gaussian_filter(images, (0, sigma, sigma, 0), mode="nearest") if sigma else images


def sky_noise(shape, sky_sigma, objects, seed=0):
    """Images of nothing but the noise of the sky, the same for a galaxy in every call.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    sky_sigma : array_like, shape (n_bands,)
        [image unit]
    objects : ndarray of int, shape (n,)
        Identifiers.
    seed : int

    Returns
    -------
    ndarray, shape (n, rows, columns, n_bands), float32
        [image unit]
    """
    sky_sigma = np.asarray(sky_sigma, float)
    noise = [rng.normal(size=(*shape, len(sky_sigma))) for rng in streams(objects, seed, "sky")]
    return (np.stack(noise) * sky_sigma).astype(np.float32)
