"""Paired comparison of two morphology runs, called arms, on the same galaxies."""

from pathlib import Path

import numpy as np

from photoz_morph.metrics.classification import predicted_class
from photoz_morph.metrics.group_errors import group_bootstrap, interval, mcnemar, mcnemar_of_groups
from photoz_morph.morph.evaluation.scores import (
    bootstrap_error,
    evaluate_morph,
    fall_of,
    is_right,
    labelled,
    probability_of_seeds,
)
from photoz_morph.morph.predictions import (
    check_morph_predictions,
    domains_of,
    read_morph_predictions,
    row_keys,
    rows_of,
)
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.provenance import code_version, provenance_of

# Of adaptations that are not called by their name in the config.
ARM_NAMES = {"none": "regular", "deepjdot": "DeepJDOT", "sinkhorn": "Sinkhorn", "fixmatch": "FixMatch"} | {
    name: name.upper() for name in ("mmd", "lmmd", "coral", "dann", "cdan", "mdd", "mcc")
}


def compare_morph(table_a, table_b, names=None, n_bootstrap=1000, seed=0):
    """Compare the accuracies of two arms on the same galaxies by paired differences and McNemar tests.

    Parameters
    ----------
    table_a, table_b : Table
        Morph predictions of the same galaxies, in any order; the first is the reference.
    names : tuple of (str, str), optional
        Names of the arms; by default as from `arm_names`.
    n_bootstrap, seed : int

    Returns
    -------
    dict
        `data`, `origin`, `arms`, their `provenance`, `code`, `n_seeds` of each, numbers of galaxies and groups;
        `recovered` (the fraction of the first arm's drop from Y10 to Y1 that the second arm recovers on Y1, with its
        `interval` over the galaxies at fixed networks; None unless the drop is significant); and `domains`: for "Y10"
        and "Y1", or "simulated" and "real", `n_galaxies`, `accuracy` (mean over seeds of each arm), `difference`
        (second minus first: value, error, interval, error_galaxies, error_seeds), `ensemble_difference` and `mcnemar`.

    Raises
    ------
    ValueError
        If the tables differ in galaxies, labels, groups, classes or `data`.

    Notes
    -----
    `error_seeds` adds the scatter of the seeds of both arms in quadrature, unpaired: seed k of both arms starts from
    the same weights, but the trainings diverge.
    `mcnemar` has three tests, each with its counts. "ensemble" compares the mean probability of each arm galaxy by
    galaxy, "seeds" seed k with seed k. In "groups" every group has one vote, for the arm that is right more often over
    its galaxies and all seeds; only this test treats neither the views of one encounter nor the seeds as independent.
    """
    check_morph_predictions(table_a, "first arm")
    check_morph_predictions(table_b, "second arm")
    table_b = matched(table_a, table_b)
    table_a, table_b = labelled(table_a, "label"), labelled(table_b, "label")
    group_id, bootstrap = np.asarray(table_a["group_id"]), {"n_resamples": n_bootstrap, "seed": seed}
    domains = {}
    for domain in domains_of(table_a):
        pair = [rows_of(table, domain) for table in (table_a, table_b)]
        domains[domain] = _paired(*pair, domain, np.asarray(pair[0]["group_id"]), bootstrap)
    drop = fall_of(table_a, bootstrap)
    recovered = _recovered(table_a, table_b, group_id, bootstrap) if drop["interval"][0] > 0 else None
    return {
        "data": ORIGINS[table_a.meta["origin"]],
        "origin": table_a.meta["origin"],
        "survey": table_a.meta["survey"],
        "arms": list(names or arm_names([table_a.meta, table_b.meta])),
        "code": code_version(),
        "provenance": [provenance_of(table.meta) for table in (table_a, table_b)],
        "n_galaxies": len(table_a),
        "n_groups": len(np.unique(group_id)),
        "n_seeds": [int(table.meta["n_seeds"]) for table in (table_a, table_b)],
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        "recovered": recovered,
        "domains": domains,
    }


def _recovered(table_a, table_b, group_id, bootstrap):
    """Gain of the second arm on Y1 over the drop of the first from Y10 to Y1, with its 95 % interval over groups."""
    source, target = domains_of(table_a)
    right, others, gained = (
        is_right(table, domain).mean(axis=1)
        for table, domain in ((table_a, source), (table_a, target), (table_b, target))
    )
    of_source = of_target = np.ones(len(table_a))
    if "domain" in table_a.colnames:  # different galaxies, whose numbers are resampled too
        of_target = np.asarray(table_a["domain"], float)
        of_source = 1 - of_target
    terms = [(gained - others) * of_target, others * of_target, of_target, right * of_source, of_source]

    def ratio(sums):
        gain, below, n_target, above, n_source = np.moveaxis(sums, -1, 0)
        return (gain / n_target) / (above / n_source - below / n_target)

    terms = np.stack(terms, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # of a resample without any drop
        resampled = group_bootstrap(ratio, terms, group_id, **bootstrap)
    return {"value": float(ratio(terms.sum(axis=0))), "interval": np.percentile(resampled, (2.5, 97.5)).tolist()}


def matched(table_a, table_b):
    """Rows of the second table in the order of the first; a ValueError unless both have the same galaxies."""
    for key in ("origin", "classes", "survey"):
        if table_a.meta[key] != table_b.meta[key]:
            raise ValueError(f"arms cannot be compared: {key} is {table_a.meta[key]!r} and {table_b.meta[key]!r}")
    keys, others = row_keys(table_a), {key: row for row, key in enumerate(row_keys(table_b))}
    unmatched = sorted(set(keys) ^ set(others))
    if unmatched:
        raise ValueError(
            f"arms cannot be compared: {len(unmatched)} galaxies are in only one table, the first is obj_id "
            f"{unmatched[0][0]}; predict both arms from the same split of one dataset"
        )
    table_b = table_b[[others[key] for key in keys]]
    for name in ("label", "group_id"):
        different = np.asarray(table_a[name]) != np.asarray(table_b[name])
        if different.any():
            raise ValueError(
                f"arms cannot be compared: {name} of {different.sum()} galaxies differs, the first is obj_id "
                f"{keys[different.argmax()][0]}; predict both arms from the same dataset"
            )
    return table_b


def arm_names(headers):
    """Names of arms: "regular", "MMD" and so on if these differ, else the names of their configs.

    Parameters
    ----------
    headers : list of dict
        Scores of `evaluate_morph`, or meta of predictions tables.

    Returns
    -------
    list of str
    """
    names = [_arm_name(header) for header in headers]
    if len(set(names)) == len(headers):
        return names
    configs = [header["config"] for header in headers]
    return configs if len(set(configs)) == len(headers) else [f"{name} ({i})" for i, name in enumerate(configs, 1)]


def _arm_name(header):
    """Adaptation and defences of an arm, such as "MMD", "regular + noise" or "consistency + d4"; or a baseline."""
    if header.get("baseline"):
        return header["model"]
    parts = [ARM_NAMES.get(header["adaptation"], header["adaptation"])]
    parts += [name for name in ("noise", "pixel") if header.get(f"{name}_augmentation")]
    parts += [header["defence"]] if header.get("defence", "none") != "none" else []
    parts += ["MC dropout"] if header.get("mc_dropout") else []
    parts += ["temperature"] if header.get("temperature") else []
    return " + ".join(parts)


def _paired(table_a, table_b, domain, group_id, bootstrap):
    """Difference of the accuracies of two arms on one domain, with errors and tests."""
    right = [is_right(table, domain) for table in (table_a, table_b)]
    label, n_groups = np.asarray(table_a["label"]), len(np.unique(group_id))
    error = bootstrap_error(right[1].mean(axis=1) - right[0].mean(axis=1), group_id, bootstrap)
    components, values = [(error, n_groups - 1)], [part.mean(axis=0) for part in right]
    scatter = [(np.std(value, ddof=1) / np.sqrt(len(value)), len(value) - 1) for value in values if len(value) > 1]
    probabilities = [probability_of_seeds(table, domain).mean(axis=1) for table in (table_a, table_b)]
    together = [predicted_class(probability) == label for probability in probabilities]
    gain = together[1].astype(float) - together[0]
    ensemble = interval(gain.mean(), [(bootstrap_error(gain, group_id, bootstrap), n_groups - 1)])
    difference = interval(values[1].mean() - values[0].mean(), components + scatter)
    difference["error_galaxies"] = error
    difference["error_seeds"] = float(np.sqrt(sum(part**2 for part, _ in scatter))) if len(scatter) == 2 else None
    return {
        "n_galaxies": len(label),
        "accuracy": [float(value.mean()) for value in values],
        "difference": difference,
        "ensemble_difference": ensemble,
        "mcnemar": {
            "ensemble": mcnemar(*together),
            "seeds": [mcnemar(first, second) for first, second in zip(right[0].T, right[1].T)],
            "groups": mcnemar_of_groups(*right, group_id),
        },
    }


def evaluate_file(source, against=None):
    """Scores of a run folder or a file of predictions, and their comparison with the other arm.

    Parameters
    ----------
    source : path-like
        Run folder with its predictions.fits, or a file from `write_morph_predictions`.
    against : path-like, optional
        Likewise, of the same galaxies.

    Returns
    -------
    dict
        As from `evaluate_morph`; with `against` also `comparison`, as from `compare_morph`, with `against` and its
        `scores_against`.
    """
    tables = [read_morph_predictions(_file_of(Path(path))) for path in (source, against) if path]
    scores = [evaluate_morph(table) for table in tables]
    if against:
        comparison = compare_morph(*tables)
        scores[0]["comparison"] = comparison | {"against": str(against), "scores_against": scores[1]}
    return scores[0]


def _file_of(path):
    """Predictions file of a run folder; a file is itself."""
    return path / "predictions.fits" if path.is_dir() else path
