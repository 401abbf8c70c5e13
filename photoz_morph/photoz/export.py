"""Export of an ensemble as one SavedModel.

The SavedModel includes the image scaling, the mean over the ensemble and the point estimates, with an `estimator.json`
beside it; any program with TensorFlow can run it. `load_exported_model` reads it back and checks its input.
"""

import inspect
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import keras
import tensorflow as tf
from keras import ops

from photoz_morph.models.exports.saved_model import nan_unless_finite, write_saved_model
from photoz_morph.models.loading import load_members
from photoz_morph.photoz.calibration.conformal import bound_names
from photoz_morph.photoz.calibration.files import calibration_file, read_calibration
from photoz_morph.photoz.calibration.graph import calibrated_outputs
from photoz_morph.photoz.calibration.networks import ensemble
from photoz_morph.photoz.calibration.quality import BITS, MEANINGS
from photoz_morph.photoz.calibration.redshift_distribution import read_target, target_weights
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.predict import load_ensemble
from photoz_morph.runs.folder import read_run, run_provenance, weights_hash
from photoz_morph.runs.progress import members_of_complete_fold
from photoz_morph.surveys import survey_to_dict

OUTPUTS = ("pdf", "z_phot", "z_median", "z_mode", "z_lower", "z_upper")


def export(run_dir, out_dir, fold=0, with_onnx=False, uncalibrated=False, target_nz=None):
    """Export the ensemble of a fold as a SavedModel with its `estimator.json`, calibrated if the fold is.

    Parameters
    ----------
    run_dir, out_dir : path-like
    fold : int
        Fold whose networks are exported; they were not trained on its galaxies.
    with_onnx : bool
        Whether to write `model.onnx` beside the SavedModel.
    uncalibrated : bool
        Whether to export the mean of the members' PDFs although the fold is calibrated.
    target_nz : path-like, optional
        n(z) of the galaxies that the model is for; see `redshift_distribution.read_target`. Of a calibrated fold only.

    Returns
    -------
    dict
        Content of `estimator.json`.

    Raises
    ------
    ValueError
        If the fold has no finished member or fewer than were asked for, the folder exists, or the calibration is of
        other networks.
    """
    config, dataset = read_run(run_dir, PhotozConfig)
    members = members_of_complete_fold(run_dir, PhotozConfig, fold)
    facts = {
        "model": config.model.name,
        "with_ebv": config.model.with_ebv,
        "photometric_inputs": config.model.photometric_inputs,
        "observing": config.model.observing,
        "n_members": len(members),
        "fold": fold,
        "trained_on": {key: dataset[key] for key in ("name", "origin", "galaxies_per_fold")},
        **run_provenance(dataset, members),
        "weights": [weights_hash(path) for path in members],
    }
    options = {"facts": facts, "with_onnx": with_onnx}
    is_calibrated = calibration_file(run_dir, fold).exists() and not uncalibrated
    if target_nz is not None and not is_calibrated:
        raise ValueError(
            f"{run_dir}: fold {fold} is {'exported uncalibrated' if uncalibrated else 'not calibrated'}, and only "
            f"calibrated PDFs are re-weighted to a target n(z); run `photoz calibrate {run_dir}` first"
        )
    if not is_calibrated:
        return export_network(load_ensemble(members), config.survey, config.redshift, out_dir, **options)
    calibration = read_calibration(run_dir, fold, members, config.redshift)
    weights = None
    if target_nz is not None:
        weights, calibration = _of_target(calibration, target_nz, config.redshift)
    facts["calibration"] = _calibration_facts(calibration, config.redshift, weights, target_nz)
    return export_network(
        ensemble(load_members(members)), config.survey, config.redshift, out_dir, **options,
        calibration=calibration, weights=weights,
    )  # fmt: skip


def _of_target(calibration, target_nz, grid):
    """Weights of the redshift bins for a target n(z), and the calibration with conformal intervals for it."""
    weights = target_weights(read_target(target_nz, grid), calibration.training_counts, grid, target_nz)
    return weights, replace(calibration, calibrator=calibration.of_target(weights, grid))


def _calibration_facts(calibration, grid, weights, target_nz):
    """What `estimator.json` says of the calibration."""
    calibrator, facts = calibration.calibrator, calibration.facts
    target = {} if weights is None else {"target_nz": {"file": Path(target_nz).name, "weights": weights.tolist()}}
    return {
        "calib_id": facts["calib_id"],
        "n_galaxies": facts["n_galaxies"],
        "pooling": calibrator.pooling,
        "temperature": calibrator.temperature,
        "pit_map": asdict(calibrator.pit_map),
        "intervals": [
            {"coverage": level, "columns": bound_names(level), "probability": [0.5 - radius, 0.5 + radius]}
            for level, radius in calibrator.radii.items()
        ],
        "quality_bits": {str(bit): MEANINGS[name] for name, bit in BITS.items()},
        "wide_limit": calibration.quality.width,
        "ood_quantile": facts["ood_quantile"],
        "training_counts": calibration.training_counts.astype(int).tolist(),
        **target,
    }


def export_network(
    network, survey, grid, out_dir, facts, z_phot_bins="midpoints", with_onnx=False, calibration=None, weights=None
):
    """Export a network and its point estimates as a SavedModel with its `estimator.json`.

    Parameters
    ----------
    network : keras.Model
        {"image", "ebv"}, and the observing conditions that `facts` name, to a PDF on the grid, or, with a calibration,
        to the outputs of `networks.ensemble`.
    survey : Survey
    grid : RedshiftGrid
    out_dir : path-like
        Must not exist.
    facts : dict
        For `estimator.json`: at least "model", "n_members" and "trained_on" with its "name" and "origin"; "observing",
        if the network is told observing conditions.
    z_phot_bins : {"midpoints", "left-edges"}
        Redshifts averaged in z_phot; see `RedshiftGrid.positions`.
    with_onnx : bool
        Whether to write `model.onnx` beside the SavedModel.
    calibration : FoldCalibration, optional
        Of the ensemble.
    weights : ndarray, shape (n_bins,), optional
        Of the redshift bins, for a target n(z); with a calibration.

    Returns
    -------
    dict
        Content of `estimator.json`.

    Raises
    ------
    ValueError
        If the folder exists.
    """
    estimate, outputs = partial(point_estimates, grid=grid, z_phot_bins=z_phot_bins), OUTPUTS
    if calibration is not None:
        estimate = partial(
            calibrated_outputs, calibration=calibration, grid=grid, estimate=estimate,
            quantile=partial(quantile, grid=grid), weights=weights,
        )  # fmt: skip
        bounds = [name for level in calibration.calibrator.radii for name in bound_names(level)]
        outputs = (*OUTPUTS, *bounds, "ood_score", "quality")
    description = {
        "survey": survey.name,
        "bands": survey.bands,
        "pixel_scale_arcsec": survey.pixel_scale,
        "image_size": survey.stamp_size,
        "image_unit": survey.image_unit,
        "survey_description": survey_to_dict(survey),
        "ebv_unit": "mag",
        "redshift": {"z_min": grid.z_min, "z_max": grid.z_max, "n_bins": grid.n_bins},
        "z_phot_bins": z_phot_bins,
        "outputs": outputs,
        **facts,
    }
    observing = tuple(facts.get("observing", ()))
    shapes = {"image": survey.image_shape, "ebv": (), **dict.fromkeys(observing, (survey.n_bands,))}
    signature = [tf.TensorSpec((None, *shape), tf.float32, name=name) for name, shape in shapes.items()]

    def serve(*inputs):
        return estimate(network(dict(zip(shapes, inputs))))

    serve.__signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in shapes]
    )
    functions = {"serve": (serve, signature)}
    return write_saved_model(out_dir, functions, description, with_onnx, may_be_unknown=observing)


def point_estimates(pdf, grid, z_phot_bins="midpoints"):
    """Point estimates of binned PDFs as tensors, defined as in `RedshiftGrid`.

    Parameters
    ----------
    pdf : tensor, shape (n, n_bins)
    grid : RedshiftGrid
    z_phot_bins : {"midpoints", "left-edges"}

    Returns
    -------
    dict of str to tensor
        `OUTPUTS`; all but `pdf` have shape (n,). The bounds enclose 68 % and leave 16 % on each side. NaN where the
        PDF is.
    """
    pdf = ops.convert_to_tensor(pdf)
    midpoints, positions = (
        ops.convert_to_tensor(redshifts, "float32") for redshifts in (grid.midpoints, grid.positions(z_phot_bins))
    )
    estimates = {
        "pdf": pdf,
        "z_phot": ops.sum(pdf * positions, axis=-1),
        "z_median": quantile(pdf, 0.5, grid),
        "z_mode": ops.take(midpoints, tf.argmax(pdf, axis=-1)),  # that of Keras looks for -0 by a Bitcast, not in ONNX
        "z_lower": quantile(pdf, 0.16, grid),
        "z_upper": quantile(pdf, 0.84, grid),
    }
    return nan_unless_finite(estimates, pdf)


def quantile(pdf, probability, grid):
    """Redshift below which each PDF holds a probability: linear inside a bin; shape (n,)."""
    cdf = ops.cumsum(pdf, axis=-1)
    cdf = cdf / cdf[:, -1:]
    index = ops.minimum(ops.sum(ops.cast(cdf < probability, "int32"), axis=-1), grid.n_bins - 1)
    above = ops.take_along_axis(cdf, index[:, None], axis=-1)[:, 0]
    inside = ops.take_along_axis(pdf, index[:, None], axis=-1)[:, 0]
    step = (probability - (above - inside)) / ops.maximum(inside, keras.config.epsilon() ** 2)
    return grid.z_min + grid.width * (ops.cast(index, "float32") + ops.clip(step, 0.0, 1.0))
