"""Dropout seeds that depend on (seed, epoch) only."""

import keras
import numpy as np


def reset_dropout(model, seed, epoch):
    """Set the random state of every dropout layer from the epoch, so that a resumed epoch draws the same masks.

    Keras saves no state of its seed generators; call this at the start of each epoch, resumed or not. Replicas of a
    MirroredStrategy share a mask, so with dropout the step of several replicas differs from that of one.

    Parameters
    ----------
    model : keras.Model
    seed, epoch : int
    """
    states = [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]
    for layer, state in enumerate(states):
        start = np.random.SeedSequence([seed, epoch, layer]).generate_state(1)[0] >> 1  # the state may be int32
        state.assign(np.array([start, 0], keras.backend.standardize_dtype(state.dtype)))
