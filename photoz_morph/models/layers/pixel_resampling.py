"""Resampling of stamps to pixels of another size, as a layer: a network then sees the angular scale it was trained on.

Rescaled kernels would not do: the pools and strides of a network count pixels, so every layer behind the first would
see another angle, and a kernel of 5 pixels of 0.396" has 12 of 0.168".
"""

import keras
import numpy as np
from keras import ops

from photoz_morph.surveys.description import resampled_size


@keras.saving.register_keras_serializable("photoz_morph")
class PixelResampling(keras.layers.Layer):
    """Images on pixels of another size about the same centre; each gets the light of the area it covers.

    Parameters
    ----------
    pixel_scale : float
        Of the image [arcsec].
    other_scale : float
        Of the result [arcsec].

    Notes
    -----
    Light is spread evenly over a pixel (drizzling with full-sized drops: Fruchter & Hook 2002), so that the sum over
    any area is kept. Finer pixels hold no more detail, and their noise is correlated.
    """

    def __init__(self, pixel_scale, other_scale, **kwargs):
        super().__init__(**kwargs)
        self.pixel_scale, self.other_scale = float(pixel_scale), float(other_scale)

    def build(self, input_shape):
        self.rows, self.columns = (
            overlaps(size, self.pixel_scale, self.other_scale).astype("float32") for size in input_shape[1:3]
        )

    def call(self, images):
        resampled = ops.einsum("ki,nijb->nkjb", self.rows, images)
        return ops.einsum("lj,nkjb->nklb", self.columns, resampled)

    def compute_output_shape(self, input_shape):
        sides = (resampled_size(size, self.pixel_scale, self.other_scale) for size in input_shape[1:3])
        return (input_shape[0], *sides, input_shape[3])

    def get_config(self):
        return {**super().get_config(), "pixel_scale": self.pixel_scale, "other_scale": self.other_scale}


def overlaps(size, pixel_scale, other_scale):
    """Fraction of each pixel of a row that lies in each pixel of another scale about the same centre.

    Parameters
    ----------
    size : int
        Pixels of the row.
    pixel_scale, other_scale : float
        [arcsec]

    Returns
    -------
    ndarray, shape (resampled_size, size)
        Columns of pixels that are covered wholly sum to one.
    """
    n, ratio = resampled_size(size, pixel_scale, other_scale), other_scale / pixel_scale
    start = size / 2 + ratio * (np.arange(n) - n / 2)[:, None]
    pixels = np.arange(size)[None]
    return np.clip(np.minimum(start + ratio, pixels + 1) - np.maximum(start, pixels), 0, None)
