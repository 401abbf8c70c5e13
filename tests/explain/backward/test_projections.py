import keras
import numpy as np
import pytest
from keras import layers, ops

from photoz_morph.explain.backward.projections import projecting
from photoz_morph.explain.gradients import Score
from tests.support.explain_layers import NETWORKS, network_of, two_layers, unit_target


def projection(network, target, inputs, method):
    return Score(projecting(network, method), target).value_and_gradient(inputs)[1]


def itself(output, galaxies):
    """Target whose signal is the output."""
    return ops.sum(ops.reshape(ops.stop_gradient(output) * output, (ops.shape(output)[0], -1)), axis=1)


def test_deconvnet_of_one_layer_is_the_transposed_convolution_of_the_rectified_map():
    rng = np.random.default_rng(0)
    kernel, bias, image = rng.normal(size=(3, 3, 2, 4)), rng.normal(size=4), rng.normal(size=(1, 6, 5, 2))
    pixels = keras.Input((6, 5, 2))
    network = keras.Model(pixels, layers.ReLU()(layers.Conv2D(4, 3, padding="same", name="C1")(pixels)))
    network.set_weights([kernel, bias])
    padded, expected = np.pad(image[0], ((1, 1), (1, 1), (0, 0))), np.zeros((8, 7, 2))
    for row in range(6):
        for column in range(5):
            window = padded[row : row + 3, column : column + 3]
            rectified = np.maximum(np.einsum("yxb,yxbf->f", window, kernel) + bias, 0)
            expected[row : row + 3, column : column + 3] += kernel @ rectified
    found = projection(network, itself, image.astype("float32"), "deconvnet")
    np.testing.assert_allclose(found[0], expected[1:-1, 1:-1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", ["guided", "deconvnet"])
def test_rectifiers_of_two_layers_as_in_the_papers(method):
    network, (first, first_bias, second, second_bias) = two_layers()
    x = np.random.default_rng(1).normal(size=(8, 6))
    before = x @ first + first_bias
    after = np.maximum(before, 0) @ second + second_bias
    signal = np.zeros((8, 3))
    signal[:, 2] = 1.0
    if method == "guided":
        signal = signal * (after > 0) @ second.T
        signal = np.maximum(signal, 0) * (before > 0) @ first.T
    else:
        signal = np.maximum(signal @ second.T, 0) @ first.T
    found = projection(network, unit_target(2), x.astype("float32"), method)
    np.testing.assert_allclose(found, signal, rtol=1e-4, atol=1e-5)
    assert np.abs(signal).max() > 0.1


def elementwise(layer):
    x = keras.Input((4,))
    return keras.Model(x, layer(x))


def signals_through(layer, maps, signals, method):
    """Signals that a layer passes back where its input has some maps."""
    network = elementwise(layer)
    if layer.weights:
        layer.set_weights([np.full(4, 0.2)])
    weights = np.asarray(signals, "float32")
    return projection(network, lambda output, galaxies: ops.sum(output * weights, axis=1), maps, method)[0]


MAPS, SIGNALS = np.array([[1.5, 1.5, -0.7, -0.7]], "float32"), np.array([2.0, -3.0, 2.0, -3.0])


def test_prelu_passes_negative_signals_of_a_deconvnet_at_its_slope():
    passed = signals_through(layers.PReLU(), MAPS, SIGNALS, "deconvnet")
    np.testing.assert_allclose(passed, [2.0, -0.6, 2.0, -0.6], rtol=1e-6)


def test_prelu_passes_positive_signals_of_guided_backpropagation_by_its_derivative():
    passed = signals_through(layers.PReLU(), MAPS, SIGNALS, "guided")
    np.testing.assert_allclose(passed, [2.0, 0.0, 0.4, 0.0], rtol=1e-6)


def test_gelu_is_a_rectifier():
    from scipy.stats import norm

    deconvnet = signals_through(layers.Activation("gelu"), MAPS, SIGNALS, "deconvnet")
    np.testing.assert_allclose(deconvnet, SIGNALS * norm.cdf(SIGNALS), rtol=1e-5)
    derivative = norm.cdf(MAPS[0]) + MAPS[0] * norm.pdf(MAPS[0])
    guided = signals_through(layers.Activation("gelu"), MAPS, SIGNALS, "guided")
    np.testing.assert_allclose(guided, np.maximum(SIGNALS, 0) * derivative, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ["guided", "deconvnet"])
def test_without_rectifiers_a_projection_is_the_gradient(method):
    image = keras.Input((8, 8, 2))
    maps = layers.Conv2D(4, 3, padding="same", name="C1")(image)
    pooled = layers.AveragePooling2D(2, padding="same")(layers.BatchNormalization()(maps))
    joined = layers.Concatenate()([pooled, layers.MaxPooling2D(2)(maps)])
    joined = layers.Add()([joined, layers.Conv2D(8, 1)(joined)])
    network = keras.Model(image, layers.Dense(2, activation="tanh")(layers.GlobalAveragePooling2D()(joined)))
    pixels = np.random.default_rng(2).normal(size=(3, 8, 8, 2)).astype("float32")
    gradient = Score(network, unit_target(0)).value_and_gradient(pixels)[1]
    np.testing.assert_allclose(projection(network, unit_target(0), pixels, method), gradient, atol=1e-6)
    assert np.abs(gradient).max() > 1e-3


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "resnet18"])
def test_every_network_of_the_package_has_projections_and_stays_as_it_is(name):
    network, target, inputs, _ = network_of(name)
    before = Score(network, target)(inputs)
    values, found = Score(projecting(network, "guided"), target).value_and_gradient(inputs)
    np.testing.assert_allclose(values, before, atol=1e-5)
    np.testing.assert_allclose(Score(network, target)(inputs), before, atol=1e-6)
    plain = Score(network, target).value_and_gradient(inputs)[1]
    assert np.isfinite(found["image"]).all() and np.abs(found["image"] - plain["image"]).max() > 1e-6
    assert [layer.output for layer in network.layers]  # no layer was called once more


def test_networks_inside_are_unfolded():
    network, _ = two_layers()
    x = keras.Input((6,))
    outer = keras.Model(x, network(x))
    values = np.random.default_rng(3).normal(size=(4, 6)).astype("float32")
    for method in ("guided", "deconvnet"):
        inner = projection(network, unit_target(1), values, method)
        np.testing.assert_allclose(projection(outer, unit_target(1), values, method), inner, rtol=1e-6)
    sequence = keras.Sequential([keras.Input((6,)), *network.layers[1:]])
    np.testing.assert_allclose(projection(sequence, unit_target(1), values, "deconvnet"), inner, rtol=1e-6)


class Cube(layers.Layer):
    def call(self, x):
        return x**3


def test_unknown_layers_are_named_with_the_remedy():
    network = elementwise(Cube(name="cubed"))
    with pytest.raises(ValueError, match=r"'cubed' of class Cube has no backward rule; .*kinds=\{'Cube': \.\.\.\}"):
        projecting(network, "guided")
    told = projecting(network, "guided", kinds={"Cube": "elementwise"})
    gradient = Score(told, unit_target(0)).value_and_gradient(MAPS)[1]
    np.testing.assert_allclose(gradient[0, 0], 3 * 1.5**2, rtol=1e-5)
    with pytest.raises(ValueError, match="layer 'odd' has the activation <lambda>"):
        projecting(elementwise(layers.Dense(4, activation=lambda x: x * x, name="odd")), "guided")
    with pytest.raises(ValueError, match="no projection 'grad'"):
        projecting(network, "grad")


def test_networks_that_have_no_graph_or_no_float32_are_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="'own' is not a functional or Sequential keras.Model"):
        projecting(Own(name="own"), "guided")
    with pytest.raises(ValueError, match="'half' computes in bfloat16"):
        projecting(elementwise(layers.Dense(4, dtype="mixed_bfloat16", name="half")), "guided")
