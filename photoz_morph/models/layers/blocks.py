"""Building blocks of the morphology networks: scaled input, padding and initial weights as in PyTorch, linear head.

Every network takes {"image": (n, rows, columns, n_bands)} [nJy per stamp pixel, or whatever unit its scaling was
fitted in], and {"domain": (n,)} too where the scaling has one set of quantiles a domain; it returns
{"logits": (n, n_classes), "latent": (n, n_latent)}, both float32 whatever the precision of the convolutions.
"""

import keras
import numpy as np
from keras import layers

from photoz_morph.models.layers.batch_norm import BatchNormalization


def image_input(image_shape, scaling=None):
    """Input tensors of a classifier and its scaled pixels.

    Parameters
    ----------
    image_shape : tuple of int
        Rows, columns, bands.
    scaling : ArcsinhScaling, optional
        Without one, the images must be scaled already.

    Returns
    -------
    inputs : dict
        `image`, and with a scaling of several domains `domain`, the index of the domain of each image.
    pixels : KerasTensor, shape (n, rows, columns, n_bands)
    """
    inputs = {"image": keras.Input(image_shape, name="image")}
    if scaling is None:
        return inputs, inputs["image"]
    if scaling.n_domains > 1:
        inputs["domain"] = keras.Input((), dtype="int32", name="domain")
    return inputs, scaling(inputs["image"], domain=inputs.get("domain"))


def convolution(maps, filters, kernel, seed, name, stride=1, bias=False):
    """Convolution padded as PyTorch pads, (kernel - 1) / 2 on every side, with He-normal weights (fan out)."""
    if stride > 1 and kernel > 1:
        # Keras's "same" pads a strided convolution of an even side by one more on the right than on the left.
        maps = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(maps)
    padding = "same" if stride == 1 else "valid"
    weights = keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal", seed=seed)
    return layers.Conv2D(
        filters, kernel, stride, padding=padding, use_bias=bias, kernel_initializer=weights, name=name
    )(maps)


def batch_norm(maps, name):
    """Batch normalisation with PyTorch's constants, over the global batch under a distribution strategy."""
    # Keras refuses the argument on other backends, where the batch is global anyway.
    synchronized = keras.backend.backend() == "tensorflow"
    return BatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=synchronized, name=name)(maps)


def linear_head(features, n_latent, n_classes, seeds):
    """Linear bottleneck and linear classifier, with the initial weights of the code of DeepAdversaries.

    Parameters
    ----------
    features : KerasTensor, shape (n, n_features)
    n_latent, n_classes : int
    seeds : iterator of int
        Two are taken.

    Returns
    -------
    dict of str to KerasTensor
        `logits`, shape (n, n_classes), and `latent`, shape (n, n_latent), both float32.
    """
    latent = _linear(features, n_latent, 0.005, next(seeds), "latent")
    return {"logits": _linear(latent, n_classes, 0.01, next(seeds), "logits"), "latent": latent}


def _linear(features, units, deviation, seed, name):
    """Dense layer without activation, weights N(0, deviation), biases 0, in float32."""
    weights = keras.initializers.RandomNormal(0.0, deviation, seed=seed)
    return layers.Dense(units, kernel_initializer=weights, dtype="float32", name=name)(features)


def layer_seeds(seed):
    """A stream of seeds, one for each layer with random weights or dropout."""
    return iter(np.random.SeedSequence(seed).generate_state(256).tolist())
