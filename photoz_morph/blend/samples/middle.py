"""The galaxy in the middle of an image, without its neighbours and without noise."""

import tensorflow as tf


def middle_source(example):
    """Number of the source nearest to the middle of an image, an int tensor."""
    size = example["image"].shape[0]
    middle = (size - 1) / 2
    return tf.argmin(tf.square(example["y"] - middle) + tf.square(example["x"] - middle))


def middle_galaxy(example):
    """Noise-free image of the source nearest to the middle.

    Parameters
    ----------
    example : dict of str to tensor
        `image`, shape (size, size, n_bands), and of its k sources `y`, `x`, `first_pixel`, `place`, with their `pixels`
        (`shards.blends.unpack_sources`).

    Returns
    -------
    tensor, shape (size, size, n_bands), float32
        [image unit]
    """
    size, _, n_bands = example["image"].shape
    number = middle_source(example)
    row, column, height, width = tf.unstack(tf.cast(example["place"][number], tf.int32))
    first = tf.cast(example["first_pixel"][number], tf.int32)
    pixels = tf.slice(example["pixels"], [first], [height * width * n_bands])
    stamp = tf.cast(tf.reshape(pixels, (height, width, n_bands)), tf.float32)
    around = [[row, size - row - height], [column, size - column - width], [0, 0]]
    return tf.ensure_shape(tf.pad(stamp, around), (size, size, n_bands))
