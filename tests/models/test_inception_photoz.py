import numpy as np
import pytest

from photoz_morph.config import load_config
from photoz_morph.models.inception_photoz import inception_photoz, paper_parameter_count, trainable_parameter_count
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_model
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.surveys import SDSS


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


def test_network_survives_save_and_load(stamps, tmp_path):
    network = build_model(load_config("photoz_simulated.yaml", PhotozConfig))
    inputs = {"image": stamps, "ebv": np.full(4, 0.1, np.float32)}
    network.save(tmp_path / "network.keras")
    restored = load_network(tmp_path / "network.keras")
    np.testing.assert_array_equal(network(inputs), restored(inputs))


def test_wrong_architecture_is_named():
    with pytest.raises(ValueError, match="model.crop is 80, the stamps of sdss have 64 pixels"):
        inception_photoz(crop=80)
    with pytest.raises(ValueError, match=r"model.pool_after is \[9\], the network has blocks 1 to 5"):
        inception_photoz(pool_after=(9,))
