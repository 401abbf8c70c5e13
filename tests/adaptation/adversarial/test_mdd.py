import numpy as np
import pytest
from scipy.special import softmax

from photoz_morph.adaptation.adversarial.mdd import margin_disparity, mdd_loss


def logits(n=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32) * 2


def mdd_of_skada(source, target, source_logits, target_logits, gamma):
    """`MDDLoss` of skada 0.6 (skada/deep/_adversarial.py): gamma times CrossEntropyLoss less the mean of log(1 - p).

    As in Eq. 29 of the paper, p is of the galaxy's own class; skada indexes all pairs of galaxies there, and smooths p.
    """
    p, q = (softmax(values.astype(np.float64), axis=1) for values in (source, target))
    rows = np.arange(len(p))
    agreement = -np.mean(np.log(p[rows, source_logits.argmax(axis=1)]))
    return gamma * agreement - np.mean(np.log(1 - q[rows, target_logits.argmax(axis=1)]))


def test_disparity_is_that_of_the_paper_and_of_skada():
    parts = [logits(seed=seed) for seed in range(4)]
    assert float(margin_disparity(*parts, 4.0)) == pytest.approx(mdd_of_skada(*parts, 4.0), rel=1e-5)


def test_disparity_of_a_head_that_knows_nothing():
    nothing = np.zeros((8, 3), np.float32)
    expected = 4 * np.log(3) - np.log(2 / 3)
    assert float(margin_disparity(nothing, nothing, logits(), logits(seed=1), 4.0)) == pytest.approx(expected, rel=1e-6)


def test_disparity_falls_to_zero_with_a_head_that_agrees_on_the_source_and_not_on_the_target():
    source, target, values = logits(), logits(seed=1), []
    for strength in (0, 1, 4, 400):
        head = [np.float32(strength * np.eye(3)[part.argmax(axis=1)]) for part in (source, target)]
        head[1] = -head[1]
        values.append(float(margin_disparity(*head, source, target, 4.0)))
    assert values == sorted(values, reverse=True) and values[-1] == pytest.approx(0, abs=1e-6)


def test_disparity_stays_finite_where_the_head_is_sure():
    sure = np.float32(300 * np.eye(3)[[0, 1, 2]])
    assert float(margin_disparity(sure, sure, sure, sure, 1.0)) == pytest.approx(300 - np.log(2), rel=1e-5)


def test_loss_is_the_disparity_of_its_second_head():
    loss = mdd_loss(discriminator_width=8, discriminator_dropout=0.0, margin=2.0)
    loss.create(4, 3, seed=1)
    rng = np.random.default_rng(2)
    latents = rng.normal(size=(2, 8, 4)).astype(np.float32)
    source, target = ({"latent": part, "logits": logits(seed=seed)} for seed, part in enumerate(latents, 3))
    head = [loss.head(part["latent"]) for part in (source, target)]
    expected = margin_disparity(*head, source["logits"], target["logits"], 2.0)
    assert float(loss(source, target, None)) == pytest.approx(float(expected), rel=1e-6)
