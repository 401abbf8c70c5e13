"""Accuracy of runs against the depth of the survey, `depth.json` of a run folder, and differences between runs.

`morph depth` writes the file and `morph report` reads it. Errors are as in `scores`: the test galaxies, resampled by
group, which is an encounter or a parent, and the scatter of the seeds.
"""

import json

import numpy as np

from photoz_morph.metrics.group_errors import interval
from photoz_morph.morph.evaluation.scores import bootstrap_error, mean_of_seeds
from photoz_morph.system.json_files import read_json, write_atomically

FILE_NAME = "depth.json"
KEYS = ("settings", "galaxies", "years")
N_BOOTSTRAP = 1000


def depth_scores(right, group_id, seed=0):
    """Score the networks of a run at one depth.

    Parameters
    ----------
    right : ndarray of bool, shape (n, n_seeds)
        Whether each network predicts the label.
    group_id : ndarray, shape (n,)
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        `accuracy`, mean over seeds, from `scores.mean_of_seeds`; `seeds`, the accuracy of each; `n_right`, the number
        of networks that are right for each galaxy.
    """
    right = np.asarray(right, float)
    return {
        "accuracy": mean_of_seeds(right, group_id, _bootstrap(seed)),
        "seeds": right.mean(axis=0).tolist(),
        "n_right": right.sum(axis=1).astype(int).tolist(),
    }


def depth_differences(result, reference):
    """Accuracy of a run minus that of another at each depth both have, paired by galaxy.

    Parameters
    ----------
    result, reference : dict
        From `read_depth`, of the same galaxies.

    Returns
    -------
    dict of str to dict
        By the number of years: value, error, interval.

    Raises
    ------
    ValueError
        If the runs were scored on other galaxies.
    """
    if result["galaxies"] != reference["galaxies"]:
        raise ValueError(
            f"depths of {result['config']} and {reference['config']} are of different galaxies; run `morph depth` on "
            "both together"
        )
    group_id = np.asarray(reference["galaxies"]["group_id"])
    found = {}
    for years in result["years"]:
        if years in reference["years"]:
            parts = [part["years"][years] for part in (result, reference)]
            right = [np.asarray(part["n_right"]) / len(part["seeds"]) for part in parts]
            error = bootstrap_error(right[0] - right[1], group_id, _bootstrap(result["settings"]["seed"]))
            components = [(error, len(np.unique(group_id)) - 1)]
            components += [(np.std(part["seeds"], ddof=1) / np.sqrt(len(part["seeds"])), len(part["seeds"]) - 1)
                           for part in parts if len(part["seeds"]) > 1]  # fmt: skip
            found[years] = interval(np.mean(right[0] - right[1]), components)
    return found


def write_depth(result, path):
    """Write the scores of a run as JSON to a temporary name, then rename it."""
    write_atomically(path, json.dumps(result, allow_nan=False) + "\n")


def read_depth(path):
    """Read scores from `write_depth`.

    Parameters
    ----------
    path : path-like
        `depth.json` of a run folder.

    Returns
    -------
    dict
        `data`, `origin`, `survey`, `adaptation`, `config`, `classes`, `settings`; `galaxies`, lists of obj_id, group_id
        and label; `years`, from the number of years as text to `depth_scores`, from the smallest.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not JSON, or lacks a key of `KEYS`.
    """
    return read_json(path, KEYS, "run `morph depth --overwrite`")


def _bootstrap(seed):
    return {"n_resamples": N_BOOTSTRAP, "seed": seed}
