import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.config import load_config
from photoz_morph.datasets import reading
from photoz_morph.metrics.redshifts.point_scores import residuals, sigma_mad
from photoz_morph.models.loading import load_network
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.experiment import PhotozExperiment
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.surveys import SDSS
from photoz_morph.training.fit import choose_strategy, fit
from tests.support.paths import ROOT
from tests.support.samples import PIXELS_ALONE, TINY, colour_stacks
from tests.support.training import Killed, copy_at, final_weights, fit_fold, kill_at, same
from tfds_builders.sdss_ugriz import build


def test_an_interrupted_training_ends_with_the_weights_of_an_undisturbed_one(tiny_config, data_dir, tmp_path):
    whole = fit_fold(tiny_config, data_dir, tmp_path / "whole", seed=4)
    for epoch, batch in ((1, 3), (2, 5)):
        with pytest.raises(Killed):
            fit_fold(tiny_config, data_dir, tmp_path / "killed", seed=4, on_batch=kill_at(epoch, batch))
    resumed = fit_fold(tiny_config, data_dir, tmp_path / "killed", seed=4)
    assert same(final_weights(tmp_path / "whole"), final_weights(tmp_path / "killed"))
    for row, row_resumed in zip(whole, resumed, strict=True):
        assert {**row, "seconds": 0} == pytest.approx({**row_resumed, "seconds": 0}, abs=0)


@pytest.mark.parametrize("schedule", ["halfway", "constant", "cosine"])
def test_a_training_killed_after_its_last_checkpoint_trains_no_partial_epoch_again(schedule, data_dir, tmp_path):
    """18 iterations are one epoch of 13 batches and 5 batches of a second one."""
    partial = ["train.epochs=null", "train.iterations=18", f"train.schedule={schedule}"]
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*PIXELS_ALONE, *partial])
    fold, whole = PhotozExperiment(config, data_dir).fold(0), []
    trained_network = fold.trained_network

    def kill(model):
        whole.extend(trained_network(model).get_weights())
        raise Killed

    fold.trained_network = kill
    with pytest.raises(Killed):
        fit(fold, tmp_path, 4, choose_strategy("none"))
    assert not (tmp_path / "model.keras").exists()
    resumed = fit_fold(config, data_dir, tmp_path, seed=4, on_batch=kill_at(2, 1))
    assert same(whole, final_weights(tmp_path))
    assert [row["iterations"] for row in resumed] == [13, 18]


def test_a_training_killed_in_its_partial_epoch_resumes_at_the_epoch_before(data_dir, tmp_path):
    overrides = [*PIXELS_ALONE, "train.epochs=null", "train.iterations=18", "train.schedule=halfway"]
    config = load_config("photoz_simulated.yaml", PhotozConfig, overrides)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    fit_fold(config, data_dir, whole, seed=4, on_batch=copy_at(2, 3, whole, killed))
    fit_fold(config, data_dir, killed, seed=4)
    assert same(final_weights(whole), final_weights(killed))


def test_the_choices_of_training_survive_an_interruption(data_dir, tmp_path):
    options = ["train.loss=crps", "train.schedule=one_cycle", "train.ema_momentum=0.8", "train.auxiliary_weight=0.2",
               "data.extra_ebv=0.1", "data.shift=1", "data.rotation=any"]  # fmt: skip
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, *options])
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    history = fit_fold(config, data_dir, whole, seed=4, on_batch=copy_at(2, 3, whole, killed))
    fit_fold(config, data_dir, killed, seed=4)
    assert same(final_weights(whole), final_weights(killed))
    assert {"redshift_pdf_loss", "auxiliary_loss"} < set(history[-1])


def test_the_average_of_the_weights_is_scored_and_saved(data_dir, tmp_path):
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*PIXELS_ALONE, "train.ema_momentum=0.8"])
    fold, models, raw = PhotozExperiment(config, data_dir).fold(0), [], []
    new_network = fold.new_network
    fold.new_network = lambda *arguments: models.append(new_network(*arguments)) or models[0]
    history = fit(fold, tmp_path, 4, choose_strategy("none"), lambda *batch: raw.append(models[0].get_weights()))
    expected = raw[0]
    for weights in raw[1:]:
        expected = [0.8 * mean + 0.2 * weight for mean, weight in zip(expected, weights, strict=True)]
    for weight, mean in zip(final_weights(tmp_path), expected, strict=True):
        np.testing.assert_allclose(weight, mean, atol=1e-6)
    scores = fold.validate(load_network(tmp_path / "model.keras"))
    assert scores["validation_loss"] == pytest.approx(history[-1]["validation_loss"], rel=1e-5)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(data_dir, tmp_path, capsys):
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*PIXELS_ALONE, "train.epochs=3"])
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    fit_fold(config, data_dir, whole, seed=4, on_batch=copy_at(3, 2, whole, killed))
    checkpoint = killed / "checkpoint.keras"
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    fit_fold(config, data_dir, killed, seed=4)
    assert "checkpoint.keras: cannot be read" in capsys.readouterr().err
    assert same(final_weights(whole), final_weights(killed))


def test_seed_decides_the_trained_weights(data_dir, tmp_path):
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*PIXELS_ALONE, "train.epochs=1"])
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        fit_fold(config, data_dir, tmp_path / name, seed=seed)
    assert same(final_weights(tmp_path / "a"), final_weights(tmp_path / "b"))
    assert not same(final_weights(tmp_path / "a"), final_weights(tmp_path / "c"))


def test_a_small_network_learns_redshift_from_colour(tiny_config, data_dir, tmp_path):
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, "train.epochs=20"])
    history = fit_fold(config, data_dir, tmp_path)
    builder = reading.open_dataset(data_dir)
    z_spec = reading.read_columns(builder, "fold_1[:20]")["z_spec"]  # the validation galaxies
    guess = sigma_mad(residuals(np.full(len(z_spec), np.median(z_spec)), z_spec))
    assert history[-1]["validation_sigma_mad"] < 0.25 * guess
    assert list(history[-1]) == [
        "epoch", "iterations", "learning_rate", "loss", "validation_loss", "validation_sigma_mad", "seconds",
    ]  # fmt: skip


def test_iterations_are_counted_across_epochs(data_dir, tmp_path):
    overrides = [*PIXELS_ALONE, "train.epochs=null", "train.iterations=20"]
    config = load_config("photoz_simulated.yaml", PhotozConfig, overrides)
    history = fit_fold(config, data_dir, tmp_path)
    assert [row["iterations"] for row in history] == [13, 20]  # 220 galaxies are 13 batches of 16


def test_a_loss_that_is_no_number_stops_the_training(tiny_config, data_dir, tmp_path):
    config = dataclasses.replace(tiny_config, train=dataclasses.replace(tiny_config.train, learning_rate=1e30))
    with pytest.raises(RuntimeError, match="no longer finite in epoch 1, batch .* lower train.learning_rate"):
        fit_fold(config, data_dir, tmp_path)


def test_a_bad_loss_names_the_galaxies_of_its_batch(tiny_config, tmp_path):
    images, table = colour_stacks(100)
    images[85] = 1e38  # finite, so the dataset takes it; its total flux is not
    write_shard(shard_path(tmp_path, 0), images, table, SDSS, "stacked")
    build(tmp_path, tmp_path / "data", progress=False)
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, "data.n_validation=5"])
    fold = PhotozExperiment(config, tmp_path / "data").fold(0)
    fold.adaptation_sample = [{"image": images[:30], "ebv": np.float32(table["ebv"][:30])}]
    if 85 in reading.read_columns(reading.open_dataset(tmp_path / "data"), "fold_0")["obj_id"]:
        pytest.fail("galaxy 85 is a test galaxy; choose another")
    with pytest.raises(RuntimeError) as stopped:
        fit(fold, tmp_path / "member", 1, choose_strategy("none"))
    named = str(stopped.value).rpartition("obj_id: ")[2].split(", ")
    assert "85" in named and len(named) == config.data.batch_size


def test_tensorboard_gets_a_point_per_epoch(run_dir):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run_dir / "fold_0" / "member_0" / "tensorboard"))
    events.Reload()
    assert {"loss", "validation_loss", "validation_sigma_mad", "learning_rate"} <= set(events.Tags()["tensors"])
    assert [point.step for point in events.Tensors("loss")] == [1, 2]


def test_too_few_galaxies_for_a_batch(data_dir, tmp_path):
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, "data.batch_size=500"])
    with pytest.raises(ValueError, match="data.batch_size is 500, there are 2.. training galaxies; lower it"):
        fit_fold(config, data_dir, tmp_path)


TWO_REPLICAS = """
import sys
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
sys.path.insert(0, sys.argv[1])
from tests.support.samples import TINY, colour_stacks
from photoz_morph.config import load_config
from photoz_morph.photoz.dataset import bin_target
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.experiment import new_network
from photoz_morph.training.fit import choose_strategy

config = load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, *sys.argv[2:]])
images, table = colour_stacks(64)
target = bin_target(table["z_spec"], config.redshift, config.train.label_sigma)
if config.train.auxiliary_weight:
    known = np.where(np.indices((64, 8))[0] % 3, np.float32(table["z_spec"])[:, None], np.nan)
    target = {"redshift_pdf": target, "auxiliary": np.float32(known)}
data = tf.data.Dataset.from_tensor_slices(({"image": images, "ebv": np.float32(table["ebv"])}, target)).batch(16)
weights = []
for name in ("none", "mirrored"):
    strategy = choose_strategy(name)
    print(name, strategy.num_replicas_in_sync)
    with strategy.scope():
        model = new_network(config, 4, seed=1)
    model.fit(data, verbose=0, shuffle=False)
    weights.append(model.get_weights())
start = new_network(config, 4, seed=1).get_weights()
print("moved", max(np.abs(a - b).max() for a, b in zip(weights[0], start)))
print("difference", max(np.abs(a - b).max() for a, b in zip(*weights)))
"""


@pytest.mark.parametrize("options", [(), ("train.loss=crps", "train.ema_momentum=0.5", "train.auxiliary_weight=1")])
def test_two_replicas_take_the_step_of_one(options):
    command = [sys.executable, "-c", TWO_REPLICAS, str(ROOT), *options]
    as_written = os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0"}  # oneDNN sums in another order in batches of another size
    result = subprocess.run(command, capture_output=True, text=True, env=as_written)
    assert result.returncode == 0, result.stderr[-2000:]
    printed = dict(line.rsplit(" ", 1) for line in result.stdout.splitlines())
    assert (printed["none"], printed["mirrored"]) == ("1", "2")
    assert float(printed["moved"]) > 1e-3
    assert float(printed["difference"]) < 2e-6  # float32 rounding through four steps of Adam


def test_mirrored_strategy_covers_all_devices():
    strategy = choose_strategy("mirrored")
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    assert strategy.num_replicas_in_sync == len(tf.config.list_logical_devices("GPU") or [0])
