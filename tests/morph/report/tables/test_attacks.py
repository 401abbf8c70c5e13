import numpy as np
import pytest
from astropy.stats import binom_conf_interval

from photoz_morph.morph.evaluation.scores import evaluate_morph
from photoz_morph.morph.report.tables import attacks as robustness_tables
from photoz_morph.morph.report.tables import defences
from photoz_morph.morph.report.tables import (
    latents as latent_tables,
)
from photoz_morph.morph.report.tables import (
    perturbations as perturbation_tables,
)
from photoz_morph.morph.robustness.latent_scores import compare_latents, latent_scores, measure_latents
from tests.support.attacks import attack_on, head_of, perturbed, toy_attack
from tests.support.morph import toy_predictions

DATA = "simulated galaxies"


# Shares and their intervals


@pytest.mark.parametrize("level", [0.68, 0.95])
@pytest.mark.parametrize("counted", [0, 3, 10])
def test_interval_of_a_share_is_that_of_wilson(counted, level):
    expected = binom_conf_interval(counted, 10, level, interval="wilson")
    np.testing.assert_allclose(robustness_tables.wilson_interval(counted / 10, 10, level), expected, atol=1e-12)


def test_galaxies_of_a_group_count_as_one_voice():
    assert robustness_tables.effective_number([1, 2, 3, 4]) == 4
    assert robustness_tables.effective_number([1, 1, 1, 1]) == 1
    assert robustness_tables.effective_number([1, 1, 2, 2]) == 2
    assert robustness_tables.effective_number([1, 1, 1, 2]) == 1.6  # (3 + 1)^2 / (9 + 1)


def test_interval_is_wider_for_galaxies_in_groups():
    single, grouped = (toy_attack([1, None] * 6, group_id=ids) for ids in (range(12), np.arange(12) // 4))
    widths = [np.ptp(robustness_tables.flipped_fraction(table)["interval"]) for table in (single, grouped)]
    assert widths[1] > 1.5 * widths[0]


# The table of attacks


def test_row_of_an_attack_worked_by_hand():
    table = toy_attack([4, 10, None, 6], [None, None, 8, None], max_queries=40)
    (row,) = robustness_tables.attack_rows({"regular": {"lattice_y10": table}})
    low, high = (100 * bound for bound in binom_conf_interval(3, 4, 0.95, interval="wilson"))
    assert row[:3] == ["regular", "lattice, Y10, data range", f"3 of 4, 75 % ({low:.0f} to {high:.0f})"]
    assert row[3].startswith("25 %")
    assert row[4:] == ["7", "16", "2.50"]  # median of 5, 7, 11; mean of 5, 11, 40, 7; median of 1, 2, 3, 4
    assert len(row) == len(robustness_tables.ATTACK_HEADER)


def test_attack_in_vain_has_no_queries_to_a_flip():
    (row,) = robustness_tables.attack_rows({"regular": {"a": toy_attack([None, None])}})
    assert row[2].startswith("0 of 2, 0 % (0 to ") and row[4] == "none"


def test_label_names_the_defence_where_there_is_one():
    assert robustness_tables.attack_label(toy_attack([1]).meta) == "lattice, Y10, data range"
    meta = toy_attack([1], defence="median", bounds="sigma:30", domain="Y1").meta
    assert robustness_tables.attack_label(meta) == "lattice, Y1, within 30 sky sigma, defence 3 x 3 median"


def test_label_names_what_is_not_the_default():
    meta = toy_attack([1], search="evolution", objective="probability", success="paper", population=50).meta
    words = "evolution, Y10, data range, objective probability, success paper, population 50"
    assert robustness_tables.attack_label(meta) == words
    assert robustness_tables.attack_label(toy_attack([1], seed_number=2).meta).endswith(", network 2")


def test_budget_holds_the_queries_of_all_targets():
    attacks = {"regular": {"a": toy_attack([150, None], targeted=True), "b": toy_attack([1])}}
    assert robustness_tables.budget(attacks["regular"]["a"].meta) == 200  # 100 for each of two wrong classes
    assert "up to 100 or 200 queries" in robustness_tables.attack_caption(attacks, DATA)


def test_classes_are_counted_by_what_they_become():
    attack = toy_attack([1, 2, None, 1], label=[0, 0, 0, 2])
    header, rows = robustness_tables.class_rows({"regular": attack})
    assert header[4:] == ["to spiral", "to elliptical", "to merger"]
    assert [row[:3] for row in rows] == [["regular", "spiral", "3"], ["", "merger", "1"]]  # no elliptical was attacked
    assert rows[0][3].startswith("67 %") and rows[0][4:] == ["", "2", "0"] and rows[1][4:] == ["1", "0", ""]


# Two runs attacked


def test_runs_are_compared_on_the_galaxies_attacked_in_both_up_to_one_budget():
    first = toy_attack([5, 5, 5, 5], max_queries=10)
    second = toy_attack([5, 50, None, 3], first_id=1, max_queries=100)  # of galaxies 1 to 4
    result = robustness_tables.compare_attacks(first, second)
    assert (result["n_galaxies"], result["n_queries"], result["flipped"]) == (3, 10, [3, 1])
    assert (result["flips"]["only_first"], result["flips"]["only_second"]) == (0, 2)  # groups in which it resists more
    assert (result["queries"]["only_first"], result["queries"]["only_second"]) == (0, 2)


def test_run_that_resists_in_twelve_groups_is_called_harder():
    attacks = {"regular": {"a": toy_attack([3] * 12)}, "MMD": {"a": toy_attack([None] * 12)}}
    (sentence,) = robustness_tables.attack_verdicts(attacks)
    assert "regular is flipped in 12 and MMD in 0 within 100 queries; MMD is harder to flip" in sentence
    assert "p of the groups 0.00049 for flips" in sentence  # 2 / 2^12
    (sentence,) = robustness_tables.attack_verdicts(dict(reversed(attacks.items())))
    assert "MMD is harder to flip" in sentence


def test_nothing_is_claimed_where_the_groups_do_not_show_it():
    # Twelve galaxies of two groups: the groups have two votes.
    tables = [toy_attack(queries, group_id=np.arange(12) // 6) for queries in ([3] * 12, [None] * 12)]
    (sentence,) = robustness_tables.attack_verdicts({"regular": {"a": tables[0]}, "MMD": {"a": tables[1]}})
    assert "the difference is not significant" in sentence


def test_more_queries_are_told_and_do_not_decide():
    attacks = {"regular": {"a": toy_attack([3] * 12)}, "MMD": {"a": toy_attack([30] * 12)}}
    (sentence,) = robustness_tables.attack_verdicts(attacks)
    assert "is not significant (p of the groups 1 for flips, which decide, 0.00049 for queries)" in sentence


def test_flips_within_the_budget_are_counted_without_their_confirmations():
    # Found with the last of ten queries; the eleventh, and one of another edit that was none, only confirm.
    first, second = toy_attack([10] * 4, max_queries=10), toy_attack([11, 10, 10, None], max_queries=100)
    second["unconfirmed"] = [0, 0, 1, 0]
    second["queries"] += second["unconfirmed"]
    result = robustness_tables.compare_attacks(first, second)
    assert (result["n_queries"], result["flipped"]) == (10, [4, 2])


def test_targeted_attacks_are_compared_up_to_the_budget_of_all_targets():
    tables = [toy_attack([150, 50], targeted=True), toy_attack([199, None], targeted=True)]
    result = robustness_tables.compare_attacks(*tables)
    assert (result["n_queries"], result["flipped"]) == (200, [2, 1])


@pytest.mark.parametrize("changes", [
    {"domain": "Y1"}, {"max_queries": 50}, {"objective": "probability"}, {"success": "paper"}, {"targeted": True},
    {"bounds": "sigma:30"}, {"search": "evolution"}, {"population": 50}, {"seed_number": 2},
])  # fmt: skip
def test_attacks_with_other_settings_are_not_compared(changes):
    attacks = {"regular": {"a": toy_attack([3] * 12)}, "MMD": {"a": toy_attack([None] * 12, **changes)}}
    assert robustness_tables.attack_verdicts(attacks) == []


def test_verdict_names_both_defences():
    attacks = {"regular": {"a": toy_attack([3] * 12)}, "d4": {"a": toy_attack([None] * 12, defence="d4")}}
    (sentence,) = robustness_tables.attack_verdicts(attacks)
    label = "lattice, Y10, data range"
    assert sentence.startswith(f"{label} against {label}, defence mean over flips and rotations: of 12 galaxies")


# Latent distances


def measured(scale=1.0, **changes):
    """Latents of toy predictions, stretched by a factor that the head undoes."""
    table = toy_predictions(n=240, **changes)
    kernel, bias = head_of(table)
    for domain in ("y10", "y1"):
        table[f"latent_{domain}"] = scale * np.asarray(table[f"latent_{domain}"], float)
    return measure_latents(table, kernel / scale, bias, attack_on(table, kernel / scale, bias, n=20))


@pytest.fixture(scope="module")
def latents():
    """Scores and measurements of a run and of the same with a latent space ten times as large."""
    parts = {"regular": measured(), "stretched": measured(10.0)}
    return {name: latent_scores(part, 50) for name, part in parts.items()}, parts


def test_scale_free_rows_are_the_same_for_a_stretched_latent_space(latents):
    rows = latent_tables.latent_rows(latents[0], {})
    assert [row[0] for row in rows if row[0]] == ["latent unit", "class separation", "class width"]
    for number, (_, name, first, second, _) in enumerate(rows):
        values = [float(cell.split(" ± ")[0]) for cell in (first, second)]
        if number < 4:
            assert values[1] == pytest.approx(10 * values[0], rel=0.02), name  # two or three digits are printed
        else:
            assert first == second, name


def test_rows_are_those_of_the_papers_table(latents):
    rows = latent_tables.latent_rows({"regular": latents[0]["regular"]}, {})
    part = latents[1]["regular"]
    steps = part.lengths["attacked"][np.isfinite(part.lengths["attacked"])]
    (cell,) = [row[2] for row in rows[:4] if row[1] == "Y10 - one-pixel"]
    digits = 1 if steps.mean() >= 10 else 2
    assert cell.startswith(f"{steps.mean():.{digits}f} ± {steps.std():.{digits}f} (")
    assert [row[1] for row in rows[:3]] == ["Y10 - Y1, all", "Y10 - Y1, flipped", "Y10 - one-pixel"]


def test_verdict_does_not_take_a_stretched_space_for_a_harder_attack(latents):
    scores, parts = latents
    ratios = {"stretched": compare_latents(parts["regular"], parts["stretched"], 50)}
    sentences = latent_tables.latent_verdicts(scores, ratios)
    words = "The distance to the attacked image is 10.00 (10.00 to 10.00) times as long in stretched"
    assert sentences[0].startswith(words)
    assert "and 1.00 (1.00 to 1.00) times in units of the class separation" in sentences[0]
    text = latent_tables.latent_markdown(scores, DATA, ratios)
    assert "10.00 (10.00 to 10.00)" in text
    assert "16 flipped of 20 attacked (lattice, Y10, data range, up to 100 queries)" in text


def test_latent_table_names_the_attack_of_each_run(latents):
    regular, stretched = latents[0].values()
    attack = stretched["attack"] | {"domain": "Y1", "success": "paper", "targeted": True}
    runs = {"regular": regular, "stretched": stretched | {"attack": attack}}
    caption = latent_tables.latent_caption(runs, DATA)
    assert "(lattice, Y10, data range, up to 100 queries); stretched" in caption
    assert "(lattice, Y1, data range, targeted, success paper, up to 200 queries)" in caption
    assert "Y10 or Y1 - one-pixel" in [row[1] for row in latent_tables.latent_rows(runs, {})]


@pytest.mark.parametrize("interval, words", [
    ([0.8, 1.2], "the difference is not significant"), ([1.1, 1.5], "longer in MMD"), ([0.5, 0.9], "shorter in MMD"),
])  # fmt: skip
def test_verdict_follows_the_scale_free_interval(interval, words):
    ratio = {"n": 30, "raw": {"value": 2.3, "interval": [2.0, 2.6]}}
    ratio["per_separation"] = {"value": np.mean(interval), "interval": interval}
    ratios = {"MMD": {"attacked": ratio, "y10_y1": None}}
    (sentence,) = latent_tables.latent_verdicts({"regular": {}, "MMD": {}}, ratios)
    assert "2.30 (2.00 to 2.60) times as long in MMD as in regular, raw" in sentence
    assert sentence.endswith(f"scale-free, {words}.")


# Defences


def test_attack_behind_another_defence_takes_no_scores_of_the_network_without(latents):
    scores = evaluate_morph(toy_predictions(n=240), 20)
    attacks = [toy_attack([1, 2, 3, None]), toy_attack([1, None, None, None], defence="median")]
    entries = {"regular": {"scores": scores, "attack": attacks, "latent": latents[0]["regular"]}, "noise": {
        "scores": scores, "attack": [], "latent": None}}  # fmt: skip
    own, median, other = defences.defence_rows(entries)
    accuracy = scores["domains"]["Y1"]["mean"]["accuracy"]
    assert own[:2] == ["regular", "none"] and own[3] == f"{accuracy['value']:.3f} ± {accuracy['error']:.3f}"
    assert own[4].startswith("75 %") and median[4].startswith("25 %")
    margin = latents[0]["regular"]["lengths"]["margin_y1"]["per_separation"]
    assert own[7] == f"{margin['value']:.3f} ± {margin['error']:.3f}"
    assert median[:4] == ["", "3 x 3 median", "–", "–"] and median[6:] == ["–", "–"]
    assert other[0] == "noise" and other[4:] == ["–"] * 4
    assert "lattice, Y10, data range" in defences.defence_caption(entries, DATA)


def test_first_table_behind_a_defence_counts():
    scores = evaluate_morph(toy_predictions(n=240), 20)
    attacks = [toy_attack([1, 2, 3, None]), toy_attack([None] * 4)]
    (row,) = defences.defence_rows({"regular": {"scores": scores, "attack": attacks, "latent": None}})
    assert row[4].startswith("75 %")


# Perturbations


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
