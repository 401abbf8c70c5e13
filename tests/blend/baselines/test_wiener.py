import keras
import numpy as np
import pytest

from photoz_morph.blend.baselines.wiener import measured_prior, wiener_filter
from photoz_morph.models.unet import unet
from photoz_morph.simulation.cosmology.lognormal import (
    FieldSettings,
    field_power,
    gaussian_power,
    log_density,
    simulate_fields,
)
from photoz_morph.simulation.cosmology.observing import ObservationSettings, beam_transform, observe_fields

ONE = FieldSettings(n_pixels=16, box_size=64.0, omega_m=(0.3, 0.3), sigma_8=(0.8, 0.8))
OBSERVED = ObservationSettings(beam_fwhm=2.5, noise=0.3, masked=0.2, hole_radius=2.0)


@pytest.fixture(scope="module")
def fields():
    return simulate_fields(ONE, range(400))[0]


def matrix_of(eigenvalues, n=16):
    """Dense matrix of a convolution with those eigenvalues on the half plane."""
    units = np.eye(n * n).reshape(-1, n, n)
    columns = np.fft.irfft2(np.fft.rfft2(units) * eigenvalues, s=(n, n))
    return columns.reshape(n * n, n * n).T


def test_the_filter_is_the_mean_of_the_posterior_by_the_textbook(fields):
    """S B M^T (M B S B M^T + N)^-1 (d - m) + m with dense matrices; B keeps the mean m."""
    observed, _ = observe_fields(fields[:3], range(3), OBSERVED)
    mean, power = measured_prior(log_density(fields))
    beam = matrix_of(beam_transform(16, 2.5))
    covariance = matrix_of(power * 16**2)
    found = wiener_filter(observed, mean, power, 2.5, 0.3, tolerance=1e-8)
    for one, result in zip(observed.astype(float), found):
        seen = one[..., 1].ravel() == 1
        smooth = (beam @ covariance @ beam.T)[np.ix_(seen, seen)] + 0.3**2 * np.eye(seen.sum())
        solved = np.linalg.solve(smooth, one[..., 0].ravel()[seen] - mean)
        expected = mean + (covariance @ beam.T)[:, seen] @ solved
        np.testing.assert_allclose(result.ravel(), expected, atol=1e-6)


def test_the_measured_prior_is_that_of_the_universe(fields):
    mean, power = measured_prior(log_density(fields))
    expected = gaussian_power(field_power(ONE, 0.3, 0.8))
    total = 2 * expected.sum() - expected[:, 0].sum() - expected[:, -1].sum()
    assert mean == pytest.approx(-total / 2, rel=0.02)  # that the density has a mean of 1
    assert power[1:8, 1:8].sum() == pytest.approx(expected[1:8, 1:8].sum(), rel=0.05)


def test_no_other_amount_of_smoothing_does_better(fields):
    """Power spectra of half and twice the right one make the errors larger, and so does no filter."""
    observed, truth = observe_fields(fields, range(400), OBSERVED)
    mean, power = measured_prior(log_density(fields))
    errors = {factor: np.mean((wiener_filter(observed, mean, factor * power, 2.5, 0.3) - truth[..., 0]) ** 2)
              for factor in (0.4, 1.0, 2.5)}  # fmt: skip
    assert errors[1.0] < min(errors[0.4], errors[2.5])
    assert errors[1.0] < 0.8 * np.mean((observed[..., 0] - truth[..., 0]) ** 2)


def test_a_small_network_comes_near_the_filter_and_does_not_beat_it(fields):
    """A U-Net from the observation and its mask to the field; 300 fields of 16 x 16 are few."""
    observed, truth = observe_fields(fields, range(400), OBSERVED)
    network = unet((16, 16, 2), {"clean": (1, "logits")}, width=8, depth=2, seed=1)
    schedule = keras.optimizers.schedules.CosineDecay(5e-3, 15 * 12)
    network.compile(keras.optimizers.Adam(schedule), {"clean": "mse"}, jit_compile=False)
    keras.utils.set_random_seed(1)
    network.fit({"image": observed[:300]}, {"clean": truth[:300]}, 25, 15, verbose=0)
    mean, power = measured_prior(truth[:300, ..., 0])
    test = truth[300:, ..., 0]
    by_network = network.predict({"image": observed[300:]}, verbose=0)["clean"][..., 0]
    by_filter = wiener_filter(observed[300:], mean, power, 2.5, 0.3)
    errors = [np.mean((restored - test) ** 2) for restored in (by_filter, by_network)]
    assert 0.97 * errors[0] < errors[1] < 0.7 * test.var(), (errors, test.var())


def test_data_without_noise_are_refused(fields):
    with pytest.raises(ValueError, match="noise is 0; the Wiener filter needs noise above 0"):
        wiener_filter(np.zeros((1, 16, 16, 2)), 0.0, np.ones((16, 9)), 2.0, 0)
