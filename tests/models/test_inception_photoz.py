import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from photoz_morph.config import load_config
from photoz_morph.models.exports.onnx_file import write_onnx
from photoz_morph.models.inception_photoz import inception_photoz, paper_parameter_count, trainable_parameter_count
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_model
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.surveys import SDSS
from tests.support.exports import onnx_answers


@pytest.fixture(scope="module")
def paper_network():
    return build_model(load_config("photoz_sdss.yaml", PhotozConfig))


@pytest.fixture(scope="module")
def stamps():
    return np.random.default_rng(1).normal(size=(4, *SDSS.image_shape)).astype(np.float32)


def test_published_number_of_parameters(paper_network):
    assert paper_parameter_count(paper_network) == 27_391_464  # Sec. 3.4
    # Three times this and two scalars are the 331,156,472 bytes of the authors' checkpoint (weights and Adam moments).
    assert trainable_parameter_count(paper_network) == 27_596_372


def test_table_a1_layer_names_and_shapes(paper_network):
    shapes = {layer.name: layer.output.shape[1:] for layer in paper_network.layers if layer.name != "ebv"}
    assert sum(name[0] == "C" and name[1:].isdigit() for name in shapes) == 29
    blocks = [(32, 32, 240), (32, 32, 340), (16, 16, 476), (16, 16, 476), (8, 8, 348)]
    assert [shapes[f"Co{k}"] for k in range(1, 6)] == blocks
    assert shapes["flatten_and_ebv"] == (8 * 8 * 348 + 1,)
    assert shapes["FC1"] == shapes["FC2"] == (1096,) and shapes["redshift_pdf"] == (180,)


def test_prelu_has_one_slope_per_map_that_starts_at_zero(paper_network):
    slopes = paper_network.get_layer("C1_prelu").alpha
    assert slopes.shape == (1, 1, 64) and np.all(np.asarray(slopes) == 0)


def test_initial_weights_are_glorot_uniform_and_biases_a_tenth(paper_network):
    kernel, bias = paper_network.get_layer("FC2").get_weights()
    limit = np.sqrt(6 / (1096 + 1096))
    assert np.all(np.abs(kernel) <= limit) and np.abs(kernel).max() > 0.99 * limit
    assert np.all(bias == np.float32(0.1))


def test_seed_decides_the_weights():
    options = dict(crop=16, conv1_filters=2, blocks=((2, 2),), pool_after=(), dense_units=4)
    first, same, other = (inception_photoz(**options, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same))
    assert not np.array_equal(first[0], other[0])


def test_reddening_reaches_the_pdf_only_when_it_is_an_input(stamps):
    options = dict(crop=16, conv1_filters=2, blocks=((2, 2),), pool_after=(), dense_units=8, seed=3)
    for with_ebv in (True, False):
        network = inception_photoz(with_ebv=with_ebv, **options)
        low, high = (network({"image": stamps, "ebv": np.full(4, ebv, np.float32)}) for ebv in (0.0, 0.5))
        assert np.allclose(low, high) != with_ebv


SMALL = dict(crop=16, conv1_filters=3, blocks=((2, 3), (2, 2)), pool_after=(1,), dense_units=4, n_bins=5)


def test_max_pooling_has_the_weights_of_average_pooling_and_is_at_least_as_large(stamps):
    average, largest = (inception_photoz(**SMALL, pooling=pooling) for pooling in ("average", "max"))
    assert all(np.array_equal(a, b) for a, b in zip(average.get_weights(), largest.get_weights(), strict=True))
    assert [layer.name for layer in average.layers] == [layer.name for layer in largest.layers]
    first, other = (keras.Model(network.inputs, network.get_layer("P1").output) for network in (average, largest))
    inputs = {"image": stamps, "ebv": np.zeros(4, np.float32)}
    before = ops.convert_to_numpy(keras.Model(average.inputs, average.get_layer("C1_prelu").output)(inputs))
    squares = before.reshape(4, 8, 2, 8, 2, 3)
    np.testing.assert_allclose(first(inputs), squares.mean(axis=(2, 4)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(other(inputs), squares.max(axis=(2, 4)))
    pools = [layer for network in (average, largest) for layer in network.layers if layer.name[0] == "P"]
    assert [type(layer).__name__ for layer in pools] == 4 * ["AveragePooling2D"] + 4 * ["MaxPooling2D"]


def test_batch_norm_gives_every_map_of_a_batch_mean_0_and_variance_1_before_the_activation(stamps):
    network, without = (inception_photoz(**SMALL, batch_norm=switch) for switch in (True, False))
    for name in (f"C{number}" for number in range(1, 12)):
        convolution, normalisation, prelu = (network.get_layer(f"{name}{part}") for part in ("", "_bn", "_prelu"))
        assert convolution.bias is None and normalisation.synchronized  # over all replicas
        assert normalisation.input is convolution.output and prelu.input is normalisation.output
    assert paper_parameter_count(network) == paper_parameter_count(without)
    normalised = keras.Model(network.inputs, [network.get_layer(f"C{number}_bn").output for number in (1, 6)])
    inputs = {"image": stamps, "ebv": np.zeros(4, np.float32)}
    for maps in normalised(inputs, training=True):
        values = ops.convert_to_numpy(maps).reshape(-1, maps.shape[-1])
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(values.std(axis=0), 1, rtol=1e-2)  # epsilon beside the variance of small maps


def test_compressed_pixels_are_asinh_fluxes_of_the_noise_or_of_asinh_magnitudes(stamps):
    softening_of_magnitudes = np.array([1.4, 0.9, 1.2, 1.8, 7.4]) * 1e-10 * 1e9  # SDSS, in nanomaggies
    without_noise = dataclasses.replace(SDSS, sky_sigma=None)
    for survey, softening in ((SDSS, np.asarray(SDSS.sky_sigma)), (without_noise, softening_of_magnitudes)):
        network = inception_photoz(survey, **SMALL, compression="asinh")
        pixels = keras.Model(network.inputs, network.get_layer("compression").output)
        found = pixels({"image": stamps, "ebv": np.zeros(4, np.float32)})
        np.testing.assert_allclose(found, np.arcsinh(stamps[:, 24:40, 24:40] / (2 * softening)), rtol=1e-5)


def test_a_branch_sees_its_own_bands_and_leaves_the_weights_of_the_others_alone(stamps):
    options = dict(SMALL, blocks=((2, 3), (2, 2), (2, 2)), pool_after=(1, 2), seed=5)
    plain = inception_photoz(**options)
    network = inception_photoz(**options, band_subsets=(("u", "r"), ("z",)), band_subset_blocks=2)
    names = [layer.name for layer in network.layers]
    assert {"B1_C1", "B1_C13", "B1_Co2", "B1_P4", "B2_C13", "C13", "C17"} <= set(names)
    assert not {"B1_C14", "B3_C1", "B1_Co3"} & set(names)
    for name in ("C1", "C2", "C13"):
        np.testing.assert_array_equal(plain.get_layer(name).kernel, network.get_layer(name).kernel)
        assert not np.array_equal(network.get_layer(f"B1_{name}").kernel, network.get_layer(f"B2_{name}").kernel)
    branches = keras.Model(network.inputs, [network.get_layer(name).output for name in ("B1_Co2", "B2_Co2", "Co2")])
    inputs = {"image": stamps, "ebv": np.zeros(4, np.float32)}
    before = branches(inputs)
    changed = branches({**inputs, "image": stamps * np.array([1, 1, 2, 1, 1], np.float32)})  # r, in the first and all
    assert [np.array_equal(one, other) for one, other in zip(before, changed)] == [False, True, False]
    merged = network.get_layer("band_subsets").output.shape[-1]
    assert merged == 3 * plain.get_layer("Co2").output.shape[-1]


def test_parameters_of_the_paper_network_with_four_pairs_of_bands():
    pairs = inception_photoz(band_subsets=(("u", "g"), ("g", "r"), ("r", "i"), ("i", "z")))
    first = 5 * 5 * 2 * 64 + 2 * 64  # C1 of two bands: kernel, biases, slopes
    bottlenecks, direct = 3 * (64 * 48 + 2 * 48), 64 * 64 + 2 * 64  # of block 1
    larger = 3 * 3 * 48 * 64 + 5 * 5 * 48 * 64 + 4 * 64
    behind = 4 * 240 * (3 * 64 + 92)  # the 1x1 convolutions of block 2 get four times 240 more maps
    assert trainable_parameter_count(pairs) == 27_596_372 + 4 * (first + bottlenecks + direct + larger) + behind
    assert trainable_parameter_count(pairs) == 28_356_052


def test_without_blocks_only_the_apertures_are_seen(stamps):
    options = SMALL | {"photometric_inputs": True, "photometric_layers": 1}
    ebv = np.full(4, 0.1, np.float32)
    for blocks in (SMALL["blocks"], ()):
        network = inception_photoz(**(options | {"blocks": blocks, "pool_after": ()}))
        upright, turned = (network({"image": image, "ebv": ebv}) for image in (stamps, np.rot90(stamps, axes=(1, 2))))
        assert np.allclose(upright, turned, rtol=1e-4) == (not blocks)  # circles are those of the turned image
        assert {layer.name for layer in network.layers} >= {"PH1", "FC2", "redshift_pdf"}
        assert ("FC1" in {layer.name for layer in network.layers}) == bool(blocks)


@pytest.mark.parametrize(
    "options",
    [
        {"pooling": "max", "compression": "asinh"},
        {"batch_norm": True, "activation": "relu", "band_subsets": (("u", "r"), ("i",)), "photometric_inputs": True},
        {"blocks": (), "pool_after": (), "photometric_inputs": True, "apertures": "psf_matched"},
    ],
    ids=["max_and_asinh", "batch_norm_and_band_subsets", "no_convolutions"],
)
def test_every_variant_comes_back_from_its_file_and_gives_its_numbers_in_onnx(options, stamps, tmp_path):
    network = inception_photoz(**(SMALL | options))
    inputs = {"image": stamps, "ebv": np.full(4, 0.1, np.float32)}
    network.save(tmp_path / "network.keras")
    expected = network(inputs)
    np.testing.assert_array_equal(load_network(tmp_path / "network.keras")(inputs), expected)
    signature = [tf.TensorSpec((None, *SDSS.image_shape), name="image"), tf.TensorSpec((None,), name="ebv")]

    def serve(image, ebv):
        return {"pdf": network({"image": image, "ebv": ebv})}

    write_onnx(tmp_path / "model.onnx", serve, signature, {"model_id": "1"})
    np.testing.assert_allclose(onnx_answers(tmp_path / "model.onnx", inputs)["pdf"], expected, atol=1e-5)


def test_network_survives_save_and_load(stamps, tmp_path):
    network = build_model(load_config("photoz_simulated.yaml", PhotozConfig))
    inputs = {tensor.name: np.full((4, *tensor.shape[1:]), 0.1, np.float32) for tensor in network.inputs}
    inputs["image"] = stamps
    network.save(tmp_path / "network.keras")
    restored = load_network(tmp_path / "network.keras")
    np.testing.assert_array_equal(network(inputs), restored(inputs))


def test_wrong_architecture_is_named():
    with pytest.raises(ValueError, match="model.crop is 80, the stamps of sdss have 64 pixels"):
        inception_photoz(crop=80)
    with pytest.raises(ValueError, match="model.band_subsets names band y, sdss has u, g, r, i, z"):
        inception_photoz(band_subsets=(("u", "y"),))
    with pytest.raises(ValueError, match="model.blocks is empty and model.photometric_inputs false"):
        inception_photoz(blocks=(), pool_after=())
    with pytest.raises(ValueError, match=r"model.pool_after is \[9\], the network has blocks 1 to 5"):
        inception_photoz(pool_after=(9,))
