import csv
import io

import numpy as np
import pytest

from photoz_morph.morph.evaluation.comparison import compare_morph
from photoz_morph.morph.report.tables import scores as score_tables
from tests.support.morph import certain_predictions
from tests.support.reports import toy_baselines, two_arms


@pytest.fixture(scope="module")
def results():
    return two_arms()


def test_table1_has_the_layout_of_the_paper(results):
    rows = score_tables.table1_rows(results.scores)
    assert [row[0] for row in rows if row[0]] == ["regular", "MMD", "always spiral", "label ceiling"]
    assert [row[1].split()[0] for row in rows[:4]] == ["accuracy", "precision", "recall", "F1"]
    mean = results.runs[1]["scores"]["domains"]["Y1"]["mean"]["f1"]
    second = 9 + 6  # nine scores of single networks, six of the ensemble
    assert rows[second + 3][3] == f"{mean['value']:.3f} ± {mean['error']:.3f}"
    ensemble = results.runs[0]["scores"]["domains"]["Y10"]["ensemble"]["nll"]
    (row,) = [row for row in rows[:second] if row[1] == "NLL [nat], ensemble of 3"]
    assert row[2] == f"{ensemble['value']:.3f} ± {ensemble['error']:.3f}"
    text = score_tables.table1_markdown(results.scores)
    assert "294 simulated galaxies (origin: simulated)" in text and "6 galaxies without label are left out" in text
    assert text.count("|---|---|---|---|") == 1 and len(set(map(len, (row for row in rows)))) == 1


def test_list_of_scores_is_named_by_its_adaptation(results):
    scores = results.scores
    assert score_tables.table1_markdown(list(scores.values())) == score_tables.table1_markdown(scores)
    twice = score_tables.by_arm([scores["regular"]] * 2)
    assert list(twice) == ["morph_regular.yaml (1)", "morph_regular.yaml (2)"]


def test_csv_holds_every_number_of_every_seed(results):
    scores = results.scores
    rows = list(csv.DictReader(io.StringIO(score_tables.table1_csv({'a, "b"': scores["regular"]}))))
    assert len(rows) == 2 * (3 + 2) * len(score_tables.METRICS) and {row["training"] for row in rows} == {'a, "b"'}
    (row,) = [row for row in rows if (row["domain"], row["seed"], row["metric"]) == ("Y1", "2", "brier")]
    brier = scores["regular"]["domains"]["Y1"]["seeds"][1]["brier"]
    assert [float(row[key]) for key in ("value", "low", "high")] == [brier["value"], *brier["interval"]]
    assert row["data"] == "simulated" and row["sd_over_seeds"] == ""


def test_the_winner_of_baseline_and_network_is_named():
    """The baseline is right for all 200 in Y10, the network for half; in Y1 each where the other is wrong."""
    label, odd = np.zeros(200, int), np.arange(200) % 2
    baseline = certain_predictions(label[:, None], odd[:, None], label)
    network = certain_predictions(odd[:, None], 1 - odd[:, None], label)
    comparison = compare_morph(baseline, network, ["boosting", "net"], n_bootstrap=50)
    y10, y1 = score_tables.baseline_verdicts(comparison)
    assert y10.startswith(
        "In Y10 boosting beats net on 200 simulated galaxies: accuracy 1.000 against 0.500; net minus boosting -50.0 "
    )
    assert y1.startswith("In Y1 boosting and net tie on 200 simulated galaxies: accuracy 0.500 against 0.500;")
    assert score_tables.baseline_words(comparison) == (
        "Without a network, boosting on measurements of the stamps, compared with net, is more accurate in Y10 and "
        "does no worse and no better in Y1."
    )
    other = compare_morph(network, baseline, ["boosting", "net"], n_bootstrap=50)
    assert score_tables.baseline_verdicts(other)[0].startswith("In Y10 net beats boosting on 200 simulated galaxies: ")
    assert "is less accurate in Y10" in score_tables.baseline_words(other)
    same = compare_morph(network, network, ["boosting", "net"], n_bootstrap=50)
    assert score_tables.baseline_words(same).endswith("does no worse and no better than net at both depths.")


def test_the_caption_says_what_the_baselines_are(results):
    scores = results.scores | {name: part["scores"] for name, part in toy_baselines(results.runs).items()}
    caption = score_tables.baseline_caption(scores)
    assert "boosting on 53 measurements" in caption
    assert "boosting: Y10; the networks have labels of Y10 alone" in caption
    assert score_tables.baseline_caption(results.scores) == ""
    assert [row[0] for row in score_tables.table1_rows(scores) if row[0]][2] == "boosting"


def comparison_of(low, high, p_value, recovered=None, n_seeds=(3, 3)):
    difference = {"value": (low + high) / 2, "error": 0.01, "interval": [low, high]}
    tests = {"ensemble": {"p_value": p_value}, "groups": {"p_value": p_value}}
    part = {"accuracy": [0.5, 0.6], "difference": difference, "mcnemar": tests}
    return {"data": "simulated", "origin": "tng", "arms": ["regular", "MMD"], "n_galaxies": 1200, "n_groups": 400,
            "n_seeds": list(n_seeds), "recovered": recovered, "domains": {"Y1": part}}  # fmt: skip


def test_verdict_needs_both_the_interval_and_the_groups():
    (clear,) = score_tables.morph_verdicts(comparison_of(0.05, 0.15, 1e-6))
    assert clear.startswith("In Y1 MMD is more accurate than regular on 1,200 simulated galaxies: +10.0 points")
    assert "p of the groups < 0.0001" in clear
    (worse,) = score_tables.morph_verdicts(comparison_of(-0.15, -0.05, 0.01))
    assert "MMD is less accurate" in worse
    for open_case in (comparison_of(-0.01, 0.15, 1e-6), comparison_of(0.05, 0.15, 0.2)):
        (sentence,) = score_tables.morph_verdicts(open_case)
        assert "In Y1 the difference between MMD and regular on 1,200 simulated galaxies is not significant" in sentence


def test_verdicts_tell_what_is_recovered_and_what_one_seed_hides():
    recovered = {"value": 0.42, "interval": [0.3, 0.5]}
    sentences = score_tables.morph_verdicts(comparison_of(0.05, 0.15, 0.01, recovered, (3, 1)))
    assert "MMD recovers 42 % (30 to 50 %) of the accuracy that regular loses from Y10 to Y1." in sentences
    assert "scatter between trainings is unknown" in sentences[-1]
