"""Max-pooling that remembers where each maximum was, and its inverse (Zeiler & Fergus 2014, arXiv 1311.2901).

SegNet (Badrinarayanan et al. 2017, arXiv 1511.00561) upsamples so: what a decoder puts back is where it was.
"""

import keras
from keras import ops

SIDE = 2  # of the windows, which do not overlap


@keras.saving.register_keras_serializable("photoz_morph")
class MaxPoolingWithIndices(keras.layers.Layer):
    """Maximum of each window of 2 x 2 pixels, and which of its pixels has it.

    Returns maps of shape (n, rows / 2, columns / 2, n_maps), and integers 0 to 3 of the same shape that count the
    pixels of a window along its rows; of equal pixels the first.
    """

    def call(self, maps):
        windows = _windows(maps)
        return ops.max(windows, axis=-1), ops.cast(ops.argmax(windows, axis=-1), "int32")

    def compute_output_spec(self, maps):
        n, rows, columns, n_maps = maps.shape
        shape = (n, rows and rows // SIDE, columns and columns // SIDE, n_maps)
        return keras.KerasTensor(shape, self.compute_dtype), keras.KerasTensor(shape, "int32")


@keras.saving.register_keras_serializable("photoz_morph")
class MaxUnpooling(keras.layers.Layer):
    """Maps of twice the sides, each value at the pixel that the pooling took it from, and 0 elsewhere.

    Called with maps of shape (n, rows, columns, n_maps) and the indices of a `MaxPoolingWithIndices` of that shape.
    """

    def call(self, maps, indices):
        n, rows, columns, _ = ops.shape(maps)
        n_maps = maps.shape[-1]
        chosen = ops.cast(indices[..., None] == ops.arange(SIDE**2), maps.dtype)
        windows = ops.reshape(maps[..., None] * chosen, (n, rows, columns, n_maps, SIDE, SIDE))
        windows = ops.transpose(windows, (0, 1, 4, 2, 5, 3))
        return ops.reshape(windows, (n, rows * SIDE, columns * SIDE, n_maps))

    def compute_output_spec(self, maps, indices):
        n, rows, columns, n_maps = maps.shape
        return keras.KerasTensor((n, rows and rows * SIDE, columns and columns * SIDE, n_maps), self.compute_dtype)


def _windows(maps):
    """Pixels of the windows, shape (n, rows / 2, columns / 2, n_maps, 4)."""
    n, rows, columns, _ = ops.shape(maps)
    n_maps = maps.shape[-1]
    windows = ops.reshape(maps, (n, rows // SIDE, SIDE, columns // SIDE, SIDE, n_maps))
    windows = ops.transpose(windows, (0, 1, 3, 5, 2, 4))
    return ops.reshape(windows, (n, rows // SIDE, columns // SIDE, n_maps, SIDE**2))
