"""An image of several sources with its noise and, where it is known, the truth.

Positions are x, the column, and y, the row, 0 at the centre of the first pixel; boxes are (y0, x0, y1, x1) of pixel
edges.
"""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table

UNKNOWN_KIND = -1  # of a source whose class nobody tells


@dataclass(frozen=True)
class Scene:
    """An image of several sources.

    Attributes
    ----------
    name : str
        For messages and figures.
    bands : tuple of str
    image : ndarray, shape (height, width, n_bands), float32
        In the unit of its source.
    sigma : ndarray, shape (n_bands,) or (height, width, n_bands)
        Standard deviation of the noise [unit of the image]; infinite where a pixel is not to be used.
    psfs : ndarray, shape (n_bands, rows, columns), optional
        Point-spread functions, each of sum 1.
    truth : Table, optional
        One row per source with `y`, `x` [pixel], and where they are known `kind`, an index of
        `shards.blends.CLASS_NAMES`, `redshift` and the columns of `simulation.blends.truth.measure_sources`.
    instances : ndarray of int, shape (height, width), optional
        0 where no source is seen, k + 1 where row k of the truth is.
    source_images : ndarray, shape (n_sources, height, width, n_bands), optional
        Noise-free image of each source.
    obj_id, group_id : int
        Of an image of a dataset; -1 of others.
    """

    name: str
    bands: tuple
    image: np.ndarray
    sigma: np.ndarray
    psfs: np.ndarray | None = None
    truth: Table | None = None
    instances: np.ndarray | None = None
    source_images: np.ndarray | None = None
    obj_id: int = -1
    group_id: int = -1


def sigma_map(sigma, shape):
    """Noise of each pixel, float64, from that of the bands or of the pixels.

    Parameters
    ----------
    sigma : ndarray, shape (n_bands,) or `shape`
    shape : tuple of int
        Of the image, (height, width, n_bands).

    Raises
    ------
    ValueError
        If its shape is another, or a value is not positive.
    """
    sigma = np.asarray(sigma, float)
    if sigma.shape not in (shape, shape[-1:]):
        raise ValueError(f"sigma has shape {sigma.shape}, an image of shape {shape} needs {shape[-1:]} or {shape}")
    if not (sigma > 0).all():
        raise ValueError(f"sigma has {np.sum(~(sigma > 0))} values that are not positive; give infinity for bad pixels")
    return np.broadcast_to(sigma, shape)
