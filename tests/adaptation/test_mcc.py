import numpy as np
import pytest
from scipy.special import softmax

from photoz_morph.adaptation.mcc import class_confusion, mcc_loss


def mcc_of_skada(logits, temperature):
    """`mcc_loss` of skada 0.6 (skada/deep/losses.py)."""
    scaled = softmax(logits.astype(np.float64) / temperature, axis=1)
    uncertainty = -np.sum(scaled * np.log(scaled + 1e-7), axis=1)
    weights = (1 + np.exp(-uncertainty)) / np.mean(1 + np.exp(-uncertainty))
    confusion = np.einsum("ij,ik->jk", scaled, np.diag(weights) @ scaled)
    confusion /= confusion.sum(axis=1, keepdims=True)
    return np.mean(np.sum(np.abs(confusion - np.diag(np.diag(confusion))), axis=1))


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_confusion_is_that_of_skada(temperature):
    logits = np.random.default_rng(0).normal(size=(17, 4)).astype(np.float32) * 4
    assert float(class_confusion(logits, temperature)) == pytest.approx(mcc_of_skada(logits, temperature), abs=1e-5)


def test_confusion_is_none_where_all_classes_are_sure_and_whole_where_none_is():
    assert float(class_confusion(np.float32(500 * np.eye(4)[[0, 1, 2, 3, 3]]))) == pytest.approx(0, abs=1e-6)
    assert float(class_confusion(np.zeros((6, 4), np.float32))) == pytest.approx(3 / 4, rel=1e-6)


def test_loss_is_of_the_target_and_grows_as_its_classes_blur():
    logits = np.float32(6 * np.eye(3)[np.arange(12) % 3]) + np.random.default_rng(1).normal(size=(12, 3))
    loss = mcc_loss(temperature=1.0)
    values = [float(loss({}, {"logits": np.float32(c * logits)}, None)) for c in (2, 1, 0.5, 0.2, 0)]
    assert values == sorted(values) and values[0] < 0.05
