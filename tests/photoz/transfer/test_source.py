import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from photoz_morph.cli.photoz import main
from photoz_morph.config import load_config
from photoz_morph.datasets import reading
from photoz_morph.metrics.redshifts.point_scores import galaxy_scores
from photoz_morph.models.loading import load_network
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.dataset import image_batches
from photoz_morph.photoz.experiment import PhotozExperiment
from photoz_morph.photoz.splits import splits_of
from photoz_morph.photoz.transfer.source import Source, no_redshifts_yet, transferred_config
from photoz_morph.runs.folder import read_run, start_run
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.surveys import SDSS, survey_to_dict
from photoz_morph.training.ensemble import member_seed
from photoz_morph.training.fit import choose_strategy, fit
from photoz_morph.training.starts import save_starts
from photoz_morph.transfer.settings import TransferConfig
from tests.support.samples import TINY, colour_stacks
from tests.support.training import copy_at, final_weights, same
from tfds_builders.sdss_ugriz import build

GRIZ = SDSS.of_bands("griz")


@pytest.fixture(scope="module")
def griz_dir(tmp_path_factory):
    """Dataset of the same parents as `data_dir` without u."""
    stacks, folder = (tmp_path_factory.mktemp(name) for name in ("griz_stacks", "griz"))
    images, table = colour_stacks(300)
    for name in ("mags", "n_frames"):
        table[name] = np.asarray(table[name])[:, 1:]
    write_shard(shard_path(stacks, 0), images[..., 1:], table, GRIZ, "simulated")
    build(stacks, folder, progress=False)
    return folder


def config_of(run_dir, *options, survey=None):
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, *options])
    return transferred_config(replace(config, survey=survey or config.survey), run_dir)


def transfer(run_dir, data_dir, *options):
    settings = [word for text in TINY if not text.startswith("model.") for word in ("--set", text)]
    words = ["transfer", "photoz_simulated.yaml", "--from", run_dir, "--data-dir", data_dir, "--strategy", "mirrored"]
    return CliRunner().invoke(main, list(map(str, [*words, *settings, *options])))


def test_each_network_starts_from_the_one_of_its_fold_and_number(run_dir, data_dir):
    config = config_of(run_dir)
    experiment = PhotozExperiment(config, data_dir)
    for fold in (0, 1):
        data = experiment.fold(fold)
        for member in (0, 1):
            model = data.new_network(20, member_seed(config.seed, fold, member))
            source = load_network(run_dir / f"fold_{fold}" / f"member_{member}" / "model.keras")
            assert same(model.get_weights(), source.get_weights())


def test_networks_start_in_turn_from_the_first_that_the_config_names(run_dir, data_dir):
    config = config_of(run_dir, "transfer.first=1")
    source = Source(config, PhotozExperiment(config, data_dir).builder)
    for member, other in ((0, 1), (1, 0)):
        path = source.path(1, member_seed(config.seed, 1, member))
        assert path == run_dir / "fold_1" / f"member_{other}" / "model.keras"


def test_no_galaxy_that_tests_a_network_has_been_seen_by_its_source(run_dir, griz_dir):
    config = config_of(run_dir, survey=GRIZ)
    builder = PhotozExperiment(config, griz_dir).builder
    source, trained_on = read_run(run_dir, PhotozConfig)
    before = reading.open_dataset(trained_on["path"])
    for fold in (0, 1):
        splits, known = splits_of(config, builder, fold), splits_of(source, before, fold).train
        seen = set(reading.read_columns(before, known)["group_id"])
        for part in (splits.test, splits.validation):
            assert not seen & set(reading.read_columns(builder, part)["group_id"])


@pytest.mark.parametrize("mode", ["all", "lora"])
def test_a_saved_start_is_a_plain_network_with_the_outputs_before_the_first_step(mode, run_dir, griz_dir, tmp_path):
    config = config_of(run_dir, f"transfer.mode={mode}", "data.n_labels=100", survey=GRIZ)
    save_starts(PhotozExperiment, config, tmp_path, griz_dir, n_members=2, n_folds=1)
    saved = load_network(tmp_path / "fold_0" / "member_1" / "model.keras")
    network = PhotozExperiment(config, griz_dir).fold(0).new_network(20, member_seed(config.seed, 0, 1))
    (batch,) = image_batches(reading.open_dataset(griz_dir, GRIZ.dataset_name), "fold_0[:8]", 8)
    np.testing.assert_allclose(saved(batch), network(batch), atol=1e-6)
    assert not {type(layer).__name__ for layer in saved.layers} & {"LowRankDense", "LowRankConv2D"}
    changed = (tmp_path / "fold_0" / "member_1" / "model.keras").stat().st_mtime_ns
    save_starts(PhotozExperiment, config, tmp_path, griz_dir, n_members=2, n_folds=1)
    assert (tmp_path / "fold_0" / "member_1" / "model.keras").stat().st_mtime_ns == changed


@pytest.mark.parametrize("mode", ["all", "lora"])
def test_an_interrupted_transfer_ends_with_the_weights_of_an_undisturbed_one(mode, run_dir, griz_dir, tmp_path):
    options = (f"transfer.mode={mode}", "train.weight_decay=0.1", "data.n_labels=100")
    config = config_of(run_dir, *options, survey=GRIZ)
    seed = member_seed(config.seed, 0, 1)

    def train(folder, on_batch=None):
        return fit(PhotozExperiment(config, griz_dir).fold(0), folder, seed, choose_strategy("none"), on_batch)

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(whole, copy_at(2, 3, whole, killed))
    train(killed)
    assert same(final_weights(whole), final_weights(killed))
    kinds = {type(layer).__name__ for layer in load_network(tmp_path / "whole" / "model.keras").layers}
    assert not kinds & {"LowRankDense", "LowRankConv2D"}


def test_an_adaptation_goes_with_a_transfer(run_dir, griz_dir, tmp_path):
    options = ("data.train_on=shallow", "adaptation={name: mmd, target_depth: deep}", "transfer.mode=lora",
               "train.epochs=1")  # fmt: skip
    config = config_of(run_dir, *options, survey=GRIZ)
    fold = PhotozExperiment(config, griz_dir).fold(0)
    history = fit(fold, tmp_path, member_seed(config.seed, 0, 0), choose_strategy("none"))
    assert np.isfinite(history[-1]["mmd"]) and len(final_weights(tmp_path)) > 0


def test_a_run_of_a_transfer_is_a_run_like_any_other(run_dir, griz_dir, tmp_path):
    survey = json.dumps(survey_to_dict(GRIZ))
    out = tmp_path / "run"
    result = transfer(run_dir, griz_dir, "--set", f"survey={survey}", "--mode", "frozen", "--run-dir", out, "--cv", 1)
    assert result.exit_code == 0 and "2 networks trained" in result.output, result.output
    config, dataset = read_run(out, PhotozConfig)
    assert config.transfer.mode == "frozen" and dataset["transfer"]["bands"] == list(SDSS.bands)
    assert len(dataset["transfer"]["weights"]["0"]) == 2 and config.survey == GRIZ
    again = transfer(run_dir, griz_dir, "--set", f"survey={survey}", "--mode", "frozen", "--run-dir", out, "--cv", 1)
    assert again.exit_code == 0 and "0 networks trained" in again.output
    for command in (("evaluate", out), ("export", out, "--out", tmp_path / "model")):
        result = CliRunner().invoke(main, list(map(str, command)))
        assert result.exit_code == 0, result.output
    refused = transfer(tmp_path / "model", griz_dir, "--run-dir", tmp_path / "other")
    assert refused.exit_code == 1 and "is an exported model, whose layers cannot learn on" in refused.output


def test_a_few_label_curve_stands_beside_training_from_scratch(run_dir, data_dir, tmp_path, undrawn):
    out = tmp_path / "few"
    options = ("--labels", "32", "--repeats", 2, "--mode", "lora", "--run-dir", out, "--set", "train.epochs=1")
    result = transfer(run_dir, data_dir, *options)
    assert result.exit_code == 0, result.output
    curve = json.loads((out / "few_labels.json").read_text())
    found = {(entry["method"], entry["n_labels"]): entry for entry in curve["entries"]}
    assert set(found) == {("source", 0), ("lora", 32), ("scratch", 32)}
    assert curve["n_repeats"] == 2 and len(found["lora", 32]["scores"]["crps"]["repeats"]) == 2
    low, high = found["lora", 32]["differences"]["crps"]["interval"]
    assert low <= found["lora", 32]["differences"]["crps"]["value"] <= high < 0  # two epochs more have been trained
    assert (out / "report.html").exists()
    # The survey is that of the source, so each repeat does without labels what one of its networks does.
    assert found["source", 0]["scores"]["crps"]["repeats"] == pytest.approx(
        [crps_of(run_dir, data_dir, member) for member in (0, 1)], rel=1e-5  # single precision
    )
    assert "differences" not in found["source", 0] and curve["no_source"] == ""
    firsts = {name: read_run(out / name, PhotozConfig)[0].transfer.first
              for name in ("lora_32_1", "lora_32_2", "scratch_32_2")}  # fmt: skip
    assert firsts == {"lora_32_1": 0, "lora_32_2": 1, "scratch_32_2": 0}


def crps_of(run_dir, data_dir, member):
    """Mean CRPS of the test galaxies of fold 0 with one network of a run."""
    config, _ = read_run(run_dir, PhotozConfig)
    builder = reading.open_dataset(data_dir)
    network = load_network(run_dir / "fold_0" / f"member_{member}" / "model.keras")
    pdf = network.predict(image_batches(builder, "fold_0", 64), verbose=0)
    z_spec = reading.read_columns(builder, "fold_0")["z_spec"]
    return float(galaxy_scores(z_spec, pdf, config.redshift)["crps"].mean())


def test_a_source_that_says_nothing_of_redshifts_is_left_out_with_the_reason(run_dir, tmp_path):
    assert no_redshifts_yet(config_of(run_dir)) == ""
    assert "transfer.head=new starts the last layer" in no_redshifts_yet(config_of(run_dir, "transfer.head=new"))
    for weight, reason in ((1.0, ""), (0.0, "it was pre-trained without redshifts (pretrain.redshift=0)")):
        folder = tmp_path / f"pretrained_{weight}"
        config, described = read_run(run_dir, PhotozConfig)
        config = replace(config, pretrain=replace(config.pretrain, redshift=weight))
        start_run(folder, config, {**described, "pretraining": True}, [])
        assert no_redshifts_yet(replace(config_of(run_dir), transfer=TransferConfig(str(folder)))) == reason


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["redshift.n_bins=90"], "was trained on other redshift bins than the config has; give the same, or set"),
        (["data.n_validation=25"], "galaxies that are to validate the networks of fold 0; lower data.n_validation"),
    ],
)
def test_what_does_not_go_together_is_said_in_one_line(options, message, run_dir, data_dir):
    config = config_of(run_dir, *options)
    with pytest.raises(ValueError, match=message):
        PhotozExperiment(config, data_dir).check_start(0, 2)


def test_other_networks_runs_and_too_many_networks_are_refused(run_dir, morph_run_dirs, data_dir, tmp_path):
    config = config_of(run_dir)
    other = replace(config, model=replace(config.model, dense_units=8))
    with pytest.raises(ValueError, match="its networks have another model.dense_units; a transfer takes the network"):
        PhotozExperiment(other, data_dir)
    with pytest.raises(ValueError, match="has 2 finished networks of fold 0, and each network starts from the one"):
        PhotozExperiment(config, data_dir).check_start(0, 3)
    with pytest.raises(FileNotFoundError, match="no run folder of `photoz train` to start from; give another one"):
        transferred_config(config, tmp_path)
    with pytest.raises(ValueError, match="is a config of `morph`, not of `photoz`"):
        transferred_config(config, morph_run_dirs["regular"])
    with pytest.raises(ValueError, match="'transfer.mode' is frozen, so the latents that 'adaptation.name' mmd"):
        config_of(run_dir, "transfer.mode=frozen", "data.train_on=deep", "adaptation={name: mmd, target_depth: all}",
                  "adaptation.target_dir=x")  # fmt: skip
    assert Source(config, PhotozExperiment(config, data_dir).builder).bands.is_same
