import json

import numpy as np
import pytest

from photoz_morph.morph.robustness.latent_scores import (
    FRACTIONS,
    LENGTHS,
    compare_latents,
    latent_scores,
    measure_latents,
)
from photoz_morph.robustness.latents.geometry import distances
from tests.support.latents import toy_attack, toy_run

RESAMPLES = 300


@pytest.fixture(scope="module")
def run():
    return toy_run()


@pytest.fixture(scope="module")
def attack(run):
    return toy_attack(*run)


def test_lengths_are_in_the_rows_of_their_galaxies(run, attack):
    table, kernel, bias = run
    mixed = attack[np.random.default_rng(8).permutation(len(attack))]
    measured = measure_latents(table, kernel, bias, mixed)
    assert set(measured.lengths) == set(LENGTHS) and set(measured.fractions) == set(FRACTIONS)
    rows = {obj_id: row for row, obj_id in enumerate(np.asarray(table["obj_id"]).tolist())}
    hit = [rows[obj_id] for obj_id in attack["obj_id"][attack["flipped"]].tolist()]
    way = (attack["latent_attacked"] - attack["latent_y10"])[attack["flipped"]]
    assert measured.lengths["attacked"][hit] == pytest.approx(np.linalg.norm(way, axis=1), rel=1e-6)
    for name in ("attacked", "needed", "y10_y1_flipped", "margin_flipped"):
        assert np.array_equal(np.flatnonzero(np.isfinite(measured.lengths[name])), np.sort(hit))
    # Toy attacks go 1.1 to 1.5 times as far as the border of the class aimed at.
    assert (measured.fractions["crossing"][hit] < 1).all() and np.nanmean(measured.fractions["crossing"]) > 0.5
    assert (measured.fractions["directness"][hit] <= 1 + 1e-9).all()
    noise = (attack["latent_y1"] - attack["latent_y10"])[attack["flipped"]]
    cosine = [way @ noise / np.sqrt(way @ way * (noise @ noise)) for way, noise in zip(way, noise)]
    assert measured.fractions["alignment"][hit] == pytest.approx(cosine, abs=1e-6)
    assert measured.attack["n_attacked"] == 60 and measured.attack["n_flipped"] == 40


def test_margins_of_the_right_are_those_of_rightly_classified_galaxies_alone(run):
    table, kernel, bias = run
    lengths = measure_latents(table, kernel, bias).lengths
    right = np.asarray(table["probability_y10"])[:, 0].argmax(axis=1) == np.asarray(table["label"])
    assert 0 < right.sum() < len(right)
    np.testing.assert_array_equal(np.isfinite(lengths["margin_y10_right"]), right)
    np.testing.assert_array_equal(lengths["margin_y10_right"][right], lengths["margin_y10"][right])


def test_scores_hold_what_a_table_of_distances_needs(run, attack):
    scores = latent_scores(measure_latents(*run, attack), RESAMPLES)
    assert scores["data"] == "simulated" and scores["attack"]["search"] == "lattice"
    flipped = attack[attack["flipped"]]
    by_hand = distances(flipped["latent_y10"], flipped["latent_attacked"])
    found = scores["lengths"]["attacked"]
    assert found["raw"]["value"] == pytest.approx(by_hand["mean"], rel=1e-6)
    assert found["standard_deviation"] == pytest.approx(by_hand["standard_deviation"], rel=1e-6)
    assert found["standard_error"] == pytest.approx(by_hand["standard_error"], rel=1e-6)
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_without_an_attack_there_are_no_lengths_of_it(run):
    scores = latent_scores(measure_latents(*run), RESAMPLES)
    assert scores["attack"] is None and scores["lengths"]["attacked"] is None and scores["shares"]["crossing"] is None
    assert scores["lengths"]["y10_y1"]["n"] == scores["lengths"]["margin_y1"]["n"] == len(run[0])


def test_an_attack_that_flips_nothing_leaves_the_margins(run, attack):
    scores = latent_scores(measure_latents(*run, attack[~attack["flipped"]]), RESAMPLES)
    assert scores["lengths"]["attacked"] is None and scores["attack"]["n_flipped"] == 0
    assert scores["lengths"]["margin_not_flipped"]["n"] == 20


def test_an_attack_on_y1_starts_at_y1(run):
    attack = toy_attack(*run, domain="Y1")
    measured = measure_latents(*run, attack)
    flipped = attack[attack["flipped"]]
    expected = distances(flipped["latent_y1"], flipped["latent_attacked"])["mean"]
    assert np.nanmean(measured.lengths["attacked"]) == pytest.approx(expected, rel=1e-6)
    assert np.nanmax(measured.fractions["crossing"]) <= 1


def test_tables_of_different_networks_are_refused(run, attack):
    table, kernel, bias = run
    with pytest.raises(ValueError, match="another network, predict again"):
        measure_latents(table, 1.5 * kernel, bias)
    with pytest.raises(ValueError, match="takes 5 latents, the predictions hold 6"):
        measure_latents(table, kernel[:5], bias)
    moved = attack.copy()
    moved["latent_y10"][3] += 1
    with pytest.raises(ValueError, match="seed 1, defence none.* of another network or defence: attack the first"):
        measure_latents(table, kernel, bias, moved)
    strange = attack.copy()
    strange["obj_id"][5] = -7
    with pytest.raises(ValueError, match="1 galaxies of the attack are missing in .* obj_id -7"):
        measure_latents(table, kernel, bias, strange)


def test_a_network_that_only_stretches_its_latents_is_not_more_robust(run, attack):
    order = np.random.default_rng(9).permutation(len(run[0]))
    longer = toy_run(stretch=2.3, order=order)
    other = toy_attack(*longer)
    first, second = measure_latents(*run, attack), measure_latents(*longer, other)
    ratios = compare_latents(first, second, RESAMPLES)
    assert ratios["margin_not_flipped"] is None
    for name in ("y10_y1", "margin_y10", "margin_y1", "margin_y10_right"):
        assert ratios[name]["n"] >= 200 and ratios[name]["raw"]["value"] == pytest.approx(2.3, rel=1e-5)
        for unit in ("per_separation", "per_spread"):
            assert ratios[name][unit]["value"] == pytest.approx(1, rel=1e-5)
    both = set(attack["obj_id"][attack["flipped"]].tolist()) & set(other["obj_id"][other["flipped"]].tolist())
    assert ratios["attacked"]["n"] == len(both)


def test_attacks_from_different_depths_are_not_compared(run, attack):
    ratios = compare_latents(measure_latents(*run, attack), measure_latents(*run, toy_attack(*run, domain="Y1")), 100)
    compared = {name for name, ratio in ratios.items() if ratio}
    assert compared == {"y10_y1", "margin_y10", "margin_y1", "margin_y10_right"}


@pytest.mark.parametrize("changes", [{"success": "paper"}, {"max_queries": 50}, {"bounds": "sigma:30"},
                                     {"population": 50}, {"targeted": True}])  # fmt: skip
def test_attacks_with_other_settings_are_not_compared(run, attack, changes):
    others = [measure_latents(*run, toy_attack(*run, **meta)) for meta in (changes, {"defence": "d4"})]
    first = measure_latents(*run, attack)
    compared = [{name for name, ratio in compare_latents(first, other, 100).items() if ratio} for other in others]
    assert compared[0] == {"y10_y1", "margin_y10", "margin_y1", "margin_y10_right"}
    assert "attacked" in compared[1]  # arms may have defences of their own


def test_runs_on_other_galaxies_are_not_compared(run):
    with pytest.raises(ValueError, match="120 galaxies are in only one run"):
        compare_latents(measure_latents(*run), measure_latents(*(run[0][:120], *run[1:])))
