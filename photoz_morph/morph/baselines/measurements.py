"""Fifty-three simple measurements of a stamp, from which a baseline classifies galaxies without a network.

A stamp is smoothed twice, and what is brighter than 2, 5 and 20 standard deviations of the noise is measured in r and
i. All measurements are the same for a flipped or rotated stamp, and all but the flux for one in another unit.
"""

import numpy as np
from scipy import ndimage

from photoz_morph.morph.baselines.shapes import BrightPixels
from photoz_morph.surveys import LSST

MEASURED_BANDS = ("r", "i")
# Our choices: sigma of the Gaussians [stamp pixels], and thresholds [standard deviations of the smoothed noise].
SMOOTHINGS = (1.0, 2.0)
THRESHOLDS = (2, 5, 20)
CORE = 5  # standard deviations that a piece must reach somewhere: noise does so in one of hundreds of stamps
SHAPES = ("gini", "m20", "asymmetry", "area")
MEASUREMENTS = (
    "g - r", "r - i", "flux r", "concentration r", "concentration i",
    *(f"{shape} {band}, {smoothing:g} px, {threshold} sigma"
      for smoothing in SMOOTHINGS for band in MEASURED_BANDS for threshold in THRESHOLDS for shape in SHAPES),
)  # fmt: skip
NEGATIVE_MEDIAN = 0.67449  # median of |x| of a Gaussian of standard deviation 1, on either side


def measure_stamps(images):
    """Measurements of stamps.

    Parameters
    ----------
    images : ndarray, shape (n, height, width, 3)
        Flux per pixel in g, r, i, sky subtracted [image unit].

    Returns
    -------
    ndarray, shape (n, 53), float32
        In the order of `MEASUREMENTS`: colours [mag], log10 of the flux, areas [pixels], the rest dimensionless. NaN
        where there is nothing to measure, and in the whole row where a pixel is not finite or a band has no noise.
    """
    images = np.asarray(images, np.float32)
    measured = np.full((len(images), len(MEASUREMENTS)), np.nan, np.float32)
    smoothed = [ndimage.gaussian_filter(images, (0, sigma, sigma, 0), mode="constant") for sigma in SMOOTHINGS]
    for row, stamps in enumerate(zip(images, *smoothed)):
        noise = [[noise_sigma(stamp[..., LSST.bands.index(band)]) for band in MEASURED_BANDS] for stamp in stamps[1:]]
        if np.isfinite(stamps[0]).all() and np.all(np.array(noise) > 0):
            measured[row] = _measure(*stamps, noise=noise)
    return measured


def noise_sigma(image):
    """Standard deviation of the noise about 0 from the negative pixels of an image, where there is hardly any light.

    Parameters
    ----------
    image : ndarray
        Sky subtracted.

    Returns
    -------
    float
        0 for an image without negative pixels.
    """
    negative = image[image < 0]
    return float(np.median(-negative)) / NEGATIVE_MEDIAN if len(negative) else 0.0


def _measure(stamp, *smoothed, noise):
    """Measurements of one stamp, from its smoothed images and their noise in each measured band."""
    shapes, bright = [], {}
    for index, (image, sigmas) in enumerate(zip(smoothed, noise)):
        for band, sigma in zip(MEASURED_BANDS, sigmas):
            pixels = BrightPixels(image[..., LSST.bands.index(band)], THRESHOLDS[0] * sigma, CORE * sigma)
            bright[band, index] = pixels
            for threshold in THRESHOLDS:
                n = pixels.n_above(threshold * sigma)
                shapes += [pixels.gini(n), pixels.m20(n), pixels.asymmetry(n, sigma), n]
    whole = bright["r", len(smoothed) - 1]  # colours and flux in the faintest isophote of the smoothest r image
    g, r, i = smoothed[-1][whole.rows, whole.columns].sum(axis=0, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):  # a sum of noise is not positive
        light = [-2.5 * np.log10(g / r), -2.5 * np.log10(r / i), np.log10(r)]
    concentrations = [bright[band, 0].concentration(len(bright[band, 0].flux)) for band in MEASURED_BANDS]
    return [*light, *concentrations, *shapes]
