"""Networks as they are before their first step, in a run folder: what a transfer has of its source before any label."""

import keras
import tensorflow as tf

from photoz_morph.runs.folder import member_dir, start_run
from photoz_morph.runs.progress import locked
from photoz_morph.system.files import write_whole
from photoz_morph.training.ensemble import member_seed
from photoz_morph.training.schedules import training_length


def save_starts(experiment_class, config, run_dir, data_dir, n_members, n_folds):
    """Write the networks that a training would start from, in the place of trained ones; finished ones are kept.

    Parameters
    ----------
    experiment_class, config, run_dir, data_dir, n_members, n_folds
        As for `train_ensemble`, of the training.

    Raises
    ------
    ValueError
        If the run folder holds a run of another config or dataset, or the dataset does not fit the config.
    """
    experiment = experiment_class(config, data_dir)
    with locked(run_dir):
        devices = [device.name for device in tf.config.list_physical_devices()]
        start_run(run_dir, config, experiment.dataset_description(), devices)
        for fold in range(n_folds):
            paths = {member: member_dir(run_dir, fold, member) / "model.keras" for member in range(n_members)}
            missing = {member: path for member, path in paths.items() if not path.exists()}
            if missing:
                _save_fold(experiment.fold(fold), {member_seed(config.seed, fold, member): path
                                                   for member, path in missing.items()})  # fmt: skip


def _save_fold(fold, paths):
    """Write the networks of a fold, by their seeds."""
    n_iterations = training_length(fold.config, fold.train.n_galaxies)[0]
    for seed, path in paths.items():
        keras.backend.clear_session()
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_whole(path, keep_suffix=True) as part:
            fold.trained_network(fold.new_network(n_iterations, seed)).save(part)
