"""Outputs of any named layer of a network, and single units of it as targets."""

import keras
import numpy as np
from keras import ops

from photoz_morph.explain.gradients import BATCH_SIZE, Score


def up_to_layer(network, layer):
    """Network of the same inputs that returns the output of a layer, of its first call where there are several.

    Parameters
    ----------
    network : keras.Model
        Functional or Sequential. It shares its layers.
    layer : str

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        If there is no such layer, or it has several outputs.
    """
    if layer not in (names := [own.name for own in network.layers]):
        inner = [own.name for own in network.layers if layer in [below.name for below in getattr(own, "layers", [])]]
        remedy = f"give {inner[0]!r}, the network inside that has it" if inner else f"it has {', '.join(names)}"
        raise ValueError(f"network {network.name!r} has no layer {layer!r}; {remedy}")
    output = network.get_layer(layer).output
    if not isinstance(output, keras.KerasTensor):
        raise ValueError(f"layer {layer!r} has {len(output)} outputs; give one behind it")
    is_sequence = isinstance(network, keras.Sequential)  # which knows no `input`
    return keras.Model(network.inputs[0] if is_sequence else network.input, output, name=network.name)


def feature_maps(network, layer, inputs, batch_size=BATCH_SIZE):
    """Output of a layer.

    Parameters
    ----------
    network : keras.Model
    layer : str
    inputs : ndarray or dict of ndarray
        Of n galaxies.
    batch_size : int

    Returns
    -------
    ndarray, shape (n, rows, columns, n_maps) or (n, n_units)

    Raises
    ------
    ValueError
        See `up_to_layer`.
    """
    score = Score(up_to_layer(network, layer), lambda output, galaxies: output, batch_size)
    return score(inputs).astype(np.float32)


def unit(positions, filters):
    """Target: output of one unit of a layer for each galaxy, see `up_to_layer`.

    Parameters
    ----------
    positions : ndarray of int, shape (n_galaxies, 2) or (n_galaxies, 0)
        Row and column in the maps; nothing for a layer without maps.
    filters : ndarray of int, shape (n_galaxies,)
        Map or unit.

    Returns
    -------
    callable
        (output, galaxies) to shape (n,).
    """
    index = np.concatenate([np.asarray(positions).reshape(len(filters), -1), np.asarray(filters)[:, None]], axis=1)

    def target(output, galaxies):
        own = ops.take(ops.convert_to_tensor(index, "int32"), ops.cast(galaxies, "int32"), axis=0)
        for axis in range(index.shape[1]):  # one axis after the other: (n, a, b, c), (n, b, c), (n, c), (n,)
            chosen = ops.one_hot(own[:, axis], output.shape[1], dtype=output.dtype)
            chosen = ops.reshape(chosen, (-1, output.shape[1], *[1] * (len(output.shape) - 2)))
            output = ops.sum(output * chosen, axis=1)
        return output

    return target
