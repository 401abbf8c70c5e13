"""A second head of a network, in training alone, that learns what else is known of the galaxies (Caruana 1997).

Of redshift networks structure and magnitudes, from the last layer before the PDF; of classifiers the numbers that their
classes follow from, from the latents. The saved network does not have the head.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

HEAD = "auxiliary"


@dataclass(frozen=True)
class AuxiliaryTargets:
    """Standardised quantities of a galaxy that the head predicts.

    Attributes
    ----------
    names : tuple of str
        Columns of the dataset; of `LOGARITHMIC` ones, the logarithm.
    mean, scale : ndarray, shape (n_targets,)
        Of the training set; NaN where a quantity is unknown or the same for all of it, and is not learnt.
    """

    names: tuple
    mean: np.ndarray
    scale: np.ndarray

    LOGARITHMIC = ("r_e",)

    @classmethod
    def of_training_set(cls, columns, names, source):
        """Targets standardised on a training set.

        Parameters
        ----------
        columns : dict of str to ndarray, first axis n
        names : sequence of str
        source : path-like
            Origin of the columns, for messages.

        Raises
        ------
        ValueError
            If nothing is known in two galaxies.
        """
        targets = cls(tuple(names), np.zeros(1), np.ones(1))
        values = targets(columns).numpy().astype(float)
        is_known = np.isfinite(values)
        n_known = np.maximum(is_known.sum(axis=0), 1)
        mean = np.sum(values, axis=0, where=is_known) / n_known
        scale = np.sqrt(np.sum((values - mean) ** 2, axis=0, where=is_known) / n_known)
        scale[scale <= 1e-6 * np.maximum(1, np.abs(mean))] = np.nan
        if np.isnan(scale).all():
            raise ValueError(
                f"{source}: the training galaxies have none of {', '.join(names)}, or the same for all; build it from "
                "a catalogue that has them, or set train.auxiliary_weight=0"
            )
        return cls(tuple(names), mean, scale)

    def __call__(self, galaxies):
        """Targets of a batch, tensor of shape (n, n_targets), float32; NaN where unknown."""
        import tensorflow as tf  # part of a tf.data pipeline, which is needed with no other backend

        parts = []
        for name in self.names:
            values = tf.cast(galaxies[name], tf.float32)
            values = values if len(values.shape) == 2 else values[:, None]
            parts.append(tf.math.log(values) if name in self.LOGARITHMIC else values)
        values = (tf.concat(parts, axis=1) - tf.cast(self.mean, tf.float32)) / tf.cast(self.scale, tf.float32)
        return tf.where(tf.math.is_finite(values), values, tf.constant(np.nan, tf.float32))


@keras.saving.register_keras_serializable("photoz_morph")
class KnownTargetsLoss(keras.losses.Loss):
    """Mean Huber loss over the targets that are known of a galaxy; 0 for a galaxy of which none is.

    Parameters
    ----------
    name : str
    """

    def __init__(self, name="known_targets_loss", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Loss of each galaxy, shape (n,), of targets and predictions of shape (n, n_targets)."""
        is_known = ops.isfinite(y_true)
        error = ops.abs(ops.where(is_known, y_pred - ops.where(is_known, y_true, 0.0), 0.0))
        loss = ops.where(error < 1, ops.square(error) / 2, error - 0.5)
        n_known = ops.sum(ops.cast(is_known, loss.dtype), axis=-1)
        return ops.sum(loss, axis=-1) / ops.maximum(n_known, 1.0)


def with_auxiliary_head(network, n_targets, seed):
    """Network with a further output, `HEAD` of shape (n, n_targets), from the layer before its PDF or its latents.

    Parameters
    ----------
    network : keras.Model
        Of one output, or a classifier to {"logits", "latent"}; its layers and weights are shared.
    n_targets : int
    seed : int
        Of the weights of the head.

    Returns
    -------
    keras.Model
        To a dict of the outputs, that of a network of one output by the name of its layer.
    """
    initializer = keras.initializers.GlorotUniform(seed=seed)
    head = keras.layers.Dense(n_targets, kernel_initializer=initializer, name=HEAD, dtype="float32")
    if isinstance(network.output, dict):
        outputs = {**network.output, HEAD: head(network.output["latent"])}
    else:
        last = network.layers[-1]
        outputs = {last.name: network.output, HEAD: head(last.input)}
    return keras.Model(network.input, outputs, name=network.name)
