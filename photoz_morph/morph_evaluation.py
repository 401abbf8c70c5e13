"""Scores of morph predictions at both depths, and of two arms on the same galaxies.

`morph evaluate` and `morph report` call it; `report/morph_tables.py` prints what it returns. Every dictionary says
under `data` whether the galaxies are "simulated" or "real" and under `origin` where they come from. A score is
`{"value", "error", "interval"}`: `error` is the standard error, `interval` the 95 % interval. Errors have two parts,
kept apart until the end: the test galaxies (bootstrap over groups) and, for means over seeds, the scatter of the seeds.
"""


import numpy as np

from photoz_morph.metrics.classification import SCORES, galaxy_terms, majority_class
from photoz_morph.metrics.group_errors import group_bootstrap, interval, mcnemar, mcnemar_of_groups
from photoz_morph.morph_predictions import DOMAINS, ORIGINS, check_morph_predictions, class_names, row_keys

SECOND_TRUTHS = ("intended_type", "label_g")


def evaluate_morph(table, n_bootstrap=1000, seed=0):
    """Scores of each seed, of their mean and of their ensemble, for Y10 and Y1.

    Parameters
    ----------
    table : Table
        From `morph_predictions_table` or `read_morph_predictions`.
    n_bootstrap, seed : int
        Resamples of the groups behind each error, and their seed.

    Returns
    -------
    dict
        `data`, `origin`, `survey`, `model`, `adaptation`, `config`, `classes`; `n_galaxies` scored in `n_groups`,
        `n_unlabelled` left out; `majority` (class, accuracy) and `label_ceiling` (agreement of `label` with `label_g`,
        None where no `label_g` is known); `fall` (accuracy on Y10 minus on Y1, mean over seeds, paired by galaxy); and
        `domains`: for "Y10" and "Y1" the scores of `seeds` (list), `mean` (with sd_over_seeds, None for one seed) and
        `ensemble` (of the mean probability), `confusion` and `calibration` (summed over seeds) and `against` (accuracy
        of the mean over seeds when `intended_type` or `label_g` is the truth).

    Raises
    ------
    ValueError
        If no galaxy has a label or the table is not one of predictions.

    Notes
    -----
    Ciprijanovic et al. (2021), Table 1, for accuracy and the weighted precision, recall and F1.
    """
    check_morph_predictions(table, "predictions")
    scored = _labelled(table, "label")
    label, group_id, classes = np.asarray(scored["label"]), np.asarray(scored["group_id"]), class_names(table)
    majority, share = majority_class(label, len(classes))
    redraw = {"n_resamples": n_bootstrap, "seed": seed}
    domains = {}
    for domain in DOMAINS:
        domains[domain] = _domain_scores(label, _probability(scored, domain), group_id, redraw)
        domains[domain]["against"] = {name: _against(table, name, domain, redraw) for name in SECOND_TRUTHS}
    right = {domain: _right(scored, domain) for domain in DOMAINS}
    return _header(table) | {
        "n_galaxies": len(scored),
        "n_groups": len(np.unique(group_id)),
        "n_unlabelled": len(table) - len(scored),
        "n_seeds": int(table.meta["n_seeds"]),
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        "majority": {"class": classes[majority], "accuracy": share},
        "label_ceiling": _label_ceiling(scored, redraw),
        "fall": _mean_of_seeds(right["Y10"] - right["Y1"], group_id, redraw),
        "domains": domains,
    }


def _header(table):
    """Where a table comes from, as every dictionary of scores begins."""
    origin = table.meta["origin"]
    names = ["survey", "model", "adaptation", "config"]
    names += [name for name in ("defence", "noise_augmentation", "pixel_augmentation") if name in table.meta]
    return {"data": ORIGINS[origin], "origin": origin, **{name: table.meta[name] for name in names},
            "classes": list(class_names(table))}  # fmt: skip


def _labelled(table, name):
    """The rows with a known class in the column of that name."""
    known = np.asarray(table[name]) >= 0
    if not known.any():
        raise ValueError(f"no galaxy to score: none of {len(table)} predictions has a {name}; build with labels")
    return table[known]


def _probability(table, domain):
    """Probabilities of a domain as float64, shape (n, n_seeds, n_classes)."""
    return np.asarray(table[f"probability_{DOMAINS[domain]}"], float)


def _right(table, domain, truth="label"):
    """Whether each seed gives each galaxy its class, as 0 and 1, shape (n, n_seeds)."""
    return (_probability(table, domain).argmax(axis=2) == np.asarray(table[truth])[:, None]).astype(float)


def _domain_scores(label, probability, group_id, redraw):
    """Scores of the seeds, of their mean and of their ensemble on one domain."""
    # The ensemble goes as one seed more, so that each kind of sum is redrawn once.
    voices = [*np.moveaxis(probability, 1, 0), probability.mean(axis=1)]
    per_voice = [galaxy_terms(label, voice) for voice in voices]
    terms = {quantity: np.stack([part[quantity] for part in per_voice], axis=1) for quantity in per_voice[0]}
    redrawn = {quantity: group_bootstrap(np.asarray, part, group_id, **redraw) for quantity, part in terms.items()}
    single, mean, n_groups = [{} for _ in voices], {}, len(np.unique(group_id))
    for name, (quantity, function) in SCORES.items():
        values, resampled = function(terms[quantity].sum(axis=0)), function(redrawn[quantity])
        for number, scores in enumerate(single):
            scores[name] = interval(values[number], [(resampled[:, number].std(ddof=1), n_groups - 1)])
        mean[name] = _with_seeds(values[:-1], resampled[:, :-1].mean(axis=1).std(ddof=1), n_groups)
    sums = {quantity: part[:, :-1].sum(axis=(0, 1)) for quantity, part in terms.items()}
    return {
        "seeds": single[:-1],
        "mean": mean,
        "ensemble": single[-1],
        "confusion": sums["confusion"].astype(int).tolist(),
        "calibration": sums["calibration"].tolist(),
    }


def _with_seeds(values, error_galaxies, n_groups):
    """Mean of one value per seed with both parts of its error; a single seed has no scatter to tell."""
    n_seeds = len(values)
    scatter = float(np.std(values, ddof=1)) if n_seeds > 1 else None
    components = [(error_galaxies, n_groups - 1)]
    components += [(scatter / np.sqrt(n_seeds), n_seeds - 1)] if n_seeds > 1 else []
    return interval(np.mean(values), components) | {"sd_over_seeds": scatter, "error_galaxies": float(error_galaxies)}


def _mean_of_seeds(values, group_id, redraw):
    """Mean over galaxies and seeds of values of shape (n, n_seeds), with both parts of its error."""
    return _with_seeds(values.mean(axis=0), _bootstrap_error(values.mean(axis=1), group_id, redraw),
                       len(np.unique(group_id)))  # fmt: skip


def _bootstrap_error(values, group_id, redraw):
    """Standard error of the mean of one value per galaxy."""
    terms = np.stack([values, np.ones(len(values))], axis=1)
    return float(group_bootstrap(lambda sums: sums[:, 0] / sums[:, 1], terms, group_id, **redraw).std(ddof=1))


def _label_ceiling(table, redraw):
    """Agreement of the labels from i and from g: what the labels themselves can be trusted to."""
    both = np.asarray(table["label_g"]) >= 0
    if not both.any():
        return None
    part = table[both]
    same = (np.asarray(part["label"]) == np.asarray(part["label_g"])).astype(float)
    return _mean_of_seeds(same[:, None], part["group_id"], redraw) | {"n_galaxies": int(both.sum())}


def _against(table, name, domain, redraw):
    """Accuracy where another column is the truth, None where nothing is known in it."""
    if not np.any(np.asarray(table[name]) >= 0):
        return None
    part = _labelled(table, name)
    return _mean_of_seeds(_right(part, domain, name), part["group_id"], redraw) | {"n_galaxies": len(part)}


def compare_morph(table_a, table_b, names=None, n_bootstrap=1000, seed=0):
    """How often the second arm is right where the first is, on the same galaxies: paired differences and tests.

    Parameters
    ----------
    table_a, table_b : Table
        Morph predictions of the same galaxies, in any order; the first is the one compared with.
    names : tuple of (str, str), optional
        Names of the arms; by default "regular", "MMD" and so on by adaptation and defence, or those of the configs.
    n_bootstrap, seed : int

    Returns
    -------
    dict
        `data`, `origin`, `arms`, `n_seeds` of each, numbers of galaxies and groups; `recovered` (the part of the first
        arm's fall from Y10 to Y1 that the second makes good on Y1, with its `interval` over the galaxies at fixed
        networks; None unless the fall is beyond its interval); and `domains`: for "Y10" and "Y1" `accuracy` (mean over
        seeds of each arm), `difference` (second minus first: value, error, interval, error_galaxies, error_seeds),
        `ensemble_difference` and `mcnemar`.

    Raises
    ------
    ValueError
        If the tables differ in galaxies, labels, groups, classes or `data`.

    Notes
    -----
    `error_seeds` adds the scatter of the seeds of both arms in quadrature, unpaired: seed k of the two arms starts from
    the same weights, but does not stay near.
    `mcnemar` has three tests, each with the numbers it rests on. "ensemble": the mean probability of each arm, galaxy
    by galaxy. "seeds": seed k against seed k. "groups": every group has one vote, for the arm that is right more often
    over its galaxies and all seeds; it alone counts neither the views of one encounter nor the seeds as independent.
    """
    check_morph_predictions(table_a, "first arm")
    check_morph_predictions(table_b, "second arm")
    table_b = _matched(table_a, table_b)
    table_a, table_b = _labelled(table_a, "label"), _labelled(table_b, "label")
    group_id, redraw = np.asarray(table_a["group_id"]), {"n_resamples": n_bootstrap, "seed": seed}
    domains = {domain: _paired(table_a, table_b, domain, group_id, redraw) for domain in DOMAINS}
    fall = _mean_of_seeds(_right(table_a, "Y10") - _right(table_a, "Y1"), group_id, redraw)
    recovered = _recovered(table_a, table_b, group_id, redraw) if fall["interval"][0] > 0 else None
    return {
        "data": ORIGINS[table_a.meta["origin"]],
        "origin": table_a.meta["origin"],
        "survey": table_a.meta["survey"],
        "arms": list(names or arm_names([table_a.meta, table_b.meta])),
        "n_galaxies": len(table_a),
        "n_groups": len(np.unique(group_id)),
        "n_seeds": [int(table.meta["n_seeds"]) for table in (table_a, table_b)],
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        "recovered": recovered,
        "domains": domains,
    }


def _recovered(table_a, table_b, group_id, redraw):
    """Gain of the second arm on Y1 over the fall of the first, and its 95 % interval over groups."""
    gain = _right(table_b, "Y1").mean(axis=1) - _right(table_a, "Y1").mean(axis=1)
    fall = (_right(table_a, "Y10") - _right(table_a, "Y1")).mean(axis=1)
    terms = np.stack([gain, fall], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # of a resampling without any fall
        resampled = group_bootstrap(lambda sums: sums[:, 0] / sums[:, 1], terms, group_id, **redraw)
    return {"value": float(gain.sum() / fall.sum()), "interval": np.percentile(resampled, (2.5, 97.5)).tolist()}


def _matched(table_a, table_b):
    """The second table in the order of the first, after a check that both are of the same galaxies."""
    for key in ("origin", "classes", "survey"):
        if table_a.meta[key] != table_b.meta[key]:
            raise ValueError(f"arms cannot be compared: {key} is {table_a.meta[key]!r} and {table_b.meta[key]!r}")
    keys, others = row_keys(table_a), {key: row for row, key in enumerate(row_keys(table_b))}
    lonely = sorted(set(keys) ^ set(others))
    if lonely:
        raise ValueError(
            f"arms cannot be compared: {len(lonely)} galaxies are in one table only, the first is obj_id "
            f"{lonely[0][0]}; predict both arms from one split of one dataset"
        )
    table_b = table_b[[others[key] for key in keys]]
    for name in ("label", "group_id"):
        different = np.asarray(table_a[name]) != np.asarray(table_b[name])
        if different.any():
            raise ValueError(
                f"arms cannot be compared: {name} of {different.sum()} galaxies differs, the first is obj_id "
                f"{keys[different.argmax()][0]}; predict both arms from one dataset"
            )
    return table_b


def arm_names(headers):
    """regular, MMD, ... where arms differ in adaptation or defence, else configs; from scores or the meta of tables."""
    names = [_arm_name(header) for header in headers]
    if len(set(names)) == len(headers):
        return names
    configs = [header["config"] for header in headers]
    return configs if len(set(configs)) == len(headers) else [f"{name} ({i})" for i, name in enumerate(configs, 1)]


def _arm_name(header):
    """Adaptation of an arm with its defences, such as "MMD", "regular + noise" or "consistency + d4"."""
    parts = [{"none": "regular", "mmd": "MMD", "consistency": "consistency"}[header["adaptation"]]]
    parts += [name for name in ("noise", "pixel") if header.get(f"{name}_augmentation")]
    parts += [header["defence"]] if header.get("defence", "none") != "none" else []
    return " + ".join(parts)


def _paired(table_a, table_b, domain, group_id, redraw):
    """Difference of the accuracies of two arms on one domain, with its errors and tests."""
    right = [_right(table, domain) for table in (table_a, table_b)]
    label, n_groups = np.asarray(table_a["label"]), len(np.unique(group_id))
    error = _bootstrap_error(right[1].mean(axis=1) - right[0].mean(axis=1), group_id, redraw)
    components, values = [(error, n_groups - 1)], [part.mean(axis=0) for part in right]
    scatter = [(np.std(value, ddof=1) / np.sqrt(len(value)), len(value) - 1) for value in values if len(value) > 1]
    together = [_probability(table, domain).mean(axis=1).argmax(axis=1) == label for table in (table_a, table_b)]
    gain = together[1].astype(float) - together[0]
    ensemble = interval(gain.mean(), [(_bootstrap_error(gain, group_id, redraw), n_groups - 1)])
    difference = interval(values[1].mean() - values[0].mean(), components + scatter)
    difference["error_galaxies"] = error
    difference["error_seeds"] = float(np.sqrt(sum(part**2 for part, _ in scatter))) if len(scatter) == 2 else None
    return {
        "accuracy": [float(value.mean()) for value in values],
        "difference": difference,
        "ensemble_difference": ensemble,
        "mcnemar": {
            "ensemble": mcnemar(*together),
            "seeds": [mcnemar(first, second) for first, second in zip(right[0].T, right[1].T)],
            "groups": mcnemar_of_groups(*right, group_id),
        },
    }
