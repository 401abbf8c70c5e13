import numpy as np
import pytest
from scipy import stats

from photoz_morph.metrics.fractions import effective_number, fraction_error, wilson_interval


@pytest.mark.parametrize("n_inside, n", [(0, 50), (3, 50), (50, 50), (1, 1)])
def test_error_is_the_width_of_the_posterior_under_jeffreys_prior(n_inside, n):
    assert fraction_error(n_inside, n) == pytest.approx(stats.beta(n_inside + 0.5, n - n_inside + 0.5).std())


def test_error_of_many_galaxies_is_binomial_and_one_of_none_is_not_zero():
    np.testing.assert_allclose(fraction_error(np.array([1000, 0]), 10_000), [0.003, 0.7e-4], rtol=0.02)


@pytest.mark.parametrize("n_inside, n", [(0, 20), (3, 20), (20, 20), (700, 1000)])
def test_wilson_interval_is_that_of_scipy(n_inside, n):
    reference = stats.binomtest(n_inside, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(n_inside / n, n) == pytest.approx((reference.low, reference.high), abs=1e-9)


def test_effective_number_is_that_of_groups_if_equal_and_less_if_not():
    assert effective_number(np.repeat(np.arange(7), 3)) == pytest.approx(7)
    assert effective_number([0, 0, 0, 1]) == pytest.approx(16 / 10)
