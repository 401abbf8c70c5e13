import numpy as np
import pytest

from photoz_morph.metrics.completeness import (
    column_of,
    completeness_at_purity,
    completeness_terms,
    nearest_truth,
    purity_terms,
    ratio,
    score_at_purity,
)
from photoz_morph.metrics.detection import match_images
from photoz_morph.metrics.group_errors import group_bootstrap


def two_images():
    """Five targets and a source that is none, at magnitudes 20 to 25; seven detections, two of them false."""
    truths = [
        {"y": np.array([5.0, 5, 30]), "x": np.array([5.0, 30, 30]), "magnitude": np.array([20.0, 22, 24]),
         "is_target": np.array([True, True, True])},
        {"y": np.array([10.0, 40, 40]), "x": np.array([10.0, 10, 40]), "magnitude": np.array([21.0, 24.5, 25]),
         "is_target": np.array([True, True, False])},
    ]  # fmt: skip
    detections = [
        {"y": np.array([5.0, 5, 7, 60]), "x": np.array([5.0, 30, 33, 60]), "score": np.array([9.0, 8, 7, 1]),
         "magnitude": np.array([20.0, 22, 24, 24])},
        {"y": np.array([10.0, 40, 40]), "x": np.array([10.0, 10, 40]), "score": np.array([9.5, 2, 3]),
         "magnitude": np.array([21.0, 24, 25])},
    ]  # fmt: skip
    return detections, truths, match_images(detections, truths, [1.0], by="position")


def test_completeness_and_purity_in_bins_by_hand():
    detections, truths, matches = two_images()
    edges = [19, 23, 26]
    faint = column_of(truths, "magnitude", matches.truth_image, matches.truth_row)
    terms = completeness_terms(matches, faint, edges)
    assert terms.tolist() == [[[2, 2], [0, 1]], [[1, 1], [1, 1]]]  # the source at 25 mag is no target
    assert ratio(terms.sum(axis=0)).tolist() == [1, 1 / 2]
    measured = column_of(detections, "magnitude", matches.image, matches.row)
    terms = purity_terms(matches, measured, edges)
    assert terms.tolist() == [[[2, 2], [0, 2]], [[1, 1], [1, 1]]]  # its detection does not count either
    assert ratio(terms.sum(axis=0)).tolist() == [1, 1 / 3]
    high = purity_terms(matches, measured, edges, score_threshold=7.5)
    assert high.sum(axis=0).tolist() == [[3, 3], [0, 0]] and np.isnan(ratio(high.sum(axis=0))[1])
    assert completeness_terms(matches, faint, edges, score_threshold=9).sum(axis=0).tolist() == [[2, 3], [0, 2]]


def test_bins_have_their_lower_edge_and_the_last_both():
    _, _, matches = two_images()
    terms = completeness_terms(matches, np.array([1.0, 2, 3, np.nan, 0.5, 2]), [1, 2, 3])
    assert terms[..., 1].sum(axis=0).tolist() == [1, 2]


def test_threshold_at_a_purity_is_the_lowest_that_has_it():
    _, _, matches = two_images()
    # By score: true 9.5, true 9, true 8, false 7, ignored 3, true 2, false 1: purities 1, 1, 1, 3/4, 3/4, 4/5, 4/6.
    assert score_at_purity(matches, 1.0) == 8
    assert score_at_purity(matches, 0.8) == 2
    assert score_at_purity(matches, 0.6) == 1
    assert completeness_at_purity(matches, 1.0) == pytest.approx(3 / 5)
    assert completeness_at_purity(matches, 0.8) == pytest.approx(4 / 5)
    assert completeness_at_purity(matches, 0.8, is_counted=np.array([0, 0, 1, 0, 1, 1], bool)) == pytest.approx(1 / 2)
    # The second image alone has no false detection.
    assert score_at_purity(matches, 1.0, weights=[0, 1]) == 2
    assert completeness_at_purity(matches, 1.0, np.array([[0, 1], [1, 0]])).tolist() == [1, 2 / 3]


def test_a_threshold_keeps_all_detections_of_one_score():
    truths = [{"y": np.zeros(1), "x": np.zeros(1)}]
    detections = [{"y": np.array([0.0, 50]), "x": np.array([0.0, 50]), "score": np.array([1.0, 1])}]
    matches = match_images(detections, truths, [1.0], by="position")
    assert score_at_purity(matches, 0.5) == 1 and score_at_purity(matches, 0.6) == np.inf
    assert completeness_at_purity(matches, 0.6) == 0
    with pytest.raises(ValueError, match="purity is 95, a fraction from 0 to 1"):
        score_at_purity(matches, 95)


def test_a_false_detection_is_in_the_bin_of_the_target_beside_it():
    detections, truths, matches = two_images()
    nearest = nearest_truth(matches, detections, truths)
    magnitude = column_of(truths, "magnitude", matches.truth_image, matches.truth_row)[nearest]
    # By image and score; the false one at (7, 33) lies beside the target of 22 mag, that at (60, 60) nearest to 24.
    assert magnitude.tolist() == [20, 22, 22, 24, 21, 24.5, 24.5]
    alone = match_images(detections[:1], [{"y": np.zeros(0), "x": np.zeros(0)}], [1.0], by="position")
    assert nearest_truth(alone, detections[:1], [{"y": np.zeros(0), "x": np.zeros(0)}]).tolist() == [-1] * 4


def test_bootstrap_of_a_completeness_is_binomial_for_images_of_one_source():
    rng = np.random.default_rng(2)
    found = rng.random(400) < 0.7
    truths = [{"y": np.zeros(1), "x": np.zeros(1)}] * 400
    detections = [{"y": np.zeros(1), "x": np.full(1, 0.0 if one else 50), "score": np.ones(1)} for one in found]
    matches = match_images(detections, truths, [1.0], by="position")
    terms = completeness_terms(matches, np.ones(400), [0, 2])
    error = np.std(group_bootstrap(ratio, terms, np.arange(400)))
    assert error == pytest.approx(np.sqrt(found.mean() * (1 - found.mean()) / 400), rel=0.1)  # 2 % from 1,000
