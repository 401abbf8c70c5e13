"""The loss of a one-stage detector on a grid: YOLO (Redmon et al. 2016, arXiv 1506.02640), Eq. 3.

The image is divided into cells; that in which the centre of a source lies is responsible for it. Each cell has B
predictors of a box and of its confidence, and one set of class probabilities. In the equation i counts cells, j
predictors, 1_i^obj is 1 for cells with a source, 1_ij^obj for that predictor of these whose box has the larger IoU:

    lambda_coord sum_ij 1_ij^obj [(x_i - x^_i)^2 + (y_i - y^_i)^2]                               `centre`
    + lambda_coord sum_ij 1_ij^obj [(w_i^1/2 - w^_i^1/2)^2 + (h_i^1/2 - h^_i^1/2)^2]             `size`
    + sum_ij 1_ij^obj (C_i - C^_i)^2                                                            `object`
    + lambda_noobj sum_ij 1_ij^noobj (C_i - C^_i)^2                                             `no_object`
    + sum_i 1_i^obj sum_c (p_i(c) - p^_i(c))^2                                                  `class`

x and y are in units of the cell and count from its edge, as in the paper. w and h are in units of `size_unit`, where
the paper has the side of the image, since this network takes images of any size. C is the IoU of the predicted box
with the true one, and 0 where 1_ij^obj is. A loss is that of an image, the sum over its cells.
"""

import keras
from keras import ops

from photoz_morph.models.detection.boxes import iou

PER_BOX = 5  # y, x, sqrt(h), sqrt(w), confidence
TERMS = ("centre", "size", "object", "no_object", "class")


@keras.saving.register_keras_serializable("photoz_morph")
class YoloLoss(keras.losses.Loss):
    """Sum of the five terms, one value for an image.

    Parameters
    ----------
    stride : int
        Side of a cell [pixel].
    n_boxes : int
        Predictors of a cell.
    size_unit : float
        Unit of the sizes of boxes [pixel].
    coord_weight, noobj_weight : float
        lambda_coord and lambda_noobj.
    name : str
    """

    def __init__(
        self, stride=4, n_boxes=2, size_unit=32.0, coord_weight=5.0, noobj_weight=0.5, name="yolo_loss", **kwargs
    ):
        super().__init__(name=name, **kwargs)
        self.stride, self.n_boxes, self.size_unit = stride, n_boxes, size_unit
        self.coord_weight, self.noobj_weight = coord_weight, noobj_weight

    def call(self, y_true, y_pred):
        """Loss of each image, shape (n,), of `grid_targets` and predictions of a grid detector."""
        return sum(self.terms(y_true, y_pred).values())

    def terms(self, y_true, y_pred):
        """Terms of the equation with their weights.

        Parameters
        ----------
        y_true : tensor, shape (n, rows, columns, 6)
            From `grid_targets`.
        y_pred : tensor, shape (n, rows, columns, n_boxes * 5 + n_classes)
            From a grid detector.

        Returns
        -------
        dict of str to tensor, shape (n,)
            By the names of `TERMS`.
        """
        predicted, probabilities = split_predictions(y_pred, self.n_boxes)
        y_true = ops.cast(y_true, predicted.dtype)
        is_object, box, number = y_true[..., 0], y_true[..., None, 1:5], y_true[..., 5]
        boxes = cell_boxes(predicted, self.stride, self.size_unit)
        overlap = ops.stop_gradient(iou(boxes, box)[..., 0])  # (n, rows, columns, n_boxes)
        is_best = ops.one_hot(ops.argmax(overlap, axis=-1), self.n_boxes, dtype=predicted.dtype)
        responsible = is_object[..., None] * is_best  # 1_ij^obj
        place, size = in_cells(box, self.stride, self.size_unit)
        confidence = predicted[..., 4]
        wanted = ops.cast(
            ops.cast(number, "int32")[..., None] == ops.arange(1, probabilities.shape[-1] + 1), predicted.dtype
        )
        return {
            "centre": self.coord_weight * _sum(responsible * _sum_of_squares(place - predicted[..., 0:2])),
            "size": self.coord_weight * _sum(responsible * _sum_of_squares(ops.sqrt(size) - predicted[..., 2:4])),
            "object": _sum(responsible * ops.square(overlap - confidence)),
            "no_object": self.noobj_weight * _sum((1 - responsible) * ops.square(confidence)),
            "class": _sum(is_object * _sum_of_squares(wanted - probabilities)),
        }

    def get_config(self):
        names = ("stride", "n_boxes", "size_unit", "coord_weight", "noobj_weight")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def grid_targets(boxes, classes, shape, stride=4):
    """True sources on the grid.

    Parameters
    ----------
    boxes : tensor, shape (n, n_sources, 4)
    classes : int tensor, shape (n, n_sources)
        From 1; 0 for rows that fill the array.
    shape : tuple of int
        Rows and columns of the image.
    stride : int
        Side of a cell [pixel].

    Returns
    -------
    tensor, shape (n, rows / stride, columns / stride, 6)
        Whether there is a source, its box [pixel] and class. A cell holds one source, the first whose centre lies in
        it, so sort sources by brightness; with a stride of 4 and 40 sources in 128 x 128 pixels 2 % share a cell.
    """
    boxes = ops.cast(boxes, "float32")
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    cells = ops.floor((centres + 0.5) / stride)
    n_rows, n_columns = (side // stride for side in shape)
    rows, columns = (ops.arange(size, dtype="float32") for size in (n_rows, n_columns))
    is_here = ops.logical_and(cells[..., 0, None, None] == rows[:, None], cells[..., 1, None, None] == columns)
    is_here = ops.logical_and(is_here, (classes > 0)[..., None, None])  # (n, n_sources, rows, columns)
    truth = ops.concatenate([ops.ones_like(boxes[..., :1]), boxes, ops.cast(classes, "float32")[..., None]], axis=-1)
    first = ops.reshape(ops.argmax(is_here, axis=1), (ops.shape(boxes)[0], n_rows * n_columns, 1))
    values = ops.reshape(ops.take_along_axis(truth, first, axis=1), (ops.shape(boxes)[0], n_rows, n_columns, 6))
    return ops.where(ops.any(is_here, axis=1)[..., None], values, 0.0)


def split_predictions(predictions, n_boxes):
    """Boxes (..., n_boxes, 5) and class probabilities (..., n_classes) of the predictions of cells."""
    shape = (*ops.shape(predictions)[:-1], n_boxes, PER_BOX)
    return ops.reshape(predictions[..., : n_boxes * PER_BOX], shape), predictions[..., n_boxes * PER_BOX :]


def cell_boxes(predicted, stride, size_unit):
    """Boxes [pixel] of predictors, shape (n, rows, columns, n_boxes, 4), from (n, rows, columns, n_boxes, 5)."""
    corners = _corners(ops.shape(predicted)[1:3], stride)
    centres = corners[:, :, None] + predicted[..., 0:2] * stride
    half = ops.square(predicted[..., 2:4]) * size_unit / 2
    return ops.concatenate([centres - half, centres + half], axis=-1)


def in_cells(boxes, stride, size_unit):
    """Centres in units of the cell and sizes in `size_unit` of boxes (n, rows, columns, k, 4), both (..., 2)."""
    corners = _corners(ops.shape(boxes)[1:3], stride)
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    return (centres - corners[:, :, None]) / stride, ops.maximum(boxes[..., 2:] - boxes[..., :2], 0.0) / size_unit


def _corners(shape, stride):
    """Lower edges of the cells, shape (rows, columns, 2) [pixel]."""
    rows, columns = (ops.cast(ops.arange(size), "float32") * stride - 0.5 for size in shape)
    return ops.stack(ops.meshgrid(rows, columns, indexing="ij"), axis=-1)


def _sum(values):
    """Sum over all but the first axis."""
    return ops.sum(values, axis=tuple(range(1, len(values.shape))))


def _sum_of_squares(values):
    """Sum of squares over the last axis."""
    return ops.sum(ops.square(values), axis=-1)
