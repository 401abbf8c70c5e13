"""Scores of predicted maps, fields and parameters, whatever predicted them, and their table.

A score is `{"value", "interval"}` with its 95 % interval over resampled groups of images, as everywhere in `blend`.
"""

import numpy as np

from photoz_morph.blend.maps.targets import evaluate_maps
from photoz_morph.metrics.maps.parameters import parameter_scores
from photoz_morph.metrics.maps.pixels import map_scores, map_terms
from photoz_morph.metrics.maps.spectra import restoration_by_scale
from photoz_morph.report.text import count, markdown_table
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.provenance import scored_provenance

NOUNS = {"maps": "galaxy", "field": "field", "parameters": "field"}  # of images
# Score -> its name in tables, in which r2 comes first.
TITLES = {
    "r2": "explained variance", "r2_within": "explained variance within galaxies", "scatter": "scatter of the errors",
    "rmse": "root mean square error", "bias": "bias", "coverage_68": "truths within one sigma",
    "coverage_95": "truths within 95 % intervals", "likelihood": "mean log-likelihood",
}  # fmt: skip


def evaluate_answers(predictions, truth, n_bootstrap=1000, seed=0):
    """Score predictions.

    Parameters
    ----------
    predictions : MapPredictions
    truth : Truth
        Of the same images, in any order.
    n_bootstrap, seed : int
        Resamples of groups of images, and their seed.

    Returns
    -------
    dict
        Facts, and `scores` by the name of a map or parameter: of `metrics.maps.pixels` or `metrics.maps.parameters`. Of
        fields `hidden` are the scores of pixels in holes, if there are any, and `by_scale` has `k`, in units of the
        fundamental mode, and lists of scores `correlation` and `transfer` (`metrics.maps.spectra`).

    Raises
    ------
    ValueError
        If the images are not those of the predictions.
    """
    rows = joined_rows(predictions, truth)
    meta, group_id = predictions.table.meta, np.asarray(truth.group_id)
    facts = {
        "data": ORIGINS[meta["origin"]],
        **{key: meta[key] for key in ("answer", "origin", "dataset", "model", "split") if key in meta},
        **scored_provenance(meta),
        "n_images": len(rows), "n_groups": len(np.unique(group_id)), "n_bootstrap": n_bootstrap, "seed": seed,
    }  # fmt: skip
    if truth.answer == "parameters":
        found = parameter_scores(truth.values, predictions.posterior[rows], group_id, truth.names, n_bootstrap, seed)
        return {**facts, "scores": _scores(found)}
    maps = predictions.maps[rows]
    if truth.answer == "maps":
        found = evaluate_maps(truth.values, maps, truth.inside, group_id, n_bootstrap, seed)
        return {**facts, "scores": _scores(found)}
    found = map_scores(map_terms(truth.values, maps, truth.inside), group_id, truth.names, n_bootstrap, seed)
    hidden = truth.images[..., 1] == 0
    scores = {**facts, "scores": _scores(found)}
    if hidden.any():
        in_holes = map_scores(map_terms(truth.values, maps, hidden), group_id, truth.names, n_bootstrap, seed)
        scores["hidden"] = _scores(in_holes)
    by_scale = restoration_by_scale(truth.values[..., 0], maps[..., 0], group_id, n_resamples=n_bootstrap, seed=seed)
    k = by_scale.pop("k").tolist()
    return {**scores, "by_scale": {"k": k, **{name: [_score(row) for row in rows] for name, rows in by_scale.items()}}}


def joined_rows(predictions, truth):
    """Row of the predictions of each image of the truth; a ValueError unless they are of the same images."""
    if predictions.answer != truth.answer or predictions.table.meta["names"] != ",".join(truth.names):
        raise ValueError(
            f"predictions are of {predictions.answer} ({predictions.table.meta['names']}), the dataset is asked for "
            f"{truth.answer} ({','.join(truth.names)}); predict its images"
        )
    places = {int(obj_id): row for row, obj_id in enumerate(predictions.table["obj_id"])}
    missing = [int(obj_id) for obj_id in truth.obj_id if int(obj_id) not in places]
    if missing or len(places) != len(truth.obj_id) or len(places) != len(predictions.table):
        first = f", image {missing[0]} has none" if missing else ""
        raise ValueError(
            f"{len(predictions.table)} predictions for {len(truth.obj_id)} images{first}; predict the images that are "
            "scored"
        )
    return np.array([places[int(obj_id)] for obj_id in truth.obj_id])


def answers_markdown(columns):
    """Table of the scores of `evaluate_answers`, with their 95 % intervals over groups of images.

    Parameters
    ----------
    columns : dict of str to dict
        Title of a column -> scores, all of the same images.

    Returns
    -------
    str
    """
    first = next(iter(columns.values()))
    heading = f"**{first['dataset']}, {first['data']}** ({_images(first)}; 95 % intervals over {_groups(first)})"
    return "\n".join([heading, "", *markdown_table(("score", *columns), answers_rows(columns))])


def answers_rows(columns):
    """Rows of that table: the name of a score, and its text of each column."""
    first = next(iter(columns.values()))
    keys = [("scores", name, score) for name, part in first["scores"].items() for score in TITLES if score in part]
    if first["answer"] == "field":  # one map: its mean has no meaning of its own
        keys = [key for key in keys if key[2] != "r2_within"]
    keys += [("hidden", name, "r2") for name in first.get("hidden", {})]
    rows = []
    for part, name, score in keys:
        where = ", pixels in holes" if part == "hidden" else ""
        rows.append((f"{name}: {TITLES[score]}{where}", *(text_of(of[part][name][score]) for of in columns.values())))
    return rows


def text_of(score):
    """A score and its interval as text."""
    if score["value"] is None:
        return "-"
    low, high = score["interval"]
    return f"{score['value']:.3f}" + (f" ({low:.3f} to {high:.3f})" if low is not None else "")


def _images(scores):
    """Number of images in words."""
    return count(scores["n_images"], NOUNS[scores["answer"]]).replace("galaxys", "galaxies")


def _groups(scores):
    """What the intervals are over."""
    if scores["n_groups"] == scores["n_images"]:
        return {"galaxy": "galaxies", "field": "fields"}[NOUNS[scores["answer"]]]
    return count(scores["n_groups"], "group")


def _scores(found):
    """Scores of the metrics in the form of this chain; numbers of pixels and galaxies as they are."""
    return {
        name: {key: _score(value) if isinstance(value, list) else value for key, value in part.items()}
        for name, part in found.items()
    }  # fmt: skip


def _score(row):
    """A score of (value, lower, upper), None where it is not finite."""
    value, *ends = (float(number) if np.isfinite(number) else None for number in row)
    return {"value": value, "interval": ends}
