import numpy as np
import pytest

from photoz_morph.adaptation.fisher import fisher_loss, trace_ratio


def batch(seed=0):
    rng = np.random.default_rng(seed)
    latents, centres = rng.normal(size=(9, 4)).astype(np.float32), rng.normal(size=(3, 4)).astype(np.float32)
    return latents, np.arange(9) % 3, centres


def test_ratio_is_the_sum_over_galaxies_over_that_over_classes():
    latents, labels, centres = batch()
    within = sum(np.sum((latents[i] - centres[labels[i]]) ** 2) for i in range(9))
    between = sum(np.sum((centre - centres.mean(axis=0)) ** 2) for centre in centres)
    assert float(trace_ratio(latents, labels, centres)) == pytest.approx(within / between, rel=1e-5)


def test_ratio_is_zero_at_the_centres_and_grows_with_the_square_of_the_distance():
    _, labels, centres = batch()
    values = [float(trace_ratio(centres[labels] + np.float32(s), labels, centres)) for s in (0, 0.5, 1, 2)]
    assert values[0] == 0 and values[1:] == pytest.approx([values[2] * s**2 for s in (0.5, 1, 2)], rel=1e-5)


def test_centres_start_as_in_deepmerge_ii_and_move_ten_times_as_far():
    loss = fisher_loss()
    loss.create(2000, 3, seed=1)
    assert np.std(10 * np.asarray(loss.scaled_centres)) == pytest.approx(1, abs=0.03)
    latents, labels, _ = batch()
    loss = fisher_loss()
    loss.create(4, 3, seed=1)
    expected = trace_ratio(latents, labels, 10 * np.asarray(loss.scaled_centres))
    assert float(loss({"latent": latents}, {"latent": latents}, labels)) == pytest.approx(float(expected), rel=1e-6)
