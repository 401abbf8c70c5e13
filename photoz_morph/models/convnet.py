"""The small ConvNet of DeepAdversaries (Ciprijanovic et al. 2021, arXiv 2111.00961): 1,187,203 trainable parameters."""

import keras
from keras import layers

from photoz_morph.models.layers.blocks import batch_norm, convolution, image_input, layer_seeds, linear_head


def convnet(image_shape=(100, 100, 3), n_classes=3, n_latent=256, width=8, dropout=0.0, seed=0, scaling=None):
    """Three convolutions, each with batch norm, ReLU and a 2x2 pool, then a linear bottleneck.

    Parameters
    ----------
    image_shape : tuple of int
        Rows, columns, bands.
    n_classes : int
    n_latent : int
        Size of the linear bottleneck, whose output is `latent`.
    width : int
        Filters of the first convolution; the others have two and four times as many.
    dropout : float
        Fraction of the last feature map that is dropped in training; the published network has none.
    seed : int
        Of weights and dropout.
    scaling : ArcsinhScaling, optional
        First layer of the network.

    Returns
    -------
    keras.Model
        {"image"} or {"image", "domain"} to {"logits", "latent"}.
    """
    seeds = layer_seeds(seed)
    inputs, maps = image_input(image_shape, scaling)
    maps = convolution_blocks(maps, width, seeds)
    if dropout:
        maps = layers.Dropout(dropout, seed=next(seeds), name="dropout")(maps)
    features = layers.Flatten(name="flatten")(maps)
    return keras.Model(inputs, linear_head(features, n_latent, n_classes, seeds), name="convnet")


def convolution_blocks(maps, width, seeds):
    """Convolutions 5x5, 3x3, 3x3 of width, 2 width and 4 width filters, a 2x2 pool after each (as in DeepMerge)."""
    for index, kernel in enumerate((5, 3, 3)):
        name = f"conv{index + 1}"
        maps = convolution(maps, width * 2**index, kernel, next(seeds), name, bias=True)
        maps = layers.ReLU(name=f"relu{index + 1}")(batch_norm(maps, f"bn{index + 1}"))
        maps = layers.MaxPooling2D(2, name=f"pool{index + 1}")(maps)
    return maps
