"""Dihedral augmentation: the eight flips and rotations of a square image."""

import tensorflow as tf


def augment(galaxy, seed):
    """The galaxy under one of the eight flips and rotations, chosen by (seed, obj_id)."""
    element = tf.random.stateless_uniform((), [seed, galaxy["obj_id"]], 0, 8, tf.int32)
    return {**galaxy, "image": dihedral(galaxy["image"], element)}


def dihedral(image, element):
    """Image under element 0 ... 7 of the symmetry group of the square; 0 leaves it as it is.

    Parameters
    ----------
    image : tensor, shape (size, size, n_bands)
    element : int tensor

    Returns
    -------
    tensor, shape (size, size, n_bands)
    """
    shape = image.shape
    image = tf.cond(element & 1 > 0, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    image = tf.cond(element & 2 > 0, lambda: tf.reverse(image, [0]), lambda: image)
    image = tf.cond(element & 4 > 0, lambda: tf.reverse(image, [1]), lambda: image)
    return tf.ensure_shape(image, shape)
