"""Augmentation: the eight flips and rotations of a square image, and more Galactic extinction.

What a galaxy is given is a function of a seed, which is that of an epoch, and of its `obj_id`.
"""

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


def redden(galaxy, seed, extra_ebv, extinction_per_ebv):
    """The galaxy behind more dust, by an E(B-V) drawn uniformly by (seed, obj_id).

    Parameters
    ----------
    galaxy : dict of str to tensor
        `image`, shape (size, size, n_bands), `ebv` [mag], `obj_id`, and perhaps `sky_sigma`, shape (n_bands,).
    seed : int
    extra_ebv : float
        Largest E(B-V) that is added [mag].
    extinction_per_ebv : sequence of float
        R_band = A_band / E(B-V), one per band [mag / mag].

    Returns
    -------
    dict of str to tensor
        With the image and, since the noise of the sky is dimmed like the galaxy, `sky_sigma` times
        10^(-0.4 R_band E(B-V)), and with the sum as `ebv`: what a network makes of dereddened pixels is to be the same.
    """
    extra = tf.random.stateless_uniform((), [seed, galaxy["obj_id"]], 0.0, extra_ebv)
    factor = 10 ** (-0.4 * extra * tf.constant(extinction_per_ebv, tf.float32))
    dimmed = {name: galaxy[name] * factor for name in ("image", "sky_sigma") if name in galaxy}
    return {**galaxy, **dimmed, "ebv": galaxy["ebv"] + extra}
