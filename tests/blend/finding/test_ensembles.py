import numpy as np
import pytest

from photoz_morph.blend.finding.ensembles import fused


def part(*rows):
    """Detections of a network from rows of box and score, the class probability of which is the score."""
    boxes = np.array([row[:4] for row in rows], np.float32).reshape(-1, 4)
    scores = np.array([row[4] for row in rows], np.float32)
    return {"boxes": boxes, "scores": scores, "probabilities": np.stack([1 - scores, scores], axis=-1)}


def test_boxes_of_two_networks_that_overlap_are_one_source():
    found = fused([part((0, 0, 10, 10, 0.9), (20, 20, 30, 30, 0.4)), part((0, 2, 10, 12, 0.6))])
    # By hand: (0.9 * 0 + 0.6 * 2) / 1.5 = 0.8; score (0.9 + 0.6) / 2; what one network alone sees, 0.4 / 2.
    np.testing.assert_allclose(found["boxes"], [[0, 0.8, 10, 10.8], [20, 20, 30, 30]], rtol=1e-6)
    np.testing.assert_allclose(found["scores"], [0.75, 0.2], rtol=1e-6)
    np.testing.assert_allclose(found["probabilities"][0, 1], (0.9**2 + 0.6**2) / 1.5, rtol=1e-6)


def test_a_source_takes_one_box_of_a_network_the_one_that_overlaps_it_most():
    found = fused([part((0, 0, 10, 10, 0.9)), part((0, 3, 10, 13, 0.8), (0, 1, 10, 11, 0.7))])
    assert len(found["scores"]) == 2 and found["scores"] == pytest.approx([0.8, 0.4])
    np.testing.assert_allclose(found["boxes"][1], [0, 3, 10, 13])


def test_the_best_are_kept_and_none_is_none():
    many = part(*((20 * k, 0, 20 * k + 10, 10, 0.1 + 0.1 * k) for k in range(5)))
    assert fused([many, part()], max_detections=3)["scores"] == pytest.approx([0.25, 0.2, 0.15])
    empty = fused([part(), part()])
    assert empty["boxes"].shape == (0, 4) and empty["probabilities"].shape == (0, 2)
