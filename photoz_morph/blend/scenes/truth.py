"""What is true of the sources of a scene whose noise-free images are known: pixels, boxes, blendedness, targets.

A pixel belongs to its brightest source where the sum over bands and sources exceeds one sigma of the noise of the sum
over bands; the box of a source, hidden parts included, is around the pixels where its own sum does.
"""

import numpy as np

from photoz_morph.blend.scenes.scene import sigma_map

MIN_SNR, MIN_PIXELS = 7.0, 5  # of a source that a detector can be asked for


def measure_truth(source_images, sigma):
    """Truth of sources whose noise-free images are known.

    Parameters
    ----------
    source_images : ndarray, shape (n_sources, height, width, n_bands)
    sigma : ndarray, shape (n_bands,) or (height, width, n_bands)
        Noise of a pixel.

    Returns
    -------
    instances : ndarray of int32, shape (height, width)
        0 where no source is seen, k + 1 where source k is.
    columns : dict of ndarray, shape (n_sources, ...)
        `flux` in each band; `box` (y0, x0, y1, x1) of pixel edges, NaN if no pixel is above the threshold; `n_visible`,
        pixels in `instances`; `snr` of the best filter of all bands that knows the other sources; `blendedness`;
        `is_target`, S/N above 7 and 5 visible pixels or more.

    Notes
    -----
    Blendedness is 1 - (S . S) / (S . T), with S the light of the source and T that of all, summed over bands: Bosch et
    al. (2018), Sec. 4.9.11.
    """
    images = np.asarray(source_images, float)
    n, height, width, _ = images.shape
    noise = sigma_map(sigma, images.shape[1:])
    threshold = np.sqrt(np.sum(noise**2, axis=-1))
    light = images.sum(axis=-1)
    total = light.sum(axis=0)
    brightest = light.argmax(axis=0) + 1 if n else np.zeros((height, width), int)
    instances = np.where(total > threshold, brightest, 0).astype(np.int32)
    crossed = np.einsum("nij,ij->n", light, total)
    own = np.einsum("nij,nij->n", light, light)
    columns = {
        "flux": images.sum(axis=(1, 2)),
        "box": np.array([box_of(one > threshold) for one in light]).reshape(n, 4),
        "n_visible": np.bincount(instances.ravel(), minlength=n + 1)[1:],
        "snr": np.sqrt(np.sum((images / noise) ** 2, axis=(1, 2, 3))),
        "blendedness": 1 - np.divide(own, crossed, out=np.full(n, np.nan), where=crossed > 0),
    }
    columns["is_target"] = (columns["snr"] > MIN_SNR) & (columns["n_visible"] >= MIN_PIXELS)
    return instances, columns


def box_of(mask):
    """Box (y0, x0, y1, x1) around the True pixels of a mask, NaN if there is none; the first pixel begins at -0.5."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.full(4, np.nan)
    return np.array([rows[0] - 0.5, columns[0] - 0.5, rows[-1] + 0.5, columns[-1] + 0.5])
