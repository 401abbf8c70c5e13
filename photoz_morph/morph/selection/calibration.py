"""Temperatures of a run, fitted on the validation galaxies, and how well they calibrate the test galaxies.

For Y10, whose labels the networks learn from, there is one way. For Y1 there are three without labels, and that with
labels for comparison.
"""

import numpy as np

from photoz_morph.metrics.classification import calibration_bins
from photoz_morph.metrics.temperature import fit_temperature, tempered, transcal_temperature
from photoz_morph.morph.evaluation.scores import domain_scores, labelled, probability_of_seeds
from photoz_morph.morph.predictions import DOMAINS, check_morph_predictions
from photoz_morph.morph.selection.outputs import network_outputs
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.json_files import read_json
from photoz_morph.system.provenance import code_version, provenance_of

FILE = "calibration.json"  # in a run folder
# Name -> (title, depths that it is for).
TEMPERATURES = {
    "none": ("uncalibrated", ("Y10", "Y1")),
    "source": ("temperature of Y10", ("Y10", "Y1")),
    "weighted": ("weighted temperature", ("Y1",)),
    "transcal": ("TransCal", ("Y1",)),
    "oracle": ("temperature of Y1, uses its labels", ("Y1",)),
}
WITHOUT_LABELS = ("source", "weighted", "transcal")  # of Y1
SCORED = ("brier", "nll", "ece")  # accuracy and the order of the galaxies of one network do not change


def fit_temperatures(answers):
    """Temperatures of each network of a run and of their ensemble.

    Parameters
    ----------
    answers : Table
        From `outputs.read_answers`.

    Returns
    -------
    dict of str to dict
        By the names of `TEMPERATURES` but "none": `seeds`, a list of float, and `ensemble`, for the mean probabilities
        of the networks as they are.

    Notes
    -----
    "source": Guo et al. (2017), on labelled Y10 galaxies. "weighted": the same, each galaxy weighted by the density
    ratio of both depths at its latents, after Park et al. (2020). "transcal": Wang et al. (2020). "oracle": on the
    labels of Y1. The ratio of the ensemble is the mean of those of its networks. Mean probabilities are calibrated
    after averaging, since calibrated networks have a mean that is not (Rahaman & Thiery 2021).
    """
    outputs = network_outputs(answers)
    known = np.asarray(answers["label"]) >= 0
    label = outputs[0].label
    ratios = [network.ratio() for network in outputs]
    ratios.append(np.mean([ratio / ratio.mean() for ratio in ratios], axis=0))
    sources, targets = ([getattr(network, name) for network in outputs]
                        for name in ("source_probability", "target_probability"))  # fmt: skip
    found = {name: [] for name in TEMPERATURES if name != "none"}
    sources, targets = ([*parts, np.mean(parts, axis=0)] for parts in (sources, targets))
    for source, target, ratio in zip(sources, targets, ratios):
        found["source"].append(fit_temperature(source, label))
        found["weighted"].append(fit_temperature(source, label, ratio))
        found["transcal"].append(transcal_temperature(target, source, label, ratio))
        found["oracle"].append(fit_temperature(target[known], label))
    return {name: {"seeds": values[:-1], "ensemble": values[-1]} for name, values in found.items()}


def calibrate_run(answers, predictions, n_bootstrap=1000, seed=0):
    """Fit the temperatures of a run, and score the test galaxies with and without them.

    Parameters
    ----------
    answers : Table
        From `outputs.read_answers`.
    predictions : Table
        Of the test galaxies, by the same networks.
    n_bootstrap, seed : int

    Returns
    -------
    dict
        `data`, `origin`, `survey`, `adaptation`, provenance; `n_fitted`, the labelled validation galaxies, `n_galaxies`
        scored in `n_groups`, `n_seeds`, `n_bootstrap`, `seed`; `temperatures` from `fit_temperatures`; and `domains`:
        for "Y10" and "Y1", by the name of the temperature, `mean` and `ensemble` with the scores of `SCORED`, and
        `calibration` and `calibration_ensemble`, the bins of the reliability diagram.

    Raises
    ------
    ValueError
        If answers and predictions are not of the same networks.
    """
    check_morph_predictions(predictions, "predictions")
    for key in ("model_id", "n_seeds"):
        if answers.meta.get(key) != predictions.meta.get(key):
            raise ValueError(
                f"validation answers and predictions are of different networks ({key} {answers.meta.get(key)} and "
                f"{predictions.meta.get(key)}); remove validation.fits and predict again"
            )
    temperatures = fit_temperatures(answers)
    scored = labelled(predictions, "label")
    label, group_id = np.asarray(scored["label"]), np.asarray(scored["group_id"])
    domains = {domain: {} for domain in DOMAINS}
    for name, (_, depths) in TEMPERATURES.items():
        for domain in depths:
            probability = probability_of_seeds(scored, domain)
            ensemble = probability.mean(axis=1)
            if name != "none":
                probability = tempered(probability, temperatures[name]["seeds"])
                ensemble = tempered(ensemble, temperatures[name]["ensemble"])
            part = domain_scores(label, probability, group_id, {"n_resamples": n_bootstrap, "seed": seed}, ensemble)
            domains[domain][name] = {
                **{who: {score: part[who][score] for score in SCORED} for who in ("mean", "ensemble")},
                "calibration": part["calibration"],
                "calibration_ensemble": calibration_bins(label, ensemble).tolist(),
            }
    meta = predictions.meta
    return {
        "data": ORIGINS[meta["origin"]],
        **{key: meta[key] for key in ("origin", "adaptation")},
        **provenance_of(meta),
        "code": code_version(),
        "n_fitted": int(np.sum(np.asarray(answers["label"]) >= 0)),
        "n_galaxies": len(scored),
        "n_groups": len(np.unique(group_id)),
        "n_seeds": int(meta["n_seeds"]),
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        "temperatures": temperatures,
        "domains": domains,
    }


def read_calibration(path):
    """Read what `morph calibrate` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict
        As from `calibrate_run`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, or of other temperatures.
    """
    remedy = "remove it, and run `morph calibrate` again"
    calibration = read_json(path, ("data", "n_fitted", "n_galaxies", "n_seeds", "temperatures", "domains"), remedy)
    domains = calibration["domains"]
    if not isinstance(domains, dict) or set(domains) != set(DOMAINS) or set(domains["Y1"]) != set(TEMPERATURES):
        raise ValueError(f"{path}: its temperatures are not those of this version; {remedy}")
    return calibration


def calibrated_predictions(predictions, temperatures, method):
    """Predictions at the temperatures of each network: of Y10 for Y10, by another method for Y1.

    Parameters
    ----------
    predictions : Table
    temperatures : dict
        From `fit_temperatures`.
    method : {"source", "weighted", "transcal"}
        For Y1; none of them uses its labels.

    Returns
    -------
    Table
        With `temperature`, the method, in its meta.

    Raises
    ------
    ValueError
        If there is no such method without labels.
    """
    if method not in WITHOUT_LABELS:
        raise ValueError(f"no temperature {method!r} without labels of Y1; there are {', '.join(WITHOUT_LABELS)}")
    table = predictions.copy()
    for (domain, suffix), name in zip(DOMAINS.items(), ("source", method)):
        probability = tempered(probability_of_seeds(predictions, domain), temperatures[name]["seeds"])
        described = table[f"probability_{suffix}"].description
        table[f"probability_{suffix}"] = probability.astype(np.float32)
        table[f"probability_{suffix}"].description = described
    table.meta["temperature"] = method
    return table
