import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from photoz_morph.adaptation.adversarial.cdan import (
    CdanLoss,
    cdan_loss,
    certainty_weights,
    multilinear_map,
    randomised_map,
)


def outputs(n=10, d=4, seed=0):
    rng = np.random.default_rng(seed)
    return {"latent": rng.normal(size=(n, d)).astype(np.float32), "logits": rng.normal(size=(n, 3)).astype(np.float32)}


def cdan_of_skada(source, target, discriminator):
    """`CDANModule` and `CDANLoss` of skada 0.6 (skada/deep/_adversarial.py), on class probabilities as in the paper."""
    sides = []
    for part in (source, target):
        # torch.bmm(y.unsqueeze(2), features.unsqueeze(1)).view(n, -1)
        products = np.einsum("ik,ij->ikj", softmax(part["logits"], axis=1), part["latent"])
        logits = np.asarray(discriminator(products.reshape(len(products), -1)), np.float64)[:, 0]
        sides.append(1 / (1 + np.exp(-logits)))
    return -np.mean(np.log(1 - sides[0])) - np.mean(np.log(sides[1]))


def test_loss_is_that_of_skada():
    loss = cdan_loss(discriminator_width=8, discriminator_dropout=0.0)
    loss.create(4, 3, seed=1)
    for weight in loss.trainable_variables:
        weight.assign(20 * weight)  # fresh, its outputs are nearly 0
    source, target = outputs(), outputs(seed=1)
    value = float(loss(source, target, None))
    assert value == pytest.approx(cdan_of_skada(source, target, loss.discriminator), abs=1e-5)
    assert abs(value - 2 * np.log(2)) > 1e-3


def test_a_projection_keeps_the_inner_products_of_the_map_on_average():
    """Long et al. (2018), Theorem 1."""
    rng = np.random.default_rng(2)
    part = outputs()
    probability = np.float32(softmax(part["logits"], axis=1))
    matrices = (rng.normal(size=(size, 20000)).astype(np.float32) for size in (4, 3))
    projected = np.asarray(randomised_map(part["latent"], probability, *matrices))
    products = np.asarray(multilinear_map(part["latent"], probability))
    np.testing.assert_allclose(projected @ projected.T, products @ products.T, atol=0.25)


def test_a_large_product_is_projected_at_random_by_matrices_that_follow_from_the_seed():
    values = []
    for seed in (1, 1, 2):
        loss = CdanLoss(8, 0.0, False, max_features=6)
        loss.create(4, 3, seed)
        assert [tuple(matrix.shape) for matrix in loss.projections] == [(4, 6), (3, 6)]
        assert len(loss.trainable_variables) == 6 and len(loss.non_trainable_variables) == 2
        values.append(float(loss(outputs(), outputs(seed=1), None)))
    assert values[0] == values[1] != values[2]


def test_certain_galaxies_weigh_up_to_twice_as_much():
    logits = np.float32([[99, 0, 0], [0, 0, 0]])
    ratio = 2 / (1 + 1 / 3)  # 1 + exp(-H) of a sure class, and of none
    weights = np.asarray(certainty_weights(logits))
    assert weights[0] / weights[1] == pytest.approx(ratio, rel=1e-5) and weights.mean() == pytest.approx(1)


def test_entropy_conditioning_weighs_the_galaxies():
    losses = [cdan_loss(8, 0.0, entropy_conditioning) for entropy_conditioning in (False, True)]
    for loss in losses:
        loss.create(4, 3, seed=1)
        for weight in loss.trainable_variables:
            weight.assign(20 * weight)
    source, target = outputs(), outputs(seed=1)
    plain, weighted = (float(loss(source, target, None)) for loss in losses)
    features = (multilinear_map(part["latent"], softmax(part["logits"], axis=1)) for part in (source, target))
    parts = [np.asarray(losses[1].discriminator(products)) for products in features]
    weights = [np.asarray(certainty_weights(part["logits"])) for part in (source, target)]
    expected = np.mean(weights[0] * np.log1p(np.exp(parts[0][:, 0]))) + np.mean(
        weights[1] * np.log1p(np.exp(-parts[1][:, 0]))
    )
    assert weighted == pytest.approx(expected, rel=1e-5) and abs(weighted - plain) > 1e-4


def test_probabilities_get_no_gradient():
    loss = cdan_loss(8, 0.0)
    loss.create(4, 3, seed=1)
    source, target = outputs(), outputs(seed=1)
    logits = tf.Variable(source["logits"])
    with tf.GradientTape() as tape:
        value = loss({**source, "logits": logits.value()}, target, None)
    assert tape.gradient(value, logits) is None
