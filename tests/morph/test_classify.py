import keras
import numpy as np
import pytest

from photoz_morph.models.layers.image_scaling import scaling_preset
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_classifier
from photoz_morph.morph.classify import ImageClassifier, load_classifiers, network_inputs
from photoz_morph.morph.config import MorphConfig
from photoz_morph.runs.folder import finished_members


def network(preset):
    scaling = scaling_preset(preset)
    scaling.set_quantiles([[-30.0, 100.0], [-90.0, 300.0]][: scaling.n_domains])
    return build_classifier("convnet", (16, 16, 3), seed=1, width=2, n_latent=6, scaling=scaling)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(2).normal(size=(7, 16, 16, 3)).astype(np.float32) * 60


@pytest.mark.parametrize(("preset", "domain"), [("default", 0), ("paper", 0), ("paper", 1)])
def test_batches_give_the_softmax_and_latents_of_the_network(preset, domain, images):
    bare, seen = network(preset), []
    probability, latent = ImageClassifier(bare)([images[:4], images[4:]], domain, seen.append)
    inputs = {"image": images} | ({"domain": np.full(7, domain)} if preset == "paper" else {})
    outputs = bare(inputs, training=False)
    logits = np.asarray(outputs["logits"], float)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probability, expected, atol=1e-6)
    np.testing.assert_allclose(latent, outputs["latent"], atol=1e-6)
    assert seen == [4, 3]


def test_the_domain_decides_only_with_a_scaling_for_each(images):
    for preset, decides in (("default", False), ("paper", True)):
        first, second = (ImageClassifier(network(preset))([images], domain)[1] for domain in (0, 1))
        assert np.array_equal(first, second) != decides


def test_inputs_hold_the_domain_of_each_image_where_the_network_takes_it(images):
    assert set(network_inputs(network("default"), images, 1)) == {"image"}
    inputs = network_inputs(network("paper"), images, 1)
    assert keras.ops.convert_to_numpy(inputs["domain"]).tolist() == [1] * 7


def test_the_networks_of_a_run_are_loaded_in_the_order_of_its_seeds(morph_run_dirs):
    paths = finished_members(morph_run_dirs["regular"], MorphConfig)[0]
    for model, path in zip(load_classifiers(morph_run_dirs["regular"]), paths, strict=True):
        for a, b in zip(model.get_weights(), load_network(path).get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_defence_of_the_argument_goes_before_that_of_the_config(morph_run_dirs):
    names = [load_classifiers(morph_run_dirs["regular"], name)[0].name for name in (None, "none", "d4", "median")]
    assert names == ["convnet", "convnet", "convnet_d4", "convnet_median"]
