import numpy as np
import pytest
from astropy.stats import binom_conf_interval

from photoz_morph.morph.report.tables import attacks as robustness_tables
from tests.support.attacks import toy_attack

DATA = "simulated galaxies"


@pytest.mark.parametrize("level", [0.68, 0.95])
@pytest.mark.parametrize("counted", [0, 3, 10])
def test_interval_of_a_fraction_is_that_of_wilson(counted, level):
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


def test_more_queries_are_reported_and_do_not_decide():
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
