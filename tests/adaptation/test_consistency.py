import numpy as np
from scipy.stats import entropy

from photoz_morph.adaptation.consistency import consistency_loss, probability_divergence


def test_divergence_is_that_of_scipy():
    rng = np.random.default_rng(0)
    logits, other = (rng.normal(size=(7, 3)).astype(np.float32) * 3 for _ in range(2))
    p, q = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (logits.astype(float), other.astype(float)))
    expected = (entropy(p, q, axis=1) + entropy(q, p, axis=1)) / 2
    np.testing.assert_allclose(probability_divergence(logits, other), expected, rtol=1e-5)
    np.testing.assert_array_equal(probability_divergence(logits, logits + 5) < 1e-6, True)  # the same probabilities


def test_loss_is_the_mean_divergence_of_the_rows():
    rng = np.random.default_rng(1)
    source, target = (rng.normal(size=(5, 3)).astype(np.float32) for _ in range(2))
    value = consistency_loss()({"logits": source}, {"logits": target}, None)
    assert float(value) == np.float32(np.mean(probability_divergence(source, target), dtype=np.float32))
    shuffled = float(consistency_loss()({"logits": source}, {"logits": target[::-1]}, None))
    assert abs(shuffled - float(value)) > 1e-3  # rows are pairs
