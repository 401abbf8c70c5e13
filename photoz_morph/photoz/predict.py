"""Predictions of the test galaxies of a run, by the networks that were not trained on them."""


import keras
import numpy as np
import tensorflow as tf
from astropy.table import Column
from keras import ops
from tqdm import tqdm

from photoz_morph.datasets import reading
from photoz_morph.models.loading import BATCH_SIZE, load_members
from photoz_morph.photoz import dataset
from photoz_morph.photoz.calibration.files import run_calibrations
from photoz_morph.photoz.calibration.networks import member_function
from photoz_morph.photoz.calibration.quality import pixel_bits
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.predictions import CATALOGUE, predictions_table
from photoz_morph.photoz.splits import open_run_dataset
from photoz_morph.runs.folder import finished_members, read_run, run_provenance
from photoz_morph.system.provenance import joint_hash


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


def predict_run(run_dir, data_dir=None, progress=True, uncalibrated=False):
    """Predict the test galaxies of each fold with the networks that were not trained on them, calibrated if the run is.

    Parameters
    ----------
    run_dir : path-like
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    progress : bool
    uncalibrated : bool
        Whether to give the mean of the members' PDFs although the run is calibrated.

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
        If folds have different numbers of members, the dataset is another one, or the calibration of a fold is missing
        or of other networks.
    """
    config, trained_on = read_run(run_dir, PhotozConfig)
    builder = open_run_dataset(config, trained_on, data_dir)
    members = finished_members(run_dir, PhotozConfig)
    n_members = {len(paths) for paths in members.values()}
    if len(n_members) > 1:
        counts = ", ".join(f"fold_{fold} {len(paths)}" for fold, paths in members.items())
        raise ValueError(f"{run_dir}: folds have different numbers of finished members ({counts}); finish the training")
    grid, columns, pdfs, pits, added = config.redshift, [], [], [], {}
    calibrations = {} if uncalibrated else run_calibrations(run_dir, members, grid)
    total = sum(reading.n_galaxies(builder, f"fold_{fold}") for fold in members)
    with tqdm(total=total, desc="predict", unit=" galaxies", disable=not progress) as bar:
        for fold, paths in members.items():
            split, n_done = f"fold_{fold}", 0
            table = reading.read_columns(builder, split)
            columns.append({**table, "fold": np.full(len(table["obj_id"]), fold)})
            keras.backend.clear_session()
            networks = load_members(paths)
            predict = member_function(networks) if calibrations else _member_function(networks)
            for batch in dataset.image_batches(builder, split, BATCH_SIZE, observing=config.model.observing):
                member_pdf, latents = predict(batch) if calibrations else (predict(batch), None)
                mean_pdf = combine_pdfs(member_pdf).numpy()
                z_spec = table["z_spec"][n_done : n_done + len(mean_pdf)]
                pits.append(np.stack([grid.cdf_at(pdf.numpy(), z_spec) for pdf in member_pdf], axis=1))
                if calibrations:
                    mean_pdf, found = _calibrated(calibrations[fold], member_pdf, latents, batch["image"], grid, z_spec)
                    for name, values in found.items():
                        added.setdefault(name, []).append(values)
                pdfs.append(mean_pdf)
                n_done += len(z_spec)
                bar.update(len(z_spec))
    merged = {name: np.concatenate([part[name] for part in columns]) for name in known_first(columns[0])}
    survey = config.survey
    origin = builder.info.metadata["origin"]
    meta = run_provenance(trained_on, [path for paths in members.values() for path in paths])
    if calibrations:
        meta["calib_id"] = joint_hash(calibration.facts["calib_id"] for calibration in calibrations.values())
    added = {name: np.concatenate(parts) for name, parts in added.items()}
    table = predictions_table(
        merged, np.concatenate(pdfs), grid, survey, origin, config.model.name, n_members.pop(), meta, added
    )
    pit_member = np.concatenate(pits).astype(np.float32)
    table["pit_member"] = Column(pit_member, description="PIT of z_spec in the PDF of each member")
    return table


def _calibrated(calibration, member_pdf, latents, images, grid, z_spec):
    """Calibrated PDFs of a batch, and the columns of `CALIBRATED`."""
    calibrator, limits = calibration.calibrator, calibration.quality
    member_pdf = np.stack([pdf.numpy() for pdf in member_pdf])
    pdf = calibrator.pdf(member_pdf, grid).astype(np.float32)
    score = limits.ood_score([latent.numpy() for latent in latents])
    added = {name: values.astype(np.float32) for name, values in calibrator.bounds(pdf, grid).items()}
    added |= {"ood_score": score.astype(np.float32)}
    added |= {"quality": limits.bits(pdf, score, grid) | pixel_bits(images.numpy())}
    return pdf, added | {"pit_uncalibrated": grid.cdf_at(member_pdf.mean(axis=0), z_spec).astype(np.float32)}


def known_first(names):
    """Column names of a dataset in a stable order: those of `CATALOGUE` first, the rest alphabetically.

    TFDS reads features in an order that differs between processes.
    """
    return [name for name in CATALOGUE if name in names] + sorted(name for name in names if name not in CATALOGUE)


def _member_function(members):
    """Compiled function of a batch that gives the PDFs of all members, a list."""
    return tf.function(lambda batch: [member(batch) for member in members], reduce_retracing=True)
