"""Light of detected sources as exponential profiles: whose pixels are whose, and how much of the light.

A detection has a centre and a box. By the truth of the chain the light of a source falls to one sigma of the noise, of
the sum over bands, at the edges of its box. So its surface brightness is taken for

    I(r) = sigma exp(c (1 - r)),

with r the distance from the centre in units of that to the edge of the box, elliptical and with half-axes of its own
up, down, left and right, and c the logarithm of the brightness at the centre, over sigma. It is exponential, as disks
are.
"""

from dataclasses import dataclass

import numpy as np

LEAST_CONTRAST = 1.0  # of a centre that noise or a neighbour hides [e-folds of sigma]; our choice
LEAST_REACH = 0.5  # from a centre to an edge [pixel]: that of a source of one pixel
APERTURE = 1.5  # of fluxes, in units of r: 6 % of the light of a centre of 20 sigma are beyond; our choice


@dataclass(frozen=True)
class Profiles:
    """Profiles of the n detections of an image.

    Attributes
    ----------
    contrast : ndarray, shape (n,)
        c of the equation.
    radius : ndarray, shape (n, height, width), float32
        r at all pixels.
    """

    contrast: np.ndarray
    radius: np.ndarray

    @property
    def log_light(self):
        """Logarithm of I over sigma, shape (n, height, width)."""
        return self.contrast[:, None, None] * (1 - self.radius)

    def of(self, is_kept):
        """Profiles of some of the detections."""
        return Profiles(self.contrast[is_kept], self.radius[is_kept])


def fit_profiles(image, sigma, centres, boxes):
    """Profiles of detections from their centres, boxes and central brightness.

    Parameters
    ----------
    image : ndarray, shape (height, width, n_bands)
        Sky subtracted.
    sigma : ndarray, shape (n_bands,)
        Noise of a pixel.
    centres : ndarray, shape (n, 2)
        y, x [pixel].
    boxes : ndarray, shape (n, 4)

    Returns
    -------
    Profiles
    """
    shape = image.shape[:2]
    centres, boxes = np.asarray(centres, np.float32).reshape(-1, 2), np.asarray(boxes, np.float32).reshape(-1, 4)
    radius2 = np.zeros((len(centres), *shape), np.float32)
    for axis in (0, 1):
        away = np.arange(shape[axis], dtype=np.float32) - centres[:, axis, None]
        low = np.maximum(centres[:, axis] - boxes[:, axis], LEAST_REACH)[:, None]
        high = np.maximum(boxes[:, axis + 2] - centres[:, axis], LEAST_REACH)[:, None]
        part = (away / np.where(away < 0, low, high)) ** 2
        radius2 += part[:, :, None] if axis == 0 else part[:, None, :]
    contrast = np.maximum(_central_contrasts(image, sigma, centres), LEAST_CONTRAST)
    return Profiles(contrast.astype(np.float32), np.sqrt(radius2))


def brightest_detection(profiles, is_source=None):
    """Number of the detection that is the brightest in each pixel, from 1; 0 for the sky.

    Parameters
    ----------
    profiles : Profiles
    is_source : ndarray of bool, shape (height, width), optional
        Pixels of sources; by default those in which a profile exceeds sigma.

    Returns
    -------
    ndarray, shape (height, width), int16
    """
    if len(profiles.contrast) == 0:
        return np.zeros(profiles.radius.shape[1:], np.int16)
    log_light = profiles.log_light
    is_source = log_light.max(axis=0) > 0 if is_source is None else is_source
    return np.where(is_source, log_light.argmax(axis=0) + 1, 0).astype(np.int16)


def shared_fluxes(image, profiles, is_sure):
    """Fluxes of detections, each pixel divided among them in proportion to their profiles.

    Parameters
    ----------
    image : ndarray, shape (height, width, n_bands)
    profiles : Profiles
    is_sure : ndarray of bool, shape (n,)
        Detections that take part in the division; any other one is divided with these alone.

    Returns
    -------
    ndarray, shape (n, n_bands)
        Within `APERTURE`, divided by the part of the light of an exponential profile that is within it.
    """
    light = np.where(profiles.radius < APERTURE, np.exp(profiles.log_light), 0.0)
    total = light[is_sure].sum(axis=0) + np.where(is_sure[:, None, None], 0.0, light)
    share = np.divide(light, total, out=np.zeros_like(light), where=total > 0)
    flux = np.tensordot(share, np.asarray(image, share.dtype), axes=([1, 2], [0, 1]))
    extent = APERTURE * profiles.contrast
    return flux / (1 - (1 + extent) * np.exp(-extent))[:, None]


def _central_contrasts(image, sigma, centres):
    """Logarithm of the mean of the 3 x 3 pixels about each centre, summed over bands, over the noise of the sum."""
    light = np.pad(np.asarray(image, np.float64).sum(axis=-1), 1, mode="edge")
    row, column = (
        np.clip(np.rint(centres[:, axis]).astype(int), 0, image.shape[axis] - 1) for axis in (0, 1)
    )
    mean = sum(light[row + dy, column + dx] for dy in range(3) for dx in range(3)) / 9
    noise = np.sqrt(np.sum(np.square(sigma)))
    return np.log(np.maximum(mean / noise, 1.0))
