"""Sum of the terms of a loss, for models with a `compute_loss` of their own."""

import keras
from keras import ops


def mean_loss(terms, weights, means, sample_weight=None):
    """Loss of a batch for Keras's own training step, right on several replicas.

    Parameters
    ----------
    terms : dict of str to tensor, shape (n,)
        For each image.
    weights : dict of str to float
        Factor of each term.
    means : sequence of keras.metrics.Mean
        Those with the name of a term get its unweighted values.
    sample_weight : tensor, shape (n,), optional
        Factor of each image.

    Returns
    -------
    scalar tensor
        Mean over the images of the batch; the replicas of a distribution strategy of TensorFlow, whose gradients Keras
        adds up, each have their part of it.
    """
    for metric in means:
        metric.update_state(terms[metric.name])
    each = sum(weights[name] * values for name, values in terms.items())
    if sample_weight is not None:
        each = each * ops.cast(sample_weight, each.dtype)
    return ops.mean(each) / n_replicas()


def n_replicas():
    """Number of replicas of the distribution strategy of TensorFlow in force, 1 with another backend."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync
