import keras
import numpy as np
import pytest

from photoz_morph.models.folded_resnet18 import FoldedStages, folded, padded, stem_kernel
from photoz_morph.models.resnet18 import resnet18


@pytest.fixture(scope="module")
def network():
    """A small ResNet18 whose batch norms have moments, scales and shifts of their own."""
    network, rng = resnet18((32, 32, 3), width=4, n_latent=6, seed=1), np.random.default_rng(2)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            n = layer.gamma.shape[0]
            values = rng.uniform(0.5, 2, n), rng.normal(size=n), rng.normal(size=n), rng.uniform(0.5, 2, n)
            layer.set_weights(values)
        if layer.name in ("latent", "logits"):
            kernel, _ = layer.get_weights()
            layer.set_weights([rng.normal(size=kernel.shape), rng.normal(size=kernel.shape[1])])
    return network


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(3).normal(size=(5, 32, 32, 3)).astype(np.float32)


def output_of(network, name, image):
    return keras.Model(network.input, network.get_layer(name).output)({"image": image})


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 3e-2)])
def test_folded_stages_give_the_logits_of_the_network(precision, tolerance, network, image):
    """Equal to the rounding of each precision, relative to the largest logit."""
    expected = np.asarray(network({"image": image}, training=False)["logits"])
    found = np.asarray(FoldedStages(network, precision)(output_of(network, "pool1", image)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max())


def test_a_folded_convolution_is_the_convolution_and_its_batch_norm(network):
    """A 1 x 1 convolution is a matrix: (x K - mean) gamma / sqrt(variance + epsilon) + beta."""
    kernel, bias = folded(network, "stage2_block1_shortcut_conv", "stage2_block1_shortcut_bn")
    x = np.random.default_rng(4).normal(size=(7, 4))
    gamma, beta, mean, variance = network.get_layer("stage2_block1_shortcut_bn").get_weights()
    plain = x @ network.get_layer("stage2_block1_shortcut_conv").get_weights()[0][0, 0]
    expected = (plain - mean) * gamma / np.sqrt(variance + 1e-5) + beta
    np.testing.assert_allclose(x @ kernel[0, 0] + bias, expected, rtol=1e-5, atol=1e-5)


def test_the_stem_is_the_first_convolution_with_its_batch_norm(network, image):
    kernel, bias = stem_kernel(network)
    found = keras.ops.conv(padded(image, 3), kernel, strides=2, padding="valid") + bias
    np.testing.assert_allclose(found, output_of(network, "bn1", image), atol=1e-4)


def test_padding_is_zeros_on_every_side():
    maps = np.ones((1, 2, 3, 1), np.float32)
    np.testing.assert_array_equal(padded(maps, 2), np.pad(maps, [(0, 0), (2, 2), (2, 2), (0, 0)]))
