import numpy as np
import pytest

from photoz_morph.blend.baselines.power_ridge import fit_power_ridge


def scaled_noise(n, seed):
    """White noise of a known amplitude, and a parameter that is the logarithm of its power, another that is nothing."""
    rng = np.random.default_rng(seed)
    amplitude = rng.uniform(0.5, 2.0, n)
    fields = amplitude[:, None, None] * rng.standard_normal((n, 32, 32))
    return fields, np.stack([5 + np.log(amplitude), rng.normal(3.0, 0.5, n)], axis=1)


def test_a_parameter_that_is_in_the_power_is_found_with_its_error_and_another_is_not():
    """1024 pixels tell the logarithm of their dispersion to 1 / sqrt(2048) = 0.022; the fit weighs the bins less well.
    """
    ridge = fit_power_ridge(*scaled_noise(300, 1))
    fields, parameters = scaled_noise(200, 2)
    posterior = ridge.posterior(fields)
    assert posterior.shape == (200, 2, 2)
    error = posterior[:, 0, 0] - parameters[:, 0]
    assert error.std() < 0.045 and ridge.sigma[0] == pytest.approx(error.std(), rel=0.3)
    np.testing.assert_allclose(posterior[:, 1, 0], 3.0, atol=0.3)
    assert ridge.sigma[1] == pytest.approx(0.5, rel=0.15)
    np.testing.assert_allclose(posterior[..., 1], np.broadcast_to(np.log(ridge.sigma), (200, 2)))


def test_parameters_keep_their_units():
    fields, parameters = scaled_noise(100, 1)
    first, second = (fit_power_ridge(fields, factor * parameters) for factor in (1, 1000))
    np.testing.assert_allclose(second.posterior(fields)[..., 0], 1000 * first.posterior(fields)[..., 0], rtol=1e-6)
    np.testing.assert_allclose(second.sigma, 1000 * first.sigma, rtol=1e-6)


def test_what_cannot_be_learnt_from_is_refused():
    fields, parameters = scaled_noise(60, 1)
    with pytest.raises(ValueError, match="49 fields; the ridge regression needs 50 or more"):
        fit_power_ridge(fields[:49], parameters[:49])
    with pytest.raises(ValueError, match="a parameter is the same for all fields"):
        fit_power_ridge(fields, np.full((60, 1), 0.3))
    fields[7] = 1.0
    with pytest.raises(ValueError, match="field 7 has no power at some scale"):
        fit_power_ridge(fields, parameters)
