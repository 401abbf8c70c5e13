import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.config import differing_keys, load_config
from photoz_morph.models.loading import load_network
from photoz_morph.morph import dataset
from photoz_morph.morph.classify import load_classifiers
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.experiment import MorphExperiment, new_classifier
from photoz_morph.morph.export import export_morph
from photoz_morph.morph.predict import predict_morph_run
from photoz_morph.runs.folder import read_run
from photoz_morph.runs.progress import read_history, run_status
from photoz_morph.training.ensemble import train_ensemble
from photoz_morph.training.fit import choose_strategy, fit
from tests.support.paths import ROOT
from tests.support.samples import MORPH_TINY
from tests.support.training import copy_at, final_weights, same


def fit_arm(arm, data_dir, folder, seed=1, overrides=(), on_batch=None):
    config = load_config(f"morph_{arm}.yaml", MorphConfig, [*MORPH_TINY, *overrides])
    return fit(MorphExperiment(config, data_dir).fold(0), folder, seed, choose_strategy("none"), on_batch)


def test_an_interrupted_training_ends_with_the_weights_of_an_undisturbed_one(morph_data_dir, tmp_path):
    options = {"seed": 4, "overrides": ["data.shift=2"]}
    folder, killed = tmp_path / "whole", tmp_path / "killed"
    whole = fit_arm("mmd", morph_data_dir, folder, **options, on_batch=copy_at(2, 1, folder, killed))
    resumed = fit_arm("mmd", morph_data_dir, killed, **options)
    assert same(final_weights(folder), final_weights(killed))
    # The logged loss is a sum whose last bit TensorFlow does not promise; no weight depends on it.
    for row, row_whole in zip(resumed, whole, strict=True):
        assert {**row, "seconds": 0} == pytest.approx({**row_whole, "seconds": 0}, rel=1e-6, nan_ok=True)


def test_history_has_the_terms_of_the_loss_and_both_accuracies(morph_run_dirs):
    for arm, folder in morph_run_dirs.items():
        history = read_history(folder / "fold_0" / "member_0")
        assert list(history[0]) == [
            "epoch", "iterations", "learning_rate", "loss", "accuracy", "cross_entropy", "mmd", "validation_loss",
            "validation_accuracy", "validation_accuracy_target", "seconds",
        ]  # fmt: skip
        assert np.isnan(history[-1]["mmd"]) == (arm == "regular")
    status = run_status(morph_run_dirs["mmd"], MorphConfig)
    assert [entry["is_finished"] for entry in status["members"]] == [True, True]


def test_a_small_network_learns_the_shapes(morph_data_dir, tmp_path):
    history = fit_arm("regular", morph_data_dir, tmp_path, overrides=["model.name=convnet", "train.epochs=8"])
    assert history[-1]["validation_accuracy"] > 0.9  # a third by chance


def test_a_second_head_is_learnt_and_not_saved(morph_data_dir, tmp_path):
    config = load_config("morph_regular.yaml", MorphConfig, [*MORPH_TINY, "train.auxiliary_weight=0.5"])
    fold = MorphExperiment(config, morph_data_dir).fold(0)
    model = fold.new_network(10, seed=3)
    head = model.classifier.get_layer("auxiliary")
    before = np.array(head.kernel)
    model.train_on_batch(*next(iter(fold.train.epoch(1, 0))))
    assert not np.array_equal(before, head.kernel)
    network = fold.trained_network(model)
    images = {"image": np.random.default_rng(1).normal(size=(2, 100, 100, 3)).astype(np.float32)}
    assert set(network.output) == {"logits", "latent"}
    for name, values in network(images).items():
        np.testing.assert_array_equal(values, model.classifier(images)[name])
    last = fit(fold, tmp_path, 3, choose_strategy("none"))[-1]
    assert last["loss"] == pytest.approx(last["cross_entropy"] + 0.5 * last["auxiliary"], rel=1e-4)
    assert set(load_network(tmp_path / "model.keras").output) == {"logits", "latent"}


@pytest.mark.parametrize("arm", ["regular", "mmd"])
def test_batch_norm_of_the_source_does_not_see_the_target(arm, morph_data_dir):
    means = {}
    for policy in ("both", "source"):
        config = load_config(f"morph_{arm}.yaml", MorphConfig, [*MORPH_TINY, f"train.batch_norm={policy}"])
        for shift in (0.0, 500.0):
            fold = MorphExperiment(config, morph_data_dir).fold(0)
            model = fold.new_network(10, seed=3)
            images, labels = next(iter(fold.train.epoch(1, 0)))
            model.train_on_batch({"source": images["source"], "target": images["target"] + shift}, labels)
            means[policy, shift] = np.array(model.classifier.get_layer("bn1").moving_mean)
    np.testing.assert_array_equal(means["source", 0.0], means["source", 500.0])
    assert not np.array_equal(means["both", 0.0], means["both", 500.0])


def test_arms_start_from_the_same_weights_and_scaling(morph_data_dir):
    networks = []
    for arm in ("regular", "mmd"):
        config = load_config(f"morph_{arm}.yaml", MorphConfig, MORPH_TINY)
        networks.append(MorphExperiment(config, morph_data_dir).fold(0).new_network(10, seed=3).classifier)
    for a, b in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_array_equal(a, b)


def test_scaling_is_measured_on_the_deep_training_images_alone(morph_data_dir):
    builder = dataset.open_dataset(morph_data_dir)
    images = {
        domain: np.concatenate(list(dataset.domain_images(builder, "train", domain, 64).as_numpy_iterator()))
        for domain in dataset.DOMAINS
    }
    for preset, domains in (("default", ["y10"]), ("paper", ["y10", "y1"])):
        config = load_config("morph_mmd.yaml", MorphConfig, [*MORPH_TINY, f"scaling.preset={preset}"])
        network = MorphExperiment(config, morph_data_dir).fold(0).new_network(10, seed=3).classifier
        quantiles = np.array(network.get_layer("arcsinh_scaling").quantiles)
        expected = [np.percentile(images[domain], (0.1, 99.9)) for domain in domains]
        np.testing.assert_allclose(quantiles, expected, rtol=1e-5)


def test_class_weights_are_those_of_the_published_code(morph_data_dir):
    config = load_config("morph_regular.yaml", MorphConfig, MORPH_TINY)
    model = MorphExperiment(config, morph_data_dir).fold(0).new_network(10, seed=3)
    assert np.sum(np.array(model.class_weights) ** -1) == pytest.approx(3)  # N / (3 n) summed over 1/w gives 3
    config = load_config("morph_regular.yaml", MorphConfig, [*MORPH_TINY, "train.class_weights=false"])
    assert MorphExperiment(config, morph_data_dir).fold(0).new_network(10, seed=3).class_weights is None


@pytest.mark.parametrize("name", ["convnet", "deepmerge"])
def test_other_networks_train_and_predict(name, morph_data_dir, tmp_path):
    classes = "merger" if name == "deepmerge" else "spiral_elliptical_merger"
    overrides = [*MORPH_TINY, "model.width=null", "model.n_latent=null", "model.dropout=null", "train.epochs=1"]
    config = load_config("morph_mmd.yaml", MorphConfig, [*overrides, f"model.name={name}", f"data.classes={classes}"])
    train_ensemble(MorphExperiment, config, tmp_path / "run", morph_data_dir, 1, 1, "mirrored", progress=False)
    table = predict_morph_run(tmp_path / "run", progress=False)
    assert table["probability_y10"].shape[1:] == (1, len(config.class_names))
    assert set(table["label"]) <= set(range(len(config.class_names)))


TWO_REPLICAS = """
import sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
sys.path.insert(0, sys.argv[1])
from tests.support.samples import MORPH_TINY
from photoz_morph.config import load_config
from photoz_morph.training.ensemble import train_ensemble
from photoz_morph.morph import dataset
from photoz_morph.morph.classify import load_classifiers
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.experiment import MorphExperiment
config = load_config("morph_mmd.yaml", MorphConfig, [*MORPH_TINY, "train.epochs=1"])
train_ensemble(MorphExperiment, config, sys.argv[2], sys.argv[3], 1, 1, strategy="mirrored", progress=False)
"""


def test_a_run_trains_on_two_replicas(morph_data_dir, tmp_path):
    arguments = [str(ROOT), str(tmp_path / "run"), str(morph_data_dir)]
    result = subprocess.run([sys.executable, "-c", TWO_REPLICAS, *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    history = read_history(tmp_path / "run" / "fold_0" / "member_0")
    assert np.isfinite([history[0][name] for name in ("loss", "mmd", "validation_loss")]).all()
    assert len(predict_morph_run(tmp_path / "run", progress=False)) > 0


def test_the_same_config_trains_in_jax(morph_data_dir, tmp_path):
    pytest.importorskip("jax", reason="jax, the other backend, is not installed")
    options = [word for setting in (*MORPH_TINY, "train.epochs=1") for word in ("--set", setting)]
    folders = ["--data-dir", str(morph_data_dir), "--run-dir", str(tmp_path / "run")]
    command = ["train", "morph_mmd.yaml", *folders, *options]
    code = f"from photoz_morph.cli.morph import main; main({command!r})"
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    assert np.isfinite(read_history(tmp_path / "run" / "fold_0" / "member_0")[0]["mmd"])


def test_a_run_of_the_other_chain_or_config_is_refused(morph_run_dirs, morph_data_dir, run_dir):
    with pytest.raises(ValueError, match="is a config of `photoz`, not of `morph`"):
        read_run(run_dir, MorphConfig)
    config = load_config("morph_mmd.yaml", MorphConfig, MORPH_TINY)
    other = dataclasses.replace(config, adaptation=dataclasses.replace(config.adaptation, weight=0.5))
    with pytest.raises(ValueError, match="was trained with another adaptation.weight"):
        train_ensemble(MorphExperiment, other, morph_run_dirs["mmd"], morph_data_dir, 2, 1, progress=False)


def test_an_option_that_a_network_does_not_have_is_refused():
    with pytest.raises(ValueError, match="'model.n_latent' is 256, but deepmerge has no such option; set it to null"):
        load_config("morph_mmd.yaml", MorphConfig, ["model.name=deepmerge", "data.classes=merger"])


def test_published_sizes_by_config():
    from photoz_morph.models.inception_photoz import trainable_parameter_count

    # Counted from the published code of DeepAdversaries, and the table of the DeepMerge lecture.
    published = {"resnet18": 11_308_611, "convnet": 1_187_203, "deepmerge": 174_626}
    for name, number in published.items():
        classes = "merger" if name == "deepmerge" else "spiral_elliptical_merger"
        unset = ["model.width=null", "model.n_latent=null", "model.dropout=null"]
        choices = [*unset, f"model.name={name}", f"data.classes={classes}"]
        config = load_config("morph_paper_mmd.yaml", MorphConfig, choices)
        assert trainable_parameter_count(new_classifier(config)) == number


def test_a_killed_training_with_an_opponent_and_norms_of_each_depth_ends_as_an_undisturbed_one(
    morph_data_dir, tmp_path
):
    overrides = ("adaptation.discriminator_width=8", "train.batch_norm=domain")
    options, folder, killed = {"seed": 4, "overrides": overrides}, tmp_path / "whole", tmp_path / "killed"
    whole = fit_arm("cdan", morph_data_dir, folder, **options, on_batch=copy_at(2, 1, folder, killed))
    fit_arm("cdan", morph_data_dir, killed, **options)
    weights = final_weights(folder)
    assert same(weights, final_weights(killed))
    assert np.isfinite(whole[-1]["cdan"])
    config = load_config("morph_cdan.yaml", MorphConfig, [*MORPH_TINY, *overrides])
    assert len(weights) == len(new_classifier(config).weights)  # no discriminator in what is kept


def test_networks_with_norms_of_each_depth_classify_each_by_its_own(morph_data_dir, tmp_path):
    config = load_config("morph_domain_batch_norm.yaml", MorphConfig, [*MORPH_TINY, "train.epochs=1"])
    train_ensemble(MorphExperiment, config, tmp_path / "run", morph_data_dir, 1, 1, "mirrored", progress=False)
    table, (network,) = predict_morph_run(tmp_path / "run", progress=False), load_classifiers(tmp_path / "run")
    builder = dataset.open_dataset(morph_data_dir)
    latents = {}
    for index, depth in enumerate(dataset.DOMAINS):
        images = np.concatenate(list(dataset.domain_images(builder, "test", depth, 64).as_numpy_iterator()))
        for domain in range(2):
            given = {"image": images, "domain": np.full(len(images), domain, np.int32)}
            latents[index, domain] = np.asarray(network(given)["latent"])
        np.testing.assert_allclose(table[f"latent_{depth}"], latents[index, index], rtol=1e-4, atol=1e-5)
    assert not np.allclose(latents[1, 0], latents[1, 1], atol=1e-3)
    description = export_morph(tmp_path / "run", tmp_path / "export")
    model = tf.saved_model.load(str(tmp_path / "export"))  # its variables end with it
    served = model.serve_y1(images)
    np.testing.assert_allclose(served["latent"], latents[1, 1], rtol=1e-4, atol=1e-5)
    assert description["adaptation"] == "none"


def test_a_killed_training_with_all_defences_ends_with_the_weights_of_an_undisturbed_one(morph_data_dir, tmp_path):
    def train(folder, on_batch=None):
        defences = ("data.noise_augmentation=true", "data.pixel_augmentation=0.5")
        config = load_config("morph_consistency.yaml", MorphConfig, [*MORPH_TINY, *defences])
        return fit(MorphExperiment(config, morph_data_dir).fold(0), folder, 4, choose_strategy("none"), on_batch)

    folder, killed = tmp_path / "whole", tmp_path / "killed"
    whole = train(folder, copy_at(2, 1, folder, killed))
    train(killed)
    assert same(final_weights(folder), final_weights(killed))
    assert np.isfinite(whole[-1]["consistency"]) and np.isnan(whole[-1]["mmd"])


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("noise", ["data.noise_augmentation"]),
        ("domain_batch_norm", ["train.batch_norm"]),
        ("pixel", ["data.pixel_augmentation"]),
        ("consistency", ["adaptation.name", "adaptation.weight", "adaptation.warmup_epochs", "adaptation.ramp_epochs"]),
    ],
)
def test_each_defence_differs_from_the_regular_arm_in_itself_alone(name, keys):
    regular, defended = (load_config(f"morph_{arm}.yaml", MorphConfig) for arm in ("regular", name))
    assert differing_keys(regular, defended) == keys
