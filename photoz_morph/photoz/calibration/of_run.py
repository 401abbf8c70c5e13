"""Calibration of the networks of a run on its validation galaxies."""

from dataclasses import asdict
from functools import partial

import keras
import numpy as np
from tqdm import tqdm

from photoz_morph.catalogs.depth import at_depth
from photoz_morph.datasets import reading
from photoz_morph.models.loading import BATCH_SIZE, load_members
from photoz_morph.photoz import dataset
from photoz_morph.photoz.calibration.calibrator import fit_calibrator
from photoz_morph.photoz.calibration.conformal import LEVELS
from photoz_morph.photoz.calibration.files import (
    FoldCalibration,
    calibration_file,
    read_calibration,
    write_calibration,
)
from photoz_morph.photoz.calibration.networks import member_function
from photoz_morph.photoz.calibration.quality import (
    OOD_QUANTILE,
    PEAK_HEIGHT,
    WIDE_QUANTILE,
    fit_quality_limits,
)
from photoz_morph.photoz.calibration.redshift_distribution import training_counts
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.splits import cross_validation_splits, open_run_dataset
from photoz_morph.runs.folder import finished_members, read_run, run_provenance
from photoz_morph.system.locks import locked
from photoz_morph.system.provenance import code_version

N_TRAINING_LATENTS = 1000  # galaxies whose latents are the known ones; our choice


def calibrate_run(run_dir, data_dir=None, progress=True):
    """Calibrate the finished networks of each fold on the fold's validation galaxies; see `files`.

    A fold that is calibrated already, with the same networks, is left as it is.

    Parameters
    ----------
    run_dir : path-like
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    progress : bool

    Returns
    -------
    dict of int to FoldCalibration
        Of each fold.

    Raises
    ------
    FileNotFoundError
        If the folder is not a run folder, has no finished network, or the dataset is missing.
    ValueError
        If there are too few validation galaxies, or the dataset is another one.
    """
    config, trained_on = read_run(run_dir, PhotozConfig)
    members = finished_members(run_dir, PhotozConfig)
    builder = open_run_dataset(config, trained_on, data_dir)
    found = {}
    with locked(run_dir, "calibrate afterwards"), tqdm(
        members.items(), desc="calibrate", unit=" folds", disable=not progress
    ) as bar:
        for fold, paths in bar:
            if calibration_file(run_dir, fold).exists():
                try:
                    found[fold] = read_calibration(run_dir, fold, paths, config.redshift)
                    continue
                except ValueError:
                    pass  # of other networks, or damaged: it is replaced
            calibration = _calibrated_fold(config, builder, fold, paths)
            calibration.facts.update(run_provenance(trained_on, paths))
            write_calibration(calibration_file(run_dir, fold), calibration, config.redshift, paths)
            found[fold] = read_calibration(run_dir, fold, paths, config.redshift)
    return found


def _calibrated_fold(config, builder, fold, paths):
    """Calibration of the networks of one fold."""
    data, grid = config.data, config.redshift
    splits = cross_validation_splits(builder, fold, data.n_validation, data.train_fraction)
    columns = {}
    for split in (splits.train, splits.validation):
        rows = reading.read_columns(builder, split)
        taken = at_depth(rows["n_frames"], data.train_on)
        columns[split] = {name: rows[name][taken] for name in ("z_spec", "group_id")}
    keras.backend.clear_session()
    predict = member_function(load_members(paths))
    batches = partial(
        dataset.image_batches, builder, batch_size=BATCH_SIZE, depth=data.train_on, observing=config.model.observing
    )
    member_pdf, latents = _outputs(predict, batches(splits.validation))
    _, training_latents = _outputs(predict, batches(splits.train), N_TRAINING_LATENTS)
    z_spec, group_id = (columns[splits.validation][name] for name in ("z_spec", "group_id"))
    try:
        calibrator, report, cross_fitted = fit_calibrator(member_pdf, z_spec, grid, group_id)
    except ValueError as error:
        raise ValueError(f"{builder.data_dir}: {splits.validation}, the validation galaxies: {error}") from error
    limits = fit_quality_limits(calibrator.pdf(member_pdf, grid), latents, training_latents, grid)
    facts = {
        **report, "validation": splits.validation, "fold": fold, "n_members": len(paths), "levels": LEVELS,
        "wide_quantile": WIDE_QUANTILE, "ood_quantile": OOD_QUANTILE, "peak_height": PEAK_HEIGHT,
        "n_training_latents": len(training_latents[0]), "grid": asdict(grid), "code": code_version(),
    }  # fmt: skip
    counts = training_counts(columns[splits.train]["z_spec"], grid)
    return FoldCalibration(calibrator, limits, counts, cross_fitted, z_spec, facts)


def _outputs(predict, batches, n_galaxies=None):
    """PDFs and latents of the members for the galaxies of all batches, or the first of them; lists of arrays."""
    pdfs, latents, n_done = [], [], 0
    for batch in batches:
        for kept, outputs in zip((pdfs, latents), predict(batch)):
            kept.append([values.numpy() for values in outputs])
        n_done += len(pdfs[-1][0])
        if n_galaxies is not None and n_done >= n_galaxies:
            break
    return tuple([np.concatenate(parts) for parts in zip(*kept)] for kept in (pdfs, latents))
