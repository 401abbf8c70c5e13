import pytest

from photoz_morph.morph.report.attack_choice import attack_tables_of, chosen_attack, own_attacks, set_attacks_of
from tests.support.attacks import toy_attack
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


def test_sets_of_pixels_are_beside_one_pixel_with_their_settings_and_apart_from_others():
    tables = {"one": toy_attack([1]), "two": toy_attack([1], pixels=2), "ten": toy_attack([1], pixels=10),
              "saliency": toy_attack([1], search="saliency")}  # fmt: skip
    run = {"name": "regular", "attacks": {name: (table, None) for name, table in tables.items()}}
    assert list(attack_tables_of([run])["regular"]) == ["one", "saliency"]
    assert list(set_attacks_of([run])["regular"]) == ["one", "two", "ten"]
    run["attacks"] = {name: run["attacks"][name] for name in ("one", "saliency")}
    assert set_attacks_of([run]) == {}


def test_attack_behind_another_defence_is_not_the_runs_own(runs):
    table, images = runs[0]["attacks"]["lattice_y10"]
    other = table.copy()
    other.meta["defence"] = "d4"
    run = {**runs[0], "attacks": {"plain": (table, images), "d4": (other, images)}}
    assert list(own_attacks([run])["regular"]) == ["plain"]
    defended = {**run, "scores": {**run["scores"], "defence": "d4"}}
    assert list(own_attacks([defended])["regular"]) == ["d4"]
