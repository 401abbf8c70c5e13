"""The opponent of an adversarial loss, gradient reversal, and the loss of telling two domains apart.

A gradient that passes `reversed_gradient` changes its sign: the discriminator lowers the loss, the classifier below it
raises it, in one step of one optimizer (Ganin et al. 2016, JMLR 17, 59, Sec. 4.2).
"""

import keras
import numpy as np
from keras import ops


def reversed_gradient(values):
    """The values themselves, with the opposite gradient."""
    return 2 * ops.stop_gradient(values) - values


def domain_cross_entropy(source, target, source_weights=None, target_weights=None):
    """Cross-entropy of a discriminator whose positive logits say target, mean over each domain, summed over the two.

    Parameters
    ----------
    source, target : tensor, shape (n,)
        Logits of the discriminator.
    source_weights, target_weights : tensor, shape (n,), optional
        Weights of the galaxies, of mean 1.

    Returns
    -------
    scalar tensor
        2 ln 2 where the domains cannot be told apart, 0 where they always are [nat].

    Notes
    -----
    Ganin et al. (2016), Eq. 9, with the sum over both domains. DeepMerge II takes half of it.
    """
    of_source, of_target = ops.softplus(source), ops.softplus(-target)
    if source_weights is not None:
        of_source, of_target = source_weights * of_source, target_weights * of_target
    return ops.mean(of_source) + ops.mean(of_target)


class Discriminator(keras.layers.Layer):
    """Two hidden layers with ReLU and dropout, and a linear output.

    Parameters
    ----------
    width : int
        Units of each hidden layer.
    dropout : float
        Fraction of the hidden units that is dropped; the discriminator is only ever used in training.

    Notes
    -----
    1024, 0.5, and weights N(0, 0.01), N(0, 0.01), N(0, 0.3) in the codes of CDAN and DeepMerge II.
    """

    def __init__(self, width=1024, dropout=0.5):
        super().__init__(dtype="float32")
        self.width, self.dropout = width, dropout

    def create(self, n_inputs, n_outputs, seed):
        """Make the weights.

        Parameters
        ----------
        n_inputs, n_outputs : int
        seed : int
            Of weights and dropout.
        """
        seeds = np.random.SeedSequence(seed).generate_state(5).tolist()
        sizes, deviations = (self.width, self.width, n_outputs), (0.01, 0.01, 0.3)
        self.denses = []
        for index, (size, deviation) in enumerate(zip(sizes, deviations)):
            weights = keras.initializers.RandomNormal(0.0, deviation, seed=seeds[index])
            dense = keras.layers.Dense(size, kernel_initializer=weights, dtype="float32", name=f"dense{index + 1}")
            dense.build((None, n_inputs))
            self.denses.append(dense)
            n_inputs = size
        self.drops = [keras.layers.Dropout(self.dropout, seed=seed, dtype="float32") for seed in seeds[3:]]
        self.built = True

    def call(self, values):
        """Outputs, shape (n, n_outputs), for inputs of shape (n, n_inputs)."""
        values = ops.cast(values, "float32")
        for dense, drop in zip(self.denses, self.drops):
            values = drop(ops.relu(dense(values)), training=True)
        return self.denses[-1](values)
