import numpy as np
import pytest
from keras import ops

from photoz_morph.explain.attribution.noise_averages import smooth_grad, square_grad, var_grad
from photoz_morph.explain.gradients import Score
from tests.support.explain import galaxies, linear, total


def of_squares(images, galaxies=None):
    return ops.sum(ops.square(images), axis=(1, 2, 3))


def quadratic_score(batch_size=64):
    return Score(lambda images: images, of_squares, batch_size)


def test_of_a_linear_network_noise_changes_nothing():
    network, weights, _ = linear()
    score = Score(network, total)
    inputs = galaxies()
    np.testing.assert_allclose(smooth_grad(score, inputs, {"image": 1.0}, 5)["image"][0], weights, atol=1e-5)
    np.testing.assert_allclose(square_grad(score, inputs, {"image": 1.0}, 5)["image"][0], weights**2, atol=1e-5)
    np.testing.assert_allclose(var_grad(score, inputs, {"image": 1.0, "ebv": 0.1}, 5)["image"], 0, atol=1e-5)


def test_of_a_sum_of_squares_the_variance_is_four_times_that_of_the_noise_of_the_band():
    images = galaxies(2, side=16)["image"]
    sigma = np.array([[0.1, 0.2, 0.4], [0.3, 0.6, 1.2]])
    found = var_grad(quadratic_score(), images, sigma, 40)
    np.testing.assert_allclose(found.mean(axis=(1, 2)), 4 * sigma**2 * 39 / 40, rtol=0.05)
    mean = smooth_grad(quadratic_score(), images, sigma, 40)
    assert np.abs(mean - 2 * images)[..., 0].mean() < 0.2 * np.abs(images[..., 0]).mean()
    squares = square_grad(quadratic_score(), images, sigma, 40)
    np.testing.assert_allclose(squares, found + mean**2, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", [smooth_grad, square_grad, var_grad])
def test_noise_follows_from_the_seed_not_from_the_batches(method):
    images = galaxies(3)["image"]
    first = method(quadratic_score(64), images, 0.5, 6, seed=1)
    np.testing.assert_allclose(method(quadratic_score(4), images, 0.5, 6, seed=1), first, rtol=1e-5, atol=1e-5)
    assert not np.allclose(method(quadratic_score(), images, 0.5, 6, seed=2), first)
