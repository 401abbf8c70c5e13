"""Batches of equal size for training, and how much of a dataset stays in memory."""

import tensorflow as tf

CACHE_LIMIT_BYTES = 2**31  # a training set below this stays in memory; the 10,000 galaxies of the default have 0.8 GB
SHUFFLE_BUFFER = 8192  # galaxies; 0.7 GB of stacks, where the set is read from disk


def full_batches(galaxies, batch_size, network_input):
    """Batches of a dataset under a function, without the remainder, to be shared among replicas by element."""
    # An uneven last batch would make replicas take a wrong step (reference: split [1, 0] halves the update).
    batches = galaxies.batch(batch_size, drop_remainder=True)
    batches = batches.map(network_input, tf.data.AUTOTUNE, deterministic=True)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return batches.prefetch(2).with_options(options)
