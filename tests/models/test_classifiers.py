import keras
import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.models.inception_photoz import trainable_parameter_count
from photoz_morph.models.layers.blocks import convolution
from photoz_morph.models.layers.image_scaling import ArcsinhScaling, scaling_preset
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_classifier

SMALL = {  # members of each family that are quick to build
    "resnet18": dict(image_shape=(32, 32, 3), width=2, n_latent=6),
    "convnet": dict(image_shape=(16, 16, 3), width=2, n_latent=6),
    "deepmerge": dict(image_shape=(24, 24, 3), width=2, crop=16),
}


@pytest.fixture(scope="module")
def published():
    return {
        name: build_classifier(name, n_classes=n_classes, seed=1)
        for name, n_classes in {"resnet18": 3, "convnet": 3, "deepmerge": 2}.items()
    }


def stamps(shape, n=4):
    return np.random.default_rng(1).normal(size=(n, *shape)).astype(np.float32)


def fitted(**options):
    """A scaling whose quantiles are set."""
    layer = ArcsinhScaling(**options)
    layer.set_quantiles([[-1.0, 2.0], [-0.5, 1.0]][: layer.n_domains])
    return layer


def test_parameter_counts_are_the_published_ones(published):
    trainable = {name: trainable_parameter_count(network) for name, network in published.items()}
    assert trainable == {"resnet18": 11_308_611, "convnet": 1_187_203, "deepmerge": 174_626}
    totals = {name: network.count_params() for name, network in published.items()}  # with batch norm's moving moments
    assert totals == {"resnet18": 11_318_211, "convnet": 1_187_315, "deepmerge": 174_738}


def test_resnet18_has_its_parameters_where_torchvision_has_them(published):
    counts = dict.fromkeys(("conv1", "bn1", "stage1", "stage2", "stage3", "stage4", "latent", "logits"), 0)
    for layer in published["resnet18"].layers:
        if layer.trainable_weights:
            counts[layer.name.split("_")[0]] += trainable_parameter_count(layer)
    assert list(counts.values()) == [9_408, 128, 147_968, 525_568, 2_099_712, 8_393_728, 131_328, 771]


def test_map_sizes_are_those_of_pytorch(published):
    names = ["relu1", "pool1", *(f"stage{stage}_block2_relu2" for stage in (1, 2, 3, 4))]
    assert [published["resnet18"].get_layer(name).output.shape[1] for name in names] == [50, 25, 25, 13, 7, 4]
    assert [published["convnet"].get_layer(f"pool{i}").output.shape[1] for i in (1, 2, 3)] == [50, 25, 12]
    assert [published["deepmerge"].get_layer(f"pool{i}").output.shape[1] for i in (1, 2, 3)] == [37, 18, 9]


def test_networks_name_logits_and_latent(published):
    shapes = {name: {key: value.shape[1] for key, value in net.output.items()} for name, net in published.items()}
    assert shapes == {
        "resnet18": {"logits": 3, "latent": 256},
        "convnet": {"logits": 3, "latent": 256},
        "deepmerge": {"logits": 2, "latent": 2592},
    }


@pytest.mark.parametrize(("kernel", "stride", "side"), [(7, 2, 10), (3, 2, 7), (3, 1, 6), (1, 2, 6)])
def test_convolutions_are_padded_alike_on_all_sides(kernel, stride, side):
    """Against the definition of PyTorch's convolution with padding (kernel - 1) / 2, in plain loops."""
    image = keras.Input((side, side, 2))
    network = keras.Model(image, convolution(image, 3, kernel, seed=4, name="conv", stride=stride))
    weights = np.asarray(network.get_layer("conv").kernel)
    pixels = stamps((side, side, 2), n=1)
    padded = np.pad(pixels[0], [(kernel // 2, kernel // 2)] * 2 + [(0, 0)])
    steps = range(0, side + 2 * (kernel // 2) - kernel + 1, stride)
    expected = [
        [np.einsum("abc,abcd->d", padded[y : y + kernel, x : x + kernel], weights) for x in steps] for y in steps
    ]
    np.testing.assert_allclose(network(pixels)[0], expected, atol=1e-5)


def test_initial_weights_are_those_of_the_authors(published):
    network = published["resnet18"]
    deviations = {"stage4_block2_conv1": np.sqrt(2 / (9 * 512)), "latent": 0.005, "logits": 0.01}
    for name, deviation in deviations.items():
        kernel = np.asarray(network.get_layer(name).kernel)
        assert kernel.std() == pytest.approx(deviation, rel=4 / np.sqrt(2 * kernel.size))  # four sigma
    assert not np.any(network.get_layer("latent").bias) and not np.any(network.get_layer("logits").bias)
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms) == 20
    assert all((norm.epsilon, norm.momentum, norm.synchronized) == (1e-5, 0.9, True) for norm in norms)


@pytest.mark.parametrize("name", SMALL)
def test_seed_decides_the_weights(name):
    first, same, other = (build_classifier(name, seed=seed, **SMALL[name]).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same))
    assert not np.array_equal(first[0], other[0])
    kernels = [weights for weights in first if weights.ndim == 4]
    assert len({kernel.ravel()[0] for kernel in kernels}) == len(kernels)  # no two layers share a stream


def test_deepmerge_sees_the_central_75_pixels(published):
    image = stamps((100, 100, 3))
    outside = image.copy()
    outside[:, :12] = outside[:, :, :12] = outside[:, 87:] = outside[:, :, 87:] = 9
    inside = image.copy()
    inside[:, 12, 50] = inside[:, 50, 86] = 9
    latents = [published["deepmerge"]({"image": pixels})["latent"] for pixels in (image, outside, inside)]
    before, same, changed = map(np.asarray, latents)
    np.testing.assert_array_equal(before, same)
    assert not np.array_equal(before, changed)


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
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build_classifier(name, scaling=fitted(), **SMALL[name])
    finally:
        keras.config.set_dtype_policy("float32")
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
    with pytest.raises(ValueError, match="model.crop is 75, the stamps have 64 x 64 pixels"):
        build_classifier("deepmerge", image_shape=(64, 64, 3))
