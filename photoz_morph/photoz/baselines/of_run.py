"""Baseline predictions for the test galaxies of a run."""

from pathlib import Path

import numpy as np

from photoz_morph.datasets import reading
from photoz_morph.photoz import dataset
from photoz_morph.photoz.baselines.local_linear import MODELS, cross_validate, photometric_features
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.depth import at_depth
from photoz_morph.photoz.predict import known_first, open_run_dataset
from photoz_morph.photoz.predictions import predictions_table, read_predictions, write_predictions
from photoz_morph.runs.folder import finished_members, read_run
from photoz_morph.surveys import get_survey


def predict_baselines(run_dir, methods=tuple(MODELS), data_dir=None, progress=True):
    """Predictions of the baselines for the test galaxies of a run: what photometry alone achieves on them.

    Parameters
    ----------
    run_dir : path-like
    methods : sequence of str
        Of `baselines.MODELS`.
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    progress : bool

    Returns
    -------
    dict of str to Table
        A table for each method. Each galaxy is predicted from galaxies of all other folds: all of them, or the part and
        the depth that `data.train_fraction` and `data.train_on` leave the networks; these saw less
        `data.n_validation`. A galaxy without a magnitude is flagged.

    Raises
    ------
    FileNotFoundError
        If the dataset is gone.
    ValueError
        If it has no magnitudes, too few galaxies, or is not the run's.
    """
    config, trained_on = read_run(run_dir, PhotozConfig)
    builder = open_run_dataset(trained_on, data_dir)
    parts = [reading.read_columns(builder, f"fold_{fold}") for fold in range(len(dataset.split_sizes(builder)))]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in known_first(parts[0])}
    columns["fold"] = np.repeat(np.arange(len(parts)), [len(part["obj_id"]) for part in parts])
    if not np.isfinite(columns["mags"]).all(axis=1).any():
        raise ValueError(
            f"{builder.data_dir}: no galaxy has magnitudes, which a baseline needs; give `photoz baseline` a catalogue "
            "of these galaxies with magnitudes, and `photoz evaluate --against` what it writes"
        )
    survey, grid, origin = get_survey(config.survey), config.redshift, builder.info.metadata["origin"]
    features = photometric_features(columns["mags"], columns["ebv"], survey)
    part = config.data.train_fraction * len(parts) / (len(parts) - 1)
    trains = np.concatenate([np.arange(len(split["obj_id"])) < round(part * len(split["obj_id"])) for split in parts])
    trains &= at_depth(columns["n_frames"], config.data.train_on)
    z_train = np.where(trains, columns["z_spec"], np.nan)
    tested = np.isin(columns["fold"], list(finished_members(run_dir, PhotozConfig)))
    tables = {}
    for method in methods:
        pdf = cross_validate(method, features, z_train, columns["fold"], grid, progress)
        carried = {name: values[tested] for name, values in columns.items()}
        tables[method] = predictions_table(carried, pdf[tested], grid, survey, origin, MODELS[method])
    return tables


def update_baselines(run_dir, data_dir=None, methods=tuple(MODELS), progress=True):
    """Write the baselines of a run, `knn.fits` and `boosting.fits`, where they are missing or lack a finished fold.

    Parameters
    ----------
    run_dir, data_dir, methods, progress
        As for `predict_baselines`.

    Returns
    -------
    str
        Why they could not be made, in one line: the dataset is gone, or has no magnitudes. Empty if all are there.

    Raises
    ------
    ValueError, OSError
        The same reasons, if `data_dir` was given: that one was to be used.
    """
    folds = set(finished_members(run_dir, PhotozConfig))
    paths = {method: Path(run_dir) / f"{method}.fits" for method in methods}
    wanted = [method for method, path in paths.items() if not path.exists() or not folds <= _folds_in(path)]
    try:
        tables = predict_baselines(run_dir, wanted, data_dir, progress) if wanted else {}
    except (ValueError, OSError, RuntimeError) as error:
        if data_dir:
            raise
        return " ".join(str(error).split())
    for method, table in tables.items():
        write_predictions(table, paths[method])
    return ""


def _folds_in(path):
    """Folds whose galaxies a predictions file holds; none if it cannot be read."""
    try:
        table, _ = read_predictions(path)
    except ValueError:
        return set()
    return set(np.unique(table["fold"])) if "fold" in table.colnames else set()
