"""The U-Net (Ronneberger et al. 2015, arXiv 1505.04597): one value or more for every pixel of an image.

An encoder halves the maps and doubles their number, a decoder brings them back, and at each level gets the maps that
the encoder had there. What the pixels are asked for is the caller's choice: classes, a heat map of the centres of
sources and the boxes about them, images of the sources without their neighbours. The network is fully convolutional:
it takes images of any size that 2**depth divides, so that it is trained on crops and used on fields.
"""

import math

import keras
from keras import layers

from photoz_morph.models.layers.blocks import batch_norm, convolution, image_input, layer_seeds
from photoz_morph.models.layers.unpooling import MaxPoolingWithIndices, MaxUnpooling

UPSAMPLINGS = ("transposed", "unpooling")
HEADS = ("logits", "heat", "distances", "image")
HEAT_PRIOR = 0.1  # probability of a centre before training: CenterNet (Zhou et al. 2019, code), after Lin et al. (2017)


def unet(image_shape=(128, 128, 3), heads=None, width=16, depth=4, upsampling="transposed", seed=0, scaling=None):
    """U-Net with an output map, or several, for each head.

    Parameters
    ----------
    image_shape : tuple of int
        Rows, columns, bands; rows and columns may be None, for images of any size.
    heads : dict of str to (int, str), optional
        Name of the output -> its number of channels and kind: "logits" and "heat" are linear, for a softmax and a
        sigmoid, the second starting at a probability of 0.1; "distances" are positive [pixel]; "image" is in the unit
        of the image, from the inverse of the scaling. By default the logits of five classes, `semantic`.
    width : int
        Maps of the first level; each further level doubles them.
    depth : int
        Number of times that the maps are halved.
    upsampling : {"transposed", "unpooling"}
        Transposed convolutions of 2 x 2 with a stride of 2, or max-unpooling with the indices of the encoder's pooling.
    seed : int
        Of the weights.
    scaling : ArcsinhScaling, optional
        First layer of the network.

    Returns
    -------
    keras.Model
        {"image"} to {name: maps of shape (n, rows, columns, n_channels)}, float32.

    Raises
    ------
    ValueError
        If 2**depth does not divide the image, or a choice is unknown.

    Notes
    -----
    Unlike the paper's, convolutions are padded, so that the outputs have the size of the image, and followed by batch
    norm.
    """
    heads = {"semantic": (5, "logits")} if heads is None else heads
    for name, (_, kind) in heads.items():
        if kind not in HEADS:
            raise ValueError(f"head {name!r} is of kind {kind!r}, must be one of {', '.join(HEADS)}")
    seeds = layer_seeds(seed)
    inputs, pixels = image_input(image_shape, scaling)
    maps = feature_maps(pixels, width, depth, upsampling, seeds)
    outputs = {name: _head(maps, name, *row, next(seeds), scaling) for name, row in heads.items()}
    return keras.Model(inputs, outputs, name="unet")


def feature_maps(pixels, width, depth, upsampling, seeds, stride=1):
    """Maps of an encoder and decoder with skip connections.

    Parameters
    ----------
    pixels : KerasTensor, shape (n, rows, columns, n_bands)
    width, depth, upsampling
        As of `unet`.
    seeds : iterator of int
    stride : int
        Pixels of the image in a pixel of the result, a power of 2 up to 2**depth: where the decoder ends.

    Returns
    -------
    KerasTensor, shape (n, rows / stride, columns / stride, width * stride)

    Raises
    ------
    ValueError
        If 2**depth does not divide the image, or `upsampling` or `stride` is unknown.
    """
    check_size(pixels.shape[1:3], depth)
    if upsampling not in UPSAMPLINGS:
        raise ValueError(f"model.upsampling is {upsampling!r}, must be one of {', '.join(UPSAMPLINGS)}")
    if stride not in (allowed := [2**level for level in range(depth + 1)]):
        raise ValueError(f"model.stride is {stride}, with depth {depth} it must be one of {allowed}")
    maps, skips, indices = pixels, [], []
    for level in range(depth):
        maps = _two_convolutions(maps, width * 2**level, seeds, f"down{level + 1}")
        skips.append(maps)
        if upsampling == "unpooling":
            maps, index = MaxPoolingWithIndices(name=f"pool{level + 1}")(maps)
            indices.append(index)
        else:
            maps = layers.MaxPooling2D(2, name=f"pool{level + 1}")(maps)
    maps = _two_convolutions(maps, width * 2**depth, seeds, "bottom")
    for level in reversed(range(int(math.log2(stride)), depth)):
        name, filters = f"up{level + 1}", width * 2**level
        if upsampling == "unpooling":
            # The values that are put back are as many as there were maximums.
            maps = convolution(maps, filters, 1, next(seeds), f"{name}_reduce", bias=True)
            maps = MaxUnpooling(name=name)(maps, indices[level])
        else:
            weights = keras.initializers.HeNormal(seed=next(seeds))
            maps = layers.Conv2DTranspose(filters, 2, 2, kernel_initializer=weights, name=name)(maps)
        maps = layers.Concatenate(name=f"{name}_skip")([skips[level], maps])
        maps = _two_convolutions(maps, filters, seeds, name)
    return maps


def check_size(sides, depth):
    """Raise a ValueError if 2**depth does not divide the sides of an image, of which unknown ones are None."""
    if any(side is not None and side % 2**depth for side in sides):
        raise ValueError(
            f"the images have {sides[0]} x {sides[1]} pixels, which a network of depth {depth} cannot halve; crop or "
            f"pad them to a multiple of {2**depth}"
        )


def _two_convolutions(maps, filters, seeds, name):
    """Two 3x3 convolutions, each with batch norm and ReLU."""
    for number in (1, 2):
        maps = convolution(maps, filters, 3, next(seeds), f"{name}_conv{number}")
        maps = layers.ReLU(name=f"{name}_relu{number}")(batch_norm(maps, f"{name}_bn{number}"))
    return maps


def _head(maps, name, n_channels, kind, seed, scaling):
    """Output of a head: a 1x1 convolution in float32, and what makes its kind of it."""
    bias = -math.log(1 / HEAT_PRIOR - 1) if kind == "heat" else 0.0
    values = layers.Conv2D(
        n_channels, 1, kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        bias_initializer=keras.initializers.Constant(bias), activation="softplus" if kind == "distances" else None,
        dtype="float32", name=name,
    )(maps)  # fmt: skip
    if kind == "image" and scaling is not None:
        return scaling(values, inverse=True)
    return values
