"""A one-stage detector on a grid, after YOLO (Redmon et al. 2016, arXiv 1506.02640): a box and a class for each cell.

Maps of a U-Net, whose decoder ends at the cells, and a layer of 1x1 convolutions that predicts for each cell what
`detection.yolo_loss` compares with the truth. The paper's cells have 64 pixels and hold one source each; where more
than half of the galaxies overlap others the cells must be 4 pixels or less.
"""

import keras
from keras import layers, ops

from photoz_morph.models.detection.suppression import suppress
from photoz_morph.models.detection.yolo_loss import PER_BOX, cell_boxes, split_predictions
from photoz_morph.models.layers.blocks import convolution, image_input, layer_seeds
from photoz_morph.models.unet import feature_maps

MAX_STRIDE = 4


def grid_detector(
    image_shape=(128, 128, 3), n_classes=4, n_boxes=2, stride=4, width=16, depth=4, upsampling="transposed", seed=0,
    scaling=None,
):  # fmt: skip
    """Detector with `n_boxes` predictors for each cell of `stride` x `stride` pixels.

    Parameters
    ----------
    image_shape : tuple of int
        Rows, columns, bands; rows and columns may be None.
    n_classes : int
        Without the background.
    n_boxes : int
        Predictors of a cell, B of the paper.
    stride : int
        Side of a cell [pixel]: 1, 2 or 4.
    width, depth, upsampling
        As of `models.unet.unet`.
    seed : int
        Of the weights.
    scaling : ArcsinhScaling, optional
        First layer of the network.

    Returns
    -------
    keras.Model
        {"image"} to a tensor (n, rows / stride, columns / stride, n_boxes * 5 + n_classes), float32, see
        `GridPredictions`; train it with `YoloLoss(stride, n_boxes)` on `grid_targets`.

    Raises
    ------
    ValueError
        If the cells are larger, or the image cannot be halved `depth` times.
    """
    if stride > MAX_STRIDE:
        raise ValueError(f"model.stride is {stride}: several sources would share a cell; choose 1, 2 or {MAX_STRIDE}")
    seeds = layer_seeds(seed)
    inputs, pixels = image_input(image_shape, scaling)
    maps = feature_maps(pixels, width, depth, upsampling, seeds, stride)
    maps = layers.ReLU(name="head_relu")(convolution(maps, maps.shape[-1], 3, next(seeds), "head_conv", bias=True))
    weights = keras.initializers.RandomNormal(0.0, 0.01, seed=next(seeds))
    outputs = layers.Conv2D(
        n_boxes * PER_BOX + n_classes, 1, kernel_initializer=weights, dtype="float32", name="head"
    )(maps)
    predictions = GridPredictions(n_boxes, dtype="float32", name="predictions")(outputs)
    return keras.Model(inputs, predictions, name="grid_detector")


@keras.saving.register_keras_serializable("photoz_morph")
class GridPredictions(layers.Layer):
    """Predictions of cells from linear outputs, in the order in which the loss reads them.

    For each predictor y, x in units of the cell, within it; the square roots of height and width in `size_unit` of the
    loss; and the confidence. Then the class probabilities of the cell.

    Parameters
    ----------
    n_boxes : int
        Predictors of a cell.

    Notes
    -----
    The paper's last layer is linear. Sigmoids keep centres in their cell and confidences in [0, 1], as in YOLOv2, and
    a softmax makes probabilities of the class scores.
    """

    def __init__(self, n_boxes, **kwargs):
        super().__init__(**kwargs)
        self.n_boxes = n_boxes

    def call(self, outputs):
        boxes, scores = split_predictions(outputs, self.n_boxes)
        place, size, confidence = ops.split(boxes, (2, 4), axis=-1)
        # A fresh network predicts boxes of half the unit, and a confidence of 0.02: most cells are empty.
        boxes = ops.concatenate([ops.sigmoid(place), ops.softplus(size), ops.sigmoid(confidence - 4.0)], axis=-1)
        boxes = ops.reshape(boxes, (*ops.shape(outputs)[:-1], self.n_boxes * PER_BOX))
        return ops.concatenate([boxes, ops.softmax(scores)], axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "n_boxes": self.n_boxes}


def grid_detections(
    predictions, stride=4, n_boxes=2, size_unit=32.0, max_detections=100, max_iou=0.5, min_score=0.0, n_candidates=400
):
    """Detections of the predictions of a grid detector.

    Parameters
    ----------
    predictions : tensor, shape (n, rows, columns, n_boxes * 5 + n_classes)
    stride, n_boxes, size_unit
        As of the loss.
    max_detections : int
    max_iou : float
        Boxes that overlap a better one more than this are dropped, of whatever class: a source has one.
    min_score : float
        Detections have a higher score.
    n_candidates : int
        Best boxes that are compared with each other.

    Returns
    -------
    dict of str to tensor
        Detections, with `probabilities` (n, max_detections, n_classes + 1), background first, which is 0; the score is
        the confidence times the largest class probability (Redmon et al. 2016, Eq. 1).
    """
    predicted, probabilities = split_predictions(predictions, n_boxes)
    n_cells = predictions.shape[1] * predictions.shape[2]
    boxes = ops.reshape(cell_boxes(predicted, stride, size_unit), (-1, n_cells * n_boxes, 4))
    scores = predicted[..., 4] * ops.max(probabilities, axis=-1, keepdims=True)
    scores = ops.reshape(scores, (-1, n_cells * n_boxes))
    n_classes = probabilities.shape[-1]
    probabilities = ops.repeat(ops.reshape(probabilities, (-1, n_cells, n_classes)), n_boxes, axis=1)
    if n_cells * n_boxes > n_candidates:
        scores, best = ops.top_k(scores, n_candidates)
        boxes = ops.take_along_axis(boxes, best[..., None], axis=1)
        probabilities = ops.take_along_axis(probabilities, best[..., None], axis=1)
    found = suppress(boxes, scores, max_detections, max_iou, min_score=min_score)
    probabilities = ops.take_along_axis(probabilities, found.pop("index")[..., None], axis=1)
    probabilities = ops.where(found["is_valid"][..., None], probabilities, 0.0)
    classes = ops.cast(ops.argmax(probabilities, axis=-1) + 1, "int32")
    background = ops.zeros_like(probabilities[..., :1])
    return {
        **found,
        "classes": ops.where(found["is_valid"], classes, 0),
        "probabilities": ops.concatenate([background, probabilities], axis=-1),
    }
