"""A convolutional network from a periodic field to the parameters that it depends on, with their errors.

As the networks that infer cosmological parameters from the maps of CAMELS (Villaescusa-Navarro et al. 2021, arXiv
2109.10360): blocks of convolutions with circular padding, each halving the field, then a mean over what is left, since
no place of the field is special. Unlike theirs it is small, and fields are halved by means instead of strides; a field
that is shifted by whole cells of the last maps has the same answer.
"""

import keras
from keras import layers

from photoz_morph.models.fields.circular_padding import CircularPadding
from photoz_morph.models.fields.gaussian_parameters import GaussianParameters
from photoz_morph.models.layers.blocks import batch_norm, layer_seeds
from photoz_morph.models.unet import check_size


def field_regressor(
    image_shape=(64, 64, 1), centre=(0.3, 0.8), scale=(0.115, 0.115), width=16, depth=4, n_hidden=64, offset=0.0,
    deviation=1.0, seed=0,
):  # fmt: skip
    """Means and standard deviations of the parameters of a field.

    Parameters
    ----------
    image_shape : tuple of int
        Rows, columns, maps.
    centre, scale : sequence of float
        Mean and standard deviation of each parameter among the training fields; by default of (Omega_m, sigma_8),
        uniform as in CAMELS.
    width : int
        Maps of the first block; each further block has twice as many.
    depth : int
        Number of blocks.
    n_hidden : int
        Units of the layer before the last.
    offset, deviation : float
        Mean and standard deviation of the pixels of the training fields; the network sees (pixel - offset) / deviation.
    seed : int
        Of the weights.

    Returns
    -------
    keras.Model
        {"image"} to {"parameters": (n, n_parameters, 2)}: means and logarithms of standard deviations, float32. Its
        loss is `GaussianLikelihood`.

    Raises
    ------
    ValueError
        If 2**depth does not divide the field, or `deviation` is not positive.
    """
    check_size(image_shape[:2], depth)
    if not deviation > 0:
        raise ValueError(f"model.deviation is {deviation}; give that of the pixels, above 0")
    seeds = layer_seeds(seed)
    image = keras.Input(image_shape, name="image")
    maps = layers.Rescaling(1 / deviation, -offset / deviation, name="standardised")(image)
    for block in range(depth):
        for number in (1, 2):
            name = f"block{block + 1}"
            maps = CircularPadding(1, name=f"{name}_pad{number}")(maps)
            weights = keras.initializers.HeNormal(seed=next(seeds))
            maps = layers.Conv2D(
                width * 2**block, 3, use_bias=False, kernel_initializer=weights, name=f"{name}_conv{number}"
            )(maps)
            maps = layers.ReLU(name=f"{name}_relu{number}")(batch_norm(maps, f"{name}_bn{number}"))
        maps = layers.AveragePooling2D(2, name=f"pool{block + 1}")(maps)
    features = layers.GlobalAveragePooling2D(name="mean")(maps)
    weights = keras.initializers.HeNormal(seed=next(seeds))
    features = layers.Dense(n_hidden, activation="relu", kernel_initializer=weights, name="hidden")(features)
    weights = keras.initializers.RandomNormal(0.0, 0.01, seed=next(seeds))  # starts at the mean of the parameters
    raw = layers.Dense(2 * len(centre), kernel_initializer=weights, dtype="float32", name="raw")(features)
    return keras.Model({"image": image}, {"parameters": GaussianParameters(centre, scale)(raw)}, name="field_regressor")
