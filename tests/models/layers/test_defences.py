import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import median_filter

from photoz_morph.config import load_config, save_config
from photoz_morph.models.layers.defences import DEFENCES, MedianFilter, defended
from photoz_morph.models.layers.image_scaling import scaling_preset
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_classifier
from photoz_morph.morph.classify import load_classifiers
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.predict import predict_morph_run
from photoz_morph.runs.folder import finished_members, read_run

SHAPE = (20, 20, 3)
# Every flip and rotation, by NumPy.
TURNS = [lambda x, k=k, flip=flip: np.rot90(x[:, ::-1] if flip else x, k, (1, 2)) for k in range(4) for flip in (0, 1)]


def network(preset="default"):
    """A small untrained classifier with its scaling, whose weights know up from down."""
    scaling = scaling_preset(preset)
    scaling.set_quantiles([[-30.0, 100.0], [-90.0, 300.0]][: scaling.n_domains])
    return build_classifier("resnet18", SHAPE, seed=3, width=4, n_latent=6, scaling=scaling)


def images(n=5, seed=0):
    return (np.random.default_rng(seed).normal(size=(n, *SHAPE)) * 60).astype(np.float32)


def outputs(model, stamps, domain=None):
    inputs = {"image": stamps} if domain is None else {"image": stamps, "domain": np.full(len(stamps), domain)}
    return {name: np.asarray(values) for name, values in model(inputs, training=False).items()}


def test_d4_does_not_depend_on_how_the_image_lies():
    bare, stamps = network(), images()
    model, expected = defended(bare, "d4"), outputs(defended(bare, "d4"), stamps)
    spread = np.ptp([outputs(bare, turn(stamps))["latent"] for turn in TURNS], axis=0).max()
    assert spread > 1e-3  # the network itself does depend on it
    for turn in TURNS:
        found = outputs(model, turn(stamps))
        for name in ("logits", "latent"):
            np.testing.assert_allclose(found[name], expected[name], atol=1e-5)


@pytest.mark.parametrize(("preset", "domain"), [("default", None), ("paper", 0), ("paper", 1)])
def test_d4_is_the_mean_over_eight_images(preset, domain):
    bare, stamps = network(preset), images()
    views = [outputs(bare, turn(stamps), domain) for turn in TURNS]
    found = outputs(defended(bare, "d4"), stamps, domain)
    for name in ("logits", "latent"):
        np.testing.assert_allclose(found[name], np.mean([view[name] for view in views], axis=0), atol=1e-5)


def test_mean_logits_are_the_head_of_the_mean_latent():
    bare = network()
    found, (kernel, bias) = outputs(defended(bare, "d4"), images()), bare.get_layer("logits").get_weights()
    np.testing.assert_allclose(found["logits"], found["latent"] @ kernel + bias, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 100, 100, 3), (3, 5, 8, 2), (1, 1, 4, 1)])
def test_median_is_that_of_scipy(shape):
    rng = np.random.default_rng(1)
    for stamps in (rng.normal(size=shape), rng.integers(0, 4, shape)):  # the second is full of ties
        stamps = stamps.astype(np.float32)
        expected = median_filter(stamps, size=(1, 3, 3, 1), mode="nearest")
        np.testing.assert_array_equal(np.asarray(MedianFilter()(stamps)), expected)


def test_median_gradient_is_that_of_the_chosen_pixels():
    rng = np.random.default_rng(2)
    stamps = tf.constant(rng.permutation(2 * 7 * 7).reshape(1, 7, 7, 2).astype(np.float32))
    weights, step = rng.normal(size=stamps.shape), rng.uniform(-0.4, 0.4, stamps.shape)  # steps that keep the order
    with tf.GradientTape() as tape:
        tape.watch(stamps)
        value = tf.reduce_sum(MedianFilter()(stamps) * tf.constant(weights, tf.float32))
    gradient = np.asarray(tape.gradient(value, stamps), float)
    moved = median_filter(np.asarray(stamps, float) + step, size=(1, 3, 3, 1), mode="nearest")
    still = median_filter(np.asarray(stamps, float), size=(1, 3, 3, 1), mode="nearest")
    assert np.sum(gradient * step) == pytest.approx(np.sum(weights * (moved - still)), abs=1e-4)


def test_one_wrong_pixel_of_a_smooth_image_does_not_pass_the_median():
    rows, columns = np.indices(SHAPE[:2])
    stamps = np.broadcast_to(((rows > 9) * 50.0)[None, :, :, None], (1, *SHAPE)).astype(np.float32)
    wrong = stamps.copy()
    wrong[0, 4, 7] = 5000
    bare = network()
    assert np.abs(outputs(bare, wrong)["logits"] - outputs(bare, stamps)["logits"]).max() > 1e-5
    model = defended(bare, "median")
    np.testing.assert_array_equal(outputs(model, wrong)["logits"], outputs(model, stamps)["logits"])


def test_median_stands_before_the_network():
    bare, stamps = network("paper"), images()
    smooth = median_filter(stamps, size=(1, 3, 3, 1), mode="nearest")
    np.testing.assert_allclose(
        outputs(defended(bare, "median"), stamps, 1)["logits"], outputs(bare, smooth, 1)["logits"], atol=1e-6
    )


@pytest.mark.parametrize("name", DEFENCES)
def test_a_defended_network_has_the_weights_of_its_own_and_survives_saving(name, tmp_path):
    bare, stamps = network(), images()
    model = defended(bare, name)
    assert set(model.input) == {"image"} and model.count_params() == bare.count_params()
    model.save(tmp_path / "defended.keras")
    np.testing.assert_array_equal(
        outputs(load_network(tmp_path / "defended.keras"), stamps)["latent"], outputs(model, stamps)["latent"]
    )


def test_an_unknown_defence_is_named():
    with pytest.raises(ValueError, match="no test-time defence 'blur'; there are none, d4, median"):
        defended(network(), "blur")


# Runs


@pytest.fixture(scope="module")
def d4_run(morph_run_dirs, tmp_path_factory):
    """The regular run, as if its config had asked for D4."""
    folder = tmp_path_factory.mktemp("defended") / "d4"
    shutil.copytree(morph_run_dirs["regular"], folder)
    config = load_config(folder / "config.yaml", MorphConfig, ["defence.test_time=d4"])
    save_config(config, folder / "config.yaml")
    return folder


def test_predictions_are_those_of_the_networks_behind_the_defence_of_config_or_argument(d4_run, morph_data_dir):
    from photoz_morph.morph import dataset

    by_config, undefended = (predict_morph_run(d4_run, progress=False, defence=name) for name in (None, "none"))
    assert by_config.meta["defence"] == "d4" and undefended.meta["defence"] == "none"
    builder = dataset.open_dataset(morph_data_dir)
    stamps = np.concatenate(list(dataset.domain_images(builder, "test", "y1", 64).as_numpy_iterator()))
    for seed, path in enumerate(finished_members(d4_run, MorphConfig)[0]):
        bare = load_network(path)
        logits = np.array([outputs(bare, turn(stamps))["logits"] for turn in TURNS])
        for table, expected in ((by_config, logits.mean(axis=0)), (undefended, logits[0])):
            np.testing.assert_allclose(table["probability_y1"][:, seed], keras.ops.softmax(expected), atol=1e-5)


def test_the_exported_model_is_the_defended_one(d4_run, tmp_path):
    from photoz_morph.morph.export import export_morph
    from photoz_morph.morph.exported_model import ExportedMorphModel

    stamps = np.random.default_rng(0).normal(size=(3, 100, 100, 3)).astype(np.float32) * 100
    for defence, folder in ((None, tmp_path / "by_config"), ("median", tmp_path / "by_argument")):
        export_morph(d4_run, folder, defence)
        description = json.loads((folder / "estimator.json").read_text())
        assert description["defence"] == (defence or "d4") and description["noise_augmentation"] is False
        expected = [outputs(model, stamps) for model in load_classifiers(d4_run, defence)]
        found = ExportedMorphModel(folder).predict(stamps)
        probability = np.mean([keras.ops.softmax(output["logits"]) for output in expected], axis=0)
        np.testing.assert_allclose(found["probability"], probability, atol=1e-5)
        np.testing.assert_allclose(found["latent"], expected[0]["latent"], atol=1e-4)


def test_a_run_from_before_there_were_defences_has_none(morph_run_dirs, tmp_path):
    shutil.copytree(morph_run_dirs["regular"], tmp_path / "old")
    path = tmp_path / "old" / "config.yaml"
    text = path.read_text()
    old = text[: text.index("defence:")].replace("  noise_augmentation: false\n  pixel_augmentation: 0.0\n", "")
    assert "augmentation" not in old
    path.write_text(old)
    assert read_run(tmp_path / "old", MorphConfig)[0] == read_run(morph_run_dirs["regular"], MorphConfig)[0]
    assert [model.name for model in load_classifiers(tmp_path / "old")] == ["convnet"] * 2
