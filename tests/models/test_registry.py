import keras
import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.config import load_config
from photoz_morph.models.layers.image_scaling import ArcsinhScaling, scaling_preset
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import CLASSIFIERS, MODELS, build_classifier, build_model, layer_precision
from photoz_morph.morph.config import MorphConfig
from photoz_morph.photoz.config import PhotozConfig
from tests.support.samples import TINY

SMALL = {  # members of each family that are quick to build
    "resnet18": dict(image_shape=(32, 32, 3), width=2, n_latent=6),
    "convnet": dict(image_shape=(16, 16, 3), width=2, n_latent=6),
    "deepmerge": dict(image_shape=(24, 24, 3), width=2, crop=16),
}


def stamps(shape, n=4):
    return np.random.default_rng(1).normal(size=(n, *shape)).astype(np.float32)


def fitted(**options):
    """A scaling whose quantiles are set."""
    layer = ArcsinhScaling(**options)
    layer.set_quantiles([[-1.0, 2.0], [-0.5, 1.0]][: layer.n_domains])
    return layer


def test_choices_of_the_configs_are_the_networks_of_the_registry():
    assert MorphConfig.CHOICES["model.name"] == tuple(CLASSIFIERS)
    assert PhotozConfig.CHOICES["model.name"] == tuple(MODELS)


def test_a_photoz_network_has_the_bins_and_the_shape_of_its_config():
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, "redshift.n_bins=30"])
    network = build_model(config, seed=1)
    assert network.output.shape == (None, 30)
    assert network.get_layer("C1").filters == 8 and network.get_layer("FC1").units == 32


def test_precision_is_set_for_the_layers_of_the_block_alone():
    before = keras.config.dtype_policy().name
    with pytest.raises(ZeroDivisionError), layer_precision("mixed_bfloat16"):
        inside = keras.layers.Dense(1)
        raise ZeroDivisionError
    assert inside.compute_dtype == "bfloat16" and inside.variable_dtype == "float32"
    assert keras.config.dtype_policy().name == before and keras.layers.Dense(1).compute_dtype == before


def test_networks_name_logits_and_latent():
    outputs = {name: build_classifier(name, n_classes=2, **SMALL[name]).output for name in SMALL}
    shapes = {name: {key: value.shape[1] for key, value in output.items()} for name, output in outputs.items()}
    assert shapes == {
        "resnet18": {"logits": 2, "latent": 6},
        "convnet": {"logits": 2, "latent": 6},
        "deepmerge": {"logits": 2, "latent": 2 * 2 * 8},
    }


@pytest.mark.parametrize("name", SMALL)
def test_seed_decides_the_weights(name):
    first, same, other = (build_classifier(name, seed=seed, **SMALL[name]).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same))
    assert not np.array_equal(first[0], other[0])
    kernels = [weights for weights in first if weights.ndim == 4]
    assert len({kernel.ravel()[0] for kernel in kernels}) == len(kernels)  # no two layers share a stream


@pytest.mark.parametrize("name", SMALL)
def test_saved_networks_give_the_same_numbers(name, tmp_path):
    network = build_classifier(name, scaling=fitted(n_domains=2, clip=True), **SMALL[name])
    inputs = {"image": stamps(SMALL[name]["image_shape"]), "domain": np.array([0, 1, 1, 0], np.int32)}
    expected = network(inputs)
    network.save(tmp_path / "network.keras")
    restored = load_network(tmp_path / "network.keras")(inputs)
    network.export(tmp_path / "saved", verbose=False)
    saved = tf.saved_model.load(tmp_path / "saved")  # must outlive its signature
    served = saved.serve(inputs)
    for key in ("logits", "latent"):
        np.testing.assert_array_equal(restored[key], expected[key])
        np.testing.assert_allclose(served[key], expected[key], atol=1e-6)


def test_domain_is_an_input_only_where_it_decides_something():
    scalings = (None, scaling_preset("default"), scaling_preset("paper"))
    networks = [build_classifier("convnet", scaling=scaling, **SMALL["convnet"]) for scaling in scalings]
    assert [set(network.input) for network in networks] == [{"image"}, {"image"}, {"image", "domain"}]


@pytest.mark.parametrize("name", SMALL)
def test_bfloat16_convolutions_keep_a_float32_scaling_and_outputs(name):
    image = stamps(SMALL[name]["image_shape"]) + 1000  # bfloat16 would round these to multiples of 4
    with layer_precision("mixed_bfloat16"):
        network = build_classifier(name, scaling=fitted(), **SMALL[name])
    assert network.get_layer("conv1").compute_dtype == "bfloat16"
    both = keras.Model(network.input, {**network.output, "scaled": network.get_layer("arcsinh_scaling").output})
    outputs = both({"image": image})
    np.testing.assert_allclose(outputs["scaled"], np.arcsinh(0.85 * image / 2), rtol=1e-6)
    assert {np.asarray(value).dtype for value in outputs.values()} == {np.dtype("float32")}


def test_what_a_network_cannot_do_is_named():
    with pytest.raises(ValueError, match="model.name is 'resnet50'; there are resnet18, convnet, deepmerge"):
        build_classifier("resnet50")
    with pytest.raises(ValueError, match="model.n_latent: deepmerge has no such option; it has image_shape, "):
        build_classifier("deepmerge", n_latent=256)
