import numpy as np
import pytest
from scipy import stats

from photoz_morph.metrics.fractions import fraction_error


@pytest.mark.parametrize("n_inside, n", [(0, 50), (3, 50), (50, 50), (1, 1)])
def test_error_is_the_width_of_the_posterior_under_jeffreys_prior(n_inside, n):
    assert fraction_error(n_inside, n) == pytest.approx(stats.beta(n_inside + 0.5, n - n_inside + 0.5).std())


def test_error_of_many_galaxies_is_binomial_and_one_of_none_is_not_zero():
    np.testing.assert_allclose(fraction_error(np.array([1000, 0]), 10_000), [0.003, 0.7e-4], rtol=0.02)
