"""Learnable weights of cross-entropy and adaptation, as SIDDA has them (Pandya et al. 2025, arXiv 2501.14048).

After Kendall, Gal & Cipolla (2018), arXiv 1705.07115: each loss is divided by twice the square of a length eta that is
trained with the network, and the logarithm of their product keeps the etas from growing without end.
"""

import keras
from keras import ops

MIN_ETA, MIN_RATIO = 1e-3, 0.25  # code of SIDDA: eta_1 >= 1e-3, eta_2 >= 0.25 eta_1


def learned_sum(cross_entropy, adaptation, etas):
    """Sum of two losses under learnable weights.

    Parameters
    ----------
    cross_entropy, adaptation : scalar tensor
    etas : tensor, shape (2,)
        Of the two, positive.

    Returns
    -------
    scalar tensor
        cross_entropy / 2 eta_1^2 + adaptation / 2 eta_2^2 + ln(eta_1 eta_2).
    """
    return cross_entropy / (2 * etas[0] ** 2) + adaptation / (2 * etas[1] ** 2) + ops.sum(ops.log(etas))


@keras.saving.register_keras_serializable("photoz_morph")
class EtaBounds(keras.constraints.Constraint):
    """Bounds of the etas, put into force after each step: eta_1 >= 1e-3 and eta_2 >= 0.25 eta_1."""

    def __call__(self, etas):
        first = ops.maximum(etas[0], MIN_ETA)
        return ops.stack([first, ops.maximum(etas[1], MIN_RATIO * first)])
