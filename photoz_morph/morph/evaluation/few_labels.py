"""Scores of classifiers that were trained on few labels, of several methods and repeats, on the same test galaxies."""

from pathlib import Path

import numpy as np

from photoz_morph.metrics.classification import macro_f1, predicted_class
from photoz_morph.metrics.few_labels import label_curve
from photoz_morph.morph.evaluation.scores import labelled, probability_of_seeds
from photoz_morph.morph.predictions import class_names, domains_of, read_morph_predictions, rows_of
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.provenance import code_version

REFERENCE = "scratch"  # method that the others are compared with


def few_label_scores(run_dirs, labels_of, n_resamples=500):
    """Scores of a few-label curve in the domain whose labels were learnt.

    Parameters
    ----------
    run_dirs : dict of (str, int, int) to path-like
        Run folders with predictions.fits of one network each, by method, number of labels and repeat; those of
        "source" have 0 labels.
    labels_of : {"source", "target"}
    n_resamples : int

    Returns
    -------
    dict
        `data`, `domain`, `entries` from `label_curve`, `n_galaxies` and `n_groups` of the test, `n_repeats`,
        `n_resamples`, `code`.

    Raises
    ------
    FileNotFoundError, ValueError
        If a table cannot be read, or has no labelled galaxy of two parents.
    """
    found, first = {}, None
    for (method, n_labels, _), folder in run_dirs.items():
        table = read_morph_predictions(Path(folder) / "predictions.fits")
        domain = list(domains_of(table))[labels_of == "target"]
        rows = labelled(rows_of(table, domain), "label")
        label, probability = np.asarray(rows["label"]), probability_of_seeds(rows, domain)[:, 0]
        predicted = predicted_class(probability)
        found.setdefault((method, n_labels), []).append(
            {"right": (predicted == label).astype(float), "cell": label * len(class_names(table)) + predicted}
        )
        first = first if first is not None else (rows, domain, class_names(table), ORIGINS[table.meta["origin"]])
    rows, domain, classes, data = first

    def f1_of_cells(cells):
        return macro_f1(np.bincount(cells, minlength=len(classes) ** 2).reshape(len(classes), len(classes)))

    stacked = {
        key: {name: np.stack([each[name] for each in repeats]) for name in repeats[0]} for key, repeats in found.items()
    }
    scores = {"macro_f1": ("cell", f1_of_cells), "accuracy": ("right", np.mean)}
    return {
        "data": domain if domain in ("simulated", "real") else data,
        "domain": domain,
        "entries": label_curve(stacked, scores, np.asarray(rows["group_id"]), REFERENCE, n_resamples),
        "n_galaxies": len(rows),
        "n_groups": len(np.unique(rows["group_id"])),
        "n_repeats": max(map(len, found.values())),
        "n_resamples": n_resamples,
        "code": code_version(),
    }
