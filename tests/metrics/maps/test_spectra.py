import numpy as np
import pytest

from photoz_morph.metrics.maps.spectra import power_spectra, restoration_by_scale


def wave(n, row, column, amplitude):
    y, x = np.indices((n, n))
    return amplitude * np.cos(2 * np.pi * (row * y + column * x) / n + 0.3)


def test_a_wave_has_its_power_in_its_bin_and_the_modes_share_it():
    """cos has a mean square of 1/2, of one mode and its mirror image among those of the bin."""
    for row, column in ((3, 4), (0, 5), (5, 0), (-4, 3)):
        k, power = power_spectra(wave(32, row, column, 2.0)[None], 8)
        bin_of_5 = int(np.argmax(power[0]))
        modes = np.hypot(*np.meshgrid(np.fft.fftfreq(32, 1 / 32), np.fft.fftfreq(32, 1 / 32)))
        edges = np.unique(np.round(np.geomspace(1, 17, 9))) - 0.5
        inside = (modes >= edges[bin_of_5]) & (modes < edges[bin_of_5 + 1])
        assert edges[bin_of_5] <= 5 < edges[bin_of_5 + 1] and k[bin_of_5] == pytest.approx(modes[inside].mean())
        assert power[0, bin_of_5] == pytest.approx(2.0 / inside.sum())
        assert power[0].sum() == pytest.approx(power[0, bin_of_5])


@pytest.mark.parametrize("n", [16, 17])
def test_white_noise_has_the_same_power_everywhere_and_the_mean_counts_nothing(n):
    fields = 7 + np.random.default_rng(1).normal(0, 2.0, (400, n, n))
    _, power = power_spectra(fields, 6)
    np.testing.assert_allclose(power.mean(axis=0), 4 / n**2, rtol=0.1)


def test_the_restoration_is_perfect_where_nothing_was_changed():
    """A filter changes amplitudes and no phase, noise of the same power as the signal makes the correlation 0.71."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(200, 16, 16))
    halved = restoration_by_scale(truth, 0.5 * truth, np.arange(200), 5, 50)
    np.testing.assert_allclose(halved["correlation"][:, 0], 1)
    np.testing.assert_allclose(halved["transfer"], 0.5)
    noisy = restoration_by_scale(truth, truth + rng.normal(size=truth.shape), np.arange(200), 5)
    np.testing.assert_allclose(noisy["correlation"][:, 0], 0.5**0.5, atol=0.03)
    np.testing.assert_allclose(noisy["transfer"][:, 0], 2**0.5, atol=0.05)
    assert (np.diff(noisy["transfer"][:, 1:], axis=1) > 0).all() and noisy["k"].shape == (4,)  # the first two are one


def test_fields_that_are_no_squares_are_refused():
    with pytest.raises(ValueError, match=r"fields have shape \(2, 8, 9\)"):
        power_spectra(np.zeros((2, 8, 9)))
