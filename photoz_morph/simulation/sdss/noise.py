"""Noise of simulated stacks: the median of frames, its correlation after resampling, and what goes wrong in frames.

Stacks are made of frames interpolated with a Lanczos-3 kernel onto pixels north up (`stacking.lanczos`, SWarp). That
leaves slow variations as they are and takes 20 % of the variance of a pixel, which the neighbouring pixels then share.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import fft
from scipy.special import gammaln, log_ndtr

N_ANGLES = 16  # of the pixels of the frames against north, from 0 to 90 degrees
MARGIN = 8  # pixels drawn beyond the image: the noise is periodic on the larger square

# Of the stamps of one or two frames; our choice, within the 1.9 % of 2,972 Galaxy Zoo images that volunteers called
# "star or don't know", artefacts among them. SDSS removes nearly all cosmic rays, and a median of three all the rest.
COSMIC_RAY_FRACTION, TRAIL_FRACTION = 0.005, 0.002
COSMIC_RAY_LENGTH, COSMIC_RAY_SIGMA = (1, 8), (10, 100)  # [pixel], of the peak in units of the sky noise
TRAIL_WIDTH, TRAIL_SIGMA = (1.5, 4), (1, 15)  # [pixel] of the standard deviation, of the ridge


@dataclass(frozen=True)
class Artefact:
    """A straight streak in one band: centre (x, y), length and width (standard deviation) [pixel], angle [rad], height
    in units of the sky noise of the stack."""

    band: int
    centre: tuple
    length: float
    width: float
    angle: float
    height: float


@cache
def median_variance(n_frames):
    """Variance of a pixel of a median stack relative to that of one frame.

    Stacks are medians by default. From three frames on a median is noisier than the mean, whose value is 1 / n_frames:
    by 22 % in standard deviation at 30 frames and by sqrt(pi / 2) - 1 = 25 % in the limit.

    Parameters
    ----------
    n_frames : int
        Frames of normal noise, all of one variance.

    Returns
    -------
    float
        1 / n_frames up to two frames; pi / (2 n_frames) for many.

    Notes
    -----
    Of an even number, the median is the mean of the two central values, as in SWarp. Arnold, Balakrishnan & Nagaraja
    (1992), A First Course in Order Statistics, Sec. 2.2 and 2.3, have the densities integrated here.
    """
    if n_frames <= 2:
        return 1 / n_frames  # the mean itself
    nodes, weights = np.polynomial.legendre.leggauss(200)
    x, weights = 4 * (nodes + 1), 4 * weights  # the positive half of a symmetric density, to 8 sigma
    below = (n_frames - 1) // 2  # and as many above
    arrangements = gammaln(n_frames + 1) - 2 * gammaln(below + 1)
    if n_frames % 2:
        log_density = arrangements + below * (log_ndtr(x) + log_ndtr(-x)) - x**2 / 2 - np.log(2 * np.pi) / 2
        density = np.exp(log_density)
    else:
        # The central values are x - y and x + y, with y > 0; their Jacobian is 2.
        y, w = x[:, None], weights[:, None]
        log_joint = arrangements + below * (log_ndtr(x - y) + log_ndtr(-x - y)) - x**2 - y**2 - np.log(np.pi)
        density = (w * np.exp(log_joint)).sum(axis=0)
    return float(2 * np.sum(weights * x**2 * density))


@cache
def lanczos_covariance(angle_index, radius=MARGIN - 1):
    """Covariance of the pixels of a resampled image of white noise of unit variance.

    Parameters
    ----------
    angle_index : int
        The frame is turned by `angle_index` / `N_ANGLES` of 90 degrees.
    radius : int
        Largest lag [pixel].

    Returns
    -------
    ndarray, shape (2 radius + 1, 2 radius + 1)
        For lags (y, x) from -radius to radius, averaged over the places of an output pixel between the frame's.
    """
    angle = angle_index * np.pi / 2 / N_ANGLES
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    along, across = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    lag, tabulated = _kernel_product()
    return np.interp(np.abs(along), lag, tabulated) * np.interp(np.abs(across), lag, tabulated)


def correlate(noise, angle_index):
    """White noise as resampling leaves it.

    Parameters
    ----------
    noise : ndarray, shape (..., size + MARGIN, size + MARGIN), float32
        Of the pixels of frames. Its variance may change slowly from pixel to pixel.
    angle_index : int
        See `lanczos_covariance`.

    Returns
    -------
    ndarray, shape (..., size, size), float32
        With `lanczos_covariance` times the variance of `noise`.
    """
    side = noise.shape[-1]
    coloured = fft.irfft2(fft.rfft2(noise) * _filter(angle_index, side), s=(side, side))
    return coloured[..., : side - MARGIN, : side - MARGIN]


def resampled_variance():
    """Variance of a pixel of a resampled image in units of that of the frame."""
    return float(lanczos_covariance(0)[MARGIN - 1, MARGIN - 1])


def draw_artefacts(n_frames, n_bands, size, rng):
    """Cosmic rays and trails of a stack, most often none; each is in one band, since bands are exposed in turn."""
    if n_frames > 2:
        return ()
    cosmic_ray, trail = rng.random() < COSMIC_RAY_FRACTION, rng.random() < TRAIL_FRACTION
    found = []
    if cosmic_ray:
        length, height = rng.uniform(*COSMIC_RAY_LENGTH), rng.uniform(*COSMIC_RAY_SIGMA)
        found.append((length, 0.5, height))
    if trail:
        found.append((4.0 * size, rng.uniform(*TRAIL_WIDTH), rng.uniform(*TRAIL_SIGMA)))
    return tuple(
        Artefact(
            int(rng.integers(n_bands)),
            tuple(rng.uniform(0, size, 2)),
            length,
            width,
            rng.uniform(0, np.pi),
            height / n_frames,  # the other frame of two has none
        )
        for length, width, height in found
    )


def add_artefacts(image, artefacts, sky_sigma):
    """Add streaks to an image of shape (n_bands, rows, columns) in place."""
    y, x = np.indices(image.shape[1:], np.float32)
    for artefact in artefacts:
        dx, dy = x - artefact.centre[0], y - artefact.centre[1]
        along = np.cos(artefact.angle) * dx + np.sin(artefact.angle) * dy
        across = np.cos(artefact.angle) * dy - np.sin(artefact.angle) * dx
        beyond = np.maximum(np.abs(along) - artefact.length / 2, 0)
        ridge = np.exp(-(across**2 + beyond**2) / (2 * artefact.width**2))
        image[artefact.band] += artefact.height * sky_sigma[artefact.band] * ridge


@cache
def _filter(angle_index, side):
    """Square root of the power spectrum of resampled white noise, shape (side, side / 2 + 1), float32."""
    covariance = lanczos_covariance(angle_index)
    radius = len(covariance) // 2
    periodic = np.zeros((side, side))
    lag = np.arange(-radius, radius + 1)
    periodic[np.ix_(lag % side, lag % side)] = covariance
    return np.sqrt(np.maximum(fft.rfft2(periodic).real, 0)).astype(np.float32)


@cache
def _kernel_product():
    """Lags along an axis, and the sum of products of the weights of two points that far apart, averaged over places."""
    lags = np.linspace(0, 6.5, 261)  # [pixel]; the weights of points 6 apart no longer overlap
    place = (np.arange(100) + 0.5) / 100
    pixel = np.arange(-4, 12)

    def weights(position):
        offset = pixel - position[:, None]
        weight = np.where(np.abs(offset) < 3, np.sinc(offset) * np.sinc(offset / 3), 0)
        return weight / weight.sum(axis=1, keepdims=True)

    return lags, np.array([np.mean(np.sum(weights(place) * weights(place + lag), axis=1)) for lag in lags])
