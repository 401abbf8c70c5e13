import numpy as np
import pytest

from photoz_morph.models.detection.yolo_loss import TERMS, YoloLoss, cell_boxes, grid_targets


def worked_case():
    """One image of 4 x 8 pixels: two cells of 4 pixels, two predictors, two classes; a source in the second cell.

    The true box has rows 0 to 2 and columns 4 to 7, edges -0.5, 3.5, 2.5, 7.5: a centre of y = 1, x = 5.5, which is
    (1 + 0.5) / 4 = 0.375 and (5.5 - 3.5) / 4 = 0.5 in the cell, and a size of 3 x 4. Sizes are in units of 4 pixels.
    """
    truth = np.zeros((1, 1, 2, 6))
    truth[0, 0, 1] = [1, -0.5, 3.5, 2.5, 7.5, 2]
    predictions = np.zeros((1, 1, 2, 12))
    # y, x, sqrt(h), sqrt(w), confidence
    predictions[0, 0, 0] = [0.5, 0.5, 0.5, 0.5, 0.1, 0.2, 0.2, 0.7, 0.7, 0.3, 0.5, 0.5]
    first = [0.5, 0.5, 1.0, 1.0, 0.6]  # centre (1.5, 5.5), 4 x 4: rows -0.5 to 3.5, IoU 12 / 16
    second = [0.875, 0.5, 0.5, 1.0, 0.4]  # centre (3, 5.5), 1 x 4: rows 2.5 to 3.5, IoU 0
    predictions[0, 0, 1] = [*first, *second, 0.3, 0.7]
    return truth, predictions


BY_HAND = {
    "centre": 5 * (0.375 - 0.5) ** 2,
    "size": 5 * (np.sqrt(3 / 4) - 1) ** 2,
    "object": (12 / 16 - 0.6) ** 2,
    "no_object": 0.5 * (0.1**2 + 0.3**2 + 0.4**2),
    "class": 0.3**2 + 0.3**2,
}


def test_each_term_by_hand():
    truth, predictions = worked_case()
    terms = YoloLoss(stride=4, n_boxes=2, size_unit=4.0).terms(truth, predictions.astype(np.float32))
    assert tuple(terms) == TERMS
    assert {name: float(value[0]) for name, value in terms.items()} == pytest.approx(BY_HAND, rel=1e-5)
    total = float(YoloLoss(stride=4, n_boxes=2, size_unit=4.0)(truth, predictions.astype(np.float32)))
    assert total == pytest.approx(sum(BY_HAND.values()), rel=1e-5)


def test_the_other_predictor_is_responsible_when_its_box_is_better():
    truth, predictions = worked_case()
    exchanged = predictions.copy()
    exchanged[..., 1, :5], exchanged[..., 1, 5:10] = predictions[..., 1, 5:10], predictions[..., 1, :5]
    losses = [YoloLoss(4, 2, 4.0).call(truth, values.astype(np.float32)) for values in (predictions, exchanged)]
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_a_perfect_prediction_costs_nothing():
    truth, predictions = worked_case()
    predictions[:] = 0
    predictions[0, 0, 1] = [0.375, 0.5, np.sqrt(3 / 4), 1, 1, *[0] * 5, 0, 1]
    assert float(YoloLoss(4, 2, 4.0)(truth, predictions.astype(np.float32))) == pytest.approx(0, abs=1e-10)


def test_the_confidence_aims_at_the_iou_but_moves_no_box():
    """C of the equation is a number: from the confidence alone the box has no gradient."""
    import tensorflow as tf

    truth, predictions = worked_case()
    predictions = tf.Variable(predictions.astype(np.float32))
    with tf.GradientTape() as tape:
        loss = YoloLoss(4, 2, 4.0).terms(truth, predictions)["object"]
    gradient = tape.gradient(loss, predictions).numpy()
    assert np.argwhere(gradient).tolist() == [[0, 0, 1, 4]]


def test_a_source_is_in_the_cell_of_its_centre_and_the_first_of_two_stays():
    boxes = np.array([[[-0.5, 3.5, 2.5, 7.5], [0, 4, 3, 7], [4.0, 0, 7, 3], [0, 0, 0, 0]]])
    found = np.array(grid_targets(boxes, np.array([[2, 1, 3, 0]]), (8, 8)))
    assert found[0, 0, 1].tolist() == [1, -0.5, 3.5, 2.5, 7.5, 2]
    assert found[0, 1, 0].tolist() == [1, 4, 0, 7, 3, 3]
    assert found[0, ..., 0].sum() == 2


def test_boxes_of_cells_count_from_the_edges_of_the_pixels():
    predicted = np.zeros((1, 2, 2, 1, 5), np.float32)
    predicted[0, 1, 0, 0] = [0.5, 0.25, np.sqrt(2), 1, 0]
    boxes = np.array(cell_boxes(predicted, 4, 4.0))
    # The cell has rows 4 to 7, from 3.5 to 7.5, and columns from -0.5.
    np.testing.assert_allclose(boxes[0, 1, 0, 0], [5.5 - 4, 0.5 - 2, 5.5 + 4, 0.5 + 2], rtol=1e-6)
