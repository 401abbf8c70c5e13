"""Dropout that stays on when a network is used: Monte Carlo dropout.

Each pass drops other units, and the scatter of the passes tells what the network does not know (Gal & Ghahramani 2016).
Batch norm stays as it is in use.
"""

import keras


@keras.saving.register_keras_serializable("photoz_morph")
class ActiveDropout(keras.layers.Dropout):
    """Dropout that is on in training and in use."""

    def call(self, inputs, training=None):
        return super().call(inputs, training=True)


def with_active_dropout(network, seed=0):
    """Network with the same weights that drops units in use, others in every call.

    Parameters
    ----------
    network : keras.Model
        Functional.
    seed : int
        Calls in the same order drop the same units.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        If no layer of the network drops anything.
    """
    if not any(_drops(layer) for layer in network.layers):
        raise ValueError(
            f"{network.name} has no dropout, which Monte Carlo dropout keeps on; train it with --set model.dropout=0.2"
        )

    def copied(layer):
        if _drops(layer):
            return ActiveDropout.from_config({**layer.get_config(), "seed": seed})
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=copied)
    copy.set_weights(network.get_weights())
    return copy


def _drops(layer):
    """True for a layer that drops units in training."""
    return isinstance(layer, keras.layers.Dropout) and layer.rate > 0
