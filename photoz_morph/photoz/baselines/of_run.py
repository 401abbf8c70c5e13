"""Baseline predictions for the test galaxies of a run."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from photoz_morph.catalogs.depth import at_depth
from photoz_morph.datasets import reading
from photoz_morph.photoz import dataset
from photoz_morph.photoz.baselines.bounds import TRUTH, measured_information, pixel_features, structure_features
from photoz_morph.photoz.baselines.cross_validation import BOUNDS, METHODS, MODELS, STAMP_MODELS, cross_validate
from photoz_morph.photoz.baselines.local_linear import photometric_features
from photoz_morph.photoz.baselines.shapes import crude_shapes
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.predict import known_first
from photoz_morph.photoz.predictions import predictions_table, read_predictions, write_predictions
from photoz_morph.photoz.splits import labelled_rows, open_run_dataset
from photoz_morph.runs.folder import finished_members, read_run
from photoz_morph.surveys import SDSS

BASELINES = tuple(MODELS | STAMP_MODELS)
STAMPS_AT_ONCE = 256


def predict_baselines(run_dir, methods=BASELINES, data_dir=None, progress=True):
    """Predict the test galaxies of a run with the baselines, one method after the other.

    Parameters
    ----------
    run_dir : path-like
    methods : sequence of str
        Of `cross_validation.METHODS`.
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    progress : bool

    Yields
    ------
    method : str
    table : Table
        Each galaxy is predicted from the galaxies of all other folds, or from the part of them that
        `data.train_fraction`, `data.train_on` and `data.n_labels` leave to the networks (which may lose
        `data.n_validation` more). A galaxy
        without a magnitude is flagged.

    Raises
    ------
    FileNotFoundError
        If the dataset is missing.
    ValueError
        If it has no magnitudes, too few galaxies, or is not the run's; or for a bound, if its galaxies are not those
        that this version simulates.
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
    part = config.data.train_fraction * len(parts) / (len(parts) - 1)
    n_train = [round(part * len(split["obj_id"])) for split in parts]
    trains = [np.arange(len(split["obj_id"])) < n for split, n in zip(parts, n_train)]
    if config.data.n_labels is not None:
        labels = config.data.n_labels, config.data.labels_part
        trains = [labelled_rows(len(split["obj_id"]), len(parts), *labels) for split in parts]
        n_train = [int(rows.nonzero()[0].max(initial=-1)) + 1 for rows in trains]
    trains = np.concatenate(trains)
    trains &= at_depth(columns["n_frames"], config.data.train_on)
    z_train = np.where(trains, columns["z_spec"], np.nan)
    folds = list(finished_members(run_dir, PhotozConfig))
    tested = np.isin(columns["fold"], folds)
    carried = {name: values[tested] for name, values in columns.items()}
    n_needed = [len(split["obj_id"]) if fold in folds else n for fold, (split, n) in enumerate(zip(parts, n_train))]
    for method in methods:
        features = _features(method, builder, columns, n_needed, survey, progress)
        pdf = cross_validate(method, features, z_train, columns["fold"], grid, progress, folds)
        meta = {"unit": "mag", "data_id": reading.content_hash(builder) or ""}
        yield method, predictions_table(carried, pdf[tested], grid, survey, origin, METHODS[method], meta=meta)


def _features(method, builder, columns, n_needed, survey, progress):
    """What a method sees of each galaxy of a dataset, shape (n, n_features)."""
    photometry = photometric_features(columns["mags"], columns["ebv"], survey)
    if method in STAMP_MODELS:
        return np.column_stack([photometry, _shapes(builder, survey, progress)])
    if method not in BOUNDS or method == "bound_guess":
        return photometry
    unknown = [name for name in TRUTH if not np.isfinite(np.asarray(columns.get(name, np.nan), float)).any()]
    if builder.info.metadata["origin"] != "simulated" or unknown:
        raise ValueError(
            f"{builder.data_dir}: the truth of its galaxies is not known ({', '.join(unknown) or 'they are real'}); "
            "bounds are for datasets of `photoz simulate`"
        )
    if method == "bound_structure":
        return np.column_stack([photometry, structure_features(columns)])
    if method == "bound_truth":
        true_photometry = photometric_features(columns["true_mags"], columns["ebv"], survey)
        return np.column_stack([true_photometry, structure_features(columns)])
    if survey.bands != SDSS.bands:
        raise ValueError(
            f"{builder.data_dir}: has bands {', '.join(survey.bands)}; what the pixels hold is known of the simulated "
            f"{', '.join(SDSS.bands)} alone"
        )
    rows, information = measured_information(builder, columns, n_needed, survey, progress)
    found = pixel_features(information, columns["ebv"][rows], survey)
    features = np.full((len(photometry), found.shape[1]), np.nan)
    features[rows] = found
    return features


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


def update_baselines(run_dir, data_dir=None, methods=BASELINES, progress=True):
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
        for method, table in predict_baselines(run_dir, wanted, data_dir, progress) if wanted else ():
            write_predictions(table, paths[method])
    except (ValueError, OSError, RuntimeError) as error:
        if data_dir:
            raise
        return " ".join(str(error).split())
    return ""


def update_bounds(run_dir, data_dir=None, progress=True):
    """Write the bounds of a run on simulated galaxies, `bound_guess.fits` and so on; see `update_baselines`.

    Returns
    -------
    str
        Why some of them could not be made, in one line: the first reason. "" otherwise, and for real galaxies, which
        have none.
    """
    if read_run(run_dir, PhotozConfig)[1].get("origin") != "simulated":
        return ""
    reasons = []
    for method in BOUNDS:  # each by itself: structure may be known where the galaxies cannot be drawn again
        try:
            reasons.append(update_baselines(run_dir, data_dir, (method,), progress))
        except (ValueError, OSError, RuntimeError) as error:
            reasons.append(" ".join(str(error).split()))
    return next(filter(None, reasons), "")


def _folds_in(path):
    """Folds whose galaxies a predictions file holds; none if it cannot be read."""
    try:
        table, _ = read_predictions(path)
    except ValueError:
        return set()
    return set(np.unique(table["fold"])) if "fold" in table.colnames else set()
