"""Predictions of the test galaxies of a run, or of another dataset, by networks that were not trained on them."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from astropy.table import Column
from keras import ops
from tqdm import tqdm

from photoz_morph.catalogs.depth import at_depth
from photoz_morph.datasets import reading
from photoz_morph.models.loading import BATCH_SIZE, load_members
from photoz_morph.photoz import dataset
from photoz_morph.photoz.calibration.files import run_calibrations
from photoz_morph.photoz.calibration.label_shift import estimated_target
from photoz_morph.photoz.calibration.networks import member_function
from photoz_morph.photoz.calibration.quality import pixel_bits
from photoz_morph.photoz.calibration.redshift_distribution import (
    read_target,
    reweighted,
    target_weights,
    training_counts,
)
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.predictions import CATALOGUE, predictions_table
from photoz_morph.photoz.splits import open_run_dataset, splits_of
from photoz_morph.runs.folder import finished_members, read_run, run_provenance
from photoz_morph.system.provenance import joint_hash

ESTIMATED = "em"  # a target n(z) that is found from the PDFs


def combine_pdfs(member_pdf):
    """Mean over the members, whose expectation is the mean of their z_phot (Pasquet et al. 2019, Sec. 3.8).

    Parameters
    ----------
    member_pdf : list of tensor, shape (n, n_bins) each

    Returns
    -------
    tensor, shape (n, n_bins)
    """
    return ops.mean(ops.stack(member_pdf, axis=0), axis=0)


def load_ensemble(paths):
    """One model that gives the mean PDF of several saved networks.

    Parameters
    ----------
    paths : list of path-like
        `model.keras` files of networks with the same inputs.

    Returns
    -------
    keras.Model
        (image, ebv) to pdf, shape (n, n_bins).
    """
    members = load_members(paths)
    if len(members) == 1:
        return members[0]
    inputs = {tensor.name: keras.Input(tensor.shape[1:], name=tensor.name) for tensor in members[0].inputs}
    for index, member in enumerate(members):
        member.name = f"member_{index}"
    return keras.Model(inputs, combine_pdfs([member(inputs) for member in members]), name="ensemble")


def predict_run(run_dir, data_dir=None, progress=True, uncalibrated=False, target=None, target_nz=None):
    """Predict the test galaxies of each fold with the networks that were not trained on them, calibrated if the run is.

    Parameters
    ----------
    run_dir : path-like
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    progress : bool
    uncalibrated : bool
        Whether to give the mean of the members' PDFs although the run is calibrated.
    target : path-like, optional
        Another prepared dataset of the survey, with or without redshifts, whose galaxies are predicted instead. The
        networks of a fold predict those of the same fold, whose parents they have not seen.
    target_nz : path-like or "em", optional
        n(z) of the galaxies, to which the PDFs are re-weighted: a table, see `redshift_distribution.read_target`, or
        what `label_shift.estimated_target` finds from the PDFs themselves.

    Returns
    -------
    Table
        See `predictions`; with the columns of the dataset, the `fold` that tested a galaxy, and
        `pit_member`, shape (n, n_members), is the PIT of each member's own PDF, never calibrated.

    Raises
    ------
    FileNotFoundError
        If the folder is not a run folder, has no finished network, or the dataset is missing.
    ValueError
        If folds have different numbers of members, the dataset is another one, the calibration of a fold is missing
        or of other networks, or there is no n(z) to re-weight to.
    """
    config, trained_on = read_run(run_dir, PhotozConfig)
    grid = config.redshift
    nz = None if target_nz in (None, ESTIMATED) else read_target(target_nz, grid)
    builder = _target_dataset(target, config) if target else open_run_dataset(config, trained_on, data_dir)
    members = finished_members(run_dir, PhotozConfig)
    n_members = {len(paths) for paths in members.values()}
    if len(n_members) > 1:
        counts = ", ".join(f"fold_{fold} {len(paths)}" for fold, paths in members.items())
        raise ValueError(f"{run_dir}: folds have different numbers of finished members ({counts}); finish the training")
    calibrations = {} if uncalibrated else run_calibrations(run_dir, members, grid)
    counts = None
    if target_nz is not None:
        counts = {fold: calibration.training_counts for fold, calibration in calibrations.items()}
        if not calibrations:
            source = open_run_dataset(config, trained_on, data_dir) if target else builder
            counts = {fold: _training_counts(config, source, fold) for fold in members}
    folds = []
    total = sum(reading.n_galaxies(builder, f"fold_{fold}") for fold in members)
    with tqdm(total=total, desc="predict", unit=" galaxies", disable=not progress) as bar:
        for fold, paths in members.items():
            folds.append(_predicted_fold(builder, fold, paths, config, calibrations.get(fold), bar))
    if nz is None and target_nz is not None:
        nz = estimated_target([found.pdf for found in folds], list(counts.values()), grid, builder.data_dir)
    for found in folds:
        weights = None if nz is None else target_weights(nz, counts[found.fold], grid, target_nz)
        found.finish(grid, calibrations.get(found.fold), weights)
    merged = {name: np.concatenate([found.columns[name] for found in folds]) for name in known_first(folds[0].columns)}
    meta = run_provenance(trained_on, [path for paths in members.values() for path in paths])
    if calibrations:
        meta["calib_id"] = joint_hash(calibration.facts["calib_id"] for calibration in calibrations.values())
    if target:
        meta["targ_id"] = reading.content_hash(builder) or ""
    if target_nz is not None:
        meta["targ_nz"] = ESTIMATED if target_nz == ESTIMATED else Path(target_nz).name
    added = {name: np.concatenate([found.added[name] for found in folds]) for name in folds[0].added}
    pdf, origin = np.concatenate([found.pdf for found in folds]), builder.info.metadata["origin"]
    table = predictions_table(
        merged, pdf, grid, config.survey, origin, config.model.name, n_members.pop(), meta, added
    )
    pit_member = np.concatenate([found.pit_member for found in folds]).astype(np.float32)
    table["pit_member"] = Column(pit_member, description="PIT of z_spec in the PDF of each member")
    return table


def _target_dataset(folder, config):
    """Builder of a dataset that is not that of the run, with what its networks are told."""
    builder = dataset.open_dataset(folder, config.survey)
    missing = [name for name in config.model.observing if name not in builder.info.features]
    if missing:
        raise ValueError(f"{builder.data_dir}: has no {missing[0]}, which the networks are told; build it again")
    return builder


def _training_counts(config, builder, fold):
    """Training galaxies of the networks of a fold in each redshift bin."""
    columns = reading.read_columns(builder, splits_of(config, builder, fold).train)
    return training_counts(columns["z_spec"][at_depth(columns["n_frames"], config.data.train_on)], config.redshift)


@dataclass
class _Fold:
    """Predictions of the galaxies of a fold, whose PDFs may still be re-weighted to an n(z)."""

    fold: int
    columns: dict
    pdf: np.ndarray
    pit_member: np.ndarray
    added: dict

    def finish(self, grid, calibration, weights):
        """Re-weight the PDFs, and add what `CALIBRATED` says about them."""
        if weights is not None:
            self.pdf = reweighted(self.pdf, weights)
        if calibration is not None:
            calibrator = calibration.calibrator if weights is None else calibration.of_target(weights, grid)
            pixels = self.added.pop("pixels")
            self.pdf = self.pdf.astype(np.float32)
            quality = calibration.quality.bits(self.pdf, self.added["ood_score"], grid) | pixels
            bounds = {name: values.astype(np.float32) for name, values in calibrator.bounds(self.pdf, grid).items()}
            self.added = {**bounds, **self.added, "quality": quality}


def _predicted_fold(builder, fold, paths, config, calibration, bar):
    """PDFs of the galaxies of a fold of a dataset, with the calibration if there is one."""
    grid, split, n_done = config.redshift, f"fold_{fold}", 0
    table = reading.read_columns(builder, split)
    keras.backend.clear_session()
    networks = load_members(paths)
    predict = _member_function(networks) if calibration is None else member_function(networks)
    pdfs, pits, added = [], [], {}
    for batch in dataset.image_batches(builder, split, BATCH_SIZE, observing=config.model.observing):
        member_pdf, latents = (predict(batch), None) if calibration is None else predict(batch)
        mean_pdf = combine_pdfs(member_pdf).numpy()
        z_spec = table["z_spec"][n_done : n_done + len(mean_pdf)]
        pits.append(np.stack([grid.cdf_at(pdf.numpy(), z_spec) for pdf in member_pdf], axis=1))
        if calibration is not None:
            member_pdf = np.stack([pdf.numpy() for pdf in member_pdf])
            score = calibration.quality.ood_score([latent.numpy() for latent in latents])
            found = {
                "ood_score": score.astype(np.float32), "pixels": pixel_bits(batch["image"].numpy()),
                "pit_uncalibrated": grid.cdf_at(member_pdf.mean(axis=0), z_spec).astype(np.float32),
            }  # fmt: skip
            for name, values in found.items():
                added.setdefault(name, []).append(values)
            mean_pdf = calibration.calibrator.pdf(member_pdf, grid)
        pdfs.append(mean_pdf)
        n_done += len(z_spec)
        bar.update(len(z_spec))
    columns = {**table, "fold": np.full(n_done, fold)}
    added = {name: np.concatenate(parts) for name, parts in added.items()}
    return _Fold(fold, columns, np.concatenate(pdfs), np.concatenate(pits), added)


def known_first(names):
    """Column names of a dataset in a stable order: those of `CATALOGUE` first, the rest alphabetically.

    TFDS reads features in an order that differs between processes.
    """
    return [name for name in CATALOGUE if name in names] + sorted(name for name in names if name not in CATALOGUE)


def _member_function(members):
    """Compiled function of a batch that gives the PDFs of all members, a list."""
    return tf.function(lambda batch: [member(batch) for member in members], reduce_retracing=True)
