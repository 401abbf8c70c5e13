import numpy as np
import pytest

from photoz_morph.morph.report.tables.attack_seeds import (
    attacks_by_seed,
    seed_markdown,
    seed_rows,
    seeds_difference,
    seeds_fraction,
)
from tests.support.attacks import toy_attack


def attack_of(n_flipped, seed_number=1, n=40, **meta):
    """An attack on `n` galaxies of which so many flip."""
    return toy_attack([3] * n_flipped + [None] * (n - n_flipped), seed_number=seed_number, **meta)


def three_networks(*n_flipped, **meta):
    return {f"lattice_network{k}": attack_of(number, k, **meta) for k, number in enumerate(n_flipped, 1)}


def test_networks_of_one_attack_are_joined_and_lone_attacks_are_left_out():
    attacks = {"regular": three_networks(20, 30) | {"evolution": attack_of(5, search="evolution")},
               "MMD": three_networks(10, 12)}  # fmt: skip
    (label,) = found = attacks_by_seed(attacks)
    assert "network" not in label and {run: len(tables) for run, tables in found[label].items()} == {
        "regular": 2, "MMD": 2,
    }  # fmt: skip
    assert not attacks_by_seed({"regular": {"lattice": attack_of(5)}})


def test_attacks_behind_a_defence_or_with_more_pixels_are_attacks_of_their_own():
    plain, defended, sets = three_networks(20, 30), three_networks(1, 2, defence="d4"), three_networks(4, 5, pixels=3)
    attacks = {"regular": plain | {f"d{key}": table for key, table in defended.items()}
               | {f"p{key}": table for key, table in sets.items()}}  # fmt: skip
    assert len(attacks_by_seed(attacks)) == 3


def test_mean_over_networks_has_the_error_of_galaxies_and_of_networks():
    tables = list(three_networks(20, 24, 28).values())
    found = seeds_fraction(tables)
    assert found["seeds"] == [0.5, 0.6, 0.7] and found["value"] == pytest.approx(0.6)
    of_networks = 0.1 / np.sqrt(3)
    # The same galaxies are attacked in all networks: 40 of them with a scatter of their means.
    per_galaxy = np.mean([np.asarray(table["flipped"], float) for table in tables], axis=0)
    assert found["error"] == pytest.approx(np.hypot(of_networks, per_galaxy.std() / np.sqrt(40)), rel=0.1)
    alike = seeds_fraction([tables[0]] * 3)
    assert alike["error"] < found["error"]  # no scatter of the networks


def test_difference_of_runs_is_paired_by_galaxy():
    first, second = ([attack_of(number, k) for k, number in enumerate(numbers, 1)] for numbers in ((20, 22), (10, 12)))
    found = seeds_difference(second, first)
    assert found["value"] == pytest.approx(-0.25)
    assert seeds_difference(first, first)["value"] == 0
    unpaired = np.hypot(seeds_fraction(first)["error"], seeds_fraction(second)["error"])
    assert found["error"] < unpaired


def test_one_group_and_one_network_have_no_error_and_intervals_stay_fractions():
    lone = toy_attack([1, None], group_id=[7, 7])
    assert seeds_fraction([lone])["interval"] == [0.5, 0.5]
    assert seeds_fraction(list(three_networks(40, 39).values()))["interval"][1] <= 1


def test_table_says_who_is_harder_to_flip():
    attacks = {"regular": three_networks(38, 39, 37), "MMD": three_networks(10, 11, 12)}
    text = seed_markdown(attacks, "simulated galaxies")
    assert "MMD is harder to flip than regular" in text and "over 3 against 3 networks" in text
    assert "40 correctly classified test images of simulated galaxies" in text
    rows = seed_rows(attacks)
    assert rows[0][2:5:2] == ["3", "95, 98, 92"] and rows[1][-1].startswith("-67 % (")
    assert seed_markdown({"regular": {"lattice": attack_of(5)}}, "simulated galaxies") == ""
