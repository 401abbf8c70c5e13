import numpy as np
import pytest
from scipy import stats

from photoz_morph.models.fields.gaussian_parameters import GaussianLikelihood, GaussianParameters


def test_the_loss_is_the_negative_logarithm_of_the_density():
    rng = np.random.default_rng(1)
    true, mean, log_sigma = rng.normal(size=(3, 5, 2))
    expected = -stats.norm.logpdf(true, mean, np.exp(log_sigma)).mean(axis=1)
    found = GaussianLikelihood().call(true.astype(np.float32), np.stack([mean, log_sigma], -1).astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_loss_is_least_where_the_error_is_the_scatter():
    """Of residuals with a standard deviation of 0.3, among constant errors."""
    residuals = 0.3 * np.array([[-1.0], [1.0]], np.float32)
    sigmas = [0.1, 0.2, 0.3, 0.4, 0.9]
    losses = [float(GaussianLikelihood()(residuals, np.stack([0 * residuals, 0 * residuals + np.log(sigma)], -1)))
              for sigma in sigmas]  # fmt: skip
    assert sigmas[int(np.argmin(losses))] == 0.3


def test_numbers_of_order_one_become_parameters_in_their_units():
    layer = GaussianParameters(centre=(0.3, 200.0), scale=(0.1, 50.0))
    posterior = np.array(layer(np.array([[0, 0, 0, 0], [1, -2, 0.5, -1]], np.float32)))
    np.testing.assert_allclose(posterior[0], [[0.3, np.log(0.1)], [200, np.log(50)]], rtol=1e-5)
    np.testing.assert_allclose(posterior[1], [[0.4, np.log(0.1) + 0.5], [100, np.log(50) - 1]], rtol=1e-5)


def test_scales_that_are_none_are_refused():
    for centre, scale in (((0, 1), (1,)), ((0,), (0,)), ((0,), (np.inf,))):
        with pytest.raises(ValueError, match="give as many numbers of each, scales above 0"):
            GaussianParameters(centre, scale)
