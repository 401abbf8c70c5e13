"""Scores of the sources found in images of known truth: detection, segmentation, classes and fluxes.

Detections are matched with true sources by position, and for average precisions by the IoU of boxes; segments by the
pixels in common. Only targets are asked for, sources that are significant and seen (`simulation.blends.truth`); what is
found of others is neither right nor wrong. A score is `{"value", "interval"}` with its 95 % interval over resampled
images, None where there is nothing to score.
"""

import numpy as np
from astropy.table import Table

from photoz_morph.blend.predictions import check_blend_predictions
from photoz_morph.metrics.completeness import (
    column_of,
    completeness_at_purity,
    completeness_terms,
    nearest_truth,
    purity_terms,
    ratio,
    score_at_purity,
)
from photoz_morph.metrics.deblending import binned_errors, colour_errors, flux_errors
from photoz_morph.metrics.detection import (
    COCO_DETECTIONS,
    COCO_THRESHOLDS,
    average_precision,
    match_images,
    precision_at_recall,
)
from photoz_morph.metrics.group_errors import INTERVAL, group_bootstrap, group_weights
from photoz_morph.metrics.segmentation import (
    class_confusion,
    class_iou,
    class_map,
    foreground_iou,
    source_pixels,
    source_terms,
)
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.shards.blends import CLASS_NAMES
from photoz_morph.system.provenance import scored_provenance

# Name -> least and largest blendedness; isolated, blended and strongly blended as the chain has them. Rounding leaves
# that of a lone source slightly below 0.
BLENDEDNESS = {"all": (-1.0, 1.0), "isolated": (-1.0, 0.01), "blended": (0.01, 1.0), "strongly_blended": (0.1, 1.0)}
BAND = "i"  # of magnitudes: that in which fields are limited
MAG_EDGES = np.arange(18.0, 28.0)
RECALL = 0.8  # at which Burke et al. (2019) quote the precision
OF_TRUTH = ("y", "x", "box", "kind", "mags", "flux_in_image", "n_visible", "blendedness", "is_target")


def evaluate_blend(predictions, scenes, purity=0.95, radius=4.0, n_bootstrap=1000, seed=0):
    """Score the sources found in images.

    Parameters
    ----------
    predictions : BlendPredictions
    scenes : iterable of Scene
        The same images with their truth, in any order.
    purity : float
        At which the completeness is asked for.
    radius : float
        Largest distance of a detection from its source [pixel].
    n_bootstrap, seed : int
        Resamples of the images, and their seed.

    Returns
    -------
    dict
        Facts and numbers of what was scored, and

        - `completeness` of targets at the lowest score that has the purity, for each range of `BLENDEDNESS`; in every
          resample that score is found anew. `score_threshold` is it for all images;
        - `purity_at_threshold`, by the blendedness of the nearest target; `by_magnitude`, completeness by true and
          purity by measured magnitude, at that score; `every_detection`, both without a threshold;
        - `ap50` and `ap` (COCO), `ap50_by_class`, `precision_at_80_recall`;
        - `source_iou`, mean over targets, for each range; `class_iou` of pixels, and its mean without the background;
          `foreground_iou`;
        - `flux_error`, relative, of all bands together, for each range: `of_found` targets, and `of_all`, where a
          target that is not found has no flux; `colour_error` [mag] of found ones. See `metrics.deblending`.

    Raises
    ------
    ValueError
        If the images are not those of the predictions, there are fewer than two or there is no target among their
        sources.

    Notes
    -----
    Fluxes are compared with `flux_in_image`: light beyond the edge of an image cannot be measured.
    """
    check_blend_predictions(predictions, "predictions")
    tables, truths, of_pixels = _joined(predictions, scenes)
    images = np.arange(len(truths))
    by_position = match_images(tables, truths, [radius], by="position")
    weights = group_weights(images, n_bootstrap, seed)
    bootstrap = {"group_id": images, "n_resamples": n_bootstrap, "seed": seed}
    n_targets = int(by_position.is_target.sum())
    if n_targets == 0:
        raise ValueError(f"no target among the {len(by_position.is_target)} sources of {len(images)} images to score")
    meta = predictions.table.meta
    return {
        "data": ORIGINS[meta["origin"]],
        **{key: meta[key] for key in ("origin", "dataset", "model", "metric", "settings") if key in meta},
        "classes": list(CLASS_NAMES),
        **scored_provenance(meta),
        "n_images": len(images),
        "n_sources": len(by_position.is_target),
        "n_targets": n_targets,
        "n_detections": len(by_position.score),
        "purity": purity,
        "radius": radius,
        "band": BAND,
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        **_detection_scores(by_position, tables, truths, meta, purity, weights, bootstrap),
        **_box_scores(tables, truths, weights),
        **_pixel_scores(of_pixels, bootstrap),
        **_flux_scores(by_position, tables, truths, n_bootstrap, seed),
    }


def _joined(predictions, scenes):
    """Detections and true sources of each image, and its terms of the IoU."""
    rows = {int(obj_id): row for row, obj_id in enumerate(predictions.images["obj_id"])}
    of_images, tables, truths, pixels = predictions.of_images(), [], [], {"source": [], "class": []}
    for scene in scenes:
        if scene.obj_id not in rows:
            raise ValueError(f"image {scene.obj_id} has no predictions; predict the images that are scored")
        row = rows.pop(scene.obj_id)
        found, segmentation, truth = of_images[row], predictions.segmentation[row], scene.truth
        if segmentation.shape != scene.instances.shape:
            raise ValueError(f"image {scene.obj_id} has {scene.instances.shape} pixels, its map {segmentation.shape}")
        maps = class_map(scene.instances, truth["kind"]), class_map(segmentation, found["kind"])
        pixels["class"].append(class_confusion(*maps, len(CLASS_NAMES)))
        iou, _ = source_pixels(scene.instances, segmentation, len(truth))
        is_target = np.asarray(truth["is_target"], bool)
        terms = np.column_stack([iou, np.ones(len(iou))])[is_target]
        blendedness = np.asarray(truth["blendedness"])[is_target]
        pixels["source"].append([source_terms(terms, blendedness, edges)[0] for edges in BLENDEDNESS.values()])
        tables.append(found)
        truths.append(Table({name: truth[name] for name in OF_TRUTH}))
    if rows:
        raise ValueError(f"{len(rows)} images with predictions are not there, the first is {next(iter(rows))}")
    return tables, truths, {name: np.array(terms) for name, terms in pixels.items()}


def _detection_scores(matches, tables, truths, meta, purity, weights, bootstrap):
    """Completeness and purity."""
    threshold = score_at_purity(matches, purity)
    blendedness = column_of(truths, "blendedness", matches.truth_image, matches.truth_row).astype(float)
    nearest = np.append(blendedness, np.nan)[nearest_truth(matches, tables, truths)]
    band = meta["bands"].split(",").index(BAND)
    mags = column_of(truths, "mags", matches.truth_image, matches.truth_row)[:, band]
    flux = column_of(tables, "flux", matches.image, matches.row)[:, band].astype(float)
    measured = meta["zeropt"] - 2.5 * np.log10(flux, out=np.full(len(flux), np.nan), where=flux > 0)

    def scores(terms):
        return _scores(ratio, terms, **bootstrap)

    completeness, pure = {}, {}
    for name, edges in BLENDEDNESS.items():
        is_counted = (blendedness >= edges[0]) & (blendedness <= edges[1])
        value, sample = (completeness_at_purity(matches, purity, each, is_counted) for each in (None, weights))
        completeness[name] = _score(value, sample) | {"n": int(np.sum(matches.is_target & is_counted))}
        pure[name] = scores(purity_terms(matches, nearest, edges, threshold))[0]
    everything = np.zeros(len(mags)), np.zeros(len(measured))
    return {
        "score_threshold": _number(threshold),
        "completeness": completeness,
        "purity_at_threshold": pure,
        "by_magnitude": {
            "edges": MAG_EDGES.tolist(),
            "completeness": scores(completeness_terms(matches, mags, MAG_EDGES, threshold)),
            "purity": scores(purity_terms(matches, measured, MAG_EDGES, threshold)),
        },
        "every_detection": {
            "completeness": scores(completeness_terms(matches, everything[0], (0, 1)))[0],
            "purity": scores(purity_terms(matches, everything[1], (0, 1)))[0],
        },
    }


def _box_scores(tables, truths, weights):
    """Average precisions."""
    matches = match_images(tables, truths, COCO_THRESHOLDS, max_detections=COCO_DETECTIONS)
    values, samples = average_precision(matches), average_precision(matches, weights)
    by_class = {}
    for kind, name in enumerate(CLASS_NAMES[1:], start=1):
        own = match_images(tables, truths, [0.5], label=kind, max_detections=COCO_DETECTIONS)
        by_class[name] = _score(average_precision(own)[0], average_precision(own, weights)[:, 0])
    recall = precision_at_recall(matches, RECALL), precision_at_recall(matches, RECALL, weights)
    return {
        "ap50": _score(values[0], samples[:, 0]),
        "ap": _score(values.mean(), samples.mean(axis=1)),
        "ap50_by_class": by_class,
        "precision_at_80_recall": _score(recall[0][0], recall[1][:, 0]),
    }


def _pixel_scores(of_pixels, bootstrap):
    """IoU of sources and of classes."""
    of_sources = _scores(ratio, of_pixels["source"], **bootstrap)
    of_classes = _scores(class_iou, of_pixels["class"], **bootstrap)
    mean = _scores(lambda sums: _mean_iou(sums)[..., None], of_pixels["class"], **bootstrap)[0]
    foreground = _scores(lambda sums: foreground_iou(sums)[..., None], of_pixels["class"], **bootstrap)[0]
    return {
        "source_iou": dict(zip(BLENDEDNESS, of_sources)),
        "class_iou": dict(zip(CLASS_NAMES, of_classes)) | {"mean": mean},
        "foreground_iou": foreground,
    }


def _mean_iou(confusion):
    """Mean IoU of the classes of sources that are there."""
    of_sources = class_iou(confusion)[..., 1:]
    is_there = np.isfinite(of_sources)
    return ratio(np.stack([np.where(is_there, of_sources, 0).sum(axis=-1), is_there.sum(axis=-1)], axis=-1))


def _flux_scores(matches, tables, truths, n_bootstrap, seed):
    """Errors of fluxes and colours of targets."""
    true = column_of(truths, "flux_in_image", matches.truth_image, matches.truth_row).astype(float)
    measured = np.full_like(true, np.nan)
    found = np.flatnonzero(matches.truth[0] >= 0)
    measured[matches.truth[0][found]] = column_of(tables, "flux", matches.image, matches.row)[found]
    target = matches.is_target
    errors = flux_errors(true, measured)[target]
    kinds = {
        "of_found": errors, "of_all": np.where(np.isnan(errors), -1, errors),
        "colour": colour_errors(true, measured)[target],
    }  # fmt: skip
    blendedness = column_of(truths, "blendedness", matches.truth_image, matches.truth_row)[target]
    image, rows = matches.truth_image[target], {}
    for kind, values in kinds.items():
        flat = np.repeat(blendedness, values.shape[1]), np.repeat(image, values.shape[1])
        rows[kind] = {
            name: finite_row(binned_errors(values.ravel(), flat[0], edges, flat[1], n_bootstrap, seed)[0])
            for name, edges in BLENDEDNESS.items()
        }
    flux = {name: {kind: rows[kind][name] for kind in ("of_found", "of_all")} for name in BLENDEDNESS}
    return {"flux_error": flux, "colour_error": rows["colour"]}


def finite_row(row):
    """A row of `metrics.deblending.binned_errors` with scores as everywhere here."""
    return {
        name: {"value": _number(value[0]), "interval": [_number(end) for end in value[1:]]}
        if isinstance(value, list) else value for name, value in row.items()
    }  # fmt: skip


def _scores(function, terms, group_id, n_resamples, seed):
    """Scores of a function of sums over images that has several values."""
    values = function(terms.sum(axis=0))
    samples = group_bootstrap(function, terms, group_id, n_resamples, seed)
    return [_score(value, sample) for value, sample in zip(values, samples.T)]


def _score(value, sample):
    """A value and its interval."""
    known = sample[np.isfinite(sample)]
    low, high = np.quantile(known, ((1 - INTERVAL) / 2, (1 + INTERVAL) / 2)) if len(known) else (np.nan, np.nan)
    return {"value": _number(value), "interval": [_number(low), _number(high)]}


def _number(value):
    """A number for JSON, None if it is not finite."""
    return float(value) if np.isfinite(value) else None
