import numpy as np
import pytest

from photoz_morph.robustness.one_pixel.criteria import OBJECTIVES, SUCCESSES, has_won, scores_of


def test_the_margin_distinguishes_what_probabilities_do_not():
    """In float32 the softmax of a confident network is 1 for every edit: the published objective is constant there."""
    logits = np.array([[40, 0, 0], [39, 0, 0], [38, 1, 0]], np.float32)
    assert np.ptp(scores_of(logits, 0, objective="probability")) == 0
    assert scores_of(logits, 0).tolist() == [40, 39, 37]
    assert scores_of(logits, 0, target=1).tolist() == [40, 39, 37]


def test_rules_of_success():
    logits = np.log([[0.4, 0.5, 0.1], [0.04, 0.48, 0.48], [0.6, 0.3, 0.1]])
    assert has_won(logits, 0).tolist() == [True, True, False]
    assert has_won(logits, 0, success="paper").tolist() == [False, True, False]
    assert has_won(logits, 0, target=1).tolist() == [True, True, False]
    assert has_won(logits, 2, target=0, success="paper").tolist() == [False, False, True]


@pytest.mark.parametrize("success", SUCCESSES)
@pytest.mark.parametrize("target", [None, 0])
def test_logits_of_nan_are_no_success_and_the_worst_score(success, target):
    """Their argmax is class 0: a flip of every other class."""
    logits = np.array([[np.nan, np.nan, np.nan], [0, np.nan, 9], [0, 9, 0]], np.float32)
    assert not has_won(logits[:2], 1, target, success).any()
    for objective in OBJECTIVES:
        scores = scores_of(logits, 1, target, objective)
        assert np.isinf(scores[:2]).all() and scores.min() == scores[2]
