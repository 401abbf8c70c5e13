import shutil

import numpy as np
import pytest

from photoz_morph.config import load_config
from photoz_morph.models.layers.image_scaling import ArcsinhScaling
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_classifier
from photoz_morph.morph import dataset
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.predict import predict_morph_run
from photoz_morph.morph.predictions import read_morph_predictions, write_morph_predictions
from photoz_morph.morph.robustness.attack_files import attack_shards, start_attack, write_attack_shard
from photoz_morph.morph.robustness.latent_files import read_latent, write_latent
from photoz_morph.morph.robustness.latents import head_of, latent_run
from photoz_morph.robustness.latents.geometry import class_separation, distances
from photoz_morph.runs.folder import member_dir, start_run
from tests.support.latents import softmax, toy_attack
from tests.support.samples import MORPH_TINY

RESAMPLES = 100


def untrained_run(folder, data_dir, seeds):
    """A run folder with ConvNets of random weights: geometry asks nothing more of them."""
    builder = dataset.open_dataset(data_dir)
    start_run(folder, load_config("morph_convnet.yaml", MorphConfig, MORPH_TINY), dataset.describe(builder), ["CPU"])
    for member, seed in enumerate(seeds):
        scaling = ArcsinhScaling()
        scaling.set_quantiles((-100.0, 1000.0))  # [nJy] about those of the images
        network = build_classifier("convnet", n_classes=3, seed=seed, width=2, n_latent=8, scaling=scaling)
        kernel, bias = network.get_layer("logits").get_weights()
        network.get_layer("logits").set_weights([100 * kernel, bias])  # or logits would be as small as 1e-4
        path = member_dir(folder, 0, member) / "model.keras"
        path.parent.mkdir(parents=True)
        network.save(path)
    write_morph_predictions(predict_morph_run(folder, progress=False), folder / "predictions.fits")
    return folder


@pytest.fixture(scope="module")
def run_dir(morph_data_dir, tmp_path_factory):
    """Two seeds."""
    return untrained_run(tmp_path_factory.mktemp("latent") / "two_seeds", morph_data_dir, (1, 2))


@pytest.fixture(scope="module")
def table(run_dir):
    return read_morph_predictions(run_dir / "predictions.fits")


@pytest.fixture(scope="module")
def scores(run_dir):
    """Without an attack, with every seed."""
    return latent_run(run_dir, every_seed=True, n_bootstrap=RESAMPLES, progress=False)


def copy_of(run_dir, folder):
    return shutil.copytree(run_dir, folder / "copy")


def test_the_head_makes_the_probabilities_of_the_first_seed(run_dir, table):
    kernel, bias = head_of(run_dir)
    for suffix in ("y10", "y1"):
        probability = softmax(np.asarray(table[f"latent_{suffix}"]) @ kernel + bias)
        assert np.asarray(table[f"probability_{suffix}"])[:, 0] == pytest.approx(probability, abs=1e-4)
        assert np.abs(probability - np.asarray(table[f"probability_{suffix}"])[:, 1]).max() > 1e-3


def test_a_run_to_its_distances_and_back_from_json(run_dir, table, tmp_path):
    scores = latent_run(run_dir, toy_attack(table, *head_of(run_dir), n=30), n_bootstrap=RESAMPLES, progress=False)
    assert scores["run"] == "two_seeds" and scores["seeds"] is None and scores["attack"]["n_attacked"] > 0
    found, expected = scores["lengths"]["y10_y1"], distances(table["latent_y10"], table["latent_y1"])
    assert found["raw"]["value"] == pytest.approx(expected["mean"])
    separation = class_separation(np.asarray(table["latent_y10"]), np.asarray(table["label"]))["separation"]
    assert found["per_separation"]["value"] == pytest.approx(expected["mean"] / separation)
    write_latent(scores, tmp_path / "latent.json")
    assert read_latent(tmp_path / "latent.json") == scores


def test_an_attack_is_read_from_its_folder(run_dir, table, tmp_path):
    attack = toy_attack(table, *head_of(run_dir), n=12)
    start_attack(tmp_path / "attack", {"galaxies": np.asarray(attack["obj_id"]).tolist(), "member": 0})
    ((path, _, _),) = attack_shards(tmp_path / "attack", len(attack))
    write_attack_shard(path, attack, *np.zeros((2, len(attack), 4, 4, 3)))
    from_folder, from_table = (latent_run(run_dir, source, n_bootstrap=RESAMPLES, progress=False)
                               for source in (tmp_path / "attack", attack))  # fmt: skip
    assert from_folder == from_table and from_folder["attack"]["n_flipped"] > 0


def test_every_seed_is_measured_by_its_own_network(scores, run_dir, table, morph_data_dir):
    first, second = scores["seeds"]
    for name in ("y10_y1", "margin_y10", "margin_y1"):
        assert first[name] == pytest.approx(scores["lengths"][name]["raw"]["value"], rel=1e-4)
    assert first["separation"] == pytest.approx(scores["scale"]["separation"]["value"], rel=1e-4)
    network = load_network(member_dir(run_dir, 0, 1) / "model.keras")
    builder = dataset.open_dataset(morph_data_dir)
    latents = [
        np.concatenate([network.predict_on_batch({"image": images.numpy()})["latent"]
                        for images in dataset.domain_images(builder, "test", domain, 50)])
        for domain in ("y10", "y1")
    ]  # fmt: skip
    assert second["y10_y1"] == pytest.approx(np.linalg.norm(latents[0] - latents[1], axis=1).mean(), rel=1e-4)
    assert second["spread"] == pytest.approx(class_separation(latents[0], np.asarray(table["label"]))["spread"], 1e-4)


def test_a_run_without_predictions_makes_them(scores, run_dir, tmp_path):
    copy = copy_of(run_dir, tmp_path)
    (copy / "predictions.fits").unlink()
    again = latent_run(copy, n_bootstrap=RESAMPLES, progress=False)
    values = [part["lengths"]["y10_y1"]["raw"]["value"] for part in (again, scores)]
    assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_latents_behind_a_defence_are_those_of_the_defended_network(scores, run_dir):
    # That the head still makes the probabilities is checked within.
    defended = latent_run(run_dir, every_seed=True, defence="d4", n_bootstrap=RESAMPLES, progress=False)
    values = [part["lengths"]["y10_y1"]["raw"]["value"] for part in (scores, defended)]
    assert values[1] < values[0]  # the mean of eight views has less noise
    assert defended["seeds"][0]["y10_y1"] == pytest.approx(values[1], rel=1e-4)


def test_predictions_of_another_network_are_refused(run_dir, tmp_path):
    copy = copy_of(run_dir, tmp_path)
    for member, name in ((0, "spare"), (1, "member_0")):
        (copy / "fold_0" / f"member_{member}").rename(copy / "fold_0" / name)
    with pytest.raises(ValueError, match="copy: .* of another network, predict again"):
        latent_run(copy, progress=False)


def test_seeds_are_not_measured_on_other_galaxies(run_dir, table, tmp_path):
    copy = copy_of(run_dir, tmp_path)
    write_morph_predictions(table[::-1], copy / "predictions.fits")
    with pytest.raises(ValueError, match="are in another order; give the run's dataset, or predict again"):
        latent_run(copy, every_seed=True, n_bootstrap=RESAMPLES, progress=False)


def test_a_network_without_a_linear_head_has_no_geometry(run_dir, tmp_path):
    copy = copy_of(run_dir, tmp_path)
    build_classifier("deepmerge", n_classes=3).save(member_dir(copy, 0, 0) / "model.keras")
    with pytest.raises(ValueError, match="deepmerge has layers between its latent of 2592 and its logits"):
        latent_run(copy, progress=False)
