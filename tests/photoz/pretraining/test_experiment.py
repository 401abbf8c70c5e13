import dataclasses

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import ops
from sklearn.linear_model import Ridge

from photoz_morph.cli.photoz import main
from photoz_morph.config import load_config
from photoz_morph.models.loading import load_network
from photoz_morph.photoz import dataset
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.experiment import PhotozExperiment, initial_weights
from photoz_morph.photoz.pretraining.experiment import PretrainingExperiment
from photoz_morph.photoz.pretraining.network import TripleLossNetwork
from photoz_morph.runs.folder import start_run
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.surveys import SDSS
from photoz_morph.training.ensemble import member_seed
from photoz_morph.training.fit import choose_strategy, fit
from tests.support.samples import PIXELS_ALONE, colour_stacks
from tests.support.training import Killed, final_weights, kill_at, same
from tfds_builders.sdss_ugriz import build

SETTINGS = (*PIXELS_ALONE, "train.epochs=6")


@pytest.fixture(scope="module")
def unlabelled_dir(tmp_path_factory):
    """The dataset of the colour stacks, three in four without redshift; groups are those of `data_dir`."""
    stacks, folder = (tmp_path_factory.mktemp(name) for name in ("stacks", "unlabelled"))
    images, table = colour_stacks(300)
    table["z_spec"][table["group_id"] % 4 > 0] = np.nan
    write_shard(shard_path(stacks, 0), images, table, SDSS, "simulated")
    assert build(stacks, folder, progress=False, unlabelled=True)["galaxies"] == 300
    return folder


@pytest.fixture(scope="module")
def config():
    return load_config("photoz_simulated.yaml", PhotozConfig, SETTINGS)


@pytest.fixture(scope="module")
def pretrained(unlabelled_dir, tmp_path_factory):
    """Run folder of a pre-training of fold 0 that is told a quarter of the redshifts."""
    folder = tmp_path_factory.mktemp("runs") / "pretrained"
    options = ["--data-dir", unlabelled_dir, "--out", folder, "--cv", 1, "--strategy", "mirrored"]
    result = photoz("pretrain", *options)
    assert result.exit_code == 0 and f"Next: photoz train --set train.initial_weights={folder}" in result.output
    return folder


def photoz(command, *options):
    settings = [word for text in SETTINGS for word in ("--set", text)]
    return CliRunner().invoke(main, [command, *settings, *map(str, options)])


def probe_error(network, builder, columns):
    """Root mean square error of a linear regression of z on the latents: fitted on folds 2 to 4, measured on fold 0."""
    encoder = keras.Model(network.input, network.get_layer("FC2").output)
    latents, z_spec = {}, {}
    for fold in (0, 2, 3, 4):
        batches = dataset.image_batches(builder, f"fold_{fold}", 64)
        latents[fold] = np.concatenate([ops.convert_to_numpy(encoder(batch)) for batch in batches])
        z_spec[fold] = columns(f"fold_{fold}")["z_spec"]
    train = [np.concatenate([values[fold] for fold in (2, 3, 4)]) for values in (latents, z_spec)]
    return np.sqrt(np.mean((Ridge(1e-3).fit(*train).predict(latents[0]) - z_spec[0]) ** 2))


def test_pretraining_lowers_its_loss_and_a_linear_probe_finds_redshift_in_unseen_galaxies(
    config, pretrained, data_dir
):
    rows = (pretrained / "fold_0" / "member_0" / "history.csv").read_text().splitlines()
    names = rows[0].split(",")
    first, last = (dict(zip(names, map(float, row.split(",")))) for row in (rows[1], rows[-1]))
    for term in ("loss", "contrast", "colours", "redshift", "validation_loss"):
        assert last[term] < first[term]
    builder = dataset.open_dataset(data_dir, SDSS)
    columns = dataset.training_columns(builder)
    network = load_network(initial_weights(trained_from(config, pretrained), 0))
    at_random = PhotozExperiment(config, data_dir).fold(0).new_network(10, 1)
    assert probe_error(network, builder, columns) < 0.8 * probe_error(at_random, builder, columns)


def trained_from(config, folder):
    return dataclasses.replace(config, train=dataclasses.replace(config.train, initial_weights=str(folder)))


def test_a_training_starts_from_the_pretrained_weights(config, pretrained, data_dir):
    fold = PhotozExperiment(trained_from(config, pretrained), data_dir).fold(0)
    model = fold.new_network(10, 1)
    pretrained_network = load_network(pretrained / "fold_0" / "member_0" / "model.keras")
    assert {layer.name for layer in model.layers} == {layer.name for layer in pretrained_network.layers}
    for name in ("C1", "C2", "FC1", "FC2", "redshift_pdf"):
        np.testing.assert_array_equal(model.get_layer(name).kernel, pretrained_network.get_layer(name).kernel)


def test_an_interrupted_pretraining_ends_with_the_weights_of_an_undisturbed_one(
    config, unlabelled_dir, pretrained, tmp_path
):
    def pretrain_fold_0(on_batch=None):
        fold, seed = PretrainingExperiment(config, unlabelled_dir).fold(0), member_seed(config.seed, 0, 0)
        fit(fold, tmp_path / "killed", seed, choose_strategy("mirrored"), on_batch)

    with pytest.raises(Killed):
        pretrain_fold_0(kill_at(2, 3))
    pretrain_fold_0()
    assert same(final_weights(pretrained / "fold_0" / "member_0"), final_weights(tmp_path / "killed"))


def test_a_training_from_pretrained_weights_is_of_their_folds(pretrained, data_dir, tmp_path):
    options = ["--data-dir", data_dir, "--set", f"train.initial_weights={pretrained}", "--set", "train.epochs=1"]
    options += ["--ensemble", 1, "--run-dir", tmp_path / "run", "--strategy", "mirrored"]
    refused = photoz("train", *options, "--cv", 2)
    assert refused.exit_code == 1 and "no finished network of fold 1; run the same `photoz pretrain`" in refused.output
    result = photoz("train", *options, "--cv", 1)
    assert result.exit_code == 0 and "1 networks trained" in result.output
    folders = (folder / "fold_0" / "member_0" for folder in (pretrained, tmp_path / "run"))
    before, after = (load_network(folder / "model.keras") for folder in folders)
    for name in ("C1", "FC2"):
        change = abs(after.get_layer(name).kernel.numpy() - before.get_layer(name).kernel.numpy())
        assert 0 < change.max() < 0.2  # of 13 steps


def test_no_group_of_the_test_fold_or_of_validation_is_seen_whatever_the_dataset(config, unlabelled_dir, data_dir):
    trained = PhotozExperiment(config, data_dir)
    columns = dataset.open_dataset(data_dir, SDSS)
    for fold in (4,):  # validation from fold 0
        batches = PretrainingExperiment(config, unlabelled_dir).fold(fold).train
        seen = {obj_id // 2 for batch in range(batches.steps_per_epoch) for obj_id in batches.obj_ids(1, 0, batch)}
        splits = trained._splits(fold)
        held_out = {
            group for split in (splits.test, splits.validation)
            for group in dataset.training_columns(columns)(split)["obj_id"] // 2
        }  # fmt: skip
        assert len(seen) > 50 and len(held_out) > 20 and not seen & held_out


def test_redshifts_are_told_of_the_labelled_training_galaxies_alone(config, unlabelled_dir):
    few = dataclasses.replace(config, data=dataclasses.replace(config.data, train_fraction=0.4))
    n_told = []
    for choice in (config, few):
        batches = PretrainingExperiment(choice, unlabelled_dir).fold(0).train
        targets = [targets["redshift"].numpy() for _, targets in batches.epoch(1, 0)]
        told = np.isfinite(np.concatenate(targets)).all(axis=1)
        n_told.append(told.mean())
    assert 0.1 < n_told[0] < 0.4 and n_told[1] < 0.8 * n_told[0]


def test_the_network_in_pretraining_comes_back_from_its_file(config, unlabelled_dir, tmp_path):
    fold = PretrainingExperiment(config, unlabelled_dir).fold(0)
    model = fold.new_network(10, 1)
    model.save(tmp_path / "checkpoint.keras")
    restored = load_network(tmp_path / "checkpoint.keras")
    assert isinstance(restored, TripleLossNetwork) and same(model.get_weights(), restored.get_weights())
    batch = next(iter(fold.train.epoch(1, 0)))
    (loss, terms), (other, _) = (network.triple_loss(*batch, training=False) for network in (model, restored))
    assert float(loss) == float(other) and set(terms) == {"contrast", "colours", "redshift"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.train_on=deep"], "data.train_on is deep: pre-training takes all depths"),
        (["data.batch_size=1"], "data.batch_size is 1: a view cannot be recognised"),
    ],
)
def test_what_pretraining_cannot_do_is_said_before_it_starts(overrides, message, unlabelled_dir):
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*SETTINGS, *overrides])
    with pytest.raises(ValueError, match=message):
        PretrainingExperiment(config, unlabelled_dir)


def test_initial_weights_of_another_network_run_or_fold_are_refused(config, pretrained, data_dir, tmp_path):
    other = dataclasses.replace(config, model=dataclasses.replace(config.model, dense_units=8))
    with pytest.raises(ValueError, match="was pre-trained with another model; give the same"):
        initial_weights(trained_from(other, pretrained), 0)
    with pytest.raises(ValueError, match="no finished network of fold 3; run the same `photoz pretrain` with --cv 4"):
        initial_weights(trained_from(config, pretrained), 3)
    start_run(tmp_path / "trained", config, PhotozExperiment(config, data_dir).dataset_description(), [])
    with pytest.raises(ValueError, match="was not written by `photoz pretrain`"):
        initial_weights(trained_from(config, tmp_path / "trained"), 0)
    with pytest.raises(FileNotFoundError, match="no run folder of `photoz pretrain`; give another train"):
        initial_weights(trained_from(config, tmp_path), 0)


def test_a_dataset_without_redshifts_or_colours_says_which_weight_to_set_to_zero(config, tmp_path):
    images, table = colour_stacks(100)
    table["z_spec"] = np.nan
    table.remove_column("mags")
    write_shard(shard_path(tmp_path, 0), images, table, SDSS, "simulated")
    build(tmp_path, tmp_path / "data", progress=False, unlabelled=True)
    with pytest.raises(ValueError, match="has a z_spec on the grid; set pretrain.redshift=0"):
        PretrainingExperiment(config, tmp_path / "data").fold(0)
    unsupervised = dataclasses.replace(config, pretrain=dataclasses.replace(config.pretrain, redshift=0))
    with pytest.raises(ValueError, match="a band has no mags, so there are no colours to learn"):
        PretrainingExperiment(unsupervised, tmp_path / "data").fold(0)
