from types import SimpleNamespace

import numpy as np
import pytest

from photoz_morph.morph.predictions import TABLE_ORIGINS
from photoz_morph.morph.report.text import BANNERS, TITLES, count_failed, label_parts, overview
from photoz_morph.runs.scores import ORIGINS
from tests.support.pages import Page


def score(value, error=0.02):
    return {"value": value, "error": error, "interval": [value - 0.04, value + 0.04]}


def run_scores(y10, y1, drop, n_seeds=3):
    domains = {name: {"mean": {"accuracy": score(value)}} for name, value in (("Y10", y10), ("Y1", y1))}
    return {"domains": domains, "fall": {"value": np.mean(drop), "error": 0.02, "interval": list(drop)},
            "majority": {"class": "spiral", "accuracy": 0.5}, "n_seeds": n_seeds, "n_galaxies": 1200,
            "n_groups": 400}  # fmt: skip


def results_of(drop=(0.2, 0.3), recovered=None, with_second=True, n_seeds=3):
    scores = {"regular": run_scores(0.85, 0.6, drop, n_seeds)}
    comparison = None
    if with_second:
        scores["MMD"] = run_scores(0.84, 0.7, (0.1, 0.2))
        difference = {"value": 0.1, "interval": [0.05, 0.15]}
        domains = {"Y1": {"difference": difference}}
        comparison = {"arms": ["regular", "MMD"], "recovered": recovered, "domains": domains}
    return SimpleNamespace(
        scores=scores, comparison=comparison, origin="simulated", data="simulated galaxies", baselines={}
    )


def test_verdict_has_the_cost_of_noise_and_the_part_recovered():
    verdict = overview(results_of(recovered={"value": 0.42, "interval": [0.3, 0.5]}), ()).verdict
    assert verdict == (
        "One-year noise costs regular 25.0 points of accuracy (95 % interval 20.0 to 30.0) on 1,200 simulated "
        "galaxies; MMD recovers 42 % of it (30 to 50 %)."
    )


def test_the_verdict_on_composites_is_on_the_step_to_the_real_sky():
    results = results_of(with_second=False)
    results.origin = "composites"
    assert overview(results, ()).verdict.startswith("The step to the real sky costs regular 25.0 points of accuracy")


def test_verdict_claims_no_recovery_whose_interval_holds_zero():
    verdict = overview(results_of(recovered={"value": 0.1, "interval": [-0.1, 0.3]}), ()).verdict
    assert verdict.endswith("MMD recovers 10 % of it (-10 to 30 %), which is not significant.")


def test_verdict_claims_no_cost_whose_interval_holds_zero():
    verdict = overview(results_of(drop=(-0.01, 0.03)), ()).verdict
    assert verdict.startswith("One-year noise costs regular no significant accuracy on 1,200 simulated galaxies: 1.0 ")
    assert verdict.endswith("MMD changes the accuracy in Y1 by +10.0 points (+5.0 to +15.0).")


def test_numbers_of_two_arms_are_their_accuracies_at_both_depths():
    assert overview(results_of(), ()).numbers == {
        "regular, accuracy in Y10": "0.850 ± 0.020", "regular, accuracy in Y1": "0.600 ± 0.020",
        "MMD, accuracy in Y10": "0.840 ± 0.020", "MMD, accuracy in Y1": "0.700 ± 0.020",
    }  # fmt: skip


def test_numbers_of_one_run_are_its_accuracies_their_difference_and_chance():
    numbers = overview(results_of(with_second=False), ()).numbers
    assert list(numbers.values()) == ["0.850 ± 0.020", "0.600 ± 0.020", "0.250 ± 0.020", "0.500"]
    assert list(numbers)[2:] == ["drop from Y10 to Y1", "always spiral, accuracy"]


@pytest.mark.parametrize("n_seeds, words", [(1, "Mean over 1 or 3 seeds"), (3, "Mean over 3 seeds")])
def test_note_counts_seeds_and_says_what_the_errors_hold(n_seeds, words):
    note = overview(results_of(n_seeds=n_seeds), ()).note
    assert note.startswith(words) and "1,200 test galaxies in 400 groups (simulated galaxies)" in note
    alone = overview(results_of(with_second=False, n_seeds=1), ()).note
    assert alone.startswith("Mean over 1 seed on") and "standard error over the test galaxies alone" in alone


def test_every_origin_is_said_to_be_real_or_simulated():
    assert set(TITLES) == set(BANNERS) == set(TABLE_ORIGINS)
    for origin in TABLE_ORIGINS:
        kind = ORIGINS[origin]
        words = {"simulated": "Simulated", "real": "Real", "simulated and real": "Simulated and real"}[kind]
        assert BANNERS[origin].startswith(words.split()[0]) and TITLES[origin].startswith(words)
        assert ("real galaxies" in BANNERS[origin].lower()) == ("real" in kind)
        assert ("Nothing on this page is a measurement of the sky" in BANNERS[origin]) == (kind == "simulated")


def test_labels_are_counted_against_the_intended_type():
    sample = {"label": [0, 0, 1, 2, -1], "intended_type": [0, 1, 1, 2, 0], "label_g": [-1] * 5}
    (table,) = label_parts(sample)  # nothing is known from g
    text = Page(table).visible
    assert "Rows: intended type; columns: label from i; 4 galaxies, in agreement for 75.0 %." in text
    assert "elliptical110" in text  # one labelled spiral, one elliptical, no merger


def test_galaxies_without_label_are_counted():
    assert count_failed({"label": [0, -1]}) == "1 without label is left out."
    assert count_failed({"label": [-1, -1, 2]}) == "2 without label are left out."
