"""Anchors: the boxes about every pixel of a map that region proposals start from (Ren et al. 2015, Sec. 3.1.1)."""

import numpy as np
from keras import ops


def anchor_shapes(sizes, ratios):
    """Heights and widths of the anchors of a place.

    Parameters
    ----------
    sizes : sequence of float
        Square roots of the areas [pixel].
    ratios : sequence of float
        Height over width.

    Returns
    -------
    ndarray, shape (n_sizes * n_ratios, 2)
    """
    return np.array([[size * np.sqrt(ratio), size / np.sqrt(ratio)] for size in sizes for ratio in ratios], np.float32)


def anchor_boxes(map_shape, stride, sizes, ratios):
    """Anchors centred on the pixels of a map.

    Parameters
    ----------
    map_shape : tuple of int or int tensor
        Rows and columns of the map.
    stride : int
        Pixels of the image in a pixel of the map.
    sizes, ratios : sequence of float
        As of `anchor_shapes`.

    Returns
    -------
    tensor, shape (rows * columns * n_anchors, 4)
        In the order of a map of shape (rows, columns, n_anchors).
    """
    half = anchor_shapes(sizes, ratios) / 2
    rows, columns = ((ops.cast(ops.arange(size), "float32") + 0.5) * stride - 0.5 for size in map_shape)
    centres = ops.stack(ops.meshgrid(rows, columns, indexing="ij"), axis=-1)[:, :, None]
    return ops.reshape(ops.concatenate([centres - half, centres + half], axis=-1), (-1, 4))
