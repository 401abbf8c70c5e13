import contextlib
import shutil

import numpy as np
import pytest

from photoz_morph.blend import dataset
from photoz_morph.blend.config import BlendConfig
from photoz_morph.blend.experiment import BlendExperiment, new_network
from photoz_morph.config import load_config
from photoz_morph.models.loading import load_network
from photoz_morph.runs.folder import read_run
from photoz_morph.training.ensemble import train_ensemble
from photoz_morph.training.fit import choose_strategy, fit
from tests.support.samples import BLEND_NETWORKS, BLEND_TINY
from tests.support.training import copy_at, final_weights, same


def config_of(network, *overrides):
    name, options = BLEND_NETWORKS[network]
    return load_config(name, BlendConfig, [*BLEND_TINY, *options, *overrides])


def fit_network(config, data_dir, folder, seed=1, on_batch=None):
    return fit(BlendExperiment(config, data_dir).fold(0), folder, seed, choose_strategy("none"), on_batch)


TERMS = {
    "unet": ["distances_loss", "heat_loss", "offsets_loss", "semantic_loss"],
    "mask_rcnn": ["box_offsets", "class", "mask", "objectness", "proposal_offsets"],
    "probabilistic_unet": ["kl", "nll"],
}


def columns_of(config, terms=()):
    """Columns of a history."""
    scores = ["validation_flux_error"] if config.deblends else ["validation_completeness", "validation_ap50"]
    return ["epoch", "iterations", "learning_rate", "loss", *terms, "validation_loss", *scores, "seconds"]


@pytest.mark.parametrize("network", TERMS)
def test_an_interrupted_training_ends_with_the_weights_of_an_undisturbed_one(network, blend_data_dir, tmp_path):
    config, (folder, killed) = config_of(network), (tmp_path / "whole", tmp_path / "killed")
    whole = fit_network(config, blend_data_dir, folder, 4, copy_at(2, 2, folder, killed))
    resumed = fit_network(config, blend_data_dir, killed, 4)
    assert same(final_weights(folder), final_weights(killed))
    # The logged loss is a sum whose last bit TensorFlow does not promise; no weight depends on it.
    for row, row_whole in zip(resumed, whole, strict=True):
        assert {**row, "seconds": 0} == pytest.approx({**row_whole, "seconds": 0}, rel=1e-5, nan_ok=True)
    assert list(whole[0]) == columns_of(config, TERMS[network])
    assert not load_network(folder / "model.keras", compile=True).compiled  # neither losses nor optimizer are kept


@pytest.mark.parametrize("network", ["grid_detector", "unet_image"])
def test_networks_of_one_loss_are_trained_and_scored(network, blend_data_dir, tmp_path):
    config = config_of(network, "train.epochs=6")
    history = fit_network(config, blend_data_dir, tmp_path)
    assert list(history[0]) == columns_of(config) and history[-1]["loss"] < history[0]["loss"]


def test_a_small_unet_learns_to_find_sources(blend_data_dir, tmp_path):
    config = config_of("unet", "train.epochs=25", "model.width=8", "train.learning_rate=1e-2")
    history = fit_network(config, blend_data_dir, tmp_path)
    assert history[-1]["validation_loss"] < 0.6 * history[0]["validation_loss"]
    assert history[-1]["validation_ap50"] > 0.2 > history[0]["validation_ap50"]


def test_scaling_is_measured_on_the_training_images(blend_data_dir):
    builder = dataset.open_dataset(blend_data_dir)
    images = np.stack([scene.image for scene in dataset.read_scenes(builder, "train")])
    network = BlendExperiment(config_of("unet"), blend_data_dir).fold(0).new_network(10, seed=3)
    quantiles = np.array(network.get_layer("arcsinh_scaling").quantiles)
    np.testing.assert_allclose(quantiles, [np.percentile(images, (0.1, 99.9))], rtol=1e-5)
    assert network.get_layer("arcsinh_scaling").softness == 30


def test_rare_classes_count_more_and_the_mean_weight_of_the_pixels_of_sources_is_one(blend_data_dir):
    builder = dataset.open_dataset(blend_data_dir)
    counts = np.zeros(5)
    for scene in dataset.read_scenes(builder, "train"):
        counts += np.bincount(np.append(0, scene.truth["kind"])[scene.instances].ravel(), minlength=5)
    sources = counts[1:]
    for power in (0, 0.5, 1):
        config = config_of("unet", f"loss.class_balance={power}")
        weights = np.array(BlendExperiment(config, blend_data_dir).fold(0).class_weights())
        assert weights[0] == 1 and np.sum(weights[1:] * sources) == pytest.approx(sources.sum())
        there = sources > 0
        ratio = weights[1:][there] * (sources[there] / sources.sum()) ** power
        np.testing.assert_allclose(ratio, ratio[0])


def test_networks_take_images_of_any_size_and_seeds_decide_their_weights():
    for network in BLEND_NETWORKS:
        config = config_of(network)
        one, same_seed, other = (new_network(config, seed=seed, quantiles=(-1.0, 50.0)) for seed in (1, 1, 2))
        weights = [[np.array(weight) for weight in model.weights] for model in (one, same_seed, other)]
        assert same(weights[0], weights[1]) and not same(weights[0], weights[2])
        for size in (16, 32):
            one({"image": np.zeros((1, size, size, 3), np.float32)})


def test_images_that_do_not_fit_the_config_are_refused(blend_data_dir):
    with pytest.raises(ValueError, match="images have 48 pixels, 'data.crop' is 64; lower it, or set it to null"):
        BlendExperiment(config_of("unet", "data.crop=64"), blend_data_dir)
    with pytest.raises(ValueError, match="images have 48 pixels, which 'model.depth' 5 cannot halve; lower it"):
        BlendExperiment(config_of("unet", "model.depth=5"), blend_data_dir)
    with pytest.raises(FileNotFoundError, match="no prepared dataset found of lsst_blends, but of lsst_pairs"):
        BlendExperiment(config_of("unet", "simulation.kind=scenes"), blend_data_dir)


def test_the_progress_bar_of_a_training_counts_images(blend_run_dirs, blend_data_dir, tmp_path, monkeypatch):
    run, bars = shutil.copytree(blend_run_dirs["unet_image"], tmp_path / "run"), []
    monkeypatch.setattr(
        "photoz_morph.training.ensemble.tqdm", lambda **options: contextlib.nullcontext(bars.append(options))
    )
    config = read_run(run, BlendConfig)[0]
    assert train_ensemble(BlendExperiment, config, run, blend_data_dir, 2, 1, progress=False) == 0
    assert [bar["unit"] for bar in bars] == [" images"]
