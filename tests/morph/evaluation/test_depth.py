import json

import numpy as np
import pytest

from photoz_morph.morph.evaluation.depth import depth_differences, depth_scores, read_depth, write_depth


def toy_depth(right_of, config="run", n_seeds=3, n=200, seed=0):
    """Results of a run whose networks are right with a probability at each number of years."""
    rng = np.random.default_rng(seed)
    group_id = np.arange(n) // 2
    years = {name: depth_scores(rng.random((n, n_seeds)) < p, group_id) for name, p in right_of.items()}
    galaxies = {"obj_id": list(range(n)), "group_id": group_id.tolist(), "label": (np.arange(n) % 3).tolist()}
    settings = {"seed": 0, "networks": [f"member_{k}" for k in range(n_seeds)]}
    return {"data": "simulated", "config": config, "settings": settings, "galaxies": galaxies, "years": years}


def test_accuracy_and_its_two_errors_of_hand_worked_networks():
    right = np.zeros((8, 2), bool)
    right[:6, 0], right[:4, 1] = True, True
    scores = depth_scores(right, np.arange(8))
    assert scores["seeds"] == [0.75, 0.5] and scores["accuracy"]["value"] == 0.625
    assert scores["n_right"] == [2, 2, 2, 2, 1, 1, 0, 0]
    seeds = np.std([0.75, 0.5], ddof=1) / np.sqrt(2)
    assert scores["accuracy"]["error"] > seeds  # the galaxies add to it
    assert scores["accuracy"]["error"] == pytest.approx(np.hypot(seeds, scores["accuracy"]["error_galaxies"]))


def test_difference_is_paired_by_galaxy_and_of_the_common_depths():
    first, second = toy_depth({"1": 0.6, "10": 0.8}), toy_depth({"0.5": 0.5, "1": 0.9}, seed=1)
    found = depth_differences(second, first)
    assert list(found) == ["1"]
    assert found["1"]["value"] == pytest.approx(
        second["years"]["1"]["accuracy"]["value"] - first["years"]["1"]["accuracy"]["value"]
    )
    assert found["1"]["interval"][0] > 0.1
    same = depth_differences(first, first)["1"]
    assert same["value"] == 0 and same["interval"][0] < 0 < same["interval"][1]  # of the seeds


def test_runs_on_other_galaxies_are_refused_and_files_come_back(tmp_path):
    first, second = toy_depth({"1": 0.6}), toy_depth({"1": 0.6}, n=100)
    with pytest.raises(ValueError, match="different galaxies; run `morph depth` on both together"):
        depth_differences(first, second)
    write_depth(first, tmp_path / "depth.json")
    assert read_depth(tmp_path / "depth.json") == first
    (tmp_path / "depth.json").write_text(json.dumps({"years": {}}))
    with pytest.raises(ValueError, match="depth.json: .*morph depth --overwrite"):
        read_depth(tmp_path / "depth.json")
