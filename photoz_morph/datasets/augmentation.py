"""Augmentation: the eight flips and rotations of a square image, any others, and more Galactic extinction.

What a galaxy is given is a function of a seed, which is that of an epoch, and of its `obj_id`.
"""

import numpy as np
import tensorflow as tf


def augment(galaxy, seed):
    """The galaxy under one of the eight flips and rotations, chosen by (seed, obj_id)."""
    return {**galaxy, "image": dihedral(galaxy["image"], random_element(seed, galaxy["obj_id"]))}


def random_element(seed, obj_id):
    """Element 0 ... 7 of the symmetry group of the square, an int tensor, chosen by (seed, obj_id)."""
    return tf.random.stateless_uniform((), [seed, obj_id], 0, 8, tf.int32)


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


def dihedral_view(image, element):
    """`dihedral` of an array, which it shows otherwise without a copy."""
    image = image.transpose(1, 0, 2) if element & 1 else image
    image = image[::-1] if element & 2 else image
    return image[:, ::-1] if element & 4 else image


def redden(galaxy, seed, extra_ebv, extinction_per_ebv):
    """The galaxy behind more dust, by an E(B-V) drawn uniformly by (seed, obj_id).

    Parameters
    ----------
    galaxy : dict of str to tensor
        `image`, shape (size, size, n_bands), `ebv` [mag], `obj_id`, and perhaps `sky_sigma` and `mags`, shape
        (n_bands,).
    seed : int
    extra_ebv : float
        Largest E(B-V) that is added [mag].
    extinction_per_ebv : sequence of float
        R_band = A_band / E(B-V), one per band [mag / mag].

    Returns
    -------
    dict of str to tensor
        With the image and, since the noise of the sky is dimmed like the galaxy, `sky_sigma` times
        10^(-0.4 R_band E(B-V)), with fainter `mags`, and with the sum as `ebv`: what a network makes of dereddened
        pixels is to be the same.
    """
    extra = tf.random.stateless_uniform((), [seed, galaxy["obj_id"]], 0.0, extra_ebv)
    magnitudes = extra * tf.constant(extinction_per_ebv, tf.float32)
    changed = {name: galaxy[name] * 10 ** (-0.4 * magnitudes) for name in ("image", "sky_sigma") if name in galaxy}
    if "mags" in galaxy:
        changed["mags"] = galaxy["mags"] + magnitudes
    return {**galaxy, **changed, "ebv": galaxy["ebv"] + extra}


def displace(galaxy, seed, largest_shift, any_angle):
    """The galaxy moved by fractions of a pixel and, if asked, turned, by amounts drawn uniformly by (seed, obj_id).

    Parameters
    ----------
    galaxy : dict of str to tensor
        `image`, shape (size, size, n_bands), and `obj_id`.
    seed : int
    largest_shift : float
        Of rows and of columns [pixel].
    any_angle : bool
        Whether the image is turned by -45 to 45 degrees: with the rotations of `augment`, by any angle.
    """
    drawn = tf.random.stateless_uniform((3,), [seed, galaxy["obj_id"]], -1.0, 1.0)
    shift = largest_shift * drawn[:2]
    return {**galaxy, "image": moved(galaxy["image"], shift, np.pi / 4 * drawn[2] if any_angle else None)}


def displace_by_pixels(galaxy, seed, largest_shift):
    """The galaxy moved by whole pixels, numbers of rows and columns drawn uniformly by (seed, obj_id).

    For images that are sampled more coarsely than their point-spread function, around whose bright centres the Fourier
    interpolation of `displace` rings. What leaves the image on one side returns on the other.

    Parameters
    ----------
    galaxy : dict of str to tensor
        `image`, shape (size, size, n_bands), and `obj_id`.
    seed : int
    largest_shift : int
        Of rows and of columns [pixel].
    """
    shift = tf.random.stateless_uniform((2,), [seed, galaxy["obj_id"]], -largest_shift, largest_shift + 1, tf.int32)
    return {**galaxy, "image": tf.roll(galaxy["image"], shift, (0, 1))}


def moved(image, shift, angle=None):
    """Image turned about its centre and then moved, by Fourier interpolation along rows and columns.

    Parameters
    ----------
    image : tensor, shape (size, size, n_bands)
    shift : tensor, shape (2,)
        Of rows and of columns; positive ones move the image to larger indices [pixel].
    angle : tensor, shape (), optional
        From the axis of columns towards that of rows [rad]; not beyond 90 degrees.

    Returns
    -------
    tensor, shape (size, size, n_bands)

    Notes
    -----
    A rotation is three shears (Unser, Thevenaz & Yaroslavsky 1995). A shift of a row is a phase of each of its Fourier
    components, which keeps the flux, and the noise as it is: white noise stays white, and its variance the same but for
    the highest frequency, at most 1/size of it a shear. Linear interpolation would take up to three quarters of it.
    What leaves the image on one side returns on the other: a rotation is good within 0.45 sizes of the centre.
    """
    shape, size = image.shape, image.shape[0]
    planes = tf.transpose(image, (2, 0, 1))
    centred = tf.range(size, dtype=tf.float32) - (size - 1) / 2
    if angle is None:
        planes = _shifted(_transposed(planes), shift[0])
        planes = _shifted(_transposed(planes), shift[1])
    else:
        shear = tf.tan(angle / 2)
        planes = _shifted(planes, -shear * centred)
        planes = _shifted(_transposed(planes), tf.sin(angle) * centred + shift[0])
        planes = _shifted(_transposed(planes), shift[1] - shear * (centred - shift[0]))
    return tf.ensure_shape(tf.transpose(planes, (1, 2, 0)), shape)


def _transposed(planes):
    return tf.transpose(planes, (0, 2, 1))


def _shifted(planes, amount):
    """Planes with rows, the last axis, moved by an amount, one for all or one each [pixel]."""
    size = planes.shape[-1]
    frequency = tf.range(size // 2 + 1, dtype=tf.float32) / size
    phase = -2 * np.pi * tf.reshape(amount, (-1, 1)) * frequency
    spectrum = tf.signal.rfft(planes) * tf.complex(tf.cos(phase), tf.sin(phase))
    return tf.signal.irfft(spectrum, [size])
