"""Scores of a run under perturbations: accuracies, flip rates, their means, and errors relative to another run.

`perturb_run` collects the scores and `morph report` reads them. Standard errors are as in `morph.evaluation`: the
galaxies (bootstrap over groups) and, for means over networks, the scatter of the networks.
"""

import json

import numpy as np

from photoz_morph.metrics.group_errors import group_bootstrap, interval
from photoz_morph.system.json_files import read_json, write_atomically

KEYS = ("settings", "galaxies", "clean", "kinds", "mean")


def severity_scores(right, clean_right, same_class, group_id, seed=0):
    """Score one kind of perturbation at one severity.

    Parameters
    ----------
    right, clean_right : ndarray of bool, shape (n, n_networks)
        Whether each network predicts the label from the perturbed and from the clean image.
    same_class : ndarray of bool, shape (n, n_networks)
        Whether it predicts the same class from both.
    group_id : ndarray, shape (n,)
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        `accuracy`, `fall` (clean minus perturbed, paired by galaxy) and `flip_rate`, each {value, error, interval};
        `networks`, the accuracy of each; `n_right`, the number of networks that are right for each galaxy.
    """
    right, clean_right = np.asarray(right, float), np.asarray(clean_right, float)
    return {
        "accuracy": mean_of_networks(right, group_id, seed),
        "fall": mean_of_networks(clean_right - right, group_id, seed),
        "flip_rate": mean_of_networks(1 - np.asarray(same_class, float), group_id, seed),
        "networks": right.mean(axis=0).tolist(),
        "n_right": right.sum(axis=1).astype(int).tolist(),
    }


def clean_scores(right, group_id, seed=0):
    """Score images without perturbation: `accuracy`, `networks` and `n_right`, as in `severity_scores`."""
    right = np.asarray(right, float)
    return {
        "accuracy": mean_of_networks(right, group_id, seed),
        "networks": right.mean(axis=0).tolist(),
        "n_right": right.sum(axis=1).astype(int).tolist(),
    }


def mean_of_networks(values, group_id, seed=0):
    """Mean of values of shape (n, n_networks): {value, error, interval}, with the errors of groups and of networks."""
    values = np.asarray(values, float)
    terms = np.stack([values.mean(axis=1), np.ones(len(values))], axis=1)
    resampled = group_bootstrap(lambda sums: sums[:, 0] / sums[:, 1], terms, group_id, seed=seed)
    components = [(float(resampled.std(ddof=1)), len(np.unique(group_id)) - 1)]
    n_networks = values.shape[1]
    if n_networks > 1:
        components.append((float(values.mean(axis=0).std(ddof=1) / np.sqrt(n_networks)), n_networks - 1))
    return interval(values.mean(), components)


def mean_scores(result):
    """Average the scores over severities, then over kinds with equal weights.

    Parameters
    ----------
    result : dict
        With `clean` and at least one of `kinds`.

    Returns
    -------
    dict
        `kinds` (names), `accuracy`, `flip_rate` and `relative_accuracy`, the accuracy over that on clean images.
    """
    means = {}
    for score in ("accuracy", "flip_rate"):
        each = [np.mean([row[score]["value"] for row in kind["severities"]]) for kind in result["kinds"].values()]
        means[score] = float(np.mean(each))
    clean = result["clean"]["accuracy"]["value"]
    relative = means["accuracy"] / clean if clean else None
    return {"kinds": list(result["kinds"]), **means, "relative_accuracy": relative}


def corruption_error(result, reference, seed=0):
    """Compute the errors of a run under perturbations relative to those of a reference run.

    Parameters
    ----------
    result, reference : dict
        From `read_perturbations`, of the same galaxies; kinds that only one of them has are left out.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        `kinds`, by name, and `mean`: {value, interval}, below 1 if the run errs less than the reference; None if the
        reference never errs. `falls`: drop of the accuracy below that on clean images, averaged over kinds, of the run
        and of the reference; `fall_difference`, the first minus the second: {value, interval}. A run that is worse on
        clean images may drop less. The intervals (95 %) are over galaxies, resampled by group for both runs at once, at
        fixed networks.

    Raises
    ------
    ValueError
        If the runs differ in galaxies, labels, seeds or severities, or have no kind in common.

    Notes
    -----
    Hendrycks & Dietterich (2019), corruption error: CE is the sum of the errors over severities divided by that of the
    reference, mCE its mean over kinds. Their reference is AlexNet, ours the regular arm.
    """
    names = _comparable(result, reference)
    terms = np.stack([_errors(part, names) for part in (result, reference)], axis=1)  # (n, 2, n_kinds)

    def ratios(sums):
        with np.errstate(divide="ignore", invalid="ignore"):  # a reference without errors, reported as None
            return sums[..., 0, :] / sums[..., 1, :]

    group_id = np.asarray(result["galaxies"]["group_id"])
    values = ratios(terms.sum(axis=0))
    resampled = group_bootstrap(ratios, terms, group_id, seed=seed)
    drops = terms.mean(axis=2) - np.stack([_clean_errors(part) for part in (result, reference)], axis=1)
    gains = np.stack([drops[:, 0] - drops[:, 1], np.ones(len(drops))], axis=1)
    difference = group_bootstrap(lambda sums: sums[:, 0] / sums[:, 1], gains, group_id, seed=seed)
    return {
        "kinds": {name: _with_interval(values[i], resampled[:, i]) for i, name in enumerate(names)},
        "mean": _with_interval(values.mean(), resampled.mean(axis=1)),
        "falls": drops.mean(axis=0).tolist(),
        "fall_difference": _with_interval(gains[:, 0].mean(), difference),
    }


def write_perturbations(result, path):
    """Write the scores of a run as JSON to a temporary name, then rename it."""
    write_atomically(path, json.dumps(result, allow_nan=False) + "\n")


def read_perturbations(path):
    """Read scores from `write_perturbations`.

    Parameters
    ----------
    path : path-like
        `perturbations.json` of a run folder.

    Returns
    -------
    dict
        See `perturb_run`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not JSON, or lacks a key of `KEYS`.
    """
    return read_json(path, KEYS, "run `morph perturb --overwrite`")


def _comparable(result, reference):
    """Kinds that two runs have in common; a ValueError if the runs cannot be compared."""
    if result["settings"]["seed"] != reference["settings"]["seed"]:
        raise ValueError(
            f"runs were perturbed with seeds {result['settings']['seed']} and {reference['settings']['seed']}; "
            "perturb one of them again"
        )
    if any(result["galaxies"][name] != reference["galaxies"][name] for name in ("obj_id", "copy", "label")):
        raise ValueError("runs were perturbed on different galaxies or labels; perturb one of them again")
    names = [name for name in result["kinds"] if name in reference["kinds"]]
    if not names:
        raise ValueError("runs have no kind of perturbation in common; perturb one of them again")
    for name in names:
        severities = [[row["severity"] for row in part["kinds"][name]["severities"]] for part in (result, reference)]
        if severities[0] != severities[1]:
            raise ValueError(f"{name}: severities are {severities[0]} and {severities[1]}; perturb one run again")
    return names


def _errors(result, names):
    """Fraction of wrong predictions for each galaxy over severities and networks, shape (n, n_kinds)."""
    n_networks = len(result["settings"]["networks"])
    right = [np.mean([row["n_right"] for row in result["kinds"][name]["severities"]], axis=0) for name in names]
    return 1 - np.stack(right, axis=1) / n_networks


def _clean_errors(result):
    """Fraction of wrong predictions for each galaxy over networks on clean images, shape (n,)."""
    return 1 - np.asarray(result["clean"]["n_right"]) / len(result["settings"]["networks"])


def _with_interval(value, resampled):
    """A value with its 95 % percentile interval; both None if the value is not finite."""
    if not np.isfinite(value):
        return {"value": None, "interval": None}
    known = resampled[np.isfinite(resampled)]
    return {"value": float(value), "interval": np.percentile(known, (2.5, 97.5)).tolist()}
