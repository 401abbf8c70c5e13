import numpy as np
import pytest

from photoz_morph.adaptation.coral import coral, coral_loss


def latents(n, d=6, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) @ rng.normal(size=(d, d))).astype(np.float32)


def coral_of_skada(source, target):
    """`deepcoral_loss` of skada 0.6 (skada/deep/losses.py): torch.cov is unbiased, the squares are summed."""
    difference = np.cov(source.astype(np.float64).T) - np.cov(target.astype(np.float64).T)
    return np.sum(difference**2) / (4 * source.shape[1] ** 2)


def test_coral_is_that_of_skada():
    source, target = latents(30), latents(20, seed=1)
    assert float(coral(source, target)) == pytest.approx(coral_of_skada(source, target), rel=1e-5)


def test_coral_is_zero_for_equal_covariances_and_blind_to_a_shift():
    source = latents(40)
    assert float(coral(source, source)) == 0
    assert float(coral(source, source + 3)) == pytest.approx(0, abs=1e-8)


def test_coral_grows_with_the_scale_of_one_domain():
    """All covariances grow by c^2."""
    source = latents(40)
    values = [float(coral(source, np.float32(c) * source)) for c in (1, 1.2, 1.5, 2)]
    squares = np.sum(np.cov(source.astype(np.float64).T) ** 2) / (4 * 36)
    assert values == pytest.approx([(c**2 - 1) ** 2 * squares for c in (1, 1.2, 1.5, 2)], rel=1e-4)


def test_loss_compares_the_latents_alone():
    source, target = latents(30), latents(20, seed=1)
    value = coral_loss()({"latent": source, "logits": None}, {"latent": target, "logits": None}, None)
    assert float(value) == float(coral(source, target))
