import keras
import numpy as np
import pytest

from photoz_morph.models.layers.image_scaling import scaling_preset
from photoz_morph.models.loading import LAYERS, in_float32, load_members, load_network
from photoz_morph.models.registry import build_classifier, layer_precision


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(1).normal(size=(3, 16, 16, 3)).astype(np.float32)


def convnet(seed=1):
    scaling = scaling_preset("default")
    scaling.set_quantiles([-1.0, 3.0])
    return build_classifier("convnet", (16, 16, 3), seed=seed, width=2, n_latent=6, scaling=scaling)


def test_every_layer_of_ours_is_found_by_its_class_name():
    """Keras looks a name up here before it tries the module that the file names, which has moved since."""
    assert {name: layer.__name__ for name, layer in LAYERS.items()} == {name: name for name in LAYERS}
    assert set(LAYERS) == {
        "ApertureFluxes", "AsinhCompression", "Deredden", "PixelScales", "SelectBands", "Standardization", "Whitening",
        "LogConditions", "PsfMatchedPhotometry", "ArcsinhScaling", "SquareViews", "MeanOfViews", "MedianFilter",
        "BatchNormalization", "DomainBatchNormalization", "PixelResampling", "LowRankConv2D", "LowRankDense",
        "MaxPoolingWithIndices", "MaxUnpooling", "RoIAlign", "GridPredictions", "RegionCNN", "ProbabilisticUNet",
        "HeatMapLoss", "KnownPixelsLoss", "YoloLoss", "PixelCrossEntropy", "ArcsinhError",
        "CircularPadding", "GaussianParameters", "GaussianLikelihood", "StandardisedField",
    }  # fmt: skip


def test_members_are_loaded_in_the_order_of_their_paths(tmp_path, image):
    networks = [convnet(seed) for seed in (3, 1, 2)]
    for number, network in enumerate(networks):
        network.save(tmp_path / f"{number}.keras")
    members = load_members([tmp_path / f"{number}.keras" for number in range(3)])
    for network, member in zip(networks, members, strict=True):
        np.testing.assert_array_equal(network({"image": image})["logits"], member({"image": image})["logits"])


@pytest.mark.parametrize("content", [b"", b"not a zip", None])
def test_a_damaged_member_is_named_with_the_remedy(content, tmp_path):
    convnet().save(tmp_path / "model.keras")
    path = tmp_path / "model.keras"
    path.write_bytes(path.read_bytes()[:2000] if content is None else content)
    with pytest.raises(ValueError, match="model.keras: cannot be read as a network .*; remove it and run the same"):
        load_members([path])


def test_a_network_is_loaded_with_its_optimizer_only_to_train_on(tmp_path):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    network.compile(keras.optimizers.Adam(0.1), "mse")
    network.train_on_batch(np.ones((2, 2)), np.ones((2, 1)))
    network.save(tmp_path / "network.keras")
    assert not load_network(tmp_path / "network.keras").compiled
    assert int(load_network(tmp_path / "network.keras", compile=True).optimizer.iterations) == 1


def test_a_bfloat16_network_computes_in_float32_with_the_same_weights(image):
    with layer_precision("mixed_bfloat16"):
        mixed = convnet()
    exact = in_float32(mixed)
    assert {layer.compute_dtype for layer in exact.layers} <= {"float32"}
    reference = convnet()
    reference.set_weights(mixed.get_weights())
    expected, rounded = (np.asarray(network({"image": image})["latent"]) for network in (reference, mixed))
    np.testing.assert_array_equal(exact({"image": image})["latent"], expected)
    assert np.abs(rounded - expected).max() > 1e-6
    assert in_float32(reference) is reference
