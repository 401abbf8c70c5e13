"""Crude shapes of galaxies, measured on their stamps as these are: noisy, blended and seen through the atmosphere.

Ellipticity, size, two concentrations and two colour gradients about the centre of the stamp, for the bands of any
survey. No neighbour is masked, no seeing removed and no profile fitted: this is what a catalogue of quick measurements
holds, and a network that sees the pixels should surpass it.
"""

from functools import lru_cache

import numpy as np

# Lengths on a stamp of 64 pixels; our choice, for galaxies as large in their stamps as those of the Main Galaxy Sample.
STAMP = 64
APERTURES = (2.5, 5.0, 12.0)  # radii [pixel]
WINDOW = 4.0  # standard deviation of the round Gaussian weight of the moments [pixel]
BORDER = 4  # width of the frame that gives the sky noise [pixel]


def crude_shapes(images, survey):
    """Shapes and colour gradients of the galaxies at the centres of some stamps.

    Parameters
    ----------
    images : ndarray, shape (n, size, size, n_bands)
        Stamps [any unit].
    survey : Survey
        The gradients are in the colours next to its reference band.

    Returns
    -------
    ndarray, shape (n, 4 + n_gradients), float32
        Ellipticity (1 - q^2) / (1 + q^2); logarithm of the size [pixel]; the flux in the inner aperture relative to the
        middle one, and in the middle one relative to the outer one; and in two colours, or as many as there are, the
        colour within the middle aperture minus that outside of it [mag]. NaN where a pixel is NaN.

    Notes
    -----
    Ellipticity, size and concentrations are of the sum of the bands, each in units of its sky noise; ellipticity and
    size of the second moments under a Gaussian weight. Magnitudes are asinh magnitudes, softened at the noise.
    """
    images = np.asarray(images, np.float32)
    n, size, _, n_bands = images.shape
    apertures, moment_weights, frame = _templates(size)
    with np.errstate(invalid="ignore"):  # of NaN pixels
        sky = images[:, frame]
        noise = 1.4826 * np.median(np.abs(sky - np.median(sky, axis=1, keepdims=True)), axis=1)
        noise = np.where(noise == 0, 1, noise)  # of images without noise
        pixels = images.reshape(n, size * size, n_bands)
        fluxes = np.einsum("npb,pa->nab", pixels, apertures, optimize=True)
        summed = np.einsum("npb,nb->np", pixels, 1 / noise, optimize=True)
        shapes = [*_moments(summed @ moment_weights), *_concentrations(summed @ apertures)]
        inner, outer = fluxes[:, 1], fluxes[:, 2] - fluxes[:, 1]
        areas = apertures.sum(axis=0)
        difference = _magnitudes(inner, noise * np.sqrt(areas[1])) - _magnitudes(
            outer, noise * np.sqrt(areas[2] - areas[1])
        )
    shapes += [difference[:, band] - difference[:, band + 1] for band in gradient_bands(survey)]
    return np.column_stack(shapes).astype(np.float32)


def gradient_bands(survey):
    """Numbers of the bluer bands of the two colours nearest to the reference band; fewer where there are fewer."""
    reference = survey.bands.index(survey.reference_band)
    return sorted(sorted(range(survey.n_bands - 1), key=lambda band: abs(band + 0.5 - reference))[:2])


@lru_cache(maxsize=4)
def _templates(size):
    """Apertures (n_pixels, 3), weights of flux and second moments (n_pixels, 4), and the mask of the frame."""
    unit = size / STAMP
    offset = np.arange(size) - (size - 1) / 2
    x, y = np.meshgrid(offset, offset)
    radius = np.hypot(x, y)
    apertures = [np.clip(unit * limit + 0.5 - radius, 0, 1) for limit in APERTURES]  # pixels on the edge in part
    window = np.exp(-0.5 * (radius / (unit * WINDOW)) ** 2)
    weights = [window, window * x**2, window * y**2, window * x * y]
    frame = np.maximum(np.abs(x), np.abs(y)) > size / 2 - max(1, unit * BORDER)
    stacked = [np.stack([part.ravel() for part in parts], axis=1).astype(np.float32) for parts in (apertures, weights)]
    return *stacked, frame


def _moments(sums):
    """Ellipticity and logarithm of the size from weighted sums, shape (n, 4)."""
    flux = np.maximum(sums[:, 0], 1e-3)  # in units of the noise: where there is no light, there is no shape
    xx, yy, xy = (sums[:, 1:] / flux[:, None]).T
    trace = np.maximum(xx + yy, 0.1)
    return np.minimum(np.hypot(xx - yy, 2 * xy) / trace, 1), 0.5 * np.log(trace)


def _concentrations(fluxes):
    """Flux in each aperture but the last relative to the next one, from -0.5 to 1.5."""
    return [
        np.clip(inner / np.where(np.abs(outer) > 1e-3, outer, 1e-3), -0.5, 1.5)
        for inner, outer in zip(fluxes.T[:-1], fluxes.T[1:])
    ]


def _magnitudes(flux, noise):
    """Asinh magnitudes without zero point, shape (n, n_bands)."""
    return -2.5 / np.log(10) * (np.arcsinh(flux / (2 * noise)) + np.log(noise))
