"""The arcsinh scaling of galaxy images, as a layer that carries its constants inside the saved network.

By default v = arcsinh(0.85 x / q_high), q_high the 99.9th percentile of all pixels and bands of the Y10 training
images: one scaling, in which a fainter image of another survey year stays a fainter image. The preset `paper` is that
of DeepAdversaries (arXiv 2111.00961, code): clip x to [q_low, q_high], then v = (arcsinh(0.85 x / q_high) + 1) / 2,
with quantiles of each domain's own (the code even refits them for every file; these do not).
"""

import keras
import numpy as np
from keras import ops

from photoz_morph.models.layers.arcsinh import arcsinh

SOFTNESS = 0.85  # DeepAdversaries code; arcsinh(0.85) = 0.771 is then the scaled q_high
PERCENTILES = (0.1, 99.9)  # DeepAdversaries code, over all pixels and bands of an array
PRESETS = {"default": {}, "paper": {"clip": True, "offset_half": True, "n_domains": 2}}


@keras.saving.register_keras_serializable("photoz_morph")
class ArcsinhScaling(keras.layers.Layer):
    """Arcsinh of the pixels in units of a high quantile. Its output is NaN until `set_quantiles` is called.

    Parameters
    ----------
    softness : float
        Factor of x / q_high inside the arcsinh.
    clip : bool
        Clip x to [q_low, q_high] first.
    offset_half : bool
        Return (v + 1) / 2, so that no flux is 0.5.
    n_domains : int
        Number of domains, each with its own quantiles.
    """

    def __init__(
        self, softness=SOFTNESS, clip=False, offset_half=False, n_domains=1, name="arcsinh_scaling", dtype="float32",
        **kwargs,
    ):  # fmt: skip
        super().__init__(name=name, dtype=dtype, **kwargs)  # float32: bfloat16 would keep two digits of the flux
        self.softness, self.clip, self.offset_half, self.n_domains = softness, clip, offset_half, n_domains
        self.quantiles = self.add_weight(
            shape=(n_domains, 2), initializer=keras.initializers.Constant(np.nan), trainable=False, name="quantiles"
        )

    def set_quantiles(self, quantiles):
        """Set the constants.

        Parameters
        ----------
        quantiles : array_like, shape (n_domains, 2) or, for one domain, (2,)
            q_low and q_high of each domain, from `fit_scaling` [image unit].

        Raises
        ------
        ValueError
            If their shape is wrong or q_high is not positive and finite.
        """
        quantiles = np.atleast_2d(np.asarray(quantiles, np.float32))
        if quantiles.shape != (self.n_domains, 2):
            raise ValueError(f"quantiles have shape {quantiles.shape}, the scaling needs {self.n_domains, 2}")
        if not np.all(np.isfinite(quantiles)) or np.any(quantiles[:, 1] <= 0):
            found = quantiles.tolist()
            raise ValueError(f"q_high must be positive and finite, got (q_low, q_high) {found}; check the images")
        self.quantiles.assign(quantiles)

    def call(self, images, domain=None, inverse=False):
        """Scaled images, or images from scaled ones.

        Parameters
        ----------
        images : tensor, shape (n, rows, columns, n_bands)
        domain : integer tensor, shape (n,), optional
            Domain of each image; by default the first.
        inverse : bool
            Whether `images` are scaled ones, to be turned back into the image unit; those that were clipped come back
            as clipped.
        """
        if domain is None:
            low, high = self.quantiles[0, 0], self.quantiles[0, 1]
        else:
            own = ops.take(self.quantiles, ops.cast(domain, "int32"), axis=0)
            low, high = (ops.reshape(own[:, index], (-1, 1, 1, 1)) for index in (0, 1))
        if inverse:
            scaled = 2 * images - 1 if self.offset_half else images
            return ops.sinh(scaled) * high / self.softness
        if self.clip:
            images = ops.minimum(ops.maximum(images, low), high)
        scaled = arcsinh(self.softness * images / high)
        return (scaled + 1) / 2 if self.offset_half else scaled

    def get_config(self):
        options = ("softness", "clip", "offset_half", "n_domains")
        return {**super().get_config(), **{name: getattr(self, name) for name in options}}


def scaling_preset(name, softness=SOFTNESS):
    """A new, unfitted `ArcsinhScaling` with the options of a preset, "default" or "paper"."""
    if name not in PRESETS:
        raise ValueError(f"no scaling preset {name!r}; there are {', '.join(PRESETS)}")
    return ArcsinhScaling(softness=softness, **PRESETS[name])


def fit_scaling(batches, percentiles=PERCENTILES):
    """Two exact percentiles of all pixels and bands, without holding all images in memory.

    Parameters
    ----------
    batches : iterable of array_like
        Images of any shape [image unit]. It is read twice, so it may be an array, a list or a dataset but no generator.
    percentiles : tuple of float
        Low and high, in percent.

    Returns
    -------
    tuple of float
        q_low, q_high, as `numpy.percentile` gives for all images together [image unit].

    Raises
    ------
    ValueError
        If there are no images, a pixel is not finite, or `batches` can be read only once.
    """
    n_pixels = sum(np.asarray(batch).size for batch in batches)
    if n_pixels == 0:
        raise ValueError("no images to fit the scaling to")
    positions = [percent / 100 * (n_pixels - 1) for percent in percentiles]
    smallest = _Smallest(int(positions[0]) + 2)
    largest = _Smallest(n_pixels - int(positions[1]))  # of the negated pixels
    n_read = 0
    for batch in batches:
        pixels = np.asarray(batch, np.float32).ravel()
        if not np.all(np.isfinite(pixels)):
            raise ValueError(f"pixel {n_read + int(np.argmin(np.isfinite(pixels)))} of the images is not finite")
        n_read += pixels.size
        smallest.add(pixels)
        largest.add(-pixels)
    if n_read != n_pixels:
        raise ValueError(f"the images are {n_pixels} pixels at first and {n_read} when read again; give no generator")
    low = smallest.at(positions[0])
    return low, -largest.at(n_pixels - 1 - positions[1])


class _Smallest:
    """The `n` smallest values of a stream."""

    def __init__(self, n):
        self.n, self.values = n, np.empty(0, np.float32)

    def add(self, numbers):
        if len(self.values) == self.n:
            numbers = numbers[numbers < self.values.max()]
        self.values = np.concatenate([self.values, numbers])
        if len(self.values) > self.n:
            self.values = np.partition(self.values, self.n - 1)[: self.n]

    def at(self, position):
        """The order statistic at a fractional position, counted from 0."""
        return float(np.interp(position, np.arange(len(self.values)), np.sort(self.values).astype(np.float64)))
