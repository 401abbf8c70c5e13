import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoz_morph.models.detection.suppression import suppress
from tests.support.scenes import box_overlaps


def greedy(boxes, scores, max_iou, classes=None, min_score=0.0):
    """Rows that are kept, best first, one box after the other."""
    kept = []
    overlaps = box_overlaps(boxes, boxes)
    for row in np.argsort(-scores, kind="stable"):
        rivals = [other for other in kept if classes is None or classes[other] == classes[row]]
        if scores[row] > min_score and all(overlaps[row, other] <= max_iou for other in rivals):
            kept.append(row)
    return kept


def crowd(n_images, n_boxes, seed):
    """Boxes so close that chains of them depend on each other; some scores are equal."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 12, (n_images, n_boxes, 2))
    boxes = np.concatenate([start, start + rng.uniform(3, 9, (n_images, n_boxes, 2))], axis=-1).astype(np.float32)
    scores = rng.integers(0, 40, (n_images, n_boxes)).astype(np.float32) / 40
    return boxes, scores, rng.integers(1, 4, (n_images, n_boxes))


@settings(max_examples=25)  # eager passes are slow
@given(st.integers(0, 10**6), st.sampled_from([0.1, 0.3, 0.5, 0.7]), st.booleans())
def test_keeps_what_the_greedy_rule_keeps(seed, max_iou, with_classes):
    boxes, scores, classes = crowd(2, 24, seed)
    found = suppress(boxes, scores, 24, max_iou, classes if with_classes else None, min_score=0.2)
    for row in range(2):
        kept = greedy(boxes[row], scores[row], max_iou, classes[row] if with_classes else None, 0.2)
        is_valid = np.array(found["is_valid"][row])
        assert np.array(found["index"][row])[is_valid].tolist() == kept
        assert is_valid.tolist() == [True] * len(kept) + [False] * (24 - len(kept))
        np.testing.assert_array_equal(np.array(found["boxes"][row])[: len(kept)], boxes[row][kept])
        np.testing.assert_array_equal(np.array(found["scores"][row])[: len(kept)], scores[row][kept])


def test_a_box_that_is_suppressed_suppresses_none():
    """A chain: the second overlaps the first and the third the second, so the third is kept."""
    boxes = np.array([[[0, x, 10, x + 10] for x in (0.0, 4.0, 8.0, 12.0)]], np.float32)
    scores = np.array([[0.9, 0.8, 0.7, 0.6]], np.float32)
    assert suppress(boxes, scores, 4, 0.3)["is_valid"].numpy().tolist() == [[True, True, False, False]]
    assert suppress(boxes, scores, 4, 0.3)["index"].numpy().tolist() == [[0, 2, 0, 0]]


@pytest.mark.parametrize("n", [2, 30])
def test_the_output_has_the_size_asked_for(n):
    boxes, scores, _ = crowd(3, 10, seed=4)
    found = suppress(boxes, scores, n, 0.4)
    assert found["boxes"].shape == (3, n, 4) and found["scores"].shape == found["index"].shape == (3, n)
    for row in range(3):
        kept = greedy(boxes[row], scores[row], 0.4)[:n]
        assert np.array(found["index"][row])[np.array(found["is_valid"][row])].tolist() == kept
        assert not np.any(found["boxes"][row, len(kept) :]) and not np.any(found["scores"][row, len(kept) :])
