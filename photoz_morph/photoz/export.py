"""Export of an ensemble as one SavedModel.

The SavedModel includes the image scaling, the mean over the ensemble and the point estimates, with an `estimator.json`
beside it; any program with TensorFlow can run it. `load_exported_model` reads it back and checks its input.
"""

import inspect

import keras
import tensorflow as tf
from keras import ops

from photoz_morph.models.saved_model import nan_unless_finite, write_saved_model
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.predict import load_ensemble
from photoz_morph.runs.folder import read_run, run_provenance, weights_hash
from photoz_morph.runs.progress import members_of_complete_fold
from photoz_morph.surveys import survey_to_dict

OUTPUTS = ("pdf", "z_phot", "z_median", "z_mode", "z_lower", "z_upper")


def export(run_dir, out_dir, fold=0, with_onnx=False):
    """Export the ensemble of a fold as a SavedModel with its `estimator.json`.

    Parameters
    ----------
    run_dir, out_dir : path-like
    fold : int
        Fold whose networks are exported; they were not trained on its galaxies.
    with_onnx : bool
        Whether to write `model.onnx` beside the SavedModel.

    Returns
    -------
    dict
        Content of `estimator.json`.

    Raises
    ------
    ValueError
        If the fold has no finished member or fewer than were asked for, or the folder exists.
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
    return export_network(
        load_ensemble(members), config.survey, config.redshift, out_dir, facts, with_onnx=with_onnx
    )


def export_network(network, survey, grid, out_dir, facts, z_phot_bins="midpoints", with_onnx=False):
    """Export a network and its point estimates as a SavedModel with its `estimator.json`.

    Parameters
    ----------
    network : keras.Model
        {"image", "ebv"}, and the observing conditions that `facts` name, to a PDF on the grid.
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

    Returns
    -------
    dict
        Content of `estimator.json`.

    Raises
    ------
    ValueError
        If the folder exists.
    """
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
        "outputs": OUTPUTS,
        **facts,
    }
    observing = tuple(facts.get("observing", ()))
    shapes = {"image": survey.image_shape, "ebv": (), **dict.fromkeys(observing, (survey.n_bands,))}
    signature = [tf.TensorSpec((None, *shape), tf.float32, name=name) for name, shape in shapes.items()]

    def serve(*inputs):
        return point_estimates(network(dict(zip(shapes, inputs))), grid, z_phot_bins)

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
    cdf = ops.cumsum(pdf, axis=-1)
    cdf = cdf / cdf[:, -1:]
    estimates = {
        "pdf": pdf,
        "z_phot": ops.sum(pdf * positions, axis=-1),
        "z_median": _quantile(pdf, cdf, grid, 0.5),
        "z_mode": ops.take(midpoints, tf.argmax(pdf, axis=-1)),  # that of Keras looks for -0 by a Bitcast, not in ONNX
        "z_lower": _quantile(pdf, cdf, grid, 0.16),
        "z_upper": _quantile(pdf, cdf, grid, 0.84),
    }
    return nan_unless_finite(estimates, pdf)


def _quantile(pdf, cdf, grid, probability):
    """Redshift below which each PDF holds `probability`: linear inside a bin."""
    index = ops.minimum(ops.sum(ops.cast(cdf < probability, "int32"), axis=-1), grid.n_bins - 1)
    above = ops.take_along_axis(cdf, index[:, None], axis=-1)[:, 0]
    inside = ops.take_along_axis(pdf, index[:, None], axis=-1)[:, 0]
    step = (probability - (above - inside)) / ops.maximum(inside, keras.config.epsilon() ** 2)
    return grid.z_min + grid.width * (ops.cast(index, "float32") + ops.clip(step, 0.0, 1.0))
