import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy as scipy_entropy

from photoz_morph.adaptation.entropy import entropy, entropy_loss


def test_entropy_is_that_of_scipy():
    logits = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32) * 3
    np.testing.assert_allclose(entropy(logits), scipy_entropy(softmax(logits, axis=1), axis=1), rtol=1e-5)


def test_entropy_is_zero_of_a_sure_class_and_the_logarithm_of_their_number_of_none():
    np.testing.assert_allclose(entropy(np.float32([[200, 0, 0], [7, 7, 7]])), [0, np.log(3)], rtol=1e-6)


def test_loss_falls_as_logits_grow_and_is_the_mean_over_both_domains():
    rng = np.random.default_rng(1)
    source, target = (rng.normal(size=(8, 3)).astype(np.float32) for _ in range(2))
    values = [float(entropy_loss()({"logits": c * source}, {"logits": c * target}, None)) for c in (0, 0.5, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[2] == pytest.approx((np.mean(entropy(source)) + np.mean(entropy(target))) / 2, rel=1e-6)
