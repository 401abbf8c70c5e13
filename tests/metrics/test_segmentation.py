from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, jaccard_score

from photoz_morph.metrics.completeness import ratio
from photoz_morph.metrics.group_errors import group_bootstrap
from photoz_morph.metrics.segmentation import (
    class_confusion,
    class_iou,
    class_pixels,
    foreground_iou,
    match_segments,
    overlap_counts,
    panoptic_quality,
    panoptic_terms,
    source_pixels,
    source_terms,
)


def strips(*widths, height=2):
    """Map of one row of sources: strips of some widths, 0, 1, 2 ... from the left."""
    return np.tile(np.repeat(np.arange(len(widths)), widths), (height, 1))


@pytest.mark.parametrize("seed", range(3))
def test_iou_of_classes_is_the_jaccard_score_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    truth, predicted = rng.integers(0, 5, (2, 3, 20, 20))
    predicted = np.where(rng.random(truth.shape) < 0.6, truth, predicted)
    confusion = sum(class_confusion(*maps, 5) for maps in zip(truth, predicted))
    np.testing.assert_array_equal(confusion, confusion_matrix(truth.ravel(), predicted.ravel()))
    np.testing.assert_allclose(class_iou(confusion), jaccard_score(truth.ravel(), predicted.ravel(), average=None))
    assert foreground_iou(confusion) == pytest.approx(jaccard_score(truth.ravel() > 0, predicted.ravel() > 0))


def test_a_class_that_is_nowhere_has_no_iou():
    iou = class_iou(class_confusion(np.array([[0, 1], [0, 0]]), np.array([[0, 1], [1, 0]]), 3))
    assert iou[:2].tolist() == [2 / 3, 1 / 2] and np.isnan(iou[2])


def test_sources_are_matched_one_to_one_by_hand():
    truth = strips(2, 6, 4)  # background, then sources of 12 and 8 pixels
    predicted = strips(1, 5, 6)  # the background loses a column, and the border lies two to the left
    counts = overlap_counts(truth, predicted)
    assert counts.tolist() == [[2, 2, 0], [0, 8, 4], [0, 0, 8]]
    partner, iou = match_segments(counts)
    assert partner.tolist() == [1, 2]
    np.testing.assert_allclose(iou, [8 / 14, 8 / 12])
    iou, pixels = source_pixels(truth, predicted, 3)
    assert pixels.tolist() == [[8, 12, 10], [8, 8, 12], [0, 0, 0]]
    assert np.isnan(iou[2])  # a source behind another has no pixel


def test_one_segment_over_two_sources_counts_for_the_one_it_covers_better():
    iou, pixels = source_pixels(strips(0, 3, 5), strips(0, 8), 2)
    assert iou.tolist() == [0, 5 / 8]
    assert pixels.tolist() == [[0, 6, 0], [10, 10, 16]]


@pytest.mark.parametrize("seed", range(5))
def test_no_pairing_has_a_larger_sum_of_iou(seed):
    rng = np.random.default_rng(seed)
    truth, predicted = rng.integers(0, 5, (2, 6, 6))
    counts = overlap_counts(truth, predicted)
    union = counts.sum(axis=1)[1:, None] + counts.sum(axis=0)[None, 1:] - counts[1:, 1:]
    iou = counts[1:, 1:] / union
    best = max(sum(iou[row, column] for row, column in enumerate(columns)) for columns in permutations(range(4)))
    assert match_segments(counts)[1].sum() == pytest.approx(best)


def test_completeness_and_purity_of_pixels_in_bins_of_magnitude():
    _, pixels = source_pixels(strips(2, 6, 4), strips(1, 5, 6), 2)
    magnitude = np.array([20.0, 24])
    completeness = ratio(source_terms(pixels[:, [0, 1]], magnitude, [19, 22, 25]))
    purity = ratio(source_terms(pixels[:, [0, 2]], magnitude, [19, 22, 25]))
    assert completeness.tolist() == [8 / 12, 1] and purity.tolist() == [8 / 10, 8 / 12]
    assert ratio(source_terms(pixels[:, [0, 1]], magnitude, [19, 24])).tolist() == [16 / 20]  # the last edge is inside
    iou = np.array([[0.5, 1], [np.nan, 1]])
    assert source_terms(iou, magnitude, [19, 25]).tolist() == [[0.5, 1]]


def test_mean_iou_is_bootstrapped_over_images():
    rng = np.random.default_rng(1)
    values = rng.random((300, 4))
    terms = np.stack([source_terms(np.stack([row, np.ones(4)], axis=1), np.ones(4), [0, 2])[0] for row in values])
    error = np.std(group_bootstrap(ratio, terms, np.arange(300)))
    assert ratio(terms.sum(axis=0)) == pytest.approx(values.mean())
    assert error == pytest.approx(np.std(values.mean(axis=1)) / np.sqrt(300), rel=0.1)  # 2 % from 1,000 resamples


def test_pixels_of_sources_in_a_class_map():
    truth = strips(1, 3, 2)
    predicted = np.array([[0, 2, 2, 0, 1, 1], [1, 2, 3, 3, 1, 0]])
    assert class_pixels(truth, predicted, [2, 1, 3]).tolist() == [[3, 5, 6], [3, 3, 4], [0, 0, 0]]


def test_panoptic_quality_worked_by_hand():
    truth = strips(2, 6, 4, 4)
    predicted = strips(1, 5, 6, 2, 2)
    # Class 1: sources 1 and 3; class 2: source 2. Matched: 1 with 1 (8 / 14) and 2 with 2 (8 / 12). Predicted 3 and 4
    # halve source 3, and a half is no match: two false ones and a missed one.
    terms = panoptic_terms(truth, predicted, [1, 2, 1], [1, 2, 1, 1], 4)
    np.testing.assert_allclose(terms, [[8 / 14, 1, 2, 1], [8 / 12, 1, 0, 0], [0, 0, 0, 0]])
    quality = panoptic_quality(terms)
    np.testing.assert_allclose(quality[:2], [8 / 14 / (1 + 1.5), 8 / 12])
    assert np.isnan(quality[2])
    # A match of the wrong class is none.
    wrong = panoptic_terms(truth, predicted, [1, 2, 1], [1, 1, 1, 1], 4)
    np.testing.assert_allclose(wrong, [[8 / 14, 1, 3, 1], [0, 0, 0, 1], [0, 0, 0, 0]])


def test_void_pixels_belong_to_no_union_and_predictions_in_them_are_not_false():
    truth = strips(2, 6, 4, 4)
    predicted = strips(1, 5, 6, 2, 2)
    terms = panoptic_terms(truth, predicted, [1, 2, 1], [1, 2, 1, 1], 3, is_target=np.array([True, True, False]))
    np.testing.assert_allclose(terms, [[8 / 14, 1, 0, 0], [8 / 12, 1, 0, 0]])
    # Without the void the second prediction is 8 of 8 pixels.
    no_first = panoptic_terms(truth, predicted, [1, 2, 1], [1, 2, 1, 1], 3, is_target=np.array([False, True, True]))
    np.testing.assert_allclose(no_first, [[0, 0, 2, 1], [1, 1, 0, 0]])


def test_a_perfect_segmentation_has_quality_one():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 6, (12, 12))
    label = rng.integers(1, 3, 5)
    assert panoptic_quality(panoptic_terms(truth, truth, label, label, 3)).tolist() == [1, 1]
    assert source_pixels(truth, truth, 5)[0].tolist() == [1] * 5


def test_maps_without_sources():
    empty = np.zeros((4, 4), int)
    assert source_pixels(empty, empty, 2)[1].sum() == 0
    iou, _ = source_pixels(np.ones((4, 4), int), empty, 1)
    assert iou.tolist() == [0]
    assert panoptic_terms(empty, np.ones((4, 4), int), [], [1], 2).tolist() == [[0, 0, 1, 0]]


def test_maps_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match=r"the true map has shape \(2, 2\), the predicted one \(3, 3\)"):
        class_confusion(np.zeros((2, 2), int), np.zeros((3, 3), int), 5)
    with pytest.raises(ValueError, match="predicted has classes 0 to 7, needs 0 to 4"):
        class_confusion(np.zeros((1, 2), int), np.array([[0, 7]]), 5)
    with pytest.raises(ValueError, match="the map has source 3, its table 2 rows"):
        source_pixels(np.full((2, 2), 3), np.zeros((2, 2), int), 2)
