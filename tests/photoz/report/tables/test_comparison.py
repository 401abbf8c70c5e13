import pytest

from photoz_morph.photoz.evaluation.comparison import compare
from photoz_morph.photoz.report.tables.comparison import comparison_markdown, verdicts
from tests.support.reports import GRID, predictions


def test_no_method_beats_another_for_certain_by_outliers_that_neither_has():
    comparison = compare({"a": predictions(), "b": predictions(0.002)}, {"a": GRID, "b": GRID}, n_bootstrap=20)
    assert comparison["methods"]["a"]["eta"]["value"] == comparison["methods"]["b"]["eta"]["value"] == 0
    (sentence,) = verdicts(comparison, "eta")
    assert "tie" in sentence and "0.0 standard errors" in sentence
    assert all("inf" not in line for line in comparison_markdown(comparison).splitlines())


def test_comparison_has_a_row_per_score_with_its_paired_interval():
    comparison = compare({"a": predictions(), "b": predictions(0.03)}, {"a": GRID, "b": GRID}, n_bootstrap=20)
    comparison["differences"]["b"]["eta"] = {"value": 0.01, "error": 0.002, "interval": [0.00608, 0.01392]}
    lines = comparison_markdown(comparison).splitlines()
    assert "| score | a | b | b - a | 95 % interval |" in lines
    (eta,) = [line for line in lines if line.startswith("| eta [%]")]
    assert eta.endswith("| 1.00 ± 0.20 | 0.61 to 1.39 |")
    assert [line for line in lines if line.startswith("| PIT KS")]


@pytest.mark.parametrize(
    "first, second, words",
    [
        # Same sign: the error of the difference is that of the distances from zero.
        (0.0010, 0.0004, "b beats a"),
        (-0.0004, -0.0010, "a beats b"),
        # Opposite signs: far apart, and both as far from zero.
        (0.0010, -0.0009, "b and a tie"),
    ],
)
def test_the_bias_nearer_to_zero_wins(first, second, words):
    comparison = compare({"a": predictions(), "b": predictions(0.03)}, {"a": GRID, "b": GRID}, n_bootstrap=20)
    for name, value in (("a", first), ("b", second)):
        comparison["methods"][name]["bias"] = {"value": value, "error": 0.0001}
    comparison["differences"]["b"]["bias"] = {"value": second - first, "error": 0.0001}
    (sentence,) = verdicts(comparison, "bias")
    assert sentence.startswith(words)


def test_verdict_names_the_winner_whichever_comes_first():
    sharp, blunt = predictions(0.01), predictions(0.03)
    for order in (("network", "k-NN"), ("k-NN", "network")):
        tables = {name: {"network": sharp, "k-NN": blunt}[name] for name in order}
        comparison = compare(tables, dict.fromkeys(order, GRID), n_bootstrap=50)
        (sentence,) = verdicts(comparison)
        assert sentence.startswith("network beats k-NN on 400 simulated galaxies: sigma_MAD 0.0")
        assert f"{order[1]} - {order[0]}" in comparison_markdown(comparison)


def test_verdict_counts_standard_errors_and_calls_a_tie():
    comparison = compare({"a": predictions(), "b": predictions()}, {"a": GRID, "b": GRID}, n_bootstrap=20)
    comparison["differences"]["b"]["sigma_mad"] = {"value": -0.0004, "error": 0.0001}
    assert "b beats a" in verdicts(comparison)[0] and "4.0 standard errors" in verdicts(comparison)[0]
    comparison["differences"]["b"]["sigma_mad"] = {"value": 0.00019, "error": 0.0001}
    assert "a and b tie" in verdicts(comparison)[0] and "1.9 standard errors" in verdicts(comparison)[0]
