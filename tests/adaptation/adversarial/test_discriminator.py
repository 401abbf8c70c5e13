import keras
import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.adaptation.adversarial.discriminator import Discriminator, domain_cross_entropy, reversed_gradient


def cross_entropy_of_skada(source, target):
    """`DANNLoss` of skada 0.6 (skada/deep/_adversarial.py): torch's BCELoss of source with 0 plus target with 1."""
    source, target = (1 / (1 + np.exp(-logits.astype(np.float64))) for logits in (source, target))
    return -np.mean(np.log(1 - source)) - np.mean(np.log(target))


def test_cross_entropy_is_that_of_skada():
    logits = np.random.default_rng(0).normal(size=(2, 15)).astype(np.float32) * 2
    assert float(domain_cross_entropy(*logits)) == pytest.approx(cross_entropy_of_skada(*logits), abs=1e-5)


def test_cross_entropy_of_the_best_discriminator_falls_with_the_shift_of_a_gaussian():
    """Its logits are s x - s^2 / 2; of equal distributions it is 2 ln 2, and 2 (ln 2 - JS) else."""
    draws, values = np.random.default_rng(1).normal(size=4000), []
    for shift in (0, 0.5, 1, 2, 4):
        source, target = (shift * (draws + moved) - shift**2 / 2 for moved in (0, shift))
        values.append(float(domain_cross_entropy(np.float32(source), np.float32(target))))
    assert values[0] == pytest.approx(2 * np.log(2), abs=1e-5)
    assert values == sorted(values, reverse=True) and values[-1] < 0.3


def test_reversed_gradient_changes_sign_and_nothing_else():
    values = tf.Variable(np.random.default_rng(2).normal(size=5).astype(np.float32))
    with tf.GradientTape() as tape:
        reversed_values = reversed_gradient(values.value())
        result = tf.reduce_sum(reversed_values**2)
    np.testing.assert_allclose(reversed_values, values, rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(result, values), -2 * values.numpy(), rtol=1e-6)


def test_published_size_of_the_discriminator():
    """DeepMerge II: 1,313,793 parameters on 256 latents, 3,705,857 on 2,592."""
    for n_latent, number in ((256, 1_313_793), (2_592, 3_705_857)):
        discriminator = Discriminator()
        discriminator.create(n_latent, 1, seed=0)
        assert sum(int(np.prod(weight.shape)) for weight in discriminator.trainable_variables) == number


def test_weights_follow_from_the_seed():
    weights = []
    for seed in (1, 1, 2):
        discriminator = Discriminator(width=4)
        discriminator.create(3, 1, seed)
        weights.append(np.concatenate([np.ravel(weight) for weight in discriminator.trainable_variables]))
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_output_is_that_of_plain_matrix_products():
    discriminator = Discriminator(width=7, dropout=0.0)
    discriminator.create(3, 2, seed=1)
    values = np.random.default_rng(3).normal(size=(5, 3)).astype(np.float32)
    expected = values
    for dense in discriminator.denses:
        kernel, bias = dense.get_weights()
        expected = expected @ kernel + bias
        expected = np.maximum(expected, 0) if dense is not discriminator.denses[-1] else expected
    np.testing.assert_allclose(discriminator(values), expected, atol=1e-6)


def test_dropout_is_in_force():
    discriminator = Discriminator(width=64, dropout=0.5)
    discriminator.create(3, 1, seed=1)
    values = np.ones((2, 3), np.float32)
    first, second = (keras.ops.convert_to_numpy(discriminator(values)) for _ in range(2))
    assert not np.array_equal(first, second)
