"""Scores of morph predictions at both depths.

Every dictionary of scores states under `data` whether the galaxies are "simulated" or "real" and under `origin` where
they come from. A score is `{"value", "error", "interval"}` with the standard error and the 95 % interval. Errors have
two components: the test galaxies (bootstrap over groups) and, for means over seeds, the scatter of the seeds.
"""

import numpy as np

from photoz_morph.metrics.classification import SCORES, galaxy_terms, majority_class, predicted_class
from photoz_morph.metrics.group_errors import group_bootstrap, group_weights, interval
from photoz_morph.metrics.risk_coverage import aurc
from photoz_morph.morph.predictions import check_morph_predictions, class_names, domains_of, rows_of
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.provenance import scored_provenance

SECOND_TRUTHS = ("intended_type", "label_g")

AT_ONCE = 1_000_000  # galaxies times resamples, 8 MB an array
SCORE_KEYS = ("data", "origin", "domains")  # of a scores.json, for `runs.scores.read_scores`


def evaluate_morph(table, n_bootstrap=1000, seed=0):
    """Score each seed, their mean and their ensemble on Y10 and Y1.

    Parameters
    ----------
    table : Table
        From `morph_predictions_table` or `read_morph_predictions`.
    n_bootstrap, seed : int
        Number of bootstrap resamples of the groups, and their seed.

    Returns
    -------
    dict
        `data`, `origin`, `survey`, `model`, `adaptation`, `config`, `classes`; `n_galaxies` scored in `n_groups`, and
        `n_unlabelled` left out; `majority` (class, accuracy); `label_ceiling` (agreement of `label` with `label_g`,
        None if no `label_g` is known); `fall` (accuracy on Y10 minus that on Y1, mean over seeds, paired by galaxy
        where both are of the same ones); and `domains`: for "Y10" and "Y1", or of composites for "simulated" and
        "real", `n_galaxies`, `majority_accuracy` of the class above, and the scores of `seeds` (list), `mean` (with
        sd_over_seeds, None for one seed) and `ensemble` (of the mean probability), each also with `aurc`, the area
        under the risk-coverage curve; `confusion` and `calibration` (summed over seeds), and `against` (accuracy, mean
        over seeds, with `intended_type` or `label_g` as the truth).

    Raises
    ------
    ValueError
        If no galaxy has a label or `table` is not a valid predictions table.

    Notes
    -----
    Ciprijanovic et al. (2021), Table 1, for accuracy and the weighted precision, recall and F1.
    """
    check_morph_predictions(table, "predictions")
    scored, classes = labelled(table, "label"), class_names(table)
    source = rows_of(scored, next(iter(domains_of(table))))
    majority, fraction = majority_class(np.asarray(source["label"]), len(classes))
    bootstrap = {"n_resamples": n_bootstrap, "seed": seed}
    domains = {}
    for domain in domains_of(table):
        part = labelled(rows_of(table, domain), "label")
        label, group_id = np.asarray(part["label"]), np.asarray(part["group_id"])
        domains[domain] = domain_scores(label, probability_of_seeds(part, domain), group_id, bootstrap)
        domains[domain]["n_galaxies"] = len(part)
        domains[domain]["majority_accuracy"] = float(np.mean(label == majority))
        domains[domain]["against"] = {
            name: _against(rows_of(table, domain), name, domain, bootstrap) for name in SECOND_TRUTHS
        }
    return _header(table) | {
        "n_galaxies": len(scored),
        "n_groups": len(np.unique(scored["group_id"])),
        "n_unlabelled": len(table) - len(scored),
        "n_seeds": int(table.meta["n_seeds"]),
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        "majority": {"class": classes[majority], "accuracy": fraction},
        "label_ceiling": _label_ceiling(source, bootstrap),
        "fall": fall_of(scored, bootstrap),
        "domains": domains,
    }


def _header(table):
    """Provenance of a table, with which every dictionary of scores begins."""
    origin = table.meta["origin"]
    names = ["survey", "model", "adaptation", "config"]
    optional = ("defence", "noise_augmentation", "pixel_augmentation", "mc_dropout", "temperature", "baseline",
                "train_on")  # fmt: skip
    names += [name for name in optional if name in table.meta]
    return {"data": ORIGINS[origin], "origin": origin, **{name: table.meta[name] for name in names},
            "classes": list(class_names(table)), **scored_provenance(table.meta)}  # fmt: skip


def labelled(table, name):
    """Rows of a table with a known class in the column `name`."""
    known = np.asarray(table[name]) >= 0
    if not known.any():
        raise ValueError(f"no galaxy to score: none of {len(table)} predictions has a {name}; build with labels")
    return table[known]


def probability_of_seeds(table, domain):
    """Class probabilities on a domain as float64, shape (n, n_seeds, n_classes)."""
    return np.asarray(table[f"probability_{domains_of(table)[domain]}"], float)


def is_right(table, domain, truth="label"):
    """1 where a seed predicts the true class of a galaxy, else 0; float64, shape (n, n_seeds)."""
    return (predicted_class(probability_of_seeds(table, domain)) == np.asarray(table[truth])[:, None]).astype(float)


def fall_of(table, bootstrap):
    """Accuracy on the first domain minus that on the second, mean over seeds, with both components of its error."""
    source, target = domains_of(table)
    group_id = np.asarray(table["group_id"])
    if rows_of(table, source) is table:  # the same galaxies: paired
        return mean_of_seeds(is_right(table, source) - is_right(table, target), group_id, bootstrap)
    right, others = (is_right(rows_of(table, domain), domain) for domain in (source, target))
    errors = [
        bootstrap_error(values.mean(axis=1), rows_of(table, domain)["group_id"], bootstrap)
        for values, domain in ((right, source), (others, target))
    ]
    return _with_seeds(right.mean(axis=0) - others.mean(axis=0), np.hypot(*errors), len(np.unique(group_id)))


def domain_scores(label, probability, group_id, bootstrap, ensemble=None):
    """Scores of the seeds, of their mean and of their ensemble on one domain.

    Parameters
    ----------
    label : ndarray of int, shape (n,)
    probability : ndarray, shape (n, n_seeds, n_classes)
    group_id : ndarray, shape (n,)
    bootstrap : dict
        `n_resamples` and `seed` of `group_bootstrap`.
    ensemble : ndarray, shape (n, n_classes), optional
        Probabilities of the ensemble; by default the mean over the seeds.

    Returns
    -------
    dict
        As a domain of `evaluate_morph`, without `against`.
    """
    # The ensemble is handled as one more seed, so that each kind of sum is resampled once.
    predictors = [*np.moveaxis(probability, 1, 0), probability.mean(axis=1) if ensemble is None else ensemble]
    per_predictor = [galaxy_terms(label, predictor) for predictor in predictors]
    terms = {quantity: np.stack([part[quantity] for part in per_predictor], axis=1) for quantity in per_predictor[0]}
    sums = {quantity: group_bootstrap(np.asarray, part, group_id, **bootstrap) for quantity, part in terms.items()}
    single, mean, n_groups = [{} for _ in predictors], {}, len(np.unique(group_id))
    for name, (quantity, function) in SCORES.items():
        values, resampled = function(terms[quantity].sum(axis=0)), function(sums[quantity])
        for number, scores in enumerate(single):
            scores[name] = interval(values[number], [(resampled[:, number].std(ddof=1), n_groups - 1)])
        mean[name] = _with_seeds(values[:-1], resampled[:, :-1].mean(axis=1).std(ddof=1), n_groups)
    values, resampled = _aurc(label, predictors, group_id, bootstrap)
    for number, scores in enumerate(single):
        scores["aurc"] = interval(values[number], [(resampled[:, number].std(ddof=1), n_groups - 1)])
    mean["aurc"] = _with_seeds(values[:-1], resampled[:, :-1].mean(axis=1).std(ddof=1), n_groups)
    totals = {quantity: part[:, :-1].sum(axis=(0, 1)) for quantity, part in terms.items()}
    return {
        "seeds": single[:-1],
        "mean": mean,
        "ensemble": single[-1],
        "confusion": totals["confusion"].astype(int).tolist(),
        "calibration": totals["calibration"].tolist(),
    }


def _aurc(label, predictors, group_id, bootstrap):
    """Area under the risk-coverage curve of each predictor, and of each resample, (n_resamples, n_predictors)."""
    arguments = [(predictor.max(axis=1), predicted_class(predictor) != label) for predictor in predictors]
    weights = group_weights(group_id, **bootstrap)
    # A few resamples at a time: the curves of all of them would take gigabytes.
    parts = np.array_split(weights, max(1, weights.size // AT_ONCE))
    resampled = [np.concatenate([aurc(*each, weights=part) for part in parts]) for each in arguments]
    return np.array([aurc(*each) for each in arguments]), np.stack(resampled, axis=1)


def _with_seeds(values, error_galaxies, n_groups):
    """Mean of one value per seed with both components of its error; a single seed has no scatter."""
    n_seeds = len(values)
    scatter = float(np.std(values, ddof=1)) if n_seeds > 1 else None
    components = [(error_galaxies, n_groups - 1)]
    components += [(scatter / np.sqrt(n_seeds), n_seeds - 1)] if n_seeds > 1 else []
    return interval(np.mean(values), components) | {"sd_over_seeds": scatter, "error_galaxies": float(error_galaxies)}


def mean_of_seeds(values, group_id, bootstrap):
    """Mean over galaxies and seeds of values of shape (n, n_seeds), with both components of its error."""
    return _with_seeds(values.mean(axis=0), bootstrap_error(values.mean(axis=1), group_id, bootstrap),
                       len(np.unique(group_id)))  # fmt: skip


def bootstrap_error(values, group_id, bootstrap):
    """Standard error of the mean of one value per galaxy, from a bootstrap over groups."""
    terms = np.stack([values, np.ones(len(values))], axis=1)
    return float(group_bootstrap(lambda sums: sums[:, 0] / sums[:, 1], terms, group_id, **bootstrap).std(ddof=1))


def _label_ceiling(table, bootstrap):
    """Agreement of the labels from the i and the g band, an upper limit to any meaningful accuracy."""
    both = np.asarray(table["label_g"]) >= 0
    if not both.any():
        return None
    part = table[both]
    same = (np.asarray(part["label"]) == np.asarray(part["label_g"])).astype(float)
    return mean_of_seeds(same[:, None], part["group_id"], bootstrap) | {"n_galaxies": int(both.sum())}


def _against(table, name, domain, bootstrap):
    """Accuracy with another column as the truth; None if that column has no known class."""
    if not np.any(np.asarray(table[name]) >= 0):
        return None
    part = labelled(table, name)
    return mean_of_seeds(is_right(part, domain, name), part["group_id"], bootstrap) | {"n_galaxies": len(part)}
