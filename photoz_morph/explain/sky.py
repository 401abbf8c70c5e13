"""What an explanation compares a galaxy with: nothing, the sky without it, or its stamp with the galaxy removed.

Noise of the sky is measured in each stamp and band, so that these images are those a survey could have taken. Images
have shape (n, rows, columns, n_bands), in any unit.
"""

import numpy as np
from astropy.stats import sigma_clipped_stats
from scipy import ndimage

from photoz_morph.explain.gradients import named, unnamed

BASELINES = ("removed", "noise", "zero")
THRESHOLD, SMOOTHING, GROWTH = 2.0, 1.5, 3  # of the galaxy's mask: sigma, and pixels; our choices
NEIGHBOUR = 4.0  # times as bright as its mirror image about the centre, a pixel is another object's
CENTRAL_RADIUS = 3  # pixels: of the mask of a galaxy that is not seen, and how far from the centre one may be


def measure_sky(images):
    """Level and noise of the sky, from pixels clipped at three sigma.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns, n_bands)

    Returns
    -------
    level, sigma : ndarray, shape (n, n_bands)
        Median, and 1.4826 times the median absolute deviation [image unit].
    """
    _, level, sigma = sigma_clipped_stats(
        np.asarray(images, np.float64), sigma=3.0, cenfunc="median", stdfunc="mad_std", axis=(1, 2)
    )
    return level, sigma


def galaxy_masks(images):
    """Pixels of the object at the centre of each stamp, in the sum of the bands.

    Bands are added in units of their noise and smoothed; the object is what lies above two sigma in one piece with the
    centre, without what is much brighter than its mirror image, grown by three pixels. Where nothing is seen, it is a
    disc of three pixels.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns, n_bands)

    Returns
    -------
    ndarray of bool, shape (n, rows, columns)
    """
    level, sigma = measure_sky(images)
    scale = np.where(sigma > 0, sigma, np.inf)[:, None, None]
    snr = np.sum((images - level[:, None, None]) / scale, axis=-1) / np.sqrt(images.shape[-1])
    axes = [np.arange(side) - (side - 1) / 2 for side in images.shape[1:3]]
    disc = np.hypot(*np.meshgrid(*axes, indexing="ij")) <= CENTRAL_RADIUS
    noise = 1 / (2 * np.sqrt(np.pi) * SMOOTHING)  # of unit noise behind a Gaussian of this width
    masks = []
    for image in snr:
        smooth, faintest = ndimage.gaussian_filter(image, SMOOTHING), THRESHOLD * noise
        is_other = (smooth > NEIGHBOUR * np.maximum(smooth[::-1, ::-1], faintest)) & ~disc
        pieces, _ = ndimage.label((smooth > faintest) & ~is_other)
        central = np.unique(pieces[disc])
        found = np.isin(pieces, central[central > 0])
        masks.append(ndimage.binary_dilation(found, iterations=GROWTH, mask=~is_other) if found.any() else disc)
    return np.stack(masks)


def sky_images(images, seed=0):
    """Images of the sky alone, as it is in each stamp: its level and a new realisation of its noise.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns, n_bands)
    seed : int or sequence of int
        Of the noise; that of a galaxy follows from it and the galaxy's place.

    Returns
    -------
    ndarray, shape (n, rows, columns, n_bands), float32
    """
    level, sigma = measure_sky(images)
    streams = [np.random.default_rng([*np.atleast_1d(seed), row]) for row in range(len(images))]
    noise = np.stack([rng.standard_normal(np.shape(images)[1:]) for rng in streams])
    return (level[:, None, None] + sigma[:, None, None] * noise).astype(np.float32)


def without_galaxies(images, masks=None, seed=0):
    """Images with the pixels of the galaxy replaced by sky; neighbours stay.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns, n_bands)
    masks : ndarray of bool, shape (n, rows, columns), optional
        Pixels of the galaxy; by default those of `galaxy_masks`.
    seed : int or sequence of int
        Of the noise.

    Returns
    -------
    ndarray, shape (n, rows, columns, n_bands), float32
    """
    masks = galaxy_masks(images) if masks is None else np.asarray(masks, bool)
    return np.where(masks[..., None], sky_images(images, seed), images).astype(np.float32)


def baseline(inputs, kind="removed", scalars=None, masks=None, seed=0):
    """Inputs that an explanation starts from: the image without the galaxy, and values of the scalar inputs.

    Parameters
    ----------
    inputs : ndarray or dict of ndarray
        Of a network. The image is the input with rows, columns and bands.
    kind : {"removed", "noise", "zero"}
        `without_galaxies`, `sky_images`, or zeros.
    scalars : dict of str to float or ndarray, optional
        Values of the other inputs that are explained, such as `{"ebv": 0.0}`. Those not named are not explained: they
        stay what they are.
    masks : ndarray of bool, shape (n, rows, columns), optional
        Pixels of the galaxy.
    seed : int or sequence of int
        Of the noise.

    Returns
    -------
    ndarray or dict of ndarray
        Of the form of the inputs; a dictionary has only the inputs that are explained.

    Raises
    ------
    ValueError
        If there is no such kind or input, or the inputs have not exactly one image.
    """
    given = named(inputs)
    image = image_name(given)
    for name in scalars or {}:
        if name not in given:
            raise ValueError(f"a baseline is given for {name!r}, the network has {', '.join(given)}")
    if kind not in BASELINES:
        raise ValueError(f"no baseline {kind!r}; there are {', '.join(BASELINES)}")
    images = np.asarray(given[image], np.float32)
    made = {
        "removed": lambda: without_galaxies(images, masks, seed),
        "noise": lambda: sky_images(images, seed),
        "zero": lambda: np.zeros_like(images),
    }[kind]()
    others = {
        name: np.broadcast_to(np.asarray(value, np.float32), np.shape(given[name])).copy()
        for name, value in (scalars or {}).items()
    }
    return unnamed({image: made, **others}, inputs)


def image_name(inputs):
    """Name of the one input with rows, columns and bands; a ValueError if there is none, or several."""
    names = [name for name, values in inputs.items() if np.ndim(values) == 4]
    if len(names) != 1:
        shapes = ", ".join(f"{name} {np.shape(values)}" for name, values in inputs.items())
        raise ValueError(f"the inputs have not one image of shape (n, rows, columns, n_bands): {shapes}")
    return names[0]


def image_of(filling, name):
    """Image of a baseline; a ValueError if it has none of this name."""
    values = named(filling).get(name)
    if values is None:
        raise ValueError(f"the baseline has no {name!r}; give it in the form of the inputs, as sky.baseline does")
    return np.asarray(values, np.float32)


def per_sky_sigma(gradient, sigma):
    """Gradient with respect to pixels in units of the noise of the sky.

    Parameters
    ----------
    gradient : ndarray, shape (n, rows, columns, n_bands)
        [target per image unit]
    sigma : ndarray, shape (n, n_bands) or (n_bands,)
        From `measure_sky` [image unit].

    Returns
    -------
    ndarray, shape (n, rows, columns, n_bands)
        Change of the target when a pixel rises by one sigma of the sky.
    """
    sigma = np.asarray(sigma)
    return gradient * (sigma[:, None, None] if sigma.ndim == 2 else sigma)
