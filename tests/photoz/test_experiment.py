import numpy as np
import pytest

from photoz_morph.config import load_config
from photoz_morph.datasets import kept_galaxies, reading
from photoz_morph.models.layers.photometric_inputs import adapt_to_training_set
from photoz_morph.models.layers.psf_matched import takes_photometry
from photoz_morph.photoz import dataset
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.experiment import PhotozExperiment, new_network
from photoz_morph.photoz.splits import cross_validation_splits
from tests.support.samples import PSF_MATCHED, TINY


class Uniform:
    """A network that gives each bin the same probability."""

    def __init__(self, n_bins):
        self.n_bins = n_bins

    def predict(self, batches, verbose):
        n = sum(len(batch["ebv"]) for batch in batches)
        return np.full((n, self.n_bins), 1 / self.n_bins)


@pytest.fixture(scope="module")
def experiment(tiny_config, data_dir):
    return PhotozExperiment(tiny_config, data_dir)


def test_a_uniform_pdf_scores_the_entropy_of_the_bins_and_the_scatter_of_the_mean(experiment):
    fold = experiment.fold(0)
    grid = experiment.config.redshift
    scores = fold.validate(Uniform(grid.n_bins))
    z_spec = reading.read_columns(experiment.builder, "fold_1[:20]")["z_spec"]  # the validation galaxies
    residuals = (0.2 - z_spec) / (1 + z_spec)  # the mean of a uniform PDF over 0 to 0.4
    scatter = 1.4826 * np.median(np.abs(residuals - np.median(residuals)))
    assert scores["validation_loss"] == pytest.approx(np.log(grid.n_bins))
    assert scores["validation_sigma_mad"] == pytest.approx(scatter, rel=1e-6)


def test_the_validation_loss_is_the_one_that_is_trained(data_dir):
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, "train.loss=crps"])
    fold = PhotozExperiment(config, data_dir).fold(0)
    n_bins = config.redshift.n_bins
    z_spec = reading.read_columns(reading.open_dataset(data_dir), "fold_1[:20]")["z_spec"]  # the validation galaxies
    uniform, truth = np.arange(1, n_bins + 1)[:, None] / n_bins, z_spec < config.redshift.edges[1:, None]
    expected = 6 * np.log(n_bins) / n_bins * np.mean(np.sum((uniform - truth) ** 2, axis=0))
    assert fold.validate(Uniform(n_bins))["validation_loss"] == pytest.approx(expected, rel=1e-4)


def test_a_network_is_saved_without_its_second_head(data_dir):
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, "train.auxiliary_weight=0.3"])
    fold = PhotozExperiment(config, data_dir).fold(0)
    model = fold.new_network(10, seed=2)
    inputs, target = next(iter(fold.train.epoch(1, 0)))
    known = np.isfinite(target["auxiliary"])
    assert known.shape == (16, 8) and known[:, 3:].all() and not known[:, :3].any()  # this dataset has only magnitudes
    network = fold.trained_network(model)
    plain = new_network(load_config("photoz_simulated.yaml", PhotozConfig, TINY), 10, 2)
    assert [layer.name for layer in network.layers] == [layer.name for layer in plain.layers] and not network.compiled
    own = {name: inputs[name] for name in network.input}
    np.testing.assert_allclose(network(own), model(inputs)["redshift_pdf"], rtol=1e-4, atol=1e-7)
    trainable = zip(network.trainable_variables, plain.trainable_variables, strict=True)
    assert all(np.array_equal(a, b) for a, b in trainable)  # the head takes no random number of the network
    assert fold.validate(model) == pytest.approx(fold.validate(network), rel=1e-4)


def test_the_number_of_training_galaxies_is_that_of_the_batches(experiment):
    for fold in range(2):
        assert experiment.n_training(fold) == experiment.fold(fold).train.n_galaxies


def test_the_dataset_is_read_once_to_count_the_galaxies_of_a_depth(data_dir, monkeypatch):
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, "data.train_on=shallow"])
    experiment, read, passes = PhotozExperiment(config, data_dir), reading.read_columns, []
    monkeypatch.setattr(reading, "read_columns", lambda builder, split: passes.append(split) or read(builder, split))
    for _ in range(3):
        counts = [experiment.n_training(fold) for fold in range(5)]
    folds = [experiment.fold(fold) for fold in range(5)]
    assert sorted(passes) == [f"fold_{fold}" for fold in range(5)]
    assert counts == [fold.train.n_galaxies for fold in folds]


def test_the_run_folder_records_the_folds_and_the_origin_of_the_dataset(experiment):
    description = experiment.dataset_description()
    assert description["name"].startswith("sdss_ugriz") and description["origin"] == "simulated"
    assert len(description["galaxies_per_fold"]) == experiment.n_folds == 5
    assert description["content_hash"] == reading.content_hash(experiment.builder)
    assert sum(description["galaxies_per_fold"]) == 300


def test_a_trained_network_loses_its_optimizer_and_keeps_its_numbers(experiment):
    config = experiment.config
    model = new_network(config, 10, seed=2)
    network = experiment.fold(0).trained_network(model)
    assert model.compiled and not network.compiled
    for a, b in zip(model.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_depth_without_galaxies_is_refused(data_dir, monkeypatch):
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, "data.train_on=deep"])
    monkeypatch.setattr("photoz_morph.catalogs.depth.DEEP_FRAMES", 1000)
    with pytest.raises(ValueError, match="none of .* is deep, or n_frames is unknown; give another data.train_on"):
        PhotozExperiment(config, data_dir).fold(0)


def test_the_networks_of_one_process_share_what_is_read_once(tiny_config, data_dir, monkeypatch):
    experiment, passes = PhotozExperiment(tiny_config, data_dir), []
    read = reading.read_galaxies
    for module in (kept_galaxies, reading, dataset):
        monkeypatch.setattr(module, "read_galaxies", lambda builder, split, features: passes.append((split, features))
                            or read(builder, split, features))  # fmt: skip
    builder = experiment.builder
    for fold in range(5):
        experiment.n_training(fold)  # which reads the few galaxies at the end of the last group of validation
    passes.clear()
    for fold in [experiment.fold(fold) for fold in range(5)]:
        for _ in range(2):
            assert sum(1 for _ in fold.train.epoch(1, 0)) == fold.train.steps_per_epoch
            assert sum(len(batch["ebv"]) for batch in fold.adaptation_sample) > 0
            fold.validate(Uniform(tiny_config.redshift.n_bins))
    n_read = sum(builder.info.splits[split].num_examples for split, _ in passes)
    assert n_read == sum(dataset.split_sizes(builder)) and all("image" in features for _, features in passes)


def test_batches_are_the_same_in_memory_and_from_disk(experiment, tiny_config):
    kept = experiment.fold(0).train
    split = cross_validation_splits(experiment.builder, 0, tiny_config.data.n_validation).train
    read = dataset.PhotozBatches(experiment.builder, split, tiny_config.redshift, kept.batch_size,
                                 tiny_config.train.label_sigma)  # fmt: skip
    assert list(kept.obj_ids(3, 1, 2)) == list(read.obj_ids(3, 1, 2))
    for (inputs, target), (others, same) in zip(kept.epoch(3, 1), read.epoch(3, 1), strict=True):
        assert np.array_equal(target, same)
        for name, values in others.items():
            assert np.array_equal(inputs[name], values)


@pytest.fixture(scope="module")
def psf_matched(data_dir):
    """A fold, and a network of it, whose photometry is measured before the training."""
    fold = PhotozExperiment(load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, *PSF_MATCHED]), data_dir).fold(0)
    return fold, fold.new_network(10, seed=2)


def test_photometry_that_is_given_is_that_which_the_saved_network_measures(psf_matched):
    fold, model = psf_matched
    assert takes_photometry(model)
    network = fold.trained_network(model)
    assert not takes_photometry(network)
    plain = new_network(fold.config, 10, 2)  # the same weights, but for what is adapted to the training set
    for a, b in zip(network.trainable_variables, plain.trainable_variables, strict=True):
        assert np.array_equal(a, b)
    adapt_to_training_set(plain, fold.adaptation_sample)
    for inputs, _ in fold.train.epoch(1, 0):  # flipped and rotated
        given = model(inputs)
        own = {name: inputs[name] for name in network.input}
        np.testing.assert_allclose(network(own), given, rtol=2e-3, atol=1e-6)
        np.testing.assert_allclose(plain(own), given, rtol=2e-3, atol=1e-6)
    assert fold.validate(model) == pytest.approx(fold.validate(network), rel=1e-3)


def test_a_training_that_an_earlier_version_began_goes_on_with_its_own_photometry(psf_matched, tmp_path):
    fold, model = psf_matched
    plain = new_network(fold.config, 10, 2)
    inputs, target = next(iter(fold.train.epoch(1, 0)))
    plain.train_on_batch({name: inputs[name] for name in plain.input}, target)
    plain.save(tmp_path / "earlier.keras")
    loaded = fold.load_checkpoint(tmp_path / "earlier.keras")
    for inputs, target in fold.train.epoch(1, 0):
        assert inputs.keys() == plain.input.keys() and np.isfinite(loaded.train_on_batch(inputs, target))
    assert np.isfinite(list(fold.validate(loaded).values())).all()
    model.save(tmp_path / "own.keras")
    fold.load_checkpoint(tmp_path / "own.keras")
    assert next(iter(fold.train.epoch(1, 0)))[0].keys() == model.input.keys()


@pytest.mark.parametrize("changes", [["data.shift=1"], ["data.extra_ebv=0.1"], ["model.apertures=circular"]])
def test_stamps_that_change_otherwise_are_measured_in_each_step(changes, data_dir):
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, *PSF_MATCHED, *changes])
    fold = PhotozExperiment(config, data_dir).fold(0)
    assert not takes_photometry(fold.new_network(10, seed=2))
    assert "measured_fluxes" not in next(iter(fold.train.epoch(1, 0)))[0]
