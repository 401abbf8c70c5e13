"""Scores of networks that were trained on few labels, of several methods and repeats, on the same test galaxies."""

from pathlib import Path

import numpy as np

from photoz_morph.metrics.checks import parent_id
from photoz_morph.metrics.few_labels import label_curve
from photoz_morph.metrics.redshifts.point_scores import SCORES, galaxy_scores
from photoz_morph.photoz.evaluation.learning_curve import CURVE_SCORES
from photoz_morph.photoz.predictions import read_predictions
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.provenance import code_version

REFERENCE = "scratch"  # method that the others are compared with


def few_label_scores(run_dirs, n_resamples=500):
    """Scores of a few-label curve.

    Parameters
    ----------
    run_dirs : dict of (str, int, int) to path-like
        Run folders with predictions.fits, by method, number of labels and repeat; those of
        "source" have 0 labels.
    n_resamples : int

    Returns
    -------
    dict
        `data`, `entries` from `label_curve`, `n_galaxies` good in all tables and their `n_groups`, `n_repeats`,
        `n_resamples`, `code`.

    Raises
    ------
    FileNotFoundError, ValueError
        If a table cannot be read, or there are fewer than two parents of good galaxies in common.
    """
    tables = {key: read_predictions(Path(folder) / "predictions.fits") for key, folder in run_dirs.items()}
    good = [set(np.asarray(table["obj_id"])[_is_good(table)].tolist()) for table, _ in tables.values()]
    common = np.array(sorted(set.intersection(*good)))
    quantities, parents = {}, None
    for (method, n_labels, _), (table, grid) in tables.items():
        order = np.argsort(np.asarray(table["obj_id"]))
        part = table[order[np.searchsorted(np.asarray(table["obj_id"])[order], common)]]
        found = galaxy_scores(np.asarray(part["z_spec"], float), np.asarray(part["pdf"]), grid)
        quantities.setdefault((method, n_labels), []).append(found)
        parents = parent_id(part)
    stacked = {
        key: {name: np.stack([found[name] for found in repeats]) for name in ("residual", "crps")}
        for key, repeats in quantities.items()
    }
    meta = next(iter(tables.values()))[0].meta
    return {
        "data": ORIGINS[meta["origin"]],
        "entries": label_curve(stacked, {name: SCORES[name] for name in CURVE_SCORES}, parents, REFERENCE, n_resamples),
        "n_galaxies": len(common),
        "n_groups": len(np.unique(parents)),
        "n_repeats": max(len(repeats) for repeats in quantities.values()),
        "n_resamples": n_resamples,
        "code": code_version(),
    }


def _is_good(table):
    """True for galaxies that have a PDF and a redshift."""
    return (np.asarray(table["flag"]) == 0) & np.isfinite(np.asarray(table["z_spec"], float))
