"""What is true of the sources of a field: which pixels are theirs, their boxes, signal-to-noise ratio and blendedness.

A pixel belongs to its brightest source where the noise-free sum over bands and sources exceeds one sigma of the noise
of the sum over bands; the box of a source, hidden parts included, is around the pixels where its own sum does.
"""

from dataclasses import dataclass

import numpy as np

MIN_SNR, MIN_PIXELS = 7.0, 5  # of a source that a detector can be asked for


@dataclass(frozen=True)
class SourceImage:
    """Noise-free image of a source in a field.

    Attributes
    ----------
    pixels : ndarray, shape (height, width, n_bands)
        Flux per pixel; float16 where it is simulated.
    row, column : int
        Of its first pixel in the field.
    """

    pixels: np.ndarray
    row: int = 0
    column: int = 0

    @property
    def where(self):
        """Slices of the field."""
        height, width = self.pixels.shape[:2]
        return slice(self.row, self.row + height), slice(self.column, self.column + width)


def measure_sources(images, shape, sky_sigma, variance=None):
    """Truth of the sources of a field.

    Parameters
    ----------
    images : list of SourceImage
    shape : tuple of int
        Of the field, (height, width).
    sky_sigma : ndarray, shape (n_bands,) or (height, width, n_bands)
        Noise of a pixel without light of sources; infinite where a pixel is not to be used.
    variance : ndarray, shape (height, width, n_bands), optional
        Variance of the noise of the image, photons of all sources included; by default that of the sky.

    Returns
    -------
    instances : ndarray, shape (height, width), int16
        0 where there is none, k + 1 where source k is seen.
    columns : dict of ndarray, shape (n_sources, ...)
        `flux_in_image`, the sum of each band; `box` (y0, x0, y1, x1) of pixel edges, NaN if no pixel is above the
        threshold; `n_pixels` above it, `n_visible` of these in `instances`; `snr`; `blendedness`; `is_target`.

    Notes
    -----
    The signal-to-noise ratio is that of the best filter of all bands that knows the other sources, sqrt(sum S^2 / V).
    Blendedness is 1 - (S . S) / (S . T), with S the light of the source and T that of all, summed over bands: Bosch et
    al. (2018), Sec. 4.9.11. It is NaN for a source without light.
    """
    sky_sigma = np.asarray(sky_sigma, float)
    threshold = np.broadcast_to(np.sqrt(np.sum(np.square(sky_sigma), axis=-1)), shape)
    inverse = np.square(1 / sky_sigma) if variance is None else 1 / np.asarray(variance)
    inverse = np.broadcast_to(inverse.astype(np.float32), (*shape, sky_sigma.shape[-1]))
    light = [image.pixels.astype(np.float32).sum(axis=2) for image in images]
    total, brightest = np.zeros((2, *shape), np.float32)
    instances = np.zeros(shape, np.int16)
    for k, (image, own) in enumerate(zip(images, light)):
        total[image.where] += own
        is_brighter = own > brightest[image.where]
        brightest[image.where][is_brighter] = own[is_brighter]
        instances[image.where][is_brighter] = k + 1
    instances[total <= threshold] = 0
    n = len(images)
    columns = {
        "flux_in_image": np.zeros((n, sky_sigma.shape[-1]), np.float32),
        "box": np.full((n, 4), np.nan, np.float32),
        "n_pixels": np.zeros(n, np.int32),
        "n_visible": np.bincount(instances.ravel(), minlength=n + 1)[1:].astype(np.int32),
        "snr": np.zeros(n, np.float32),
        "blendedness": np.full(n, np.nan, np.float32),
    }
    for k, (image, own) in enumerate(zip(images, light)):
        is_bright = own > threshold[image.where]
        columns["n_pixels"][k] = is_bright.sum()
        if is_bright.any():
            columns["box"][k] = box_of(is_bright) + np.array([image.row, image.column] * 2)
        columns["flux_in_image"][k] = image.pixels.sum(axis=(0, 1), dtype=np.float64)
        pixels = image.pixels.astype(np.float32)
        columns["snr"][k] = np.sqrt(np.sum(pixels**2 * inverse[image.where], dtype=np.float64))
        crossed = np.vdot(own, total[image.where])
        if crossed > 0:
            columns["blendedness"][k] = 1 - np.sum(own**2, dtype=np.float64) / crossed
    columns["is_target"] = (columns["snr"] > MIN_SNR) & (columns["n_visible"] >= MIN_PIXELS)
    return instances, columns


def box_of(mask):
    """Box (y0, x0, y1, x1) around the True pixels of a mask: edges, so that the first pixel begins at -0.5."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([rows[0] - 0.5, columns[0] - 0.5, rows[-1] + 0.5, columns[-1] + 0.5])
