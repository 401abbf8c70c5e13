import pytest

from photoz_morph.morph.report.attack_choice import chosen_attack, own_attacks
from tests.support.reports import attacked_runs


@pytest.fixture(scope="module")
def runs():
    return attacked_runs()


def test_attack_of_most_runs_is_shown_then_of_most_galaxies(runs):
    table = runs[0]["attacks"]["lattice_y10"][0]
    attacks = {"a": {"one": table, "two": table[:5]}, "b": {"two": table[:5]}}
    assert chosen_attack(attacks)[0] == "two"
    assert chosen_attack({"a": attacks["a"]})[0] == "one"
    assert chosen_attack(attacks, "Y1") == (None, {})


def test_attack_behind_another_defence_is_not_the_runs_own(runs):
    table, images = runs[0]["attacks"]["lattice_y10"]
    other = table.copy()
    other.meta["defence"] = "d4"
    run = {**runs[0], "attacks": {"plain": (table, images), "d4": (other, images)}}
    assert list(own_attacks([run])["regular"]) == ["plain"]
    defended = {**run, "scores": {**run["scores"], "defence": "d4"}}
    assert list(own_attacks([defended])["regular"]) == ["d4"]
