"""RoIAlign (He et al. 2017, arXiv 1703.06870): the part of a map that lies in a box, on a grid of fixed size.

Bilinear interpolation at regular points and the mean over the points of a bin act on rows and columns one after the
other, so each is a small matrix for each box. Their products need no gathering of pixels, whose gradients would be
sums in an order that GPUs do not fix.
"""

import keras
from keras import ops

SAMPLING_RATIO = 2  # points of a bin along each axis; He et al. find the number of little effect


@keras.saving.register_keras_serializable("photoz_morph")
class RoIAlign(keras.layers.Layer):
    """Maps in boxes, resampled to `size` x `size` bins.

    Parameters
    ----------
    size : int
        Bins along each side of a box.
    stride : int
        Pixels of the image, in which boxes are given, in a pixel of the maps.
    """

    def __init__(self, size, stride=1, **kwargs):
        super().__init__(**kwargs)
        self.size, self.stride = size, stride

    def call(self, maps, boxes):
        """Resampled maps.

        Parameters
        ----------
        maps : tensor, shape (n, rows, columns, n_maps)
        boxes : tensor, shape (n, n_boxes, 4)
            In pixels of the image; they may reach beyond it.

        Returns
        -------
        tensor, shape (n, n_boxes, size, size, n_maps)
        """
        rows, columns = box_interpolation(boxes, ops.shape(maps)[1:3], self.size, self.stride)
        rows, columns = (ops.cast(weights, maps.dtype) for weights in (rows, columns))
        return ops.einsum("nkqw,nkpwc->nkpqc", columns, ops.einsum("nkph,nhwc->nkpwc", rows, maps))

    def compute_output_spec(self, maps, boxes):
        shape = (maps.shape[0], boxes.shape[1], self.size, self.size, maps.shape[-1])
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "stride": self.stride}


def box_interpolation(boxes, map_shape, size, stride=1):
    """Weights of the rows and columns of a map in the bins of boxes.

    Parameters
    ----------
    boxes : tensor, shape (..., 4)
        [pixel of the image]
    map_shape : tuple of int or int tensor
        Rows and columns of the map.
    size, stride : int
        As of `RoIAlign`.

    Returns
    -------
    tuple of tensor, shapes (..., size, rows) and (..., size, columns)
    """
    on_map = (ops.cast(boxes, "float32") + 0.5) / stride - 0.5  # the half pixels that Detectron2 calls `aligned`
    return tuple(
        _interpolation(on_map[..., axis], on_map[..., axis + 2], map_shape[axis], size) for axis in (0, 1)
    )


def _interpolation(start, end, n_pixels, size):
    """Weights of the pixels of an axis in equal bins between two places, shape (..., size, n_pixels)."""
    n_points = size * SAMPLING_RATIO
    fractions = (ops.arange(n_points, dtype="float32") + 0.5) / n_points
    points = start[..., None] + (end - start)[..., None] * fractions
    last = ops.cast(n_pixels, "float32") - 1
    # As Detectron2: the light beyond the edge is that of the edge for a pixel, then nothing.
    is_inside = ops.logical_and(points >= -1, points <= last + 1)
    points = ops.clip(points, 0.0, last)[..., None]
    weights = ops.maximum(1 - ops.abs(points - ops.cast(ops.arange(n_pixels, dtype="int32"), "float32")), 0.0)
    weights = ops.where(is_inside[..., None], weights, 0.0)
    shape = ops.shape(weights)
    return ops.mean(ops.reshape(weights, (*shape[:-2], size, SAMPLING_RATIO, shape[-1])), axis=-2)
