"""Scores of galaxies that were freed of their neighbours: errors of flux, colour and shape, and coverage of samples.

Errors are scored against blendedness. A score is `{"value", "interval"}` with its 95 % interval over resampled images,
as in `evaluation`.
"""

import numpy as np

from photoz_morph.blend.deblended import LEVELS, deblended_table, middle_source
from photoz_morph.blend.evaluation import BLENDEDNESS, finite_row
from photoz_morph.metrics.completeness import ratio
from photoz_morph.metrics.deblending import (
    binned_errors,
    colour_errors,
    coverage,
    coverage_terms,
    flux_errors,
    sample_intervals,
)
from photoz_morph.metrics.detection import match_images
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.provenance import scored_provenance

EDGES = (-1.0, 0.01, 0.03, 0.1, 0.3, 1.0)  # of bins of blendedness, the first of isolated galaxies; our choice
SHAPES = ("size", "e1", "e2")


def evaluate_deblended(table, n_bootstrap=1000, seed=0):
    """Score the galaxies of images.

    Parameters
    ----------
    table : Table
        From `deblended.deblended_table`.
    n_bootstrap, seed : int
        Resamples of the images, and their seed.

    Returns
    -------
    dict
        Facts, and

        - `flux_error`, relative, of all bands together, `of_found` galaxies and `of_all`, where one that was not found
          has no flux; `colour_error` [mag]; `shape_error`, relative of the size, and of e1 and e2: each for each range
          of `evaluation.BLENDEDNESS`;
        - `by_blendedness`, the same in bins between `edges`;
        - `coverage` of the samples, if there are any: fractions of fluxes and of pixels within the central intervals of
          `levels`. 68 % of the pixels should be within the interval of 0.68.

    Raises
    ------
    ValueError
        If there are fewer than two images.
    """
    if len(table) < 2:
        raise ValueError(f"{len(table)} images to score; give two or more")
    errors = _errors(table)
    blendedness, image = np.asarray(table["blendedness"], float), np.arange(len(table))

    def rows(values, edges):
        n = values.shape[1]
        flat = values.ravel(), np.repeat(blendedness, n), edges, np.repeat(image, n), n_bootstrap, seed
        return [finite_row(row) for row in binned_errors(*flat)]

    def in_ranges(values):
        return {name: rows(values, edges)[0] for name, edges in BLENDEDNESS.items()}

    found, everything = in_ranges(errors["flux"]), in_ranges(errors["flux_of_all"])
    meta = table.meta
    scores = {
        "data": ORIGINS[meta["origin"]],
        **{key: meta[key] for key in ("origin", "dataset", "model", "metric", "split") if key in meta},
        **scored_provenance(meta),
        "n_images": len(table),
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        "flux_error": {name: {"of_found": found[name], "of_all": everything[name]} for name in BLENDEDNESS},
        "colour_error": in_ranges(errors["colour"]),
        "shape_error": {name: in_ranges(errors["shape"][:, [k]]) for k, name in enumerate(SHAPES)},
        "by_blendedness": {
            "edges": list(EDGES),
            "flux_error": rows(errors["flux_of_all"], EDGES),
            "colour_error": rows(errors["colour"], EDGES),
            **{f"{name}_error": rows(errors["shape"][:, [k]], EDGES) for k, name in enumerate(SHAPES)},
        },
    }
    if "flux_samples" in table.colnames:
        scores["coverage"] = _coverage(table, n_bootstrap, seed)
    return scores


def middle_detections(predictions, scenes, radius=4.0):
    """Detections of the galaxies in the middle of blends, as a table of `deblended` without shapes.

    Parameters
    ----------
    predictions : BlendPredictions
        Such as those of `sep`, of images of pairs.
    scenes : iterable of Scene
        These images with their truth.
    radius : float
        Largest distance of a detection from its galaxy [pixel].

    Returns
    -------
    Table
        In the order of the scenes. A galaxy that was not found, or taken for its neighbour, has the flux NaN.

    Raises
    ------
    ValueError
        If an image has no predictions.
    """
    tables = dict(zip((int(obj_id) for obj_id in predictions.images["obj_id"]), predictions.of_images()))
    rows = []
    for scene in scenes:
        if scene.obj_id not in tables:
            raise ValueError(f"image {scene.obj_id} has no predictions; predict the images that are scored")
        source, table = middle_source(scene.truth, len(scene.image)), tables[scene.obj_id]
        truth, n_bands = scene.truth[source], len(scene.bands)
        matches = match_images([table], [{name: scene.truth[name] for name in ("y", "x")}], [radius], by="position")
        (found,) = np.nonzero(matches.truth[0] == source)
        flux = np.asarray(table["flux"][matches.row[found[0]]], float) if len(found) else np.full(n_bands, np.nan)
        rows.append({
            "obj_id": scene.obj_id, "group_id": scene.group_id, "y": truth["y"], "x": truth["x"],
            "blendedness": truth["blendedness"], "mags": truth["mags"],
            "true_flux": np.asarray(truth["flux_in_image"], float), "flux": flux,
            "true_shape": np.full(3, np.nan), "shape": np.full(3, np.nan),
        })  # fmt: skip
    columns = {name: np.stack([np.asarray(row[name]) for row in rows]) for name in rows[0]}
    return deblended_table(columns, predictions.table.meta)


def _errors(table):
    """Errors of each galaxy, shape (n, ...)."""
    true, flux = np.asarray(table["true_flux"], float), np.asarray(table["flux"], float)
    errors = flux_errors(true, flux)
    is_missed = np.isnan(flux) & (true > 0)
    true_shape, shape = np.asarray(table["true_shape"], float), np.asarray(table["shape"], float)
    return {
        "flux": errors,
        "flux_of_all": np.where(is_missed, -1, errors),
        "colour": colour_errors(true, flux),
        "shape": np.column_stack([shape[:, 0] / true_shape[:, 0] - 1, shape[:, 1:] - true_shape[:, 1:]]),
    }


def _coverage(table, n_bootstrap, seed):
    """Fractions of fluxes and of pixels within intervals."""
    samples, true = np.asarray(table["flux_samples"], float), np.asarray(table["true_flux"], float)
    low, high = sample_intervals(np.moveaxis(samples, 1, 0).reshape(samples.shape[1], -1), LEVELS)
    low, high = (np.moveaxis(ends.reshape(len(LEVELS), *true.shape), 1, 0) for ends in (low, high))
    of_fluxes = np.stack([coverage_terms(*values) for values in zip(true, low, high)])
    found = {"levels": list(LEVELS)}
    for name, terms in (("flux", of_fluxes), ("pixels", np.asarray(table["pixel_coverage"], float))):
        rows = coverage(terms, n_bootstrap, seed) if np.isfinite(ratio(terms.sum(axis=0))).all() else []
        found[name] = [{"value": float(value), "interval": [float(low), float(high)]} for value, low, high in rows]
    return found
