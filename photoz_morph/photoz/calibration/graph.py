"""Calibrated outputs as operations on tensors, for an exported model.

The same formulas as `calibrator`, `conformal`, `redshift_distribution` and `quality`, in operations that ONNX also has.
"""

import numpy as np
import tensorflow as tf
from keras import ops

from photoz_morph.models.exports.saved_model import nan_unless_finite
from photoz_morph.photoz.calibration.conformal import bound_names
from photoz_morph.photoz.calibration.networks import NEEDED
from photoz_morph.photoz.calibration.pit_map import CDF_FLOOR, FEATURE_LIMIT
from photoz_morph.photoz.calibration.pooling import FLOOR
from photoz_morph.photoz.calibration.quality import BITS, BLANK_SHARE, PEAK_HEIGHT, smoothing_matrix


def calibrated_outputs(answers, calibration, grid, estimate, quantile, weights=None):
    """Outputs of a calibrated model.

    Parameters
    ----------
    answers : dict of str to tensor
        From `networks.ensemble`.
    calibration : FoldCalibration
        See `files`.
    grid : RedshiftGrid
    estimate : callable
        PDF to a dict of the point estimates of any model, with the PDF.
    quantile : callable
        (PDF, probability) to redshifts.
    weights : ndarray, shape (n_bins,), optional
        From `redshift_distribution.target_weights`.

    Returns
    -------
    dict of str to tensor, first axis n
        Those of `estimate`, the bounds of the conformal intervals, `ood_score`, and `quality`, int32, which has a value
        where the others are NaN.
    """
    n_members = len(calibration.quality.distances)
    members = [answers[f"pdf_{index}"] for index in range(n_members)]
    pdf = calibrated_pdf(ops.stack(members, axis=0), calibration.calibrator, grid)
    if weights is not None:
        products = pdf * _constant(weights)
        total = ops.sum(products, axis=-1, keepdims=True)
        pdf = tf.where(total == 0, pdf, products / ops.maximum(total, np.finfo(np.float32).tiny))
    outputs = dict(estimate(pdf))
    for level, radius in calibration.calibrator.radii.items():
        for name, probability in zip(bound_names(level), (0.5 - radius, 0.5 + radius)):
            outputs[name] = quantile(pdf, probability)
    latents = [answers[f"latent_{index}"] for index in range(n_members)]
    outputs["ood_score"] = ood_score(latents, calibration.quality)
    # Also where an input is not finite: on CPUs a ReLU makes a number of NaN, and the PDF looks like any other.
    outputs = nan_unless_finite(outputs, *members, *(answers[name] for name in NEEDED))
    bits = pdf_bits(outputs["pdf"], outputs["z_upper"] - outputs["z_lower"], outputs["ood_score"], calibration.quality,
                    grid)  # fmt: skip
    return outputs | {"quality": bits + pixel_bits(answers["image"])}


def calibrated_pdf(member_pdf, calibrator, grid):
    """PDFs of `Calibrator.pdf`.

    Parameters
    ----------
    member_pdf : tensor, shape (n_members, n, n_bins)
    calibrator : Calibrator
    grid : RedshiftGrid

    Returns
    -------
    tensor, shape (n, n_bins), float32
    """
    # Sums over the bins in float32 would put CDFs off by 2e-5.
    member_pdf = ops.cast(member_pdf, "float64")
    if calibrator.pooling == "arithmetic":
        pdf = ops.mean(member_pdf, axis=0)
    elif calibrator.pooling == "geometric":
        pdf = ops.exp(ops.mean(ops.log(ops.maximum(member_pdf, FLOOR)), axis=0))
    else:
        pdf = 1 / ops.mean(1 / ops.maximum(member_pdf, FLOOR), axis=0)
    pdf = pdf / ops.sum(pdf, axis=-1, keepdims=True)
    if calibrator.temperature != 1:
        pdf = ops.power(pdf, 1 / calibrator.temperature)
        pdf = pdf / ops.sum(pdf, axis=-1, keepdims=True)
    if calibrator.pit_map.kind == "none":
        return ops.cast(pdf, "float32")
    terms = _features(pdf, calibrator.pit_map, grid)
    shift, log_left, log_right = (
        sum(coefficient * term for coefficient, term in zip(row, terms)) for row in calibrator.pit_map.coefficients
    )
    below = ops.cumsum(pdf, axis=-1)[:, :-1]
    above = ops.flip(ops.cumsum(ops.flip(pdf, axis=-1), axis=-1), axis=-1)[:, 1:]
    logit = shift + ops.exp(log_left) * ops.log(ops.clip(below, CDF_FLOOR, 1.0))
    logit = logit - ops.exp(log_right) * ops.log(ops.clip(above, CDF_FLOOR, 1.0))
    cdf = ops.pad(ops.sigmoid(logit), [[0, 0], [1, 0]])
    # The upper wing from its own sigmoid: differences of numbers near 1 would lose it to rounding.
    survival = ops.pad(ops.sigmoid(-logit), [[0, 0], [0, 1]])
    ends = ops.concatenate([cdf[:, 1:], ops.ones_like(cdf[:, :1])], axis=-1)
    starts = ops.concatenate([ops.ones_like(survival[:, :1]), survival[:, :-1]], axis=-1)
    return ops.cast(ops.maximum(tf.where(cdf < 0.5, ends - cdf, starts - survival), 0.0), "float32")


def _features(pdf, pit_map, grid):
    """The features of `pit_map.features`, a list of tensors of shape (n, 1)."""
    one = ops.ones_like(pdf[:, :1])
    if pit_map.kind != "local":
        return [one]
    midpoints = ops.convert_to_tensor(grid.midpoints, "float64")
    mean = ops.sum(pdf * midpoints, axis=-1, keepdims=True)
    deviation = ops.sum(pdf * ops.abs(midpoints - mean), axis=-1, keepdims=True)
    width = ops.log(ops.maximum(deviation, grid.width / 4))
    mean, width = (
        ops.clip((values - centre) / scale, -FEATURE_LIMIT, FEATURE_LIMIT)
        for values, centre, scale in zip((mean, width), pit_map.centre, pit_map.scale)
    )
    return [one, mean, mean**2 - 1, width]


def ood_score(latents, limits):
    """Score of `QualityLimits.ood_score`, shape (n,)."""
    distances = []
    for latent, one in zip(latents, limits.distances):
        offset = latent - _constant(one.mean)
        along = ops.matmul(offset, _constant(one.axes))
        squares = one.rest * ops.sum(offset**2, axis=-1) + ops.sum(along**2 * _constant(one.excess), axis=-1)
        distances.append(ops.sqrt(ops.maximum(squares, 0.0) / len(one.mean)))
    return ops.mean(ops.stack(distances, axis=0), axis=0) / limits.ood


def pdf_bits(pdf, width, score, limits, grid):
    """Bits of `QualityLimits.bits`, shape (n,), int32."""
    has_pdf = tf.reduce_all(tf.math.is_finite(pdf), axis=-1)
    known = tf.where(has_pdf[:, None], pdf, 1 / grid.n_bins)
    smooth = ops.matmul(known, _constant(smoothing_matrix(grid, limits.smoothing)))
    left = _running_maximum(smooth, grid.n_bins)
    right = ops.flip(_running_maximum(ops.flip(smooth, axis=-1), grid.n_bins), axis=-1)
    second = ops.max(ops.minimum(left, right) - smooth, axis=-1) / ops.max(smooth, axis=-1)
    return (
        _bit("no_pdf", tf.logical_not(has_pdf))
        + _bit("wide", width > limits.width)  # False of NaN
        + _bit("multimodal", tf.logical_and(has_pdf, second > PEAK_HEIGHT))
        + _bit("out_of_distribution", tf.logical_and(has_pdf, score > 1))
    )


def _running_maximum(values, n):
    """Largest value so far along the last axis, of n: in log2(n) steps that ONNX has."""
    step = 1
    while step < n:
        values = ops.maximum(values, ops.concatenate([values[:, :step], values[:, :-step]], axis=-1))
        step *= 2
    return values


def pixel_bits(images):
    """Bits of `quality.pixel_bits`, shape (n,), int32."""
    bad = tf.reduce_any(tf.logical_not(tf.math.is_finite(images)), axis=[1, 2, 3])
    zero = ops.mean(ops.cast(ops.equal(images, 0.0), "float32"), axis=(1, 2))
    blank = tf.logical_or(_is_constant(images, (1, 2)), zero > BLANK_SHARE)
    at_edge = tf.zeros_like(blank)
    for line in (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]):
        at_edge = tf.logical_or(at_edge, _is_constant(line, (1,)))
    at_edge = tf.reduce_any(tf.logical_and(at_edge, tf.logical_not(blank)), axis=-1)
    return _bit("bad_pixels", bad) + _bit("blank_band", tf.reduce_any(blank, axis=-1)) + _bit("frame_edge", at_edge)


def _is_constant(values, axes):
    """True where all values along some axes are the same number; not for NaN, which a maximum may leave out."""
    same = tf.equal(tf.reduce_max(values, axis=axes), tf.reduce_min(values, axis=axes))
    return tf.logical_and(same, tf.reduce_all(tf.math.is_finite(values), axis=axes))


def _bit(name, is_set):
    """The number of a bit where it is set, 0 elsewhere."""
    return ops.cast(is_set, "int32") * BITS[name]


def _constant(values):
    """Numbers as a float32 tensor."""
    return ops.convert_to_tensor(np.asarray(values), "float32")
