"""The DeepMerge network (Ciprijanovic et al. 2020, 2021, arXiv 2004.11981 and 2103.01373): 174,626 parameters.

Merger or not, from the central 75 x 75 pixels of a stamp. Its latent space, which its authors compare with MMD, is the
flattened last map of 2,592 values, not a dense layer.
"""

import keras
from keras import layers

from photoz_morph.models.convnet import convolution_blocks
from photoz_morph.models.layers.blocks import image_input, layer_seeds


def deepmerge(image_shape=(100, 100, 3), n_classes=2, width=8, crop=75, seed=0, scaling=None):
    """Three convolutions as the ConvNet's, then dense layers of 64 and 32.

    Parameters
    ----------
    image_shape : tuple of int
        Rows, columns, bands of the stamp.
    n_classes : int
    width : int
        Filters of the first convolution; the others have two and four times as many.
    crop : int
        Side of the central square that the network sees [pixel].
    seed : int
        Of the weights.
    scaling : ArcsinhScaling, optional
        First layer of the network.

    Returns
    -------
    keras.Model
        {"image"} or {"image", "domain"} to {"logits", "latent"}.

    Raises
    ------
    ValueError
        If the stamp is smaller than `crop`.

    Notes
    -----
    Batch norm comes before the ReLU, as in the DeepMerge II code; the table of the 2020 paper does not say.
    """
    if min(image_shape[:2]) < crop:  # CenterCrop would enlarge the stamp
        raise ValueError(f"model.crop is {crop}, the stamps have {image_shape[0]} x {image_shape[1]} pixels")
    seeds = layer_seeds(seed)
    inputs, pixels = image_input(image_shape, scaling)
    if image_shape[:2] != (crop, crop):
        pixels = layers.CenterCrop(crop, crop, dtype="float32", name="crop")(pixels)
    maps = convolution_blocks(pixels, width, seeds)
    latent = layers.Flatten(dtype="float32", name="latent")(maps)
    hidden = _dense(latent, 64, "relu", next(seeds), "dense1")
    hidden = _dense(hidden, 32, "relu", next(seeds), "dense2")
    logits = _dense(hidden, n_classes, None, next(seeds), "logits")
    return keras.Model(inputs, {"logits": logits, "latent": latent}, name="deepmerge")


def _dense(features, units, activation, seed, name):
    """Dense layer with PyTorch's default weights, uniform within 1 / sqrt(fan in)."""
    weights = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=seed)
    return layers.Dense(units, activation, kernel_initializer=weights, dtype="float32", name=name)(features)
