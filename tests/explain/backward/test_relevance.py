import random

import keras
import numpy as np
import pytest
from keras import layers

from photoz_morph.explain.backward.relevance import RULES, layerwise_relevance
from photoz_morph.explain.gradients import Score
from tests.support.explain import galaxies, linear, total
from tests.support.explain_layers import network_of, total_of, two_layers, unit_target


def test_relevance_of_a_linear_network_is_weights_times_inputs_and_adds_up_to_the_score():
    network, weights, of_ebv = linear()
    network.layers[-1].set_weights([network.layers[-1].get_weights()[0], np.zeros(1)])
    inputs = galaxies()
    found = layerwise_relevance(network, total, inputs)
    np.testing.assert_allclose(found["image"], inputs["image"] * weights, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["ebv"], inputs["ebv"] * of_ebv, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(total_of(found), Score(network, total)(inputs), atol=1e-4)


def shares(x, kernel, bias, rule, gamma=0.25, alpha=2.0):
    """Shares of the inputs in each output, shape (n, n_in, n_out), straight from the papers."""
    parts = x[:, :, None] * kernel
    z = parts.sum(axis=1, keepdims=True) + bias
    positive, negative = np.maximum(parts, 0), np.minimum(parts, 0)
    all_positive = positive.sum(axis=1, keepdims=True) + np.maximum(bias, 0)
    all_negative = negative.sum(axis=1, keepdims=True) + np.minimum(bias, 0)
    if rule == "epsilon":
        return parts / z
    if rule == "gamma":
        same = np.where(z > 0, positive, negative)
        return (parts + gamma * same) / (z + gamma * np.where(z > 0, all_positive, all_negative))
    with np.errstate(invalid="ignore", divide="ignore"):
        up, down = np.nan_to_num(positive / all_positive), np.nan_to_num(negative / all_negative)
    return up if rule == "z_plus" else alpha * up - (alpha - 1) * down


@pytest.mark.parametrize("rule", RULES)
def test_two_layers_have_the_relevance_of_the_papers_formulas(rule):
    network, (first, first_bias, second, second_bias) = two_layers(seed=4, activations=("relu", None))
    x = np.random.default_rng(5).normal(size=(20, 6))
    hidden = np.maximum(x @ first + first_bias, 0)
    output = hidden @ second + second_bias
    # Where a unit has contributions of one sign only, the published alpha-beta rule loses relevance, ours does not.
    mixed = [(values[:, :, None] * kernel > 0).any(axis=1) & (values[:, :, None] * kernel < 0).any(axis=1)
             for values, kernel in ((x, first), (hidden, second))]  # fmt: skip
    is_mixed = mixed[0].all(axis=1) & mixed[1][:, 0]
    assert is_mixed.sum() >= 5
    relevance = shares(hidden, second, second_bias, rule)[:, :, 0] * output[:, :1]
    relevance = np.einsum("nij,nj->ni", shares(x, first, first_bias, rule), relevance)
    found = layerwise_relevance(network, unit_target(0), x.astype("float32"), rule)
    np.testing.assert_allclose(found[is_mixed], relevance[is_mixed], rtol=2e-3, atol=2e-4)


def without_biases(pooling=layers.AveragePooling2D):
    """Image and E(B-V) through convolutions, a shortcut and pooling, without any bias."""
    options = {"padding": "same", "use_bias": False}
    image, ebv = keras.Input((8, 8, 3), name="image"), keras.Input((), name="ebv")
    maps = layers.PReLU(shared_axes=[1, 2], alpha_initializer=keras.initializers.Constant(0.2))(
        layers.Conv2D(4, 3, **options)(image)
    )
    maps = layers.Add()([maps, layers.ReLU()(layers.Conv2D(4, 3, **options)(maps))])
    flat = layers.Flatten()(pooling(2, padding="same")(maps))
    joined = layers.Concatenate()([flat, layers.Reshape((1,))(ebv)])
    hidden = layers.Dense(6, activation="relu", use_bias=False)(joined)
    return keras.Model({"image": image, "ebv": ebv}, layers.Dense(2, use_bias=False)(hidden))


@pytest.mark.parametrize("rule", ["epsilon", "gamma", "alpha_beta"])
@pytest.mark.parametrize("pooling", [layers.AveragePooling2D, layers.MaxPooling2D])
def test_pixels_and_ebv_together_have_the_relevance_of_the_score(rule, pooling):
    random.seed(6)
    network = without_biases(pooling)
    inputs = galaxies(side=8)
    found = layerwise_relevance(network, unit_target(1), inputs, rule)
    np.testing.assert_allclose(total_of(found), Score(network, unit_target(1))(inputs), rtol=1e-3, atol=1e-4)
    assert np.abs(found["ebv"]).max() > 1e-5


def test_a_batch_norm_is_part_of_its_convolution():
    rng = np.random.default_rng(7)
    pixels = keras.Input((6, 6, 2))
    kernel, gamma, beta, mean, variance = (
        rng.normal(size=(3, 3, 2, 4)), rng.normal(size=4), rng.normal(size=4), rng.normal(size=4), rng.uniform(1, 2, 4)
    )  # fmt: skip
    norm = layers.BatchNormalization(epsilon=1e-5, name="norm")
    normed = keras.Model(pixels, layers.Flatten()(layers.ReLU()(norm(layers.Conv2D(4, 3, use_bias=False)(pixels)))))
    normed.set_weights([kernel, gamma, beta, mean, variance])
    plain = keras.Model(pixels, layers.Flatten()(layers.ReLU()(layers.Conv2D(4, 3)(pixels))))
    scale = gamma / np.sqrt(variance + 1e-5)
    plain.set_weights([kernel * scale, beta - mean * scale])
    image = rng.normal(size=(3, 6, 6, 2)).astype("float32")
    for rule in RULES:
        one, other = (layerwise_relevance(network, unit_target(5), image, rule) for network in (normed, plain))
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
        assert np.abs(one).max() > 1e-3 or not np.abs(other).max()


OF_ALL_KINDS = ("inception with batch norm and max pooling", "inception of photometry", "deepmerge")


@pytest.mark.parametrize("name", OF_ALL_KINDS)
def test_every_network_of_the_package_has_relevance(name):
    network, target, inputs, _ = network_of(name)
    found = layerwise_relevance(network, target, inputs, "gamma")
    assert {key: values.shape for key, values in found.items()} == {key: values.shape for key, values in inputs.items()}
    assert all(np.isfinite(values).all() for values in found.values()) and np.abs(found["image"]).max() > 0


def test_domains_have_the_relevance_of_their_own_batch_norms():
    network, target, inputs, _ = network_of("resnet18 of two domains")
    together = layerwise_relevance(network, target, inputs, "z_plus")
    for row in (0, 1):
        alone = {name: values[row : row + 1] for name, values in inputs.items()}
        found = layerwise_relevance(network, target, alone, "z_plus")
        np.testing.assert_allclose(found["image"][0], together["image"][row], rtol=1e-3, atol=1e-5)


def test_layers_may_have_rules_of_their_own():
    network, weights = two_layers(seed=8, activations=("relu", None))
    x = np.random.default_rng(9).normal(size=(4, 6)).astype("float32")
    mixed = layerwise_relevance(network, unit_target(0), x, "gamma", rules_of_layers={"second": "epsilon"})
    plain = [layerwise_relevance(network, unit_target(0), x, rule) for rule in ("gamma", "epsilon")]
    assert all(np.abs(mixed - other).max() > 1e-3 for other in plain)
    with pytest.raises(ValueError, match="no layer with weights third; there are first, second"):
        layerwise_relevance(network, unit_target(0), x, rules_of_layers={"third": "gamma"})
    with pytest.raises(ValueError, match="no rule 'zeta'; there are epsilon"):
        layerwise_relevance(network, unit_target(0), x, rules_of_layers={"first": "zeta"})
    with pytest.raises(ValueError, match="alpha is 0.5"):
        layerwise_relevance(network, unit_target(0), x, "alpha_beta", alpha=0.5)
