import numpy as np
import pytest

from photoz_morph.models.detection.peaks import edge_distances, heat_map, peaks_to_detections
from tests.support.scenes import box_overlaps, gaussian_field


def test_true_maps_give_back_the_boxes_and_classes():
    field = gaussian_field(8, side=48, n_sources=4, seed=3)
    heat = heat_map(field["centres"], field["boxes"], field["classes"], (48, 48), n_classes=2)
    distances = edge_distances(field["centres"], field["boxes"], field["classes"] > 0, (48, 48))
    found = peaks_to_detections(heat, np.nan_to_num(distances), max_detections=10, min_score=0.99)
    for row in range(8):
        is_true, is_valid = field["classes"][row] > 0, np.array(found["is_valid"][row])
        assert is_valid.sum() == is_true.sum()
        order = box_overlaps(field["boxes"][row][is_true], np.array(found["boxes"][row])[is_valid]).argmax(axis=1)
        np.testing.assert_allclose(np.array(found["boxes"][row])[order], field["boxes"][row][is_true], atol=1e-4)
        np.testing.assert_array_equal(np.array(found["classes"][row])[order], field["classes"][row][is_true])
        np.testing.assert_array_equal(np.array(found["centres"][row])[order], field["centres"][row][is_true].round())
        assert not np.any(np.array(found["classes"][row])[~is_valid])


def test_the_heat_at_a_third_of_the_allowed_shift_is_that_of_one_sigma():
    """A shift of r leaves a box of 20 x 20 pixels an IoU of 0.7 where (20 - r)^2 / (800 - (20 - r)^2) is 0.7."""
    r = 20 - np.sqrt(800 * 0.7 / 1.7)
    heat = np.array(heat_map(np.array([[[15.0, 15.0]]]), np.array([[[5.0, 5, 25, 25]]]), np.array([[1]]), (31, 31)))
    assert heat[0, 15, 15, 0] == 1
    assert heat[0, 15, 16, 0] == pytest.approx(np.exp(-1 / (2 * (r / 3) ** 2)), rel=1e-4)


def test_overlapping_sources_of_one_map_take_the_larger_value():
    centres, boxes = np.array([[[5.0, 5.0], [5.0, 8.0]]]), np.array([[[1.0, 1, 9, 9], [1, 4, 9, 12]]])
    together = np.array(heat_map(centres, boxes, np.array([[1, 2]]), (12, 14)))
    each = [np.array(heat_map(centres, boxes, np.array([row]), (12, 14))) for row in ([1, 0], [0, 2])]
    np.testing.assert_array_equal(together, np.maximum(*each))


def test_of_two_sources_on_one_pixel_the_first_gives_the_distances():
    centres, boxes = np.array([[[5.2, 5.0], [4.9, 5.1]]]), np.array([[[1.0, 1, 9, 9], [3, 3, 8, 9]]])
    found = np.array(edge_distances(centres, boxes, np.array([[True, True]]), (8, 8)))
    np.testing.assert_allclose(found[0, 5, 5], [4, 4, 4, 4])
    assert np.isnan(found).all(axis=-1).sum() == 63


def test_peaks_that_overlap_a_better_one_are_dropped_if_wanted():
    heat, reach = np.zeros((1, 9, 9, 1), np.float32), np.full((1, 9, 9, 4), 3, np.float32)
    heat[0, 4, 3], heat[0, 4, 5] = 0.9, 0.8
    assert peaks_to_detections(heat, reach, 5)["is_valid"].numpy().sum() == 2
    assert peaks_to_detections(heat, reach, 5, max_iou=0.3)["is_valid"].numpy().sum() == 1
