"""Stretch of images for display."""

import numpy as np

GREY_BAND = 1  # r, of g, r, i: the deepest
# Our choices: the stretch turns from linear to logarithmic at so many sigma of the ten-year sky, ...
SOFTENING_SIGMA = 2.0
BLACK_SIGMA, WHITE_QUANTILE = -3.0, 0.9995  # ... black is below the sky and white at the cores of typical galaxies
BAND_SCALES = (2.5, 1.5, 1.0)  # our choice, as for SDSS: g - r = 0.55 and r - i = 0.44 come out white
FADE = 8.0  # our choice: colours fade to grey below so many softenings, or the noise of one year would be colourful
SKY_BORDER = 10  # [pixel] width of the frame in which the sky noise is measured


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
