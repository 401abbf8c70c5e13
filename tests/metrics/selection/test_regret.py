import numpy as np
import pytest

from photoz_morph.metrics.selection.regret import rank_correlation, regret


def test_regret_is_the_accuracy_lost_by_the_choice():
    accuracy = np.array([0.7, 0.8, 0.75])
    assert regret([1, 2, 3], accuracy) == pytest.approx(0.05)
    assert regret([1, 3, 2], accuracy) == 0
    assert regret([-1, -3, -2], accuracy) == pytest.approx(0.1)


def test_candidates_that_tie_are_drawn_at_random_and_unknown_ones_never():
    accuracy = np.array([0.7, 0.8, 0.75])
    assert regret([3, 2, 3], accuracy) == pytest.approx(0.8 - 0.725)
    assert regret([np.nan, 1, 2], accuracy) == pytest.approx(0.05)
    assert np.isnan(regret([np.nan] * 3, accuracy))


def test_resamples_are_chosen_each_by_itself():
    scores, accuracy = np.array([[1, 2], [2, 1]]), np.array([[0.6, 0.7], [0.6, 0.9]])
    np.testing.assert_allclose(regret(scores, accuracy), [0, 0.3])


def test_rank_correlation_is_that_of_the_orders():
    assert rank_correlation([1, 2, 30], [0.1, 0.2, 0.3]) == pytest.approx(1)
    assert rank_correlation([3, 2, 1, np.nan], [0.1, 0.2, 0.3, 0.9]) == pytest.approx(-1)
    assert rank_correlation([1, 2], [1, 2]) is None and rank_correlation([1, 1, 1], [1, 2, 3]) is None
