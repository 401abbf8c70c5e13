import numpy as np
import pytest

from photoz_morph.models.detection.anchors import anchor_boxes, anchor_shapes
from photoz_morph.models.detection.boxes import areas, clipped, decoded, encoded, iou
from tests.support.scenes import box_overlaps


def random_boxes(*shape, seed=1):
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 20, (*shape, 2))
    return np.concatenate([start, start + rng.uniform(0.5, 15, (*shape, 2))], axis=-1).astype(np.float32)


def test_iou_by_hand():
    box = np.array([[-0.5, -0.5, 3.5, 3.5]], np.float32)  # 4 x 4 pixels
    others = np.array([[1.5, 1.5, 5.5, 5.5], [-0.5, -0.5, 3.5, 1.5], [4.0, 4.0, 5.0, 5.0], [1, 1, 1, 1]], np.float32)
    np.testing.assert_allclose(iou(box, others)[0], [4 / 28, 0.5, 0, 0], rtol=1e-6)
    assert areas(box)[0] == 16 and float(iou(others[3:], others[3:])[0, 0]) == 0


def test_iou_of_a_batch_is_that_of_each_pair():
    boxes, others = random_boxes(3, 7), random_boxes(3, 5, seed=2)
    expected = [box_overlaps(*pair) for pair in zip(boxes, others)]
    np.testing.assert_allclose(iou(boxes, others), expected, atol=1e-6)


def test_offsets_by_hand_and_back():
    anchor, box = np.array([0.0, 0, 10, 20], np.float32), np.array([6.0, 5, 11, 45], np.float32)
    # Centres (5, 10) and (8.5, 25); sizes (10, 20) and (5, 40).
    np.testing.assert_allclose(encoded(box, anchor), [0.35, 0.75, np.log(0.5), np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(encoded(box, anchor, (0.1, 0.2))[1:3], [7.5, 5 * np.log(0.5)], rtol=1e-6)
    boxes, anchors = random_boxes(50), random_boxes(50, seed=2)
    np.testing.assert_allclose(decoded(encoded(boxes, anchors, (0.1, 0.2)), anchors, (0.1, 0.2)), boxes, atol=1e-4)


def test_an_absurd_offset_and_an_empty_box_stay_finite():
    anchor = np.array([0.0, 0, 10, 10], np.float32)
    assert np.ptp(decoded(np.array([0, 0, 500, 0], np.float32), anchor)) == pytest.approx(10 * 62.5, rel=1e-5)
    assert np.isfinite(encoded(np.zeros(4, np.float32), anchor)).all()


def test_clipped_boxes_end_at_the_edges_of_the_pixels():
    found = clipped(np.array([[-3.0, 2, 40, 70], [1, 2, 3, 4]], np.float32), (32, 64))
    np.testing.assert_array_equal(found, [[-0.5, 2, 31.5, 63.5], [1, 2, 3, 4]])


def test_anchors_are_centred_on_the_pixels_of_the_map_and_have_the_areas_asked_for():
    shapes = anchor_shapes((8, 16), (0.5, 2))
    np.testing.assert_allclose(shapes.prod(axis=1), [64, 64, 256, 256], rtol=1e-6)
    np.testing.assert_allclose(shapes[:, 0] / shapes[:, 1], [0.5, 2, 0.5, 2], rtol=1e-6)
    boxes = np.array(anchor_boxes((2, 3), 4, (8, 16), (0.5, 2))).reshape(2, 3, 4, 4)
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    # A pixel of stride 4 holds rows 0 to 3, whose middle is at 1.5.
    np.testing.assert_allclose(centres[:, :, 0, 0], [[1.5] * 3, [5.5] * 3], atol=1e-6)
    np.testing.assert_allclose(centres[:, :, 3, 1], [[1.5, 5.5, 9.5]] * 2, atol=1e-6)
    np.testing.assert_allclose(boxes[1, 2, :, 2:] - boxes[1, 2, :, :2], shapes, atol=1e-5)
