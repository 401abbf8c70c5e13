import os

import numpy as np
import pytest

from photoz_morph.photoz.evaluation import run_scores
from photoz_morph.photoz.evaluation.run_scores import (
    compare_files,
    current_scores,
    evaluate_file,
    method_names,
    read_together,
)
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.predictions import read_predictions, write_predictions
from photoz_morph.runs.scores import read_scores, write_scores
from tests.support.predictions import FINE_GRID, trial_predictions


@pytest.fixture
def run(tmp_path):
    """A folder with predictions, as of a run."""
    folder = tmp_path / "a" / "run"
    folder.mkdir(parents=True)
    write_predictions(trial_predictions(0.01, n=200), folder / "predictions.fits")
    return folder


def test_a_run_folder_has_the_scores_of_its_predictions(run):
    expected = evaluate(trial_predictions(0.01, n=200), FINE_GRID)
    assert evaluate_file(run) == evaluate_file(run / "predictions.fits") == expected


def test_a_selection_is_scored_alone_and_named(run):
    scores = evaluate_file(run, depth="deep", widest_removed=0.2)
    assert scores["choice"] == "deep, without the widest 20 %" and scores["n_galaxies"] == 40  # 50 of 200 are deep
    with pytest.raises(ValueError, match="predictions.fits: region 'nowhere' is neither like stripes=38-39"):
        evaluate_file(run, without_region="nowhere")


def test_two_runs_of_one_network_are_compared_under_their_paths(run, tmp_path):
    for path, sigma in ((run / "predictions.fits", 0.01), (tmp_path / "other.fits", 0.02)):
        table = trial_predictions(sigma, n=200)
        table.meta["model"] = "inception_photoz"
        write_predictions(table, path)
    comparison = evaluate_file(run, tmp_path / "other.fits")["comparison"]
    assert list(comparison["methods"]) == [str(run / "predictions.fits"), str(tmp_path / "other.fits")]
    assert comparison == compare_of(run, tmp_path / "other.fits", list(comparison["methods"]))


def compare_of(first, second, names):
    """The comparison of two files by the function of tables."""
    from photoz_morph.photoz.evaluation.comparison import compare

    tables = [read_predictions(path)[0] for path in (first / "predictions.fits", second)]
    return compare(dict(zip(names, tables)), dict.fromkeys(names, FINE_GRID))


def test_compared_files_are_named_after_runs_and_files(run, tmp_path):
    for name, sigma in (("knn", 0.02), ("boosting", 0.015)):
        write_predictions(trial_predictions(sigma, n=200), tmp_path / f"{name}.parquet")
    comparison = compare_files([run, tmp_path / "knn.parquet", tmp_path / "boosting.parquet"], n_bootstrap=10)
    assert list(comparison["methods"]) == ["run", "knn", "boosting"] and comparison["n_bootstrap"] == 10
    values = [comparison["methods"][name]["sigma_mad"]["value"] for name in ("run", "boosting", "knn")]
    assert values == sorted(values)


def test_files_are_compared_on_galaxies_of_one_depth(run, tmp_path):
    write_predictions(trial_predictions(0.02, n=200), tmp_path / "other.parquet")
    comparison = compare_files([run, tmp_path / "other.parquet"], 10, "deep")
    assert comparison["n_galaxies"] == 50 and comparison["choice"] == "deep"
    alone = evaluate_file(run, depth="deep")
    assert comparison["methods"]["run"]["crps"]["value"] == pytest.approx(alone["all"]["crps"]["value"])


def test_names_are_as_short_as_tells_them_apart(tmp_path):
    for folder in ("a/run", "b/run", "c/other"):
        (tmp_path / folder).mkdir(parents=True)
    assert method_names([tmp_path / "a/run", tmp_path / "c/other"]) == ["run", "other"]
    assert method_names([tmp_path / "a/run", tmp_path / "b/run"]) == ["a/run", "b/run"]
    assert method_names([tmp_path / "a/run", tmp_path / "a/run/knn.fits"]) == ["run", "knn"]
    with pytest.raises(ValueError, match="predictions.fits: given twice; compare different runs"):
        method_names([tmp_path / "a/run/predictions.fits", tmp_path / "a/run"])


def test_scores_are_kept_until_predictions_are_newer(run):
    table, grid = read_predictions(run / "predictions.fits")
    scores = current_scores(run, table, grid)
    assert read_scores(run / "scores.json") == scores and "comparison" not in scores
    write_scores({**scores, "seed": 77}, run / "scores.json")
    assert current_scores(run, table, grid)["seed"] == 77
    os.utime(run / "scores.json", (1, 1))
    assert current_scores(run, table, grid)["seed"] == 0


def test_scores_of_a_selection_do_not_stand_for_those_of_the_run(run):
    table, grid = read_predictions(run / "predictions.fits")
    write_scores(evaluate_file(run, depth="deep"), run / "scores.json")
    scores = current_scores(run, table, grid)
    assert scores["choice"] == "" and scores["n_galaxies"] == np.sum(table["flag"] == 0) == 200


def test_a_new_baseline_is_compared_with(run):
    table, grid = read_predictions(run / "predictions.fits")
    current_scores(run, table, grid)
    baseline = trial_predictions(0.02, n=200)
    baseline.meta["model"] = "k-NN"
    write_predictions(baseline, run / "knn.fits")
    assert list(current_scores(run, table, grid)["comparison"]["methods"]) == ["predictions", "k-NN"]


@pytest.fixture
def large_files(monkeypatch):
    """Every file is too large for memory, and a sample is of 60 galaxies."""
    monkeypatch.setattr(run_scores, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(run_scores.read_together, "__defaults__", (60,))


def test_a_file_too_large_for_memory_has_the_same_scores_within_the_stated_errors(run, large_files):
    expected, found = evaluate(trial_predictions(0.01, n=200), FINE_GRID), evaluate_file(run, progress=False)
    assert set(found) - {"sampling"} == set(expected) and found["n_galaxies"] == expected["n_galaxies"]
    for name, score in found["all"].items():
        if isinstance(score, dict):
            off = abs(score["value"] - expected["all"][name]["value"])
            assert off <= score.get("streaming_error", 0) + 1e-12, name
    with pytest.raises(ValueError, match="predictions.fits: region 'nowhere' is neither like stripes=38-39"):
        evaluate_file(run, without_region="nowhere", progress=False)


def test_large_files_are_compared_on_the_same_random_sample(run, tmp_path, large_files):
    write_predictions(trial_predictions(0.02, n=200, ids=np.arange(200)[::-1]), tmp_path / "other.parquet")
    comparison = compare_files([run, tmp_path / "other.parquet"], 20)
    assert 30 < comparison["n_galaxies"] < 100 and comparison["share_of_groups"] == pytest.approx(0.3)
    assert comparison["n_left_out"] == {"run": 0, "other": 0}
    both = evaluate_file(run, tmp_path / "other.parquet", progress=False)
    assert both["n_galaxies"] == 200 and both["comparison"]["n_galaxies"] == comparison["n_galaxies"]


def test_a_file_that_fits_in_memory_is_scored_whole_beside_a_larger_one(run, tmp_path, large_files, monkeypatch):
    monkeypatch.setattr(run_scores, "IN_MEMORY_BYTES", 200 * FINE_GRID.n_bins * 4)
    write_predictions(trial_predictions(0.02, n=300), tmp_path / "larger.fits")
    scores = evaluate_file(run, tmp_path / "larger.fits", progress=False)
    assert scores["comparison"]["n_galaxies"] < 100
    assert {**scores, "comparison": None} == {**evaluate(trial_predictions(0.01, n=200), FINE_GRID), "comparison": None}


def test_results_of_a_large_run_are_a_sample_with_the_scores_of_all(run, large_files):
    ((table, grid),) = read_together([run / "predictions.fits"])
    assert 30 < len(table) < 100 and table.meta["sampled"] == pytest.approx(0.3)
    scores = current_scores(run, table, grid)
    assert scores["n_galaxies"] == 200 == read_scores(run / "scores.json")["n_galaxies"]
    assert current_scores(run, table, grid) == scores
