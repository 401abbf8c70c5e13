"""Exponential moving average of the weights: training goes on from the raw weights, the average is scored and saved.

The optimizer holds the average, and with it the checkpoint. Keras puts it into the network whenever `fit` ends, which
here is at the end of each epoch; `KeepRawWeights` undoes that.
"""

from contextlib import contextmanager

import keras
from keras import ops


def check_momentum(momentum, n_iterations):
    """Raise a ValueError if the average would reach back to the weights before training."""
    span = 1 / (1 - momentum)
    if span > n_iterations / 2:
        raise ValueError(
            f"train.ema_momentum is {momentum}, an average over {span:.0f} iterations, more than half of the "
            f"{n_iterations} of the training; give less, or train longer"
        )


class KeepRawWeights(keras.callbacks.Callback):
    """Give a network its raw weights back when `fit` has ended; does nothing if none are averaged."""

    def on_epoch_end(self, epoch, logs=None):
        self._raw = _values(self.model) if _is_averaged(self.model) else None

    def on_train_end(self, logs=None):
        if self._raw is not None:
            _assign(self.model, self._raw)


@contextmanager
def averaged_weights(model):
    """Let a network have its averaged weights inside a `with` statement; does nothing if none are averaged."""
    if not _is_averaged(model):
        yield
        return
    raw = _values(model)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        _assign(model, raw)


def _is_averaged(model):
    return getattr(model.optimizer, "use_ema", False)


def _values(model):
    return [ops.convert_to_numpy(variable) for variable in model.trainable_variables]


def _assign(model, values):
    for variable, value in zip(model.trainable_variables, values, strict=True):
        variable.assign(value)
