"""Scores of a file in one pass against those of the table in memory."""

import numpy as np
import pytest

from photoz_morph.metrics.redshifts.point_scores import SCORES
from photoz_morph.photoz.evaluation.score_parts import GroupSample, evaluate_parts
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.evaluation.trials import select
from photoz_morph.photoz.prediction_parts import PredictionParts
from photoz_morph.photoz.predictions import read_predictions, write_predictions
from tests.support.predictions import trial_predictions


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Predictions of 3,000 galaxies, some flagged or without redshift, in groups of three inside a fold."""
    path = tmp_path_factory.mktemp("parts") / "p.parquet"
    table = trial_predictions(0.02, n=3000)
    table["group_id"] = np.arange(3000) % 1000
    table["fold"] = table["group_id"] % 5
    table["flag"][[5, 77]], table["z_spec"][[6, 1500]] = 1, np.nan
    write_predictions(table, path)
    return path


def check_scores(found, expected, names=SCORES):
    """Values within their streaming error, and errors as they are."""
    for name in names:
        off = abs(found[name]["value"] - expected[name]["value"])
        scale = max(1, abs(expected[name]["value"]))
        assert off <= found[name].get("streaming_error", 0) + 1e-12 * scale, name
        assert found[name]["error"] == pytest.approx(expected[name]["error"], rel=1e-9), name


def test_one_pass_gives_the_scores_of_the_table_with_the_same_errors(path):
    table, grid = read_predictions(path)
    expected, found = evaluate(table, grid, 30), evaluate_parts(PredictionParts(path, 400), 30, progress=False)
    assert set(found) - {"sampling"} == set(expected)
    for key in ("n_galaxies", "n_flagged", "n_without_z_spec", "n_groups", "n_outside_grid", "data", "grid", "model"):
        assert found[key] == expected[key], key
    assert list(found["folds"]) == list(expected["folds"])
    for fold, scores in expected["folds"].items():
        check_scores(found["folds"][fold], scores)
    check_scores(found["all"], expected["all"])
    for name in SCORES:
        assert found["mean"][name]["error"] == pytest.approx(expected["mean"][name]["error"], rel=1e-9)
    for one, other in zip(found["coverage"], expected["coverage"], strict=True):
        assert one == pytest.approx(other, rel=1e-9)
    assert found["sampling"]["all"] == {"n_sampled": 2996, "share_of_groups": 1.0}


@pytest.mark.parametrize("selection", [("deep", None, 0.0), ("all", "ra=100-150 dec=0-60", 0.0), ("all", None, 0.2)])
def test_a_selection_of_galaxies_is_that_of_the_table(path, selection):
    table, grid = read_predictions(path)
    expected = evaluate(table[select(table, *selection)], grid, 5)
    found = evaluate_parts(PredictionParts(path, 700), 5, selection=selection, progress=False)
    assert found["n_galaxies"] == pytest.approx(expected["n_galaxies"], abs=2 if selection[2] else 0)
    assert found["all"]["crps"]["value"] == pytest.approx(expected["all"]["crps"]["value"], rel=2e-3)


def test_errors_of_a_sample_are_those_of_all_galaxies_scaled(path):
    table, grid = read_predictions(path)
    expected = evaluate(table, grid, 400)["all"]
    found = evaluate_parts(PredictionParts(path), 400, sample_rows=800, progress=False)
    sampling = found["sampling"]["all"]
    assert sampling["share_of_groups"] == 0.25 and 500 < sampling["n_sampled"] < 1000
    # 250 groups of 1,000: the number of groups is known to 5 %.
    assert found["n_groups"] == pytest.approx(1000, rel=0.15)
    ratio = {name: found["all"][name]["error"] / expected[name]["error"] for name in SCORES}
    for name in ("bias", "sigma_mad", "crps", "pit_std", "width_68", "sigma_iqr"):
        assert 0.7 < ratio[name] < 1.4, (name, ratio)  # 250 groups: 5 % of a standard deviation, more of a skewed one
    assert ratio["pit_cvm"] > 0.7 and ratio["pit_ad"] > 0.7  # upper limits


def test_what_cannot_be_scored_is_named(tmp_path):
    table = trial_predictions(0.02, n=50)
    table["z_spec"] = np.nan
    write_predictions(table, tmp_path / "none.fits")
    with pytest.raises(ValueError, match="no galaxy to score: of 50 predictions 0 are flagged, 50 lack z_spec"):
        evaluate_parts(PredictionParts(tmp_path / "none.fits"), progress=False)
    table.remove_column("z_spec")
    write_predictions(table, tmp_path / "column.fits")
    with pytest.raises(ValueError, match="no column z_spec"):
        evaluate_parts(PredictionParts(tmp_path / "column.fits"), progress=False)


def test_a_sample_has_whole_groups_and_a_bounded_number_of_rows():
    sample, seen = GroupSample(1000), []
    rng = np.random.default_rng(2)
    for _ in range(50):
        group = rng.integers(0, 5000, 400)
        seen.append(group)
        sample.add(group, {"value": group * 2.0})
        assert sample.n_rows <= 1000
    rows, group = sample.rows()
    everything = np.concatenate(seen)
    assert len(group) == np.isin(everything, np.unique(group)).sum()
    assert np.array_equal(rows["value"], group * 2.0) and set(rows) == {"value"}
    assert sample.n_groups == pytest.approx(len(np.unique(everything)), rel=0.25)
