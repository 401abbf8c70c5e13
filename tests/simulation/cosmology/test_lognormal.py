import numpy as np
import pytest
from scipy import stats

from photoz_morph.simulation.cosmology.lognormal import (
    WAVE_NUMBERS,
    FieldSettings,
    draw_parameters,
    field_power,
    gaussian_power,
    log_density,
    simulate_fields,
)
from photoz_morph.simulation.cosmology.power_spectrum import Cosmology, linear_power, projection_matrix

ONE = FieldSettings(n_pixels=32, box_size=128.0, omega_m=(0.3, 0.3), sigma_8=(0.8, 0.8))  # one universe


@pytest.fixture(scope="module")
def fields():
    return simulate_fields(ONE, range(2000))[0]


def modes(fields):
    """Mean power of the modes of fields, of the contrast: |transform|^2 / n_pixels^4."""
    n = fields.shape[-1]
    return np.mean(np.abs(np.fft.rfft2(fields.astype(float))) ** 2, axis=0) / n**4


def test_the_power_of_the_fields_is_that_of_the_universe(fields):
    """Bins of some hundred modes times 2000 fields; their powers are correlated in non-Gaussian fields."""
    measured, expected = modes(fields), field_power(ONE, 0.3, 0.8)
    k = np.hypot(np.fft.fftfreq(32, 1 / 32)[:, None], np.arange(17))
    for low, high in ((1, 3), (3, 6), (6, 10), (10, 16)):
        inside = (k >= low) & (k < high)
        assert measured[inside].sum() / expected[inside].sum() == pytest.approx(1, abs=0.04)


def test_the_logarithm_of_the_density_is_gaussian_and_the_density_is_not(fields):
    """Skewness of ln(1 + delta) within the noise, and that of a log-normal variable for delta."""
    gaussian = log_density(fields)
    assert abs(stats.skew(gaussian, axis=None)) < 0.05 and abs(stats.kurtosis(gaussian, axis=None)) < 0.1
    shift = np.exp(gaussian.astype(float).var())
    expected = (shift + 2) * np.sqrt(shift - 1)
    assert stats.skew(fields, axis=None) == pytest.approx(expected, rel=0.25)
    assert fields.min() > -1 and abs(fields.mean()) < 0.01


def test_mode_by_mode_the_gaussian_field_has_the_power_of_the_relation(fields):
    measured, expected = modes(log_density(fields)), gaussian_power(field_power(ONE, 0.3, 0.8))
    np.testing.assert_allclose(measured[0, 1:] / expected[0, 1:], 1, atol=0.2)  # 2000 fields: 3 % to 6 % an entry
    ratio = measured[1:15, 1:15] / expected[1:15, 1:15]
    assert ratio.mean() == pytest.approx(1, abs=0.01) and ratio.std() == pytest.approx(2000**-0.5, rel=0.3)


def test_the_power_between_the_nodes_is_that_of_the_whole_calculation():
    settings = FieldSettings(n_pixels=16)
    k = 2 * np.pi / settings.box_size * np.arange(1, 9)
    for omega_m, sigma_8 in ((0.1, 0.6), (0.237, 0.9), (0.5, 1.0)):
        cosmology = Cosmology(omega_m=omega_m, sigma_8=sigma_8)
        direct = projection_matrix(WAVE_NUMBERS, k, settings.thickness) @ linear_power(WAVE_NUMBERS, cosmology)
        found = field_power(settings, omega_m, sigma_8)
        np.testing.assert_allclose(found[0, 1:] * settings.box_size**2, direct, rtol=1e-5)
        assert found[0, 0] == 0
        np.testing.assert_allclose(found[1:8, 0], found[0, 1:8])
        assert found[3, 4] == pytest.approx(found[0, 5])  # 3, 4, 5


def test_a_field_depends_on_its_index_and_seed_alone():
    settings = FieldSettings(n_pixels=16)
    fields, parameters = simulate_fields(settings, range(6))
    some, theirs = simulate_fields(settings, [5, 2])
    np.testing.assert_array_equal(some, fields[[5, 2]])
    np.testing.assert_array_equal(theirs, parameters[[5, 2]])
    other, _ = simulate_fields(FieldSettings(n_pixels=16, seed=2), range(6))
    assert len({field.tobytes() for field in (*fields, *other)}) == 12


def test_parameters_fill_their_ranges_and_are_shared_by_the_maps_of_a_simulation():
    settings = FieldSettings(omega_m=(0.2, 0.4), sigma_8=(0.7, 0.8), maps_per_simulation=3)
    drawn = np.array([draw_parameters(settings, index) for index in range(600)])
    assert len(np.unique(drawn, axis=0)) == 200
    np.testing.assert_array_equal(drawn[0::3], drawn[2::3])
    for column, (low, high) in zip(drawn[::3].T, (settings.omega_m, settings.sigma_8)):
        assert stats.kstest((column - low) / (high - low), "uniform").pvalue > 0.01
    assert abs(np.corrcoef(drawn[::3].T)[0, 1]) < 0.2


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"n_pixels": 33}, "n_pixels is 33; give an even number from 8 to 1024"),
        ({"thickness": 0}, "thickness is 0; give a number above 0"),
        ({"omega_m": (0.04, 0.3)}, "omega_m is from 0.04 to 0.3; give a range above 0.049, lower end first"),
        ({"sigma_8": (1.0, 0.6)}, "sigma_8 is from 1.0 to 0.6"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        FieldSettings(**wrong)
