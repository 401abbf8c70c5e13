import numpy as np
import pytest

from photoz_morph.metrics.selection.source_risks import dev_accuracy, importance_weighted_accuracy, weighted_mean


def test_weighted_accuracy_worked_by_hand():
    assert importance_weighted_accuracy(np.array([1, 0, 1]), np.array([1.0, 2.0, 3.0])) == pytest.approx(4 / 6)
    times = np.array([[1, 1, 1], [0, 2, 1]])
    counted = importance_weighted_accuracy(np.array([1, 0, 1]), np.array([1.0, 2.0, 3.0]), times)
    np.testing.assert_allclose(counted, [4 / 6, 3 / 7])


def test_dev_worked_by_hand():
    # Ratios 0.5, 1.5, 2; losses 0, 1, 1: ratio x loss 0, 1.5, 2 with mean 7/6; mean ratio 4/3.
    # Covariance (1.5 * 1.5 + 2 * 2) / 3 - 7/6 * 4/3 = 25/12 - 14/9 = 19/36.
    # Variance (0.25 + 2.25 + 4) / 3 - 16/9 = 13/6 - 16/9 = 7/18. Coefficient -19/14.
    risk = 7 / 6 - 19 / 14 * (4 / 3 - 1)
    assert dev_accuracy(np.array([1, 0, 0]), np.array([0.5, 1.5, 2.0])) == pytest.approx(1 - risk)


def test_equal_ratios_leave_the_accuracy_of_the_source():
    right = np.random.default_rng(0).random(200) < 0.7
    for ratio in (1.0, 0.3):
        assert importance_weighted_accuracy(right, np.full(200, ratio)) == pytest.approx(right.mean())
    assert dev_accuracy(right, np.ones(200)) == pytest.approx(right.mean())


def test_both_find_the_accuracy_on_a_target_that_has_other_galaxies():
    # The target is N(1, 1), the source N(0, 1), a galaxy at x is right with probability 1 / (1 + exp(2 x)).
    rng = np.random.default_rng(1)
    source, target = rng.normal(size=40_000), rng.normal(1, 1, size=40_000)
    right = rng.random(40_000) < 1 / (1 + np.exp(2 * source))
    true = np.mean(1 / (1 + np.exp(2 * target)))
    ratio = np.exp(source - 0.5)
    assert abs(right.mean() - true) > 0.2
    assert importance_weighted_accuracy(right, ratio) == pytest.approx(true, abs=0.01)
    assert dev_accuracy(right, ratio) == pytest.approx(true, abs=0.01)


def test_the_control_variate_lowers_the_scatter():
    rng = np.random.default_rng(2)
    plain, dev = [], []
    for _ in range(200):
        source = rng.normal(size=300)
        right, ratio = rng.random(300) < 0.3, np.exp(source - 0.5)
        plain.append(np.mean(ratio * (1 - right)))
        dev.append(1 - dev_accuracy(right, ratio))
    assert np.std(dev) < 0.7 * np.std(plain)


def test_resamples_of_dev_are_those_of_repeated_galaxies():
    rng = np.random.default_rng(3)
    right, ratio, times = rng.random(50) < 0.6, rng.exponential(size=50), rng.integers(0, 3, (4, 50))
    repeated = [dev_accuracy(np.repeat(right, count), np.repeat(ratio, count)) for count in times]
    np.testing.assert_allclose(dev_accuracy(right, ratio, times), repeated)


def test_the_mean_of_nothing_is_unknown():
    assert np.isnan(weighted_mean([1, 2], np.array([[0, 0], [1, 1]]))).tolist() == [True, False]
