"""Kernels of the convolutions that see the pixels first: as they are stored, and as they act on the light of a band."""

import numpy as np
from keras import ops, tree

from photoz_morph.explain.backward.layer_kinds import kind_of
from photoz_morph.explain.gradients import Score, named, unnamed
from photoz_morph.explain.patterns.layer_outputs import unit, up_to_layer
from photoz_morph.explain.patterns.receptive_field import cut_out, receptive_field


def first_kernels(network, kinds=None):
    """Kernels of the convolutions before which there is no other layer with weights.

    Parameters
    ----------
    network : keras.Model
        Functional or Sequential.
    kinds : dict of str to str, optional
        See `backward.layer_kinds.kind_of`.

    Returns
    -------
    dict of str to ndarray, shape (rows, columns, n_channels, n_filters)
        By the name of the layer; channels are the bands, or what the layers before make of them.

    Raises
    ------
    ValueError
        If the network has no such convolution on its own level.
    """
    kernels, weighed = {}, set()
    for operation in getattr(network, "operations", None) or network.layers:
        if hasattr(operation, "layers"):
            continue
        inputs, outputs = tree.flatten(operation.input), tree.flatten(operation.output)
        has_weights = bool(inputs) and hasattr(operation, "kernel") and kind_of(operation, kinds) == "weighted"
        behind = any(id(tensor) in weighed for tensor in inputs)
        if has_weights and not behind and len(outputs[0].shape) == 4:
            kernels[operation.name] = np.asarray(ops.convert_to_numpy(operation.kernel))
        if has_weights or behind:
            weighed |= {id(tensor) for tensor in outputs}
    if not kernels:
        raise ValueError(f"network {network.name!r} has no convolution of pixels; of networks inside, give them")
    return kernels


def band_kernels(network, layer, inputs, scales=1.0, kinds=None):
    """Response of the filters of a layer to one more unit of light in a pixel of a band.

    Parameters
    ----------
    network : keras.Model
    layer : str
        With maps.
    inputs : ndarray or dict of ndarray
        Of one galaxy: scalings are linear only near an image, such as that of an empty sky.
    scales : array_like, shape (n_bands,)
        The unit of light [image unit], such as the sky noise of each band.
    kinds : dict of str to str, optional
        See `backward.layer_kinds.kind_of`.

    Returns
    -------
    ndarray, shape (n_filters, rows, columns, n_bands)
        Derivative of the unit in the middle of each map with respect to the pixels that it sees, times `scales`; NaN
        beyond the edges of the image. Of a convolution of the pixels themselves, its kernel.

    Raises
    ------
    ValueError
        If the layer has no maps; see `receptive_field.receptive_field` for others.
    """
    part = up_to_layer(network, layer)
    shape = part.outputs[0].shape
    if len(shape) != 4:
        raise ValueError(f"layer {layer!r} has outputs of shape {shape[1:]}, no maps; give a convolution")
    n_filters = shape[-1]
    positions = np.tile([shape[1] // 2, shape[2] // 2], (n_filters, 1))
    given = {name: np.repeat(values, n_filters, axis=0) for name, values in named(inputs).items()}
    score = Score(part, unit(positions, np.arange(n_filters)))
    _, gradient = score.value_and_gradient(unnamed(given, inputs), np.arange(n_filters))
    pixels = next(values for values in named(gradient).values() if values.ndim == 4)
    return cut_out(pixels, receptive_field(network, layer, kinds), positions) * np.asarray(scales, np.float32)
