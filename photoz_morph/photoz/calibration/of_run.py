"""Calibration of the networks of a run on its validation galaxies."""

from dataclasses import asdict, dataclass
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
    fit_latent_limit,
    fit_quality_limits,
)
from photoz_morph.photoz.calibration.redshift_distribution import training_counts
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.splits import cross_validation_splits, open_run_dataset
from photoz_morph.runs.folder import finished_members, read_run, run_provenance, weights_hash
from photoz_morph.system.locks import locked
from photoz_morph.system.provenance import code_version, joint_hash

N_TRAINING_LATENTS = 1000  # galaxies whose latents are the known ones; our choice


@dataclass(frozen=True)
class _Validated:
    """What the networks of a fold say of its validation galaxies, and of its training galaxies what is kept."""

    member_pdf: np.ndarray  # (n_members, n, n_bins)
    columns: dict  # z_spec and group_id, shape (n,)
    latent_limit: tuple  # of `fit_latent_limit`
    n_training_latents: int
    training_counts: np.ndarray


def calibrate_run(run_dir, data_dir=None, progress=True):
    """Calibrate the finished networks of each fold on validation galaxies; see `files`.

    The networks of all folds are of one kind, so that a fold is calibrated on what each of them says of its own
    validation galaxies, apart from those that test the fold. A fold that is calibrated already, by the same networks, is
    left as it is.

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
    splits = {fold: _splits(config, builder, fold) for fold in members}
    found, validated = {}, {}
    with locked(run_dir, "calibrate afterwards"), tqdm(
        total=len(members), desc="calibrate", unit=" folds", disable=not progress
    ) as bar:
        for fold, paths in members.items():
            others = folds_to_calibrate_on(fold, {key: split.validation for key, split in splits.items()}, members)
            facts = {
                "validation": "+".join(splits[other].validation for other in others),
                "networks": joint_hash(weights_hash(path) for other in others for path in members[other]),
                **run_provenance(trained_on, paths),
            }
            found[fold] = _kept(run_dir, fold, paths, config.redshift, facts)
            if found[fold] is None:
                for other in others:
                    if other not in validated:
                        validated[other] = _validated(config, builder, splits[other], members[other])
                used = [validated[other] for other in others]
                calibration = _calibrated_fold(config, builder, used, facts | {"fold": fold, "n_members": len(paths)})
                write_calibration(calibration_file(run_dir, fold), calibration, config.redshift, paths)
                found[fold] = read_calibration(run_dir, fold, paths, config.redshift)
            bar.update()
    return found


def folds_to_calibrate_on(fold, validation, members):
    """Folds whose networks and validation galaxies calibrate a fold, itself first.

    Parameters
    ----------
    fold : int
    validation : dict of int to str
        Split of the validation galaxies of each fold: part of another fold.
    members : dict of int to list
        Networks of each fold.

    Returns
    -------
    list of int
        Without the fold whose validation galaxies are tested by this one, and those with more or fewer networks.
    """
    return [fold] + [
        other
        for other, split in validation.items()
        if other != fold and f"fold_{fold}[" not in split and len(members[other]) == len(members[fold])
    ]


def _splits(config, builder, fold):
    return cross_validation_splits(builder, fold, config.data.n_validation, config.data.train_fraction)


def _kept(run_dir, fold, paths, grid, facts):
    """Calibration of a fold, if there is one of these networks and galaxies."""
    if not calibration_file(run_dir, fold).exists():
        return None
    try:
        calibration = read_calibration(run_dir, fold, paths, grid)
    except ValueError:
        return None  # of other networks, or damaged: it is replaced
    return calibration if facts.items() <= calibration.facts.items() else None


def _validated(config, builder, splits, paths):
    """Load the networks of a fold and pass its validation galaxies, and some that trained them."""
    depth, columns = config.data.train_on, {}
    for split in (splits.train, splits.validation):
        rows = reading.read_columns(builder, split)
        taken = at_depth(rows["n_frames"], depth)
        columns[split] = {name: rows[name][taken] for name in ("z_spec", "group_id")}
    keras.backend.clear_session()
    predict = member_function(load_members(paths))
    batches = partial(
        dataset.image_batches, builder, batch_size=BATCH_SIZE, depth=depth, observing=config.model.observing
    )
    member_pdf, latents = _outputs(predict, batches(splits.validation))
    _, training_latents = _outputs(predict, batches(splits.train), N_TRAINING_LATENTS)
    return _Validated(
        np.stack(member_pdf), columns[splits.validation],
        fit_latent_limit(latents, training_latents), len(training_latents[0]),
        training_counts(columns[splits.train]["z_spec"], config.redshift),
    )  # fmt: skip


def _calibrated_fold(config, builder, used, facts):
    """Calibration of the networks of a fold, the first of `used`."""
    own, grid = used[0], config.redshift
    member_pdf = np.concatenate([one.member_pdf for one in used], axis=1)
    z_spec, group_id = (np.concatenate([one.columns[name] for one in used]) for name in ("z_spec", "group_id"))
    try:
        calibrator, report, cross_fitted = fit_calibrator(member_pdf, z_spec, grid, group_id)
    except ValueError as error:
        raise ValueError(f"{builder.data_dir}: {facts['validation']}, the validation galaxies: {error}") from error
    limits = fit_quality_limits(calibrator.pdf(own.member_pdf, grid), *own.latent_limit, grid)
    facts = {
        **report, **facts, "levels": LEVELS, "wide_quantile": WIDE_QUANTILE, "ood_quantile": OOD_QUANTILE,
        "peak_height": PEAK_HEIGHT, "n_training_latents": own.n_training_latents, "grid": asdict(grid),
        "code": code_version(),
    }  # fmt: skip
    return FoldCalibration(calibrator, limits, own.training_counts, cross_fitted, z_spec, facts)


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
