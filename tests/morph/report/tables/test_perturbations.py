import pytest

from photoz_morph.morph.report.tables import (
    perturbations as perturbation_tables,
)
from tests.support.attacks import perturbed

DATA = "simulated galaxies"


def test_corruption_score_is_the_error_over_that_of_the_first_run():
    runs = {"regular": perturbed((2, 4)), "MMD": perturbed((4, 5))}
    rows = perturbation_tables.perturbation_rows(runs)
    assert perturbation_tables.perturbation_header(runs) == ["perturbation", "regular", "MMD", "MMD / regular"]
    assert rows[0] == ["none", "0.833", "0.833", "–"]
    assert rows[1][:3] == ["RICE", "0.333 (66.7 %)", "0.667 (33.3 %)"]
    ratios = [row[-1].split(" ")[0] for row in rows[1:]]
    assert ratios == ["0.50", "0.50", "0.50"]  # 2/6 over 4/6, 1/6 over 2/6, and their mean
    assert rows[-1][:3] == ["mean of 2 kinds", "0.500 (50.0 %)", "0.750 (25.0 %)"]
    text = perturbation_tables.perturbation_markdown(runs, DATA)
    assert "mean-corruption score" in text
    # 5/6 less 3/6, and 5/6 less 4.5/6.
    assert "regular drops by 33.3 points below" in text and "of MMD by 8.3, a difference of -25.0" in text


@pytest.mark.parametrize("right, words", [
    ((1, 5), "MMD loses less"), ((3, 3), "the difference is not significant"), ((5, 1), "MMD loses more"),
])  # fmt: skip
def test_verdict_on_perturbations_follows_the_paired_interval(right, words):
    runs = {name: perturbed((n_right, n_right)) for name, n_right in zip(("regular", "MMD"), right)}
    (sentence,) = perturbation_tables.perturbation_verdicts(runs)
    assert sentence.endswith(f": {words}.")


def test_runs_perturbed_on_other_galaxies_are_shown_without_a_ratio():
    runs = {"regular": perturbed((2, 4)), "MMD": perturbed((4, 5), obj_ids=range(1, 7))}
    assert {row[-1] for row in perturbation_tables.perturbation_rows(runs)} == {"–"}
    assert perturbation_tables.perturbation_verdicts(runs) == []


def test_mean_is_over_the_kinds_of_all_runs():
    runs = {"regular": perturbed((2, 4)), "MMD": perturbed((3,), names=("rice",))}
    rows = perturbation_tables.perturbation_rows(runs)
    assert rows[2][1:3] == ["0.667 (33.3 %)", "–"]
    assert rows[-1][:3] == ["mean of 1 kind", "0.333 (66.7 %)", "0.500 (50.0 %)"]
