import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.config import load_config
from photoz_morph.models.layers.image_scaling import scaling_preset
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_classifier
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.export import export_morph
from photoz_morph.morph.exported_model import ExportedMorphModel
from photoz_morph.runs.folder import member_dir, start_run
from photoz_morph.runs.progress import write_sessions
from tests.support.exports import onnx_answers, saved_model_cli, serving_answer

DATASET = {
    "path": "morph_data", "name": "tng_lsst_mocks", "origin": "simulated", "galaxies_per_split": [3, 2, 1],
    "mocks": {"binning": "sample", "pixscale": 1.0},
}  # fmt: skip


def untrained_run(folder, preset="default", origin="simulated", seeds=(1, 2)):
    """A run folder with ConvNets of random weights."""
    start_run(folder, load_config("morph_convnet.yaml", MorphConfig), DATASET | {"origin": origin}, ["CPU"])
    for member, seed in enumerate(seeds):
        scaling = scaling_preset(preset)
        scaling.set_quantiles([[-30.0, 100.0], [-90.0, 300.0]][: scaling.n_domains])
        network = build_classifier("convnet", n_classes=3, seed=seed, width=2, n_latent=4, scaling=scaling)
        head = network.get_layer("logits")
        head.kernel.assign(100 * head.kernel)  # fresh, it gives each class a third
        path = member_dir(folder, 0, member) / "model.keras"
        path.parent.mkdir(parents=True)
        network.save(path)
    return folder


def outputs(folder, image, domain=None):
    """Probabilities, shape (n_seeds, n, n_classes), and latents of the networks of a run, one by one."""
    inputs = {"image": image} if domain is None else {"image": image, "domain": np.full(len(image), domain)}
    found = [load_network(member_dir(folder, 0, member) / "model.keras")(inputs) for member in range(2)]
    powers = [np.exp(np.asarray(part["logits"], float)) for part in found]
    return np.array([part / part.sum(axis=1, keepdims=True) for part in powers]), [part["latent"] for part in found]


@pytest.fixture(scope="module")
def image():
    return (np.random.default_rng(0).normal(size=(5, 100, 100, 3)) * 60).astype(np.float32)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained_run(tmp_path_factory.mktemp("runs") / "two_seeds")


def test_the_exported_model_gives_the_mean_probability_and_the_first_latent(run, image, tmp_path):
    description = export_morph(run, tmp_path / "export")
    probability, latent = outputs(run, image)
    assert np.abs(probability[0] - probability[1]).max() > 0.01  # the seeds differ
    for years in (10, 1):  # one scaling for both depths
        found = ExportedMorphModel(tmp_path / "export").predict(image, years=years)
        np.testing.assert_allclose(found["probability"], probability.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(found["latent"], latent[0], atol=1e-4)
    assert json.loads(json.dumps(description)) == json.loads((tmp_path / "export" / "estimator.json").read_text())
    facts = {"survey": "lsst", "image_unit": "nJy", "n_members": 2, "model": "convnet", "defence": "none",
             "trained_on": {key: DATASET[key] for key in ("name", "origin", "galaxies_per_split")},
             "mocks": DATASET["mocks"]}  # fmt: skip
    assert {key: description[key] for key in facts} == facts


def test_a_model_with_a_scaling_for_each_depth_uses_that_of_the_stamps(image, tmp_path):
    run = untrained_run(tmp_path / "run", "paper", origin="released")
    assert export_morph(run, tmp_path / "export")["image_unit"] == "unknown"
    model = ExportedMorphModel(tmp_path / "export")
    deep, shallow = (model.predict(image, years=years)["probability"] for years in (10, 1))
    assert np.abs(deep - shallow).max() > 1e-3
    for domain, found in enumerate((deep, shallow)):
        np.testing.assert_allclose(found, outputs(run, image, domain)[0].mean(axis=0), atol=1e-5)


def test_an_ensemble_that_is_not_finished_is_not_exported(run, tmp_path):
    write_sessions(run, [{"n_members": 3}])
    with pytest.raises(ValueError, match="two_seeds: .*2 .*of 3.* `morph train`"):
        export_morph(run, tmp_path / "export")
    assert not (tmp_path / "export").exists()
    (run / "sessions.json").unlink()


def test_an_existing_folder_is_not_overwritten(run, tmp_path):
    with pytest.raises(ValueError, match="exists; remove it or give another --out"):
        export_morph(run, tmp_path)


def test_stamps_that_are_not_finite_have_no_class_and_no_latent(run, image, tmp_path):
    """Networks of ReLUs and maximum pools answered them like any other."""
    export_morph(run, tmp_path / "export")
    model = tf.saved_model.load(str(tmp_path / "export"))
    clean, broken = model.serve(image), image.copy()
    broken[1, 50, 50, 0], broken[2, 0, 0], broken[3] = np.nan, np.inf, np.nan
    for name, values in model.serve(broken).items():
        assert np.isnan(values[1:4]).all(), name
        np.testing.assert_allclose(values[::4], clean[name][::4], atol=1e-5)


@pytest.mark.parametrize("defence, preset", [("none", "paper"), ("d4", "default"), ("median", "default")])
def test_onnx_files_give_the_numbers_of_the_saved_model(image, defence, preset, tmp_path):
    description = export_morph(untrained_run(tmp_path / "run", preset), tmp_path / "export", defence, with_onnx=True)
    names = ["serve", "serve_y1"] if preset == "paper" else ["serve"]
    assert list(description["onnx"]) == [f"model{name.removeprefix('serve')}.onnx" for name in names]
    model, broken = tf.saved_model.load(str(tmp_path / "export")), image.copy()
    broken[1, 50, 50, 0], broken[2] = np.nan, np.inf
    for name, file in zip(names, description["onnx"]):
        expected = {key: values.numpy() for key, values in getattr(model, name)(broken).items()}
        found = onnx_answers(tmp_path / "export" / file, {"image": broken})
        assert found.keys() == expected.keys() and np.isnan(found["latent"][1:3]).all()
        for key, values in expected.items():
            np.testing.assert_allclose(found[key], values, rtol=1e-5, atol=1e-5, err_msg=key)


def test_keras_tensorflow_serving_and_saved_model_cli_run_the_exported_model(image, tmp_path):
    folder, image = tmp_path / "export", image[:2]
    export_morph(untrained_run(tmp_path / "run", "paper"), folder)
    model = tf.saved_model.load(str(folder))
    expected = {name: {key: values.numpy() for key, values in getattr(model, name)(image).items()}
                for name in ("serve", "serve_y1")}  # fmt: skip
    assert np.abs(expected["serve"]["probability"] - expected["serve_y1"]["probability"]).max() > 1e-3
    stamp = keras.Input((100, 100, 3), name="image")
    for name, by_name in ((name, by_name) for name in expected for by_name in (False, True)):
        layer = keras.layers.TFSMLayer(str(folder), call_endpoint=name + "_dict" * by_name, trainable=False)
        inside = keras.Model(stamp, layer({"image": stamp} if by_name else stamp))
        inside.save(tmp_path / "model.keras")
        inside = keras.saving.load_model(tmp_path / "model.keras", safe_mode=False)
        rows = [{"image": part} for part in image.tolist()] if by_name else image.tolist()
        served = serving_answer(folder, {"instances": rows}, name)
        for key, values in inside.predict(image, verbose=0).items():
            np.testing.assert_allclose(values, expected[name][key], atol=1e-4)
            np.testing.assert_allclose([row[key] for row in served], expected[name][key], atol=1e-4)
    np.save(tmp_path / "image.npy", image)
    arguments = ("run", "--dir", folder, "--tag_set", "serve", "--signature_def", "serve_y1", "--outdir", tmp_path)
    assert "probability" in saved_model_cli(*arguments, "--inputs", f"image={tmp_path}/image.npy")
    np.testing.assert_allclose(np.load(tmp_path / "probability.npy"), expected["serve_y1"]["probability"], atol=1e-4)
