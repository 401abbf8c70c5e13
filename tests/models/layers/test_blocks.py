import keras
import numpy as np
import pytest

from photoz_morph.models.layers.blocks import batch_norm, convolution, layer_seeds, linear_head


@pytest.mark.parametrize(("kernel", "stride", "side"), [(7, 2, 10), (3, 2, 7), (3, 1, 6), (1, 2, 6)])
def test_convolutions_are_padded_alike_on_all_sides(kernel, stride, side):
    """Against the definition of PyTorch's convolution with padding (kernel - 1) / 2, in plain loops."""
    image = keras.Input((side, side, 2))
    network = keras.Model(image, convolution(image, 3, kernel, seed=4, name="conv", stride=stride))
    weights = np.asarray(network.get_layer("conv").kernel)
    pixels = np.random.default_rng(1).normal(size=(1, side, side, 2)).astype(np.float32)
    padded = np.pad(pixels[0], [(kernel // 2, kernel // 2)] * 2 + [(0, 0)])
    steps = range(0, side + 2 * (kernel // 2) - kernel + 1, stride)
    expected = [
        [np.einsum("abc,abcd->d", padded[y : y + kernel, x : x + kernel], weights) for x in steps] for y in steps
    ]
    np.testing.assert_allclose(network(pixels)[0], expected, atol=1e-5)


def test_logits_are_a_linear_function_of_the_latent():
    features = keras.Input((5,))
    network = keras.Model(features, linear_head(features, 4, 3, layer_seeds(1)))
    x = np.random.default_rng(2).normal(size=(6, 5)).astype(np.float32)
    (first, _), (second, _) = (network.get_layer(name).get_weights() for name in ("latent", "logits"))
    outputs = network(x)
    np.testing.assert_allclose(outputs["latent"], x @ first, atol=1e-7)
    np.testing.assert_allclose(outputs["logits"], x @ first @ second, atol=1e-7)


def test_moving_moments_follow_the_batch_as_in_pytorch():
    """Momentum 0.1 of PyTorch: a tenth of the new mean and nine tenths of the old one."""
    maps = keras.Input((2, 2, 1))
    network = keras.Model(maps, batch_norm(maps, "bn"))
    network(np.full((4, 2, 2, 1), 10.0, np.float32), training=True)
    assert float(network.get_layer("bn").moving_mean[0]) == pytest.approx(1.0)
    assert float(network.get_layer("bn").moving_variance[0]) == pytest.approx(0.9)


def test_seeds_are_a_stream_of_the_seed_without_repeats():
    first, again, other = ([next(seeds) for _ in range(256)] for seeds in map(layer_seeds, (1, 1, 2)))
    assert first == again and len(set(first)) == 256 and not set(first) & set(other)
