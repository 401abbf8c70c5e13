"""Queries to Keras classifiers with whole images, for `robustness.one_pixel`, and the scaling inside the networks."""

import keras
import numpy as np
from keras import ops

from photoz_morph.models.layers.image_scaling import ArcsinhScaling
from photoz_morph.morph.classify import network_inputs
from photoz_morph.robustness.one_pixel.attack import BATCH_SIZE, CallableQueries


class NetworkQueries(CallableQueries):
    """Queries to a Keras classifier with whole images.

    Parameters
    ----------
    network : keras.Model
    images : ndarray, shape (n, rows, columns, n_bands)
    domain : int
    batch_size : int
    """

    def __init__(self, network, images, domain=0, batch_size=BATCH_SIZE):
        self._scale = scaling_of(network, domain)

        def logits(images):
            return network(network_inputs(network, images, domain), training=False)["logits"]

        classify = compiled(logits)
        gradient = compiled(gradient_of(lambda images, weights: ops.sum(logits(images) * weights)))
        super().__init__(
            images, lambda images: ops.convert_to_numpy(classify(images)),
            lambda images, weights: ops.convert_to_numpy(gradient(images, weights)), batch_size,
        )  # fmt: skip

    def ranking(self, index, weights, bounds):
        """Rank all corner edits of an image by the gradient of the margin, with respect to the scaled pixels if any."""
        image = self.images[index]
        slope = self._slope_of(image[None], np.asarray(weights, np.float32)[None])[0]
        if self._scale is None:
            step = bounds.corners()[:, None, None] - image
        else:
            # Chain rule: the gradient per scaled pixel is that per pixel over the slope of the scaling.
            slope = slope / np.maximum(self._scale.slope(image), 1e-30)
            step = self._scale(bounds.corners())[:, None, None] - self._scale(image)
        change = np.moveaxis((step * slope).sum(axis=-1), 0, -1)
        return np.argsort(change, axis=None, kind="stable")


class Scale:
    """The arcsinh scaling of a network, in NumPy."""

    def __init__(self, layer, domain):
        low, high = layer.quantiles.numpy()[min(domain, layer.n_domains - 1)].astype(np.float32)
        self.low, self.high = (low, high) if layer.clip else (-np.inf, np.inf)
        self.softening, self.factor = np.float32(high / layer.softness), 0.5 if layer.offset_half else 1.0
        self.offset = 0.5 if layer.offset_half else 0.0

    def __call__(self, images):
        images = np.clip(np.asarray(images, np.float32), self.low, self.high)
        return np.arcsinh(images / self.softening) * np.float32(self.factor) + np.float32(self.offset)

    def slope(self, images):
        """Derivative of the scaled pixels with respect to the pixels; 0 where they are clipped."""
        inside = (images >= self.low) & (images <= self.high)
        return inside * self.factor / np.sqrt(images**2 + self.softening**2)


def scaling_softening(network, domain=0):
    """Flux at which the scaling of a network turns from linear to logarithmic [image unit]; None without scaling."""
    scale = scaling_of(network, domain)
    return None if scale is None else float(scale.softening)


def visible_range(network, domain=0):
    """Lowest and highest flux that the scaling of a network does not clip [image unit]; infinite without a clip."""
    scale = scaling_of(network, domain)
    return (-np.inf, np.inf) if scale is None else (float(scale.low), float(scale.high))


def scaling_of(network, domain):
    """The first scaling layer of a network, at any depth, in NumPy; None if it has none."""
    layers = [layer for layer in network._flatten_layers() if isinstance(layer, ArcsinhScaling)]
    return Scale(layers[0], domain) if layers else None


def compiled(function):
    """Compile a function of tensors for the backend."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, reduce_retracing=True)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    raise RuntimeError(f"the attack runs on TensorFlow and JAX, not on {keras.backend.backend()}; set KERAS_BACKEND")


def gradient_of(function):
    """Gradient of a scalar function with respect to its first argument."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(function)

    import tensorflow as tf

    def gradient(first, *others):
        first = tf.convert_to_tensor(first)
        with tf.GradientTape() as tape:
            tape.watch(first)
            value = function(first, *others)
        return tape.gradient(value, first)

    return gradient
