import json

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score

from photoz_morph.metrics.classification import scores as plain_scores
from photoz_morph.morph.evaluation.scores import SCORE_KEYS, evaluate_morph
from photoz_morph.runs.scores import read_scores, write_scores
from tests.support.morph import certain_predictions, toy_predictions

RESAMPLES = 300


@pytest.fixture(scope="module")
def table():
    return toy_predictions()


@pytest.fixture(scope="module")
def scores(table):
    return evaluate_morph(table, RESAMPLES)


def test_scores_of_seeds_are_those_of_scikit_learn_without_unlabelled_galaxies(table, scores):
    good = np.asarray(table["label"]) >= 0
    label = np.asarray(table["label"])[good]
    assert scores["n_galaxies"] == good.sum() and scores["n_unlabelled"] == 12 and scores["n_groups"] == 200
    for domain, column in (("Y10", "probability_y10"), ("Y1", "probability_y1")):
        probability = np.asarray(table[column], float)[good]
        part = scores["domains"][domain]
        for number in range(3):
            predicted = probability[:, number].argmax(axis=1)
            assert part["seeds"][number]["accuracy"]["value"] == pytest.approx(accuracy_score(label, predicted))
            assert part["seeds"][number]["f1"]["value"] == pytest.approx(f1_score(label, predicted, average="weighted"))
        values = [seed["accuracy"]["value"] for seed in part["seeds"]]
        assert part["mean"]["accuracy"]["value"] == pytest.approx(np.mean(values))
        assert part["mean"]["accuracy"]["sd_over_seeds"] == pytest.approx(np.std(values, ddof=1))
        ensemble = plain_scores(label, probability.mean(axis=1))
        confidence, wrong = probability.mean(axis=1).max(axis=1), probability.mean(axis=1).argmax(axis=1) != label
        order = np.argsort(-confidence)
        ensemble["aurc"] = np.mean(np.cumsum(wrong[order]) / np.arange(1, len(label) + 1))
        assert {name: score["value"] for name, score in part["ensemble"].items()} == pytest.approx(ensemble)
        areas = [seed["aurc"]["value"] for seed in part["seeds"]]
        assert part["mean"]["aurc"]["value"] == pytest.approx(np.mean(areas))
        assert 0 < part["ensemble"]["aurc"]["error"] < 0.1
        assert np.sum(part["confusion"]) == 3 * good.sum()
        assert np.trace(part["confusion"]) / np.sum(part["confusion"]) == pytest.approx(np.mean(values))
        assert np.sum(part["calibration"], axis=0)[0] == 3 * good.sum()


def test_error_over_groups_is_that_of_repeated_skies():
    # The scatter of the accuracy over independent samples, against the error that one sample gives itself.
    repeated = [evaluate_morph(toy_sky(seed), 200)["domains"]["Y10"]["mean"]["accuracy"] for seed in range(40)]
    scatter = np.std([score["value"] for score in repeated], ddof=1)
    error = np.mean([score["error_galaxies"] for score in repeated])
    assert error == pytest.approx(scatter, rel=0.3)  # 40 samples know their scatter to 11 %


def toy_sky(seed, n_groups=60, views=5):
    """A single seed that gets all views of an encounter right or none."""
    right = np.random.default_rng(seed).random(n_groups) < 0.7
    predicted = np.repeat(np.where(right, 0, 1), views)[:, None]
    group_id = np.repeat(np.arange(n_groups), views)
    return certain_predictions(predicted, predicted, np.zeros(n_groups * views, int), group_id)


def test_interval_of_the_mean_holds_the_scatter_of_the_seeds():
    label = np.zeros(400, int)
    rng = np.random.default_rng(0)
    predicted = (rng.random((400, 3)) > [0.5, 0.7, 0.9]).astype(int)
    mean = evaluate_morph(certain_predictions(predicted, predicted, label), RESAMPLES)["domains"]["Y10"]["mean"]
    low, high = mean["accuracy"]["interval"]
    half = stats.t.ppf(0.975, 2) * mean["accuracy"]["sd_over_seeds"] / np.sqrt(3)
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)  # the seeds differ far more than the galaxies allow
    assert mean["accuracy"]["error_galaxies"] < 0.2 * mean["accuracy"]["error"]


def test_one_seed_has_no_scatter():
    scores = evaluate_morph(toy_predictions(n_seeds=1, n=120), RESAMPLES)
    mean = scores["domains"]["Y1"]["mean"]["accuracy"]
    assert mean["sd_over_seeds"] is None and mean["error"] == mean["error_galaxies"]
    assert mean["interval"] == pytest.approx(scores["domains"]["Y1"]["seeds"][0]["accuracy"]["interval"])


def test_majority_ceiling_and_second_truths(table, scores):
    label, label_g = np.asarray(table["label"]), np.asarray(table["label_g"])
    good = label >= 0
    assert scores["majority"] == {"class": "spiral", "accuracy": pytest.approx(np.mean(label[good] == 0))}
    assert scores["label_ceiling"]["value"] == pytest.approx(np.mean(label[good] == label_g[good]))
    intended = np.asarray(table["intended_type"])
    right = np.asarray(table["probability_y10"]).argmax(axis=2) == intended[:, None]
    against = scores["domains"]["Y10"]["against"]
    assert against["intended_type"]["value"] == pytest.approx(right.mean())
    assert against["intended_type"]["n_galaxies"] == 600 and against["label_g"]["n_galaxies"] == good.sum()


def test_truths_that_are_unknown_are_none():
    scores = evaluate_morph(toy_sky(0), RESAMPLES)
    assert scores["label_ceiling"] is None and scores["domains"]["Y1"]["against"]["label_g"] is None


def test_fall_is_the_paired_difference_of_the_accuracies(scores):
    means = [scores["domains"][domain]["mean"]["accuracy"]["value"] for domain in ("Y10", "Y1")]
    assert scores["fall"]["value"] == pytest.approx(means[0] - means[1])
    assert scores["fall"]["interval"][0] > 0.1
    same = evaluate_morph(toy_sky(0), RESAMPLES)["fall"]  # one prediction at both depths: what is shared cancels
    assert same["value"] == 0 and same["error"] == 0


@pytest.mark.parametrize("origin", ["simulated", "tng", "observed"])
def test_scores_say_what_the_galaxies_are(origin):
    scores = evaluate_morph(toy_predictions(n=60, origin=origin), 50)
    assert (scores["data"], scores["origin"]) == ("real" if origin == "observed" else "simulated", origin)


def test_table_without_labels_is_refused(table):
    unlabelled = table.copy()
    unlabelled["label"] = -1
    with pytest.raises(ValueError, match="none of 600 predictions has a label"):
        evaluate_morph(unlabelled)


def test_scores_come_back_from_json(scores, tmp_path):
    path = tmp_path / "scores.json"
    write_scores(scores, path)
    assert read_scores(path, "morph", SCORE_KEYS) == scores == json.loads(json.dumps(scores))
    path.write_text(path.read_text()[:200])
    with pytest.raises(ValueError, match="truncated"):
        read_scores(path, "morph", SCORE_KEYS)
    path.write_text('{"data": "simulated", "folds": {}}')
    with pytest.raises(ValueError, match="not a file of morph scores"):
        read_scores(path, "morph", SCORE_KEYS)
    with pytest.raises(FileNotFoundError, match="`morph evaluate` writes it"):
        read_scores(tmp_path / "none.json", "morph")
