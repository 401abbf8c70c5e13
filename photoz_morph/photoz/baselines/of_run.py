"""Baseline predictions for the test galaxies of a run."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from photoz_morph.datasets import reading
from photoz_morph.photoz import dataset
from photoz_morph.photoz.baselines.cross_validation import METHODS, STAMP_MODELS, cross_validate
from photoz_morph.photoz.baselines.local_linear import photometric_features
from photoz_morph.photoz.baselines.shapes import crude_shapes
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.depth import at_depth
from photoz_morph.photoz.predict import known_first
from photoz_morph.photoz.predictions import predictions_table, read_predictions, write_predictions
from photoz_morph.photoz.splits import open_run_dataset
from photoz_morph.runs.folder import finished_members, read_run

STAMPS_AT_ONCE = 256


def predict_baselines(run_dir, methods=tuple(METHODS), data_dir=None, progress=True):
    """Predict the test galaxies of a run with the baselines.

    Parameters
    ----------
    run_dir : path-like
    methods : sequence of str
        Of `cross_validation.METHODS`.
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    progress : bool

    Returns
    -------
    dict of str to Table
        A table for each method. Each galaxy is predicted from the galaxies of all other folds, or from the part of them
        that `data.train_fraction` and `data.train_on` leave to the networks (which lose `data.n_validation` more). A
        galaxy without a magnitude is flagged.

    Raises
    ------
    FileNotFoundError
        If the dataset is missing.
    ValueError
        If it has no magnitudes, too few galaxies, or is not the run's.
    """
    config, trained_on = read_run(run_dir, PhotozConfig)
    builder = open_run_dataset(config, trained_on, data_dir)
    parts = [reading.read_columns(builder, f"fold_{fold}") for fold in range(len(dataset.split_sizes(builder)))]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in known_first(parts[0])}
    columns["fold"] = np.repeat(np.arange(len(parts)), [len(part["obj_id"]) for part in parts])
    if not np.isfinite(columns["mags"]).all(axis=1).any():
        raise ValueError(
            f"{builder.data_dir}: no galaxy has magnitudes, which a baseline needs; give `photoz baseline` a catalogue "
            "of these galaxies with magnitudes, and `photoz evaluate --against` what it writes"
        )
    survey, grid, origin = config.survey, config.redshift, builder.info.metadata["origin"]
    features = photometric_features(columns["mags"], columns["ebv"], survey)
    part = config.data.train_fraction * len(parts) / (len(parts) - 1)
    trains = np.concatenate([np.arange(len(split["obj_id"])) < round(part * len(split["obj_id"])) for split in parts])
    trains &= at_depth(columns["n_frames"], config.data.train_on)
    z_train = np.where(trains, columns["z_spec"], np.nan)
    tested = np.isin(columns["fold"], list(finished_members(run_dir, PhotozConfig)))
    tables = {}
    for method in methods:
        seen = np.column_stack([features, _shapes(builder, survey, progress)]) if method in STAMP_MODELS else features
        pdf = cross_validate(method, seen, z_train, columns["fold"], grid, progress)
        carried = {name: values[tested] for name, values in columns.items()}
        meta = {"unit": "mag", "data_id": reading.content_hash(builder) or ""}
        tables[method] = predictions_table(carried, pdf[tested], grid, survey, origin, METHODS[method], meta=meta)
    return tables


def _shapes(builder, survey, progress):
    """Shapes of all galaxies of a dataset, fold after fold, shape (n, n_shapes)."""
    sizes = dataset.split_sizes(builder)
    found = []
    with tqdm(total=sum(sizes), desc="shapes", unit=" galaxies", disable=not progress) as bar:
        for fold in range(len(sizes)):
            for batch in dataset.image_batches(builder, f"fold_{fold}", STAMPS_AT_ONCE).as_numpy_iterator():
                found.append(crude_shapes(batch["image"], survey))
                bar.update(len(found[-1]))
    return np.concatenate(found)


def update_baselines(run_dir, data_dir=None, methods=tuple(METHODS), progress=True):
    """Write the baselines of a run, `knn.fits` and so on, if missing or without a finished fold.

    Parameters
    ----------
    run_dir, data_dir, methods, progress
        As for `predict_baselines`.

    Returns
    -------
    str
        Reason why they could not be made, in one line: the dataset is missing, or has no magnitudes. "" otherwise.

    Raises
    ------
    ValueError, OSError
        For the same reasons, if `data_dir` is given.
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
