"""Networks that give maps, fields and parameters, from training to the report, through the modules of the chain."""

import shutil

import numpy as np
import pytest

from photoz_morph.blend.baselines.of_maps import update_map_baselines
from photoz_morph.blend.config import BlendConfig
from photoz_morph.blend.dataset import open_dataset
from photoz_morph.blend.experiment import BlendExperiment, field_options, new_network
from photoz_morph.blend.maps.predictions import read_map_predictions, write_map_predictions
from photoz_morph.blend.maps.targets import map_targets, maps_of_outputs
from photoz_morph.blend.maps.truth import read_truth
from photoz_morph.blend.predict import load_networks, predict_answers
from photoz_morph.blend.report_run.of_any import report_blend
from photoz_morph.blend.samples.batches import BlendBatches
from photoz_morph.blend.score_files import evaluate_files
from photoz_morph.config import load_config
from photoz_morph.datasets.augmentation import dihedral_view
from photoz_morph.datasets.reading import n_galaxies
from photoz_morph.training.fit import choose_strategy, fit
from tests.support.pages import Page
from tests.support.samples import MAP_NETWORKS, MAP_TINY
from tests.support.training import copy_at, final_weights, same


def config_of(answer, *overrides):
    return load_config(MAP_NETWORKS[answer], BlendConfig, [*MAP_TINY, *overrides])


@pytest.fixture(scope="module")
def builders(maps_data_dir, fields_data_dir):
    maps, fields = open_dataset(maps_data_dir), open_dataset(fields_data_dir)
    return {"maps": maps, "field": fields, "parameters": fields}


@pytest.fixture(scope="module")
def predictions(map_run_dirs, tmp_path_factory):
    """Run folders of untrained networks with their predictions."""
    folders = {}
    for answer, run in map_run_dirs.items():
        folders[answer] = tmp_path_factory.mktemp("runs") / answer
        shutil.copytree(run, folders[answer])
        write_map_predictions(predict_answers(run, progress=False), folders[answer] / "predictions.fits")
    return folders


@pytest.mark.parametrize("answer", MAP_NETWORKS)
def test_batches_are_of_whole_images_turned_with_their_answers(answer, builders):
    truth = read_truth(builders[answer], answer, "train")
    values = map_targets(truth.values, truth.inside) if answer == "maps" else truth.values
    batches = BlendBatches(builders[answer], config_of(answer), 1)
    inputs, outputs = next(batches.epoch(1, 0).as_numpy_iterator())
    n_turned = 0
    for obj_id, image, value in zip(batches.obj_ids(1, 0, 0), inputs["image"], outputs[answer], strict=True):
        row = int(np.flatnonzero(truth.obj_id == obj_id)[0])
        turns = [k for k in range(8) if np.array_equal(dihedral_view(truth.images[row], k), image)]
        assert len(turns) == 1
        n_turned += turns[0] > 0
        expected = values[row] if answer == "parameters" else dihedral_view(values[row], turns[0])
        np.testing.assert_allclose(value, expected, atol=1e-5)
    assert n_turned > 0


def test_an_interrupted_training_ends_with_the_weights_of_an_undisturbed_one(builders, tmp_path):
    config, (folder, killed) = config_of("parameters"), (tmp_path / "whole", tmp_path / "killed")
    experiment = BlendExperiment(config, builders["parameters"].data_dir)
    arguments = 4, choose_strategy("none")
    history = fit(experiment.fold(0), folder, *arguments, copy_at(2, 2, folder, killed))
    fit(experiment.fold(0), killed, *arguments)
    assert same(final_weights(folder), final_weights(killed))
    columns = ["epoch", "iterations", "learning_rate", "loss", "validation_loss", "validation_r2", "seconds"]
    assert list(history[0]) == columns
    assert np.isfinite(history[-1]["validation_r2"]) and history[-1]["validation_r2"] < 1


@pytest.mark.parametrize("answer", ["maps", "field"])
def test_validation_has_the_loss_and_the_explained_variance_of_whole_images(answer, builders):
    fold = BlendExperiment(config_of(answer), builders[answer].data_dir).fold(0)
    network = fold.new_network(10, seed=1)
    scores = fold.validate(network)
    n = min(5, n_galaxies(builders[answer], "validation"))  # `data.n_validation`
    truth = read_truth(builders[answer], answer, f"validation[:{n}]")
    outputs = np.array(network({"image": truth.images})[answer])
    if answer == "maps":
        targets = map_targets(truth.values, truth.inside)
        error = np.abs(outputs - targets).sum(axis=-1)
        loss = np.mean([np.nanmean(one) for one in error])
        outputs, values = maps_of_outputs(outputs)[truth.inside], truth.values[truth.inside]
    else:
        outputs, values = outputs.reshape(-1, 1), truth.values.reshape(-1, 1)
        loss = np.mean((outputs - values) ** 2)
    assert scores["validation_loss"] == pytest.approx(loss, rel=1e-2)
    r2 = np.mean(1 - np.mean((outputs - values) ** 2, axis=0) / np.var(values, axis=0))
    assert scores["validation_r2"] == pytest.approx(r2, rel=1e-2)


def test_networks_know_the_scales_of_the_training_fields(builders):
    options = field_options(builders["parameters"], "parameters")
    truth = read_truth(builders["parameters"], "parameters", "train")
    assert options["offset"] == pytest.approx(truth.images.mean(), abs=1e-5)
    assert options["deviation"] == pytest.approx(truth.images.std(), rel=1e-4)
    np.testing.assert_allclose(options["centre"], truth.values.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(options["scale"], truth.values.std(axis=0), rtol=1e-5)
    assert set(field_options(builders["field"], "field")) == {"offset", "deviation"}
    network = new_network(config_of("parameters"), of_fields=options)
    assert network.get_layer("parameters").centre == options["centre"]


@pytest.mark.parametrize("answer", MAP_NETWORKS)
def test_predictions_are_of_the_test_images_by_all_networks(answer, builders, predictions):
    found = read_map_predictions(predictions[answer] / "predictions.fits")
    truth = read_truth(builders[answer], answer, "test")
    np.testing.assert_array_equal(found.table["obj_id"], truth.obj_id)
    networks = load_networks(predictions[answer])
    outputs = np.mean([network({"image": truth.images})[answer] for network in networks], axis=0)
    if answer == "parameters":
        np.testing.assert_allclose(found.posterior[..., 0], outputs[..., 0], rtol=1e-3)
    else:
        expected = maps_of_outputs(outputs) if answer == "maps" else outputs
        np.testing.assert_allclose(found.maps, expected, rtol=1e-2, atol=1e-3)
    meta = found.table.meta
    assert (meta["networks"], meta["split"], meta["config"], meta["answer"]) == (2, "test", answer, answer)
    assert meta["data_id"] == builders[answer].info.metadata["content_hash"]


@pytest.fixture(scope="module")
def baselines(builders, tmp_path_factory, monkeypatch_pixels):
    """Folders of the baselines of both datasets."""
    folders = {answer: tmp_path_factory.mktemp("baselines") for answer in ("maps", "field")}
    for answer, folder in folders.items():
        update_map_baselines(builders[answer], folder, progress=False)
    return {**folders, "parameters": folders["field"]}


@pytest.fixture(scope="module")
def monkeypatch_pixels():
    """Few trees, which are enough to tell that they were learnt."""
    from photoz_morph.blend.maps import pixelwise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pixelwise, "OPTIONS", {**pixelwise.OPTIONS, "max_iter": 20})
        yield patch


BASELINES = {"maps": "pixelwise", "parameters": "power_ridge", "field": "wiener"}


@pytest.mark.parametrize("answer", BASELINES)
def test_scores_stand_beside_those_of_the_baseline_which_has_learnt(answer, predictions, baselines):
    path = baselines[answer] / f"{BASELINES[answer]}.fits"
    scores = evaluate_files(predictions[answer] / "predictions.fits", {"base": path}, n_bootstrap=50)
    own, base = scores["scores"], scores["against"]["base"]["scores"]
    assert scores["against"]["base"]["model"] == BASELINES[answer] and own.keys() == base.keys()
    first = next(iter(own))  # of mass, Omega_m or the field itself even a bad method knows something
    assert base[first]["r2"]["value"] > max(0.2, own[first]["r2"]["value"])


def test_files_of_baselines_are_kept_if_they_are_of_the_same_dataset_and_seed(builders, baselines, monkeypatch):
    path = baselines["maps"] / "pixelwise.fits"
    written = path.stat().st_mtime_ns
    update_map_baselines(builders["maps"], path.parent, progress=False)
    assert path.stat().st_mtime_ns == written
    update_map_baselines(builders["maps"], path.parent, seed=1, progress=False)
    assert path.stat().st_mtime_ns > written and read_map_predictions(path).table.meta["seed"] == 1


def test_files_of_different_answers_are_not_compared(predictions, baselines):
    with pytest.raises(ValueError, match="wiener.fits: holds field, .*predictions.fits parameters; compare files"):
        evaluate_files(predictions["parameters"] / "predictions.fits", {"w": baselines["field"] / "wiener.fits"})
    with pytest.raises(ValueError, match="dataset is cosmology_fields, that of .* lsst_maps; compare"):
        other = read_map_predictions(baselines["field"] / "wiener.fits")
        other.table.meta["answer"] = "maps"
        other.table.meta["names"] = "mass"
        write_map_predictions(other, predictions["maps"] / "other.fits")
        evaluate_files(predictions["maps"] / "predictions.fits", {"w": predictions["maps"] / "other.fits"})


@pytest.mark.parametrize("answer", MAP_NETWORKS)
def test_a_report_shows_the_run_beside_its_baseline(answer, predictions, baselines, tmp_path, undrawn):
    path = report_blend(predictions[answer], baseline=baselines[answer], out_dir=tmp_path, progress=False)
    page = Page(path.read_text())
    assert f": {answer} and {BASELINES[answer]}" in page.visible and "explains" in page.visible
    assert f"| score | {answer} | {BASELINES[answer]} |" in (tmp_path / "scores.md").read_text()


def test_a_report_without_a_baseline_says_so(predictions, tmp_path, undrawn, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = Page(report_blend(predictions["parameters"], out_dir=tmp_path / "out", progress=False).read_text())
    assert "No baseline is beside them: baseline_fields/power_ridge.fits: no such file" in page.visible
    with pytest.raises(FileNotFoundError, match="b/power_ridge.fits: no such file, .*; give its folder with"):
        report_blend(predictions["parameters"], baseline="b", out_dir=tmp_path / "out", progress=False)
