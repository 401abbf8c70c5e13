import json

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score

from photoz_morph.metrics.classification import scores as plain_scores
from photoz_morph.morph.evaluation.comparison import arm_names, compare_morph
from photoz_morph.morph.evaluation.scores import evaluate_morph
from photoz_morph.morph.predictions import morph_predictions_table
from photoz_morph.runs.scores import read_scores, write_scores
from tests.support.morph import CLASSES, toy_predictions

RESAMPLES = 300


@pytest.fixture(scope="module")
def table():
    return toy_predictions()


@pytest.fixture(scope="module")
def scores(table):
    return evaluate_morph(table, RESAMPLES)


def certain_predictions(predicted_y10, predicted_y1, label, group_id=None, **meta):
    """Predictions of certain classes, shapes (n, n_seeds), so that every count can be made by hand."""
    n = len(label)
    columns = {"obj_id": np.arange(n), "group_id": np.arange(n) if group_id is None else np.array(group_id)}
    columns |= {"label": np.array(label), "label_g": np.full(n, -1), "intended_type": np.full(n, -1)}
    columns |= {"gini": np.zeros(n), "m20": np.zeros(n)}
    probabilities = {"Y10": np.eye(3)[predicted_y10], "Y1": np.eye(3)[predicted_y1]}
    latents = dict.fromkeys(("Y10", "Y1"), np.zeros((n, 2)))
    return morph_predictions_table(columns, probabilities, latents, "lsst", "tng", "resnet18", CLASSES, **meta)


# One arm


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
        assert {name: score["value"] for name, score in part["ensemble"].items()} == pytest.approx(ensemble)
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
    table = toy_predictions(n=60, origin=origin)
    data = "real" if origin == "observed" else "simulated"
    for scores in (evaluate_morph(table, 50), compare_morph(table, table, n_bootstrap=50)):
        assert (scores["data"], scores["origin"]) == (data, origin)


def test_table_without_labels_is_refused(table):
    unlabelled = table.copy()
    unlabelled["label"] = -1
    with pytest.raises(ValueError, match="none of 600 predictions has a label"):
        evaluate_morph(unlabelled)


def test_scores_come_back_from_json(scores, tmp_path):
    path = tmp_path / "scores.json"
    write_scores(scores, path)
    assert read_scores(path, "morph") == scores == json.loads(json.dumps(scores))
    path.write_text(path.read_text()[:200])
    with pytest.raises(ValueError, match="truncated"):
        read_scores(path, "morph")
    path.write_text('{"data": "simulated", "folds": {}}')
    with pytest.raises(ValueError, match="not a file of morph scores"):
        read_scores(path, "morph")
    with pytest.raises(FileNotFoundError, match="`morph evaluate` writes it"):
        read_scores(tmp_path / "none.json", "morph")


# Two arms


def test_arms_are_named_by_adaptation_and_defence():
    def headers(*changes):
        return [{"adaptation": "none", "config": f"run_{number}", **change} for number, change in enumerate(changes)]

    adapted = headers({}, {"adaptation": "mmd"}, {"adaptation": "consistency"})
    assert arm_names(adapted) == ["regular", "MMD", "consistency"]
    defences = headers({"defence": "none"}, {"defence": "d4"}, {"noise_augmentation": True, "defence": "median"},
                       {"pixel_augmentation": 0.5, "adaptation": "mmd"})  # fmt: skip
    assert arm_names(defences) == ["regular", "regular + d4", "regular + noise + median", "MMD + pixel"]
    assert arm_names(headers({}, {"defence": "none"})) == ["run_0", "run_1"]


def test_comparison_worked_by_hand():
    # Ten galaxies, one seed: on Y1 the first arm gets 0-3 right, the second 0-2 and 4-8.
    label, everything = np.zeros(10, int), np.zeros((10, 1), int)
    first, second = np.ones((10, 1), int), np.ones((10, 1), int)
    first[[0, 1, 2, 3]], second[[0, 1, 2, 4, 5, 6, 7, 8]] = 0, 0
    arms = [
        certain_predictions(everything, predicted, label, adaptation=name)
        for predicted, name in ((first, "none"), (second, "mmd"))
    ]
    comparison = compare_morph(*arms, n_bootstrap=4000)
    assert comparison["arms"] == ["regular", "MMD"] and comparison["n_seeds"] == [1, 1]
    part = comparison["domains"]["Y1"]
    assert part["accuracy"] == pytest.approx([0.4, 0.8])
    expected = {"only_first": 1, "only_second": 5, "p_value": pytest.approx(14 / 64)}
    assert part["mcnemar"] == {"ensemble": expected, "seeds": [expected], "groups": expected}
    assert part["difference"]["value"] == pytest.approx(0.4) and part["difference"]["error_seeds"] is None
    error = np.sqrt(((1 + 5) / 10 - 0.4**2) / 10)  # variance of +1, -1 and 0 over the galaxies
    assert part["difference"]["error"] == pytest.approx(error, rel=0.05)
    assert comparison["domains"]["Y10"]["difference"]["interval"] == [0, 0]
    assert comparison["recovered"]["value"] == pytest.approx(0.4 / 0.6)
    low, high = comparison["recovered"]["interval"]
    assert low <= 0.4 / 0.6 <= high


def test_order_of_the_rows_does_not_matter():
    first, second = toy_predictions(n=150), toy_predictions(strength_y1=1.5, n=150, seed=1, adaptation="mmd")
    shuffled = second[np.random.default_rng(0).permutation(150)]
    assert compare_morph(first, second, n_bootstrap=50) == compare_morph(first, shuffled, n_bootstrap=50)


def test_copies_of_a_galaxy_are_matched_with_themselves():
    label, predicted = np.zeros(6, int), np.array([0, 1, 0, 1, 0, 1])[:, None]
    table = certain_predictions(predicted, predicted, label, [0, 0, 1, 1, 2, 2])
    table["obj_id"], table["copy"] = [5, 5, 6, 6, 7, 7], [0, 1] * 3
    part = compare_morph(table, table[::-1], n_bootstrap=50)["domains"]["Y1"]
    assert part["mcnemar"]["ensemble"] == {"only_first": 0, "only_second": 0, "p_value": 1.0}


def test_arms_that_differ_by_chance_only_are_told_apart_as_rarely_as_promised():
    p_values = {"ensemble": [], "groups": []}
    covered = []
    for seed in range(40):
        arms = [toy_predictions(n=150, seed=2 * seed + number, config=f"{number}.yaml") for number in (0, 1)]
        part = compare_morph(*arms, n_bootstrap=200)["domains"]["Y1"]
        low, high = part["difference"]["interval"]
        covered.append(low <= 0 <= high)
        for name, values in p_values.items():
            values.append(part["mcnemar"][name]["p_value"])
    assert np.sum(np.array(p_values["groups"]) < 0.05) <= 6  # 2 expected; 7 or more in 0.3 % of the cases
    assert np.sum(covered) >= 34


def test_scatter_of_the_seeds_widens_the_difference():
    label, rng = np.zeros(300, int), np.random.default_rng(0)
    steady = (rng.random((300, 3)) > 0.6).astype(int)
    wild = (rng.random((300, 3)) > [0.4, 0.6, 0.8]).astype(int)
    arms = [certain_predictions(steady, part, label, config=name) for part, name in ((steady, "a"), (wild, "b"))]
    comparison = compare_morph(*arms, n_bootstrap=RESAMPLES)
    difference = comparison["domains"]["Y1"]["difference"]
    scatter = [np.std((part == 0).mean(axis=0), ddof=1) for part in (steady, wild)]
    assert difference["error_seeds"] == pytest.approx(np.hypot(*scatter) / np.sqrt(3))
    assert difference["error"] == pytest.approx(np.hypot(difference["error_galaxies"], difference["error_seeds"]))
    assert comparison["arms"] == ["a", "b"]


def test_recovered_needs_a_fall():
    flat = toy_predictions(strength_y1=2.0, n=150)
    assert compare_morph(flat, flat, n_bootstrap=100)["recovered"] is None


def test_arms_of_other_galaxies_labels_or_data_are_refused():
    table = toy_predictions(n=60)
    with pytest.raises(ValueError, match=r"1 galaxies are in only one table, the first is obj_id \d+; predict both"):
        compare_morph(table, table[1:])
    other = table.copy()
    other["label"][[3, 5]] = (other["label"][[3, 5]] + 1) % 3
    with pytest.raises(ValueError, match=f"label of 2 galaxies differs, the first is obj_id {table['obj_id'][3]}"):
        compare_morph(table, other)
    with pytest.raises(ValueError, match="origin is 'simulated' and 'observed'"):
        compare_morph(table, toy_predictions(n=60, origin="observed"))
