import json

import numpy as np
import pytest

from photoz_morph.metrics.temperature import fit_temperature, tempered
from photoz_morph.morph.evaluation.scores import evaluate_morph
from photoz_morph.morph.selection.calibration import (
    FILE,
    TEMPERATURES,
    calibrate_run,
    calibrated_predictions,
    fit_temperatures,
    read_calibration,
)
from photoz_morph.runs.scores import write_scores
from tests.support.morph import toy_answers, toy_predictions


def overconfident(table, temperature):
    """Predictions that are surer by the temperature."""
    for suffix in ("y10", "y1"):
        probability = np.asarray(table[f"probability_{suffix}"], float)
        table[f"probability_{suffix}"] = tempered(probability, 1 / temperature).astype(np.float32)
    return table


@pytest.fixture(scope="module")
def run():
    answers = overconfident(toy_answers(2.0, 0.8, n=900), 8.0)
    return answers, overconfident(toy_predictions(2.0, 0.8, n=900, n_seeds=2, seed=9), 8.0)


@pytest.fixture(scope="module")
def calibration(run):
    return calibrate_run(*run, n_bootstrap=100)


def test_temperatures_lower_the_calibration_error_of_an_overconfident_run(calibration):
    y10, y1 = calibration["domains"]["Y10"], calibration["domains"]["Y1"]
    # The mean of two networks that are certain is one half or certain, of which no temperature makes good confidences.
    for who, scores in (("mean", ("ece", "nll", "brier")), ("ensemble", ("nll",))):
        for score in scores:
            assert y10["source"][who][score]["value"] < y10["none"][who][score]["value"]
            assert y1["oracle"][who][score]["value"] < y1["none"][who][score]["value"]
            assert y1["source"][who][score]["value"] < y1["none"][who][score]["value"]
        # With its labels the likelihood is the best, but for the 300 groups that it was fitted on.
        best = min(part[who]["nll"]["value"] for part in y1.values())
        assert y1["oracle"][who]["nll"]["value"] < best + 0.01


def test_each_network_and_the_ensemble_has_its_temperature(run, calibration):
    answers = run[0]
    known = np.asarray(answers["label"]) >= 0
    label, temperatures = np.asarray(answers["label"])[known], calibration["temperatures"]
    assert set(temperatures) == set(TEMPERATURES) - {"none"}
    y10, y1 = (np.asarray(answers[f"probability_{suffix}"], float)[known] for suffix in ("y10", "y1"))
    for seed in range(2):
        assert temperatures["source"]["seeds"][seed] == pytest.approx(fit_temperature(y10[:, seed], label))
        assert temperatures["oracle"]["seeds"][seed] == pytest.approx(fit_temperature(y1[:, seed], label))
    assert temperatures["source"]["ensemble"] == pytest.approx(fit_temperature(y10.mean(axis=1), label))


def test_only_the_oracle_sees_labels_of_the_target(run):
    """Answers whose Y1 probabilities are in another order, as if their labels were wrong."""
    answers = run[0].copy()
    before = fit_temperatures(answers)
    order = np.random.default_rng(0).permutation(len(answers))
    answers["probability_y1"] = np.asarray(answers["probability_y1"])[order]
    after = fit_temperatures(answers)
    for name in ("source", "weighted", "transcal"):
        assert after[name]["seeds"] == pytest.approx(before[name]["seeds"], rel=1e-6)
    assert after["oracle"]["seeds"] != pytest.approx(before["oracle"]["seeds"], rel=0.1)


def test_uncalibrated_scores_are_those_of_evaluate(run, calibration):
    scores = evaluate_morph(run[1], 100)
    for domain, part in calibration["domains"].items():
        for score in ("ece", "brier", "nll"):
            assert part["none"]["mean"][score] == scores["domains"][domain]["mean"][score]
            assert part["none"]["ensemble"][score] == scores["domains"][domain]["ensemble"][score]


def test_calibrated_predictions_keep_the_classes_and_name_their_temperature(run, calibration):
    predictions = run[1]
    table = calibrated_predictions(predictions, calibration["temperatures"], "transcal")
    assert table.meta["temperature"] == "transcal" and "temperature" not in predictions.meta
    np.testing.assert_array_equal(table["probability_y1"].argmax(axis=2), predictions["probability_y1"].argmax(axis=2))
    scores = evaluate_morph(table, 100)
    assert scores["temperature"] == "transcal"
    for domain, method in (("Y10", "source"), ("Y1", "transcal")):
        expected = calibration["domains"][domain][method]["mean"]["ece"]["value"]
        assert scores["domains"][domain]["mean"]["ece"]["value"] == pytest.approx(expected, abs=4e-3)  # of float32
    with pytest.raises(ValueError, match="no temperature 'oracle' without labels of Y1"):
        calibrated_predictions(predictions, calibration["temperatures"], "oracle")


def test_predictions_of_other_networks_are_refused(run):
    answers, predictions = run[0], run[1].copy()
    predictions.meta["model_id"] = "abc"
    with pytest.raises(ValueError, match="of different networks .model_id None and abc"):
        calibrate_run(answers, predictions)


def test_calibration_comes_back_from_its_file(calibration, tmp_path):
    write_scores(calibration, tmp_path / FILE)
    assert read_calibration(tmp_path / FILE) == json.loads(json.dumps(calibration))
    write_scores(calibration | {"domains": {"Y10": {}}}, tmp_path / FILE)
    with pytest.raises(ValueError, match="calibration.json: its temperatures are not those of this version"):
        read_calibration(tmp_path / FILE)
    (tmp_path / FILE).write_text('{"data": "sim')
    with pytest.raises(ValueError, match="calibration.json: not JSON.*morph calibrate"):
        read_calibration(tmp_path / FILE)
