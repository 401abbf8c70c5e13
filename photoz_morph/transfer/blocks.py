"""Blocks of a network from its input to its head, as fine-tuning counts them.

A block is what lies between two layers that all maps pass through: an inception block, a residual block with its
shortcut, one convolution with its batch norm, one dense layer. The last is the head.
"""

import keras


def blocks_of(network):
    """Layers with weights, in blocks.

    Parameters
    ----------
    network : keras.Model
        Functional, with dense or convolution layers.

    Returns
    -------
    list of list of keras.Layer
        From the input to the head. A layer beside the way of the maps, such as a dense layer on measured fluxes,
        belongs to the block at whose end its values join.

    Raises
    ------
    ValueError
        If the network has no dense or convolution layer.
    """
    before = _parents(network)
    above = _ancestors(before)
    layers = {layer.name: layer for layer in network.layers}
    first = keras.layers.Conv2D if any(isinstance(layer, keras.layers.Conv2D) for layer in layers.values()) else None
    first = first or keras.layers.Dense
    begun = {name for name, layer in layers.items() if isinstance(layer, first)}
    if not begun:
        raise ValueError(f"network {network.name!r} has no dense or convolution layer, so there are no blocks to train")
    way = {name for name in layers if name in begun or above[name] & begun}
    ends = [name for name in way if _is_passed_by_all(name, way, before, above)]
    blocks, taken = [], set()
    for end in sorted(ends, key=lambda name: len(above[name])):
        names = [name for name in layers if name in above[end] | {end} and name not in taken and layers[name].weights]
        taken.update(names)
        found = [layers[name] for name in names]
        if not blocks or any(has_kernel(layer) for layer in found):
            blocks.append(found)
        else:  # a batch norm or the slopes of an activation
            blocks[-1] += found
    return blocks


def has_kernel(layer):
    """True for dense and convolution layers."""
    return isinstance(layer, (keras.layers.Dense, keras.layers.Conv2D))


def _is_passed_by_all(name, way, before, above):
    """True if no layer of the way lies beside a layer, and no shortcut leads past it."""
    is_beside = any(other != name and other not in above[name] and name not in above[other] for other in way)
    return not is_beside and not any(
        parent in above[name] and name in above[other] for other in way for parent in before[other] & way
    )


def _parents(network):
    """Names of the layers whose outputs each layer takes."""
    made_by = {id(tensor): layer.name for layer in network.layers for tensor in keras.tree.flatten(layer.output)}
    before = {}
    for layer in network.layers:
        is_input = isinstance(layer, keras.layers.InputLayer)
        before[layer.name] = {made_by[id(tensor)] for tensor in ([] if is_input else keras.tree.flatten(layer.input))}
    return before


def _ancestors(before):
    """Names of all layers before each layer."""
    above = {}
    for name, parents in before.items():  # Keras lists layers from the input on
        above[name] = parents.union(*(above[parent] for parent in parents))
    return above
