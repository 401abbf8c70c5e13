import numpy as np

from photoz_morph.explain.patterns.regularisers import blurred, rolled, sky_noise, streams


def test_noise_of_a_galaxy_does_not_depend_on_the_others_and_has_the_sigma_of_the_sky():
    many = sky_noise((40, 40), [0.1, 2.0], [7, 8, 9], seed=3)
    np.testing.assert_array_equal(sky_noise((40, 40), [0.1, 2.0], [9], seed=3)[0], many[2])
    assert np.abs(sky_noise((40, 40), [0.1, 2.0], [9], seed=4)[0] - many[2]).max() > 1
    np.testing.assert_allclose(many.std(axis=(0, 1, 2)), [0.1, 2.0], rtol=0.05)  # of 4,800 pixels
    draws = [rng.integers(2**62) for use in ("sky", "jitter") for rng in streams([2**62, 2**62 + 1], 3, use)]
    assert len(set(draws)) == 4


def test_rolling_back_undoes_rolling_and_blurring_keeps_the_light():
    images = np.random.default_rng(0).normal(size=(2, 9, 9, 3))
    shifts = np.array([[1, -2], [3, 0]])
    np.testing.assert_array_equal(rolled(rolled(images, shifts), -shifts), images)
    point = np.zeros((1, 21, 21, 2))
    point[0, 10, 10, 1] = 5.0
    smooth = blurred(point, 1.5)
    np.testing.assert_allclose(smooth.sum(axis=(1, 2)), [[0, 5]], atol=1e-6)
    rows = np.arange(21) - 10
    np.testing.assert_allclose(np.sum(smooth[0, :, :, 1].sum(axis=1) * rows**2) / 5, 1.5**2, rtol=0.01)
    assert blurred(point, 0) is point
