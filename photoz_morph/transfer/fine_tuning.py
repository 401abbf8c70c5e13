"""Which layers of a network learn, and how fast: the modes of a transfer, and the way back to a plain network.

Frozen layers compute as in use, so the moments of a frozen batch norm are those of the source.
"""

from photoz_morph.models.layers.low_rank import merged_weights, with_adapters
from photoz_morph.transfer.blocks import blocks_of, has_kernel


def prepared(network, transfer, seed):
    """A trained network made ready to learn on.

    Parameters
    ----------
    network : keras.Model
        Its own layers are frozen where the mode says so, except with LoRA, which takes a copy.
    transfer : TransferConfig
    seed : int
        Of the start of the adapters.

    Returns
    -------
    network : keras.Model
        With the outputs of the one given.
    factors : dict of str to float
        Factor of the learning rate by the name of the layer; empty where all learn alike.

    Raises
    ------
    ValueError
        If there are fewer blocks than are to learn.
    """
    blocks = blocks_of(network)
    if transfer.mode == "lora":
        names = [layer.name for block in blocks[:-1] for layer in block]
        kernels = [layer.name for block in blocks[:-1] for layer in block if has_kernel(layer)]
        network = with_adapters(network, kernels, transfer.rank, seed)
        _freeze(network.get_layer(name) for name in names if name not in kernels)
        return network, {}
    n_learning = {"all": len(blocks) - 1, "blocks": transfer.blocks, "frozen": 0}[transfer.mode]
    if n_learning > len(blocks) - 1:
        raise ValueError(
            f"transfer.blocks is {transfer.blocks}, the network has {len(blocks) - 1} before its head; give fewer, or "
            "set transfer.mode=all"
        )
    _freeze(layer for block in blocks[: len(blocks) - 1 - n_learning] for layer in block)
    if n_learning == 0 or transfer.decay == 1:
        return network, {}
    factors = {
        layer.name: transfer.decay**distance
        for distance, block in enumerate(reversed(blocks)) for layer in block if distance <= n_learning
    }  # fmt: skip
    return network, factors


def copy_merged_weights(model, network):
    """Give a plain network the weights of the layers of the same names, the changes of low rank added to their kernels.

    Parameters
    ----------
    model : keras.Model
        That has been trained.
    network : keras.Model
        With layers of the same kinds and names, and perhaps without some of them, or with others without weights.
    """
    for layer in network.layers:
        if layer.weights:
            layer.set_weights(merged_weights(model.get_layer(layer.name)))


def _freeze(layers):
    """Let layers keep their weights."""
    for layer in layers:
        layer.trainable = False
