"""Calibration of the networks of a run, on galaxies that they have not trained on."""

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
from photoz_morph.photoz.splits import open_run_dataset, splits_of
from photoz_morph.runs.folder import finished_members, read_run, run_provenance, weights_hash
from photoz_morph.system.locks import locked
from photoz_morph.system.provenance import code_version, joint_hash

N_TRAINING_LATENTS = 1000  # galaxies whose latents are the known ones; our choice
MAX_GALAXIES = 20_000  # that calibrate a fold, beside its own; our choice, for the time and memory of the fit


@dataclass(frozen=True)
class Part:
    """Galaxies that calibrate: of `split`, passed through the networks of `fold`, which have not trained on them."""

    fold: int
    split: str


def calibrate_run(run_dir, data_dir=None, progress=True):
    """Calibrate the finished networks of each fold; see `parts_to_calibrate_on` and `files`.

    A fold that is calibrated already, by the same networks and galaxies, is left as it is.

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
        If there are too few galaxies, or the dataset is another one.
    """
    config, trained_on = read_run(run_dir, PhotozConfig)
    members = finished_members(run_dir, PhotozConfig)
    builder = open_run_dataset(config, trained_on, data_dir)
    networks, found = _Networks(config, builder, members), {}
    with locked(run_dir, "calibrate afterwards"), tqdm(
        total=len(members), desc="calibrate", unit=" folds", disable=not progress
    ) as bar:
        for fold, paths in members.items():
            parts = networks.parts[fold]
            facts = {
                "calibrated_on": "+".join(part.split for part in parts),
                "networks": joint_hash(weights_hash(path) for part in parts for path in members[part.fold]),
                **run_provenance(trained_on, paths),
            }
            found[fold] = _kept(run_dir, fold, paths, config.redshift, facts)
            if found[fold] is None:
                calibration = _calibrated_fold(networks, fold, facts)
                write_calibration(calibration_file(run_dir, fold), calibration, config.redshift, paths)
                found[fold] = read_calibration(run_dir, fold, paths, config.redshift)
            bar.update()
    return found


def parts_to_calibrate_on(fold, validation, members, sizes):
    """Galaxies on which a fold is calibrated.

    The networks of all folds are of one kind, trained on as many galaxies, and so are the errors of their PDFs. The
    galaxies that test the other folds' networks are several times as many as those that validate its own, and no
    parent of them tests the fold itself.

    Parameters
    ----------
    fold : int
    validation : str
        Split of its validation galaxies: part of another fold.
    members : dict of int to list
        Networks of each fold.
    sizes : dict of int to int
        Galaxies of each fold.

    Returns
    -------
    list of Part
        Test galaxies of the other folds that have as many networks, at most `MAX_GALAXIES` in all; and its validation
        galaxies, unless these are of one of those folds.
    """
    others = [other for other in members if other != fold and len(members[other]) == len(members[fold])]
    parts = []
    for other in others:
        at_most = MAX_GALAXIES // len(others)
        parts.append(Part(other, f"fold_{other}[:{at_most}]" if sizes[other] > at_most else f"fold_{other}"))
    is_among = any(validation.startswith(f"fold_{other}[") for other in others)
    return parts if is_among else [Part(fold, validation), *parts]


def _kept(run_dir, fold, paths, grid, facts):
    """Calibration of a fold, if there is one of these networks and galaxies."""
    if not calibration_file(run_dir, fold).exists():
        return None
    try:
        calibration = read_calibration(run_dir, fold, paths, grid)
    except ValueError:
        return None  # of other networks, or damaged: it is replaced
    return calibration if facts.items() <= calibration.facts.items() else None


@dataclass(frozen=True)
class _Answers:
    """What the networks of a fold say, once they are loaded, of all galaxies that they are asked about."""

    pdfs: dict  # split -> (n_members, n, n_bins), of the parts that calibrate folds
    own_pdf: np.ndarray  # of the validation galaxies
    latent_limit: tuple  # of `fit_latent_limit`
    n_training_latents: int


class _Networks:
    """The networks of a run, those of each fold loaded once."""

    def __init__(self, config, builder, members):
        self.config, self.builder, self._members, self._answers = config, builder, members, {}
        sizes = {fold: reading.n_galaxies(builder, f"fold_{fold}") for fold in members}
        self.splits = {fold: splits_of(config, builder, fold) for fold in members}
        self.parts = {
            fold: parts_to_calibrate_on(fold, splits.validation, members, sizes) for fold, splits in self.splits.items()
        }

    def columns(self, split):
        """`z_spec` and `group_id` of the galaxies of a split at the depth of the run, shape (n,)."""
        rows = reading.read_columns(self.builder, split)
        taken = at_depth(rows["n_frames"], self.config.data.train_on)
        return {name: rows[name][taken] for name in ("z_spec", "group_id")}

    def of_fold(self, fold):
        """`_Answers` of a fold."""
        if fold not in self._answers:
            keras.backend.clear_session()
            predict, splits = member_function(load_members(self._members[fold])), self.splits[fold]
            batches = partial(
                dataset.image_batches, self.builder, batch_size=BATCH_SIZE, depth=self.config.data.train_on,
                observing=self.config.model.observing,
            )  # fmt: skip
            asked = {part.split for parts in self.parts.values() for part in parts if part.fold == fold}
            pdfs = {split: np.stack(_outputs(predict, batches(split))[0]) for split in asked - {splits.validation}}
            own_pdf, latents = _outputs(predict, batches(splits.validation))
            own_pdf = pdfs[splits.validation] = np.stack(own_pdf)
            _, training_latents = _outputs(predict, batches(splits.train), N_TRAINING_LATENTS)
            latent_limit = fit_latent_limit(latents, training_latents)
            self._answers[fold] = _Answers(pdfs, own_pdf, latent_limit, len(training_latents[0]))
        return self._answers[fold]


def _calibrated_fold(networks, fold, facts):
    """Calibration of the networks of a fold."""
    grid, splits, parts = networks.config.redshift, networks.splits[fold], networks.parts[fold]
    member_pdf = np.concatenate([networks.of_fold(part.fold).pdfs[part.split] for part in parts], axis=1)
    columns = [networks.columns(part.split) for part in parts]
    z_spec, group_id = (np.concatenate([one[name] for one in columns]) for name in ("z_spec", "group_id"))
    try:
        calibrator, report, cross_fitted = fit_calibrator(member_pdf, z_spec, grid, group_id)
    except ValueError as error:
        raise ValueError(f"{networks.builder.data_dir}: {facts['calibrated_on']}: {error}") from error
    own = networks.of_fold(fold)
    limits = fit_quality_limits(calibrator.pdf(own.own_pdf, grid), *own.latent_limit, grid)
    facts = {
        **report, **facts, "validation": splits.validation, "fold": fold, "n_members": len(own.own_pdf),
        "levels": LEVELS, "wide_quantile": WIDE_QUANTILE, "ood_quantile": OOD_QUANTILE, "peak_height": PEAK_HEIGHT,
        "n_training_latents": own.n_training_latents, "grid": asdict(grid), "code": code_version(),
    }  # fmt: skip
    counts = training_counts(networks.columns(splits.train)["z_spec"], grid)
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
