"""Batches of an epoch: order, equal size, and the size up to which a training set is kept in memory.

The order is a function of (seed, epoch) and nothing else, so that an epoch that is run again after an interruption has
the same batches.
"""

import numpy as np
import tensorflow as tf

CACHE_LIMIT_BYTES = 2**31  # a training set below this stays in memory; the 10,000 galaxies of the default have 0.8 GB
UNSET_SEED = 87654321  # that TensorFlow takes for its seed of the process where none is set
SHUFFLE_BUFFER = 8192  # galaxies; 0.7 GB of stacks, where the set is read from disk


def full_batches(galaxies, batch_size, network_input):
    """Batches of a dataset, mapped by a function and without the remainder, to be divided among replicas by element."""
    # An uneven last batch would make replicas take a wrong step (reference: split [1, 0] halves the update).
    return divided(galaxies.batch(batch_size, drop_remainder=True), network_input)


def divided(batches, network_input):
    """Batches mapped by a function, to be divided among replicas by element."""
    batches = batches.map(network_input, tf.data.AUTOTUNE, deterministic=True)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return batches.prefetch(2).with_options(options)


def shuffled(galaxies, n_galaxies, is_cached, order):
    """Galaxies in a random order.

    Parameters
    ----------
    galaxies : tf.data.Dataset
    n_galaxies : int
    is_cached : bool
        Whether they are in memory; from disk they are shuffled within a buffer of `SHUFFLE_BUFFER`.
    order : int
        Seed; the order depends on nothing else.

    Returns
    -------
    tf.data.Dataset
    """
    buffer = n_galaxies if is_cached else min(n_galaxies, SHUFFLE_BUFFER)
    # TensorFlow mixes in its seed of the process, which a user may have set.
    of_process, _ = tf.compat.v1.get_seed(order)
    if of_process == UNSET_SEED:
        return galaxies.shuffle(buffer, seed=order, reshuffle_each_iteration=False)
    tf.random.set_seed(UNSET_SEED)
    try:
        return galaxies.shuffle(buffer, seed=order, reshuffle_each_iteration=False)
    finally:
        tf.random.set_seed(of_process)


def obj_ids(galaxies, batch, batch_size):
    """Identifiers of the galaxies of one batch, a list of `batch_size`, to name those of a non-finite loss.

    Parameters
    ----------
    galaxies : tf.data.Dataset
        In the order of their epoch.
    batch : int
        Counted from 0.
    batch_size : int
    """
    taken = galaxies.skip(batch * batch_size).take(batch_size)
    return [galaxy["obj_id"] for galaxy in taken.as_numpy_iterator()]


def stream_seeds(seed, epoch, stream, n=1):
    """Independent seeds for one use of randomness in an epoch, a list of n; `stream` numbers the uses."""
    return [int(state) for state in np.random.SeedSequence([seed, epoch, stream]).generate_state(n)]
