import keras
import numpy as np
import pytest

from photoz_morph.models.layers.domain_batch_norm import DomainBatchNormalization, with_domain_batch_norm
from photoz_morph.models.layers.image_scaling import ArcsinhScaling
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_classifier


def maps(n=10, seed=0):
    """Two domains in turn, the second brighter and wider."""
    domain = np.arange(n, dtype=np.int32) % 2
    values = np.random.default_rng(seed).normal(size=(n, 5, 4, 3)) * (1 + 3 * domain[:, None, None, None])
    return (values + 10 * domain[:, None, None, None]).astype(np.float32), domain


def test_each_domain_is_normalised_as_by_a_batch_norm_of_its_own():
    layer, (values, domain) = DomainBatchNormalization(), maps()
    outputs = np.asarray(layer(values, domain, training=True))
    for index in range(2):
        own = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        np.testing.assert_allclose(outputs[domain == index], own(values[domain == index], training=True), atol=1e-5)
        np.testing.assert_allclose(np.asarray(layer.moving_mean)[index], own.moving_mean, rtol=1e-5)
        np.testing.assert_allclose(np.asarray(layer.moving_variance)[index], own.moving_variance, rtol=1e-5)
        other = maps(seed=1)[0][domain == index]
        later = layer(other, np.full(5, index, np.int32), training=False)
        np.testing.assert_allclose(later, own(other, training=False), rtol=1e-4, atol=1e-5)


def test_a_domain_that_is_not_shown_keeps_its_moments():
    layer, (values, domain) = DomainBatchNormalization(), maps()
    layer(values, domain, training=True)
    before = np.asarray(layer.moving_mean)
    assert np.isfinite(layer(values[domain == 0], np.zeros(5, np.int32), training=True)).all()
    np.testing.assert_array_equal(np.asarray(layer.moving_mean)[1], before[1])
    assert np.any(np.asarray(layer.moving_mean)[0] != before[0])


def trained(network):
    """The network with moments and weights that are not the first ones."""
    rng = np.random.default_rng(3)
    network.set_weights([weight + rng.uniform(0.1, 0.3, weight.shape) for weight in network.get_weights()])
    return network


@pytest.mark.parametrize("n_domains", [1, 2])
def test_a_network_with_norms_of_each_domain_starts_with_the_outputs_of_the_network(n_domains, tmp_path):
    scaling = ArcsinhScaling(n_domains=n_domains)
    plain = trained(build_classifier("convnet", (16, 16, 3), seed=1, width=2, n_latent=6, scaling=scaling))
    plain.get_layer("arcsinh_scaling").set_quantiles([[0.0, 2.0]] * n_domains)
    network = with_domain_batch_norm(plain)
    assert network.name == "convnet_domain_bn" and set(network.input) == {"image", "domain"}
    images, domain = np.random.default_rng(0).normal(size=(6, 16, 16, 3)).astype(np.float32), np.arange(6) % 2
    given = {"image": images, "domain": domain.astype(np.int32)}
    expected = plain({key: given[key] for key in plain.input})
    for name, values in network(given).items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-6, atol=1e-5)
    network(given, training=True)
    network.save(tmp_path / "network.keras")
    outputs, loaded = network(given), load_network(tmp_path / "network.keras")(given)
    for name, values in outputs.items():
        np.testing.assert_array_equal(values, loaded[name])
        assert not np.allclose(values, expected[name], atol=1e-3)


def test_the_whole_resnet_has_norms_of_each_domain():
    network = with_domain_batch_norm(build_classifier("resnet18", (32, 32, 3), width=2, n_latent=4))
    kinds = [type(layer) for layer in network.layers]
    assert kinds.count(DomainBatchNormalization) == 20 and keras.layers.BatchNormalization not in kinds


def test_networks_that_cannot_have_them_are_refused():
    plain = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)], name="plain")
    with pytest.raises(ValueError, match="network 'plain' has no batch norm"):
        with_domain_batch_norm(plain)
    inputs = keras.Input((4, 4, 2), name="image")
    norm = keras.layers.BatchNormalization(axis=1, name="bn1")(inputs)
    with pytest.raises(ValueError, match="batch norm 'bn1' is over axis 1, must be over the last"):
        with_domain_batch_norm(keras.Model({"image": inputs}, norm))
