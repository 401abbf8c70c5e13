from types import SimpleNamespace

import pytest

from photoz_morph.photoz.evaluation.comparison import compare
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.report.text import BANNERS, overview, score_tables
from tests.support.pages import Page
from tests.support.reports import GRID, predictions


def results_of(*others, n_members=6, folds=range(5), galaxies="simulated SDSS galaxies"):
    """Results of a run that the text reads, with further methods by their sigma."""
    scores = evaluate(predictions(), GRID, n_bootstrap=20)
    tables = {"network": predictions()} | {f"method {sigma}": predictions(sigma) for sigma in others}
    if others:
        scores["comparison"] = compare(tables, dict.fromkeys(tables, GRID), n_bootstrap=20)
    return SimpleNamespace(scores=scores, n_members=n_members, folds=list(folds), galaxies=galaxies, title="Galaxies",
                           baseline_note="", sample_note="", run_dir="RUN")  # fmt: skip


def set_difference(results, value, error):
    (part,) = results.scores["comparison"]["differences"].values()
    part["sigma_mad"] = {"value": value, "error": error}


def test_verdict_has_the_networks_the_score_and_the_galaxies():
    results = results_of()
    results.scores["all"]["sigma_mad"] = {"value": 0.0127, "error": 0.0002}
    verdict = overview(results, ()).verdict
    assert verdict == (
        "6 networks per fold: sigma_MAD 0.01270 ± 0.00020 on 400 simulated SDSS galaxies, not compared with a baseline."
    )
    assert overview(results_of(n_members=1, folds=[2]), ()).verdict.startswith("1 network: sigma_MAD")
    assert "on 400 real SDSS galaxies" in overview(results_of(galaxies="real SDSS galaxies"), ()).verdict


@pytest.mark.parametrize(
    "value, error, words",
    [
        # Positive where the other method has the larger, worse score; a tie below 1.96 errors.
        (0.0019, 0.001, "no better than method 0.03 (difference 1.9 sigma)"),
        (-0.0019, 0.001, "no better than method 0.03 (difference 1.9 sigma)"),
        (0.0117, 0.001, "better than method 0.03 (difference 11.7 sigma)"),
        (-0.003, 0.001, "worse than method 0.03 (difference 3.0 sigma)"),
    ],
)
def test_verdict_compares_by_the_paired_difference(value, error, words):
    results = results_of(0.03)
    set_difference(results, value, error)
    assert overview(results, ()).verdict.endswith(f"simulated SDSS galaxies, {words}.")


def test_verdict_names_every_baseline():
    verdict = overview(results_of(0.03, 0.05), ()).verdict
    assert "better than method 0.03 (" in verdict and " and better than method 0.05 (" in verdict


def test_four_numbers_are_those_of_all_folds_together():
    results = results_of()
    results.scores["all"] |= {"eta": {"value": 0.0031, "error": 0.0002}, "crps": {"value": 0.00674, "error": 0.00005}}
    results.scores["all"] |= {"bias": {"value": 0.0001, "error": 0.00005}}
    first = overview(results, ("pit",))
    assert list(first.numbers) == ["bias", "sigma_MAD", "eta [%]", "CRPS"] and first.figures == ("pit",)
    assert first.numbers["bias"] == "0.00010 ± 0.00005" and first.numbers["eta [%]"] == "0.31 ± 0.02"
    assert first.numbers["CRPS"] == "0.00674 ± 0.00005"
    assert "400 simulated SDSS galaxies of 5 test folds" in first.note and "20 resamples" in first.note


def test_missing_baseline_says_how_to_create_it():
    tables = Page("".join(score_tables(results_of()))).visible
    assert "No baseline is compared: create it with photoz baseline RUN." in tables
    results = results_of(0.03)
    assert "baseline is compared" not in Page("".join(score_tables(results))).visible


def test_banner_of_simulations_refuses_a_comparison_with_the_sky():
    assert "not comparable to published scores of real galaxies" in BANNERS[False]
    assert BANNERS[True].format(survey="SDSS").startswith("Real SDSS galaxies")
