import numpy as np
import pytest
from scipy.special import log_softmax

from photoz_morph.adaptation.augmented.noise import added_noise, noise_loss
from photoz_morph.adaptation.augmented.views import noise_level


def images(sigma, n=4, seed=0):
    rng = np.random.default_rng(seed)
    return (100 + rng.normal(size=(n, 80, 80, 2)) * np.asarray(sigma)).astype(np.float32)


def test_added_noise_is_what_the_source_lacks():
    added = np.asarray(added_noise(images([3, 2]), images([5, 1], seed=1)))
    np.testing.assert_allclose(added[..., 0], 4, rtol=0.05)
    np.testing.assert_array_equal(added[..., 1], 0)  # the target has less


def test_a_view_of_the_source_has_the_noise_of_the_target():
    source, target = images(3), images(5, seed=1)
    loss = noise_loss()
    loss.create(4, 3, seed=1)
    view = np.asarray(loss.view(source, target, (0, 4, 4)))
    np.testing.assert_allclose(noise_level(view), noise_level(target), rtol=0.05)
    np.testing.assert_allclose((view - source).mean(axis=(1, 2)), 0, atol=0.3)


def test_loss_is_the_cross_entropy_of_the_view():
    logits, labels = np.random.default_rng(2).normal(size=(9, 3)).astype(np.float32), np.arange(9) % 3
    loss = noise_loss()
    loss.create(4, 3, seed=1)
    value = float(loss({"view_logits": logits}, {}, labels))
    assert value == pytest.approx(-np.mean(log_softmax(logits, axis=1)[np.arange(9), labels]), rel=1e-5)
    sure = np.float32(50 * np.eye(3)[labels])
    values = [float(loss({"view_logits": c * sure}, {}, labels)) for c in (1, 0.02, 0, -0.02)]
    assert values[0] == pytest.approx(0, abs=1e-6) and values == sorted(values)
