"""Games of players whose answer is known."""

import numpy as np
from keras import ops

from photoz_morph.explain.gradients import Score

WEIGHTS = np.array([1.0, -2.0, 0.5])


def additive():
    """Score that is the sum of the bands' means with `WEIGHTS`, plus three times E(B-V)."""

    def target(output, galaxies):
        return ops.sum(ops.mean(output["image"], axis=(1, 2)) * WEIGHTS.astype("float32"), axis=-1) + 3 * output["ebv"]

    return Score(lambda inputs: inputs, target)


def product():
    """Score that is the product of the means of the first two bands; the third and E(B-V) do nothing."""

    def target(output, galaxies):
        means = ops.mean(output["image"], axis=(1, 2))
        return means[:, 0] * means[:, 1]

    return Score(lambda inputs: inputs, target)


def ones(n=2, side=4):
    """Inputs that are 1, 2 in the second galaxy."""
    values = np.arange(1, n + 1, dtype="float32")
    return {"image": np.tile(values[:, None, None, None], (1, side, side, 3)), "ebv": values}


def nothing(n=2, side=4):
    """The baseline 0."""
    return {name: np.zeros_like(values) for name, values in ones(n, side).items()}
