import json

import numpy as np
import pytest

from photoz_morph.metrics.selection.scores import SCORES
from photoz_morph.morph.selection.ranking import FILE, rank_runs, read_selection
from photoz_morph.runs.scores import write_scores
from tests.support.morph import toy_answers, toy_predictions

STRENGTHS = {"regular": 0.3, "MMD": 1.0, "CDAN": 1.7}


def tables(strength, n_seeds=2, seed=0, **changes):
    """Answers and predictions of a run whose probabilities hold so much of the label in Y1."""
    return (toy_answers(2.0, strength, n_seeds=n_seeds, seed=seed, **changes),
            toy_predictions(2.0, strength, n=300, n_seeds=n_seeds, seed=seed + 50, **changes))  # fmt: skip


@pytest.fixture(scope="module")
def selection():
    return rank_runs({name: tables(strength, seed=number) for number, (name, strength) in enumerate(STRENGTHS.items())},
                     n_bootstrap=200)  # fmt: skip


def test_scores_of_the_target_choose_the_run_that_the_labels_choose(selection):
    assert selection["oracle"]["run"] == "CDAN" and selection["oracle"]["network"][0] == "CDAN"
    for score in ("entropy", "information", "a_distance", "domain_auc"):
        choice = selection["choices"][score]
        assert choice["run"] == "CDAN" and choice["regret"]["value"] == 0, score
        assert choice["rank_correlation"] > 0.7
    regrets = [choice["regret"]["value"] for choice in selection["choices"].values()]
    assert min(regrets) == 0 <= selection["random"]["regret"]["value"] < max(
        part["accuracy"]["value"] for part in selection["runs"].values()
    )


def test_regret_is_the_accuracy_of_the_best_run_minus_that_of_the_chosen(selection):
    accuracy = {name: part["accuracy"]["value"] for name, part in selection["runs"].items()}
    for score, (_, sign, _) in SCORES.items():
        choice = selection["choices"][score]
        values = {name: sign * part["scores"][score]["value"] for name, part in selection["runs"].items()}
        assert choice["run"] == max(values, key=values.get)
        assert choice["regret"]["value"] == pytest.approx(max(accuracy.values()) - accuracy[choice["run"]])
        low, high = choice["regret"]["interval"]
        assert 0 <= low <= high < 1
    mean = np.mean(list(accuracy.values()))
    assert selection["random"]["regret"]["value"] == pytest.approx(max(accuracy.values()) - mean)


def test_accuracies_are_those_of_the_test_galaxies(selection):
    test = tables(STRENGTHS["MMD"], seed=1)[1]
    known = np.asarray(test["label"]) >= 0
    right = np.asarray(test["probability_y1"])[known].argmax(axis=2) == np.asarray(test["label"])[known][:, None]
    np.testing.assert_allclose(selection["runs"]["MMD"]["networks"]["accuracy"], right.mean(axis=0))
    assert selection["runs"]["MMD"]["accuracy"]["value"] == pytest.approx(right.mean())
    assert selection["n_validation"] == 300 and selection["n_test"] == known.sum()


def test_labels_of_the_target_are_not_in_the_scores(selection):
    """With other labels the accuracy changes, and no score does but those that need labels of the source."""
    runs = {name: tables(strength, seed=number) for number, (name, strength) in enumerate(STRENGTHS.items())}
    for _, test in runs.values():
        test["label"] = (np.asarray(test["label"]) + 1) % 3
    other = rank_runs(runs, n_bootstrap=20)
    for name, part in other["runs"].items():
        before = selection["runs"][name]
        assert {key: value["value"] for key, value in part["scores"].items()} == pytest.approx(
            {key: value["value"] for key, value in before["scores"].items()}
        )
        assert part["accuracy"]["value"] < before["accuracy"]["value"]


def test_the_interval_of_a_run_holds_the_scatter_of_its_seeds():
    """Two seeds that differ much widen the interval of their mean beyond that of the galaxies."""
    answers, test = tables(1.0)
    good = toy_predictions(2.0, 3.0, n=300, n_seeds=2, seed=50)
    mixed = test.copy()
    mixed["probability_y1"] = np.stack([test["probability_y1"][:, 0], good["probability_y1"][:, 1]], axis=1)
    same = test.copy()
    same["probability_y1"] = np.stack([test["probability_y1"][:, 0]] * 2, axis=1)
    found = [rank_runs({"run": (answers, table)}, 300)["runs"]["run"] for table in (same, mixed)]
    widths = [np.ptp(part["accuracy"]["interval"]) for part in found]
    difference = np.ptp(found[1]["networks"]["accuracy"])
    assert widths[1] > max(difference * 0.9, 1.5 * widths[0])


def test_selection_comes_back_from_its_file(selection, tmp_path):
    write_scores(selection, tmp_path / FILE)
    assert read_selection(tmp_path / FILE) == json.loads(json.dumps(selection))
    for content, message in (("{", "not JSON"), ("{}", "has no data"), ("[1]", "has no data")):
        (tmp_path / FILE).write_text(content)
        with pytest.raises(ValueError, match=f"selection.json: {message}.*morph select"):
            read_selection(tmp_path / FILE)
    write_scores(selection | {"choices": {"entropy": {}}}, tmp_path / FILE)
    with pytest.raises(ValueError, match="not those of this version"):
        read_selection(tmp_path / FILE)


def test_runs_of_other_galaxies_and_single_networks_are_refused():
    first = tables(1.0, n_seeds=1)
    with pytest.raises(ValueError, match="a is a single network, a choice needs two"):
        rank_runs({"a": first}, 20)
    answers, test = tables(1.0, n_seeds=1, seed=3)
    with pytest.raises(ValueError, match="a and b: arms cannot be compared: .* galaxies are in only one table"):
        rank_runs({"a": first, "b": (answers, test[:-3])}, 20)
    rolled = answers[np.roll(np.arange(len(answers)), 1)]
    rolled["partner"] = answers["partner"]
    with pytest.raises(ValueError, match="a and b: their validation galaxies are stored in another order"):
        rank_runs({"a": first, "b": (rolled, test)}, 20)
