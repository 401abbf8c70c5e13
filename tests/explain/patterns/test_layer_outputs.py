import keras
import numpy as np
import pytest

from photoz_morph.explain.gradients import Score
from photoz_morph.explain.patterns.layer_outputs import feature_maps, unit, up_to_layer
from tests.support.explain_layers import network_of


def test_maps_are_those_of_the_layer_whatever_the_batches():
    network, _, inputs, _ = network_of("inception")
    inputs = {name: np.concatenate([values, values[::-1], values]) for name, values in inputs.items()}
    maps = feature_maps(network, "C1", inputs, batch_size=4)
    crop = inputs["image"][:, 26:38, 26:38]
    direct = network.get_layer("C1")(crop)
    np.testing.assert_allclose(maps, direct, rtol=1e-5, atol=1e-6)


def test_a_unit_of_each_galaxy_is_a_target():
    network, _, inputs, _ = network_of("convnet")
    maps = feature_maps(network, "conv1", inputs)
    score = Score(up_to_layer(network, "conv1"), unit([[3, 4], [10, 2]], [1, 0]))
    np.testing.assert_allclose(score(inputs), [maps[0, 3, 4, 1], maps[1, 10, 2, 0]], rtol=1e-5)
    latent = feature_maps(network, "latent", inputs)
    score = Score(up_to_layer(network, "latent"), unit(np.zeros((2, 0), int), [5, 7]))
    np.testing.assert_allclose(score(inputs), [latent[0, 5], latent[1, 7]], rtol=1e-4, atol=1e-6)


def test_layers_that_are_not_there_are_named_with_the_remedy():
    network, *_ = network_of("convnet")
    with pytest.raises(ValueError, match="'convnet' has no layer 'conv9'; it has image, .*conv1"):
        up_to_layer(network, "conv9")
    image = keras.Input((24, 24, 3), name="image")
    with pytest.raises(ValueError, match="no layer 'conv1'; give 'convnet', the network inside"):
        up_to_layer(keras.Model(image, network({"image": image})), "conv1")
    network, *_ = network_of("inception of PSF-matched photometry")
    with pytest.raises(ValueError, match="'psf_matched_photometry' has 2 outputs; give one behind it"):
        up_to_layer(network, "psf_matched_photometry")
