"""Changed images of a batch, in keras.ops: flips, shifts, a hole, more noise.

Random numbers are drawn for the whole batch, of which a replica takes its rows, so that several replicas show what one
would. They come from a Keras seed generator, whose state the training loop sets from (seed, epoch).
"""

import math

import keras
from keras import ops

HOLE = 0.2  # our choice: side of the hole over that of the image, a ninth of whose light it hides at the centre


def noise_level(images):
    """Standard deviation of the noise of each image and band.

    Parameters
    ----------
    images : tensor, shape (n, rows, columns, n_bands)

    Returns
    -------
    tensor, shape (n, 1, 1, n_bands)
        [image unit]

    Notes
    -----
    Immerkaer (1996), CVIU 64, 300, Eq. 2: sqrt(pi / 2) / 6 times the mean absolute value of the image under the
    difference of two Laplacians, which leaves out what is linear in rows or columns; a galaxy's light nearly is.
    """
    along = images[:, :-2] - 2 * images[:, 1:-1] + images[:, 2:]
    both = along[:, :, :-2] - 2 * along[:, :, 1:-1] + along[:, :, 2:]
    return math.sqrt(math.pi / 2) / 6 * ops.mean(ops.abs(both), axis=(1, 2), keepdims=True)


def shifted(images, shifts):
    """Images moved by whole pixels, their edges repeated.

    Parameters
    ----------
    images : tensor, shape (n, rows, columns, n_bands)
    shifts : int tensor, shape (n, 2)
        Pixels down and to the right.
    """
    for axis in (1, 2):
        size = images.shape[axis]
        places = ops.clip(ops.arange(size)[None] - shifts[:, axis - 1, None], 0, size - 1)
        images = ops.take_along_axis(images, ops.expand_dims(places, (2, 3) if axis == 1 else (1, 3)), axis=axis)
    return images


def flipped(images, choices):
    """Images each under one of the flips and rotations of its shape.

    Parameters
    ----------
    images : tensor, shape (n, rows, columns, n_bands)
    choices : bool tensor, shape (n, 3)
        Whether rows are reversed, columns are, and the two are exchanged, which needs a square.
    """
    choices = choices[:, :, None, None, None]
    images = ops.where(choices[:, 0], ops.flip(images, 1), images)
    images = ops.where(choices[:, 1], ops.flip(images, 2), images)
    if images.shape[1] != images.shape[2]:
        return images
    return ops.where(choices[:, 2], ops.transpose(images, (0, 2, 1, 3)), images)


def with_hole(images, centres):
    """Images without light in a square about a place of each.

    Parameters
    ----------
    images : tensor, shape (n, rows, columns, n_bands)
    centres : tensor, shape (n, 2)
        Row and column over the size of the image.
    """
    inside = [
        ops.abs(ops.arange(size, dtype="float32")[None] + 0.5 - size * centres[:, axis, None]) < HOLE * size / 2
        for axis, size in enumerate(images.shape[1:3])
    ]
    hole = ops.logical_and(inside[0][:, :, None], inside[1][:, None, :])
    return ops.where(hole[..., None], ops.zeros_like(images), images)


class Draws(keras.layers.Layer):
    """Random numbers for the rows of a batch that a replica has."""

    def create(self, seed):
        """Make the seed generator."""
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def uniform(self, shape, rows):
        """Numbers in [0, 1), shape (n, *shape).

        Parameters
        ----------
        shape : tuple of int
            Of each galaxy.
        rows : tuple of int or int tensor
            First row, number of rows, and number of rows of the whole batch.
        """
        return self._of_rows(keras.random.uniform, shape, rows)

    def normal(self, shape, rows):
        """Numbers from N(0, 1), shape (n, *shape); as `uniform`."""
        return self._of_rows(keras.random.normal, shape, rows)

    def _of_rows(self, draw, shape, rows):
        first, n, total = rows
        return draw((total, *shape), dtype="float32", seed=self.seed_generator)[first : first + n]
