"""Which of several runs each score would choose for Y1 without its labels, beside the choice by the labels themselves.

Scores are computed on the validation galaxies, accuracies on the test galaxies. A choice costs its regret: the accuracy
of the best run, the oracle's, minus that of the run chosen.
"""

import numpy as np
from tqdm import tqdm

from photoz_morph.metrics.group_errors import group_weights
from photoz_morph.metrics.selection.regret import rank_correlation, regret
from photoz_morph.metrics.selection.scores import SCORES, selection_scores
from photoz_morph.metrics.selection.source_risks import weighted_mean
from photoz_morph.morph.evaluation.comparison import matched
from photoz_morph.morph.evaluation.scores import is_right, labelled
from photoz_morph.morph.selection.outputs import network_outputs
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.json_files import read_json
from photoz_morph.system.provenance import code_version, provenance_of

FILE = "selection.json"  # in a run folder


def rank_runs(runs, n_bootstrap=1000, seed=0, progress=False):
    """Score runs without target labels, and compare the choices with that of the oracle.

    Parameters
    ----------
    runs : dict of str to (Table, Table)
        By the name of the run, the validation answers of `read_answers` and the predictions of the test galaxies.
    n_bootstrap, seed : int
    progress : bool
        Show a progress bar over the networks.

    Returns
    -------
    dict
        `data`, `origin`, `survey`, `code`; `provenance` by run; `n_validation`, `n_test`, `n_groups` (of both),
        `n_bootstrap`, `seed`. `runs`: for each `adaptation`, `n_seeds`, `accuracy` on Y1 and `scores`, means over seeds
        with their `interval`, `effective_number`, and the same numbers of its `networks`. `choices`: for each score the
        run chosen, its `regret` and, of single networks, the `network` chosen, its `network_regret`, and the
        `rank_correlation` of score and accuracy over all networks (None for fewer than three). `oracle`: the best `run`
        and `network`; `random`: the regret of a run and a network drawn at random.

    Raises
    ------
    ValueError
        If the runs are of different galaxies, or there is a single network.

    Notes
    -----
    Intervals hold 95 % of resamples of the groups of validation and of test galaxies, and of the seeds of each run;
    those of single networks have no resampling of the seeds, among which the choice is. Each resample chooses anew, and
    so does its oracle, who profits from chance: a regret of 0 has an interval on one side.
    """
    validation, test = _aligned(runs)
    first = next(iter(runs))
    outputs = {name: network_outputs(table) for name, table in validation.items()}
    if sum(map(len, outputs.values())) < 2:
        raise ValueError(f"{first} is a single network, a choice needs two; give more RUNS, or one of several seeds")
    target_weights = group_weights(validation[first]["group_id"], n_bootstrap, seed)
    source_weights = target_weights[:, np.asarray(validation[first]["label"]) >= 0]
    test_weights = group_weights(test[first]["group_id"], n_bootstrap, seed + 1)
    found = {name: [] for name in outputs}
    networks = [(name, network) for name, part in outputs.items() for network in part]
    for name, network in tqdm(networks, desc="select", unit=" networks", disable=not progress):
        found[name].append(selection_scores(network, source_weights, target_weights))
    # By run and quantity: the values of its networks, and those of the resamples.
    values = {name: {score: [part[0][score] for part in parts] for score in SCORES} for name, parts in found.items()}
    resampled = {
        name: {score: np.stack([part[1][score] for part in parts]) for score in SCORES} for name, parts in found.items()
    }
    for name, table in test.items():
        right = is_right(table, "Y1")
        values[name]["accuracy"] = right.mean(axis=0).tolist()
        resampled[name]["accuracy"] = np.stack([weighted_mean(column, test_weights) for column in right.T])
    means = _with_drawn_seeds(resampled, n_bootstrap, seed)
    return {
        "data": ORIGINS[test[first].meta["origin"]],
        **{key: test[first].meta[key] for key in ("origin", "survey")},
        "code": code_version(),
        "provenance": {name: provenance_of(table.meta) for name, table in test.items()},
        "n_validation": len(validation[first]),
        "n_test": len(test[first]),
        "n_groups": [len(np.unique(tables[first]["group_id"])) for tables in (validation, test)],
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        "runs": {
            name: {
                "adaptation": test[name].meta["adaptation"],
                "n_seeds": len(outputs[name]),
                "effective_number": float(np.mean([part[0]["effective_number"] for part in found[name]])),
                "accuracy": _with_interval(np.mean(values[name]["accuracy"]), means[name]["accuracy"]),
                "scores": {
                    score: _with_interval(np.mean(values[name][score]), means[name][score]) for score in SCORES
                },
                "networks": values[name],
            }
            for name in runs
        },
        **_choices(values, resampled, means),
    }


def read_selection(path):
    """Read what `morph select` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict
        As from `rank_runs`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, or of earlier scores.
    """
    remedy = "remove it, and run `morph select` again"
    selection = read_json(path, ("data", "runs", "choices", "oracle", "random", "provenance"), remedy)
    if not isinstance(selection["choices"], dict) or set(selection["choices"]) != set(SCORES):
        raise ValueError(f"{path}: its scores are not those of this version; {remedy}")
    return selection


def _aligned(runs):
    """Labelled test predictions and validation answers by run, their galaxies in the order of the first."""
    (first, (answers, predictions)), *others = runs.items()
    validation, test = {first: answers}, {first: predictions}
    for name, tables in others:
        try:
            validation[name], test[name] = matched(answers, tables[0]), matched(predictions, tables[1])
        except ValueError as error:
            raise ValueError(f"{first} and {name}: {error}") from error
    for name, table in validation.items():
        # Partners are rows of the table as it was written.
        if table is not answers and not np.array_equal(table["partner"], answers["partner"]):
            raise ValueError(
                f"{first} and {name}: their validation galaxies are stored in another order; give runs of one dataset"
            )
    return validation, {name: labelled(table, "label") for name, table in test.items()}


def _with_drawn_seeds(resampled, n_bootstrap, seed):
    """Mean of each quantity over as many seeds of a run as it has, drawn with replacement for each resample."""
    rng, means = np.random.default_rng([seed, 1]), {}
    for name, quantities in resampled.items():
        n_seeds = len(next(iter(quantities.values())))
        drawn = rng.integers(0, n_seeds, (n_seeds, n_bootstrap))  # the same seeds for score and accuracy
        means[name] = {key: np.take_along_axis(part, drawn, axis=0).mean(axis=0) for key, part in quantities.items()}
    return means


def _choices(values, resampled, means):
    """Choice of each score, the oracle and chance, among runs and among single networks."""
    names = list(values)
    networks = [(name, number) for name in names for number in range(len(values[name]["accuracy"]))]

    def of_runs(quantity):
        return np.array([np.mean(values[name][quantity]) for name in names])

    def of_networks(quantity):
        return np.concatenate([values[name][quantity] for name in names])

    def resampled_runs(quantity):
        return np.stack([means[name][quantity] for name in names], axis=-1)

    def resampled_networks(quantity):
        return np.concatenate([resampled[name][quantity] for name in names]).T

    accuracy, each = of_runs("accuracy"), of_networks("accuracy")
    resampled_accuracy, resampled_each = resampled_runs("accuracy"), resampled_networks("accuracy")
    choices = {}
    for score, (_, sign, _) in SCORES.items():
        name, number = networks[int(np.argmax(sign * of_networks(score)))]
        choices[score] = {
            "run": names[int(np.argmax(sign * of_runs(score)))],
            "regret": _with_interval(
                regret(sign * of_runs(score), accuracy), regret(sign * resampled_runs(score), resampled_accuracy)
            ),
            "network": [name, number + 1],
            "network_regret": _with_interval(
                regret(sign * of_networks(score), each), regret(sign * resampled_networks(score), resampled_each)
            ),
            "rank_correlation": rank_correlation(sign * of_networks(score), each),
        }
    name, number = networks[int(np.argmax(each))]
    chance = [(accuracy, resampled_accuracy), (each, resampled_each)]
    random = [_with_interval(*(regret(np.zeros(part.shape[-1]), part) for part in pair)) for pair in chance]
    return {
        "choices": choices,
        "oracle": {"run": names[int(np.argmax(accuracy))], "network": [name, number + 1]},
        "random": {"regret": random[0], "network_regret": random[1]},
    }


def _with_interval(value, resampled):
    """A value and the interval of 95 % of its resamples."""
    return {"value": float(value), "interval": np.nanpercentile(resampled, (2.5, 97.5)).tolist()}
