import numpy as np
import pytest
from scipy.special import logsumexp

from photoz_morph.adaptation.sinkhorn import sinkhorn_divergence, sinkhorn_loss
from tests.support.gradients import slopes


def latents(n, d=4, shift=0.0, seed=0):
    return (np.random.default_rng(seed).normal(size=(n, d)) + shift).astype(np.float32)


def transport(source, target, blur, n_iterations=3000):
    """Entropic transport cost by plain alternating Sinkhorn iterations in float64, run until they stand still."""
    cost = np.sum((source[:, None].astype(np.float64) - target[None]) ** 2, axis=2) / 2
    f, g = np.zeros(len(source)), np.zeros(len(target))
    for _ in range(n_iterations):
        last = f
        f = -(blur**2) * (logsumexp((g - cost) / blur**2, axis=1) - np.log(len(target)))
        g = -(blur**2) * (logsumexp((f[:, None] - cost) / blur**2, axis=0) - np.log(len(source)))
        if np.abs(f - last).max() < 1e-7:
            break
    return f.mean() + g.mean()


@pytest.mark.parametrize("blur", [0.7, 1.0])
def test_divergence_is_that_of_plain_iterations(blur):
    source, target = latents(9), latents(7, shift=0.7, seed=1)
    expected = transport(source, target, blur) - (transport(source, source, blur) + transport(target, target, blur)) / 2
    assert float(sinkhorn_divergence(source, target, blur)) == pytest.approx(expected, rel=2e-3)


def test_blur_follows_the_largest_distance_as_in_sidda():
    source, target = latents(12), latents(12, shift=0.7, seed=1)
    pooled = np.concatenate([source, target])
    largest = np.sqrt(np.max(np.sum((pooled[:, None] - pooled[None]) ** 2, axis=2)))
    expected = float(sinkhorn_divergence(source, target, 0.05 * largest))
    assert float(sinkhorn_loss()({"latent": source}, {"latent": target}, None)) == pytest.approx(expected, rel=1e-4)


def test_divergence_is_half_the_squared_shift():
    source = latents(32)
    for shift in (0.0, 0.3, 1.0, 3.0):
        value = float(sinkhorn_divergence(source, source + np.float32(shift)))
        assert value == pytest.approx(4 * shift**2 / 2, abs=1e-5, rel=1e-3)


def test_divergence_is_small_for_equal_distributions_and_grows_with_a_shift():
    values = [float(sinkhorn_divergence(latents(64), latents(64, shift=s, seed=1))) for s in (0, 0.5, 1, 2)]
    assert values == sorted(values) and values[-1] > 5 * values[0] > 0


def test_gradient_is_that_of_the_value():
    source, target = latents(10), latents(8, shift=0.5, seed=1)
    direction = latents(10, seed=2)
    slope, difference = slopes(lambda x: sinkhorn_divergence(x, target, 0.5), source, direction)
    assert slope == pytest.approx(difference, rel=1e-2)


def test_equal_latents_have_a_finite_gradient():
    slope, _ = slopes(lambda x: sinkhorn_divergence(x, np.zeros((4, 3), np.float32)), np.zeros((4, 3)), np.ones((4, 3)))
    assert slope == pytest.approx(0, abs=1e-6)
