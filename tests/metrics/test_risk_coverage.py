import itertools

import numpy as np
import pytest

from photoz_morph.metrics.group_errors import group_weights
from photoz_morph.metrics.risk_coverage import aurc, excess_aurc, risk_coverage


def test_curve_and_area_worked_by_hand():
    # Surest first: right, right, wrong, right.
    coverage, risk = risk_coverage(np.array([0.6, 0.9, 0.7, 0.8]), np.array([0, 0, 1, 0]))
    np.testing.assert_allclose(coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(risk, [0, 0, 1 / 3, 1 / 4])
    assert aurc(np.array([0.6, 0.9, 0.7, 0.8]), np.array([0, 0, 1, 0])) == pytest.approx((1 / 3 + 1 / 4) / 4)
    # The best order has the wrong one last: 1/4 at full coverage alone.
    assert excess_aurc(np.array([0.6, 0.9, 0.7, 0.8]), np.array([0, 0, 1, 0])) == pytest.approx(1 / 12)


def test_galaxies_of_equal_confidence_are_the_mean_over_their_orders():
    confidence, wrong = np.array([0.9, 0.5, 0.5, 0.5, 0.4]), np.array([0, 1, 0, 0, 1])
    middle = list(itertools.permutations([1, 0, 0]))
    means = np.mean([risk_coverage(np.arange(5)[::-1], [0, *order, 1])[1] for order in middle], axis=0)
    np.testing.assert_allclose(risk_coverage(confidence, wrong)[1], means)
    assert aurc(np.full(5, 0.5), wrong) == pytest.approx(wrong.mean())


def test_a_perfect_order_has_no_excess_and_a_random_one_the_error_rate_as_area():
    rng = np.random.default_rng(0)
    wrong = rng.random(4000) < 0.3
    assert excess_aurc(-wrong.astype(float) - 1e-3 * rng.random(4000), wrong) == pytest.approx(0)
    assert aurc(rng.random(4000), wrong) == pytest.approx(0.3, abs=0.03)
    assert excess_aurc(wrong.astype(float), wrong) > 0.3  # the worst order


def test_weights_count_a_galaxy_several_times():
    rng = np.random.default_rng(1)
    confidence, wrong = rng.random(60).round(1), rng.random(60) < 0.4
    weights = group_weights(np.arange(60) // 3, 4)
    assert weights.shape == (4, 60) and set(weights.sum(axis=1)) == {60}
    for times, area in zip(weights.astype(int), aurc(confidence, wrong, weights)):
        # A galaxy drawn twice is classified at once: the curve has fewer steps than with its copies one by one.
        repeated = aurc(np.repeat(confidence, times), np.repeat(wrong, times))
        assert area == pytest.approx(repeated, abs=0.03)
    np.testing.assert_allclose(aurc(confidence, wrong, np.full((2, 60), 3.0)), aurc(confidence, wrong))


def test_columns_of_different_tables_are_refused():
    with pytest.raises(ValueError, match=r"shapes \(3,\) and \(2,\)"):
        risk_coverage(np.ones(3), np.ones(2))
