import warnings

import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.metrics.redshifts.point_scores import scores as all_scores
from photoz_morph.photoz.evaluation import run_scores
from photoz_morph.photoz.evaluation.other_scores import evaluate_matched, matched_parts, say_matched
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.evaluation.truth import read_truth
from photoz_morph.photoz.predictions import write_predictions
from tests.support.reports import GRID, photoz_predictions


@pytest.fixture
def files(tmp_path):
    """Predictions without z_spec, as a table of ours and as arrays, and the truth in another order."""
    table = photoz_predictions(n=300, n_flagged=4)
    truth = Table({"objid": table["obj_id"], "z_spec": table["z_spec"], "group_id": np.asarray(table["obj_id"]) // 2})
    truth[::-1].write(tmp_path / "truth.fits")
    np.savez(tmp_path / "arrays.npz", id=table["obj_id"], pdf=table["pdf"], edges=GRID.edges)
    Table({"id": table["obj_id"], "z_phot": table["z_phot"]}).write(tmp_path / "points.csv")
    known = table.copy()
    known["group_id"] = np.asarray(table["obj_id"]) // 2
    table.remove_column("z_spec")
    for suffix in ("fits", "hdf5", "parquet"):
        write_predictions(table, tmp_path / f"ours.{suffix}")
    return tmp_path, known


def matched(folder, name, truth="truth.fits", **options):
    return matched_parts(folder / name, read_truth(folder / truth), **options)


def numbers(scores):
    """All numbers of the scores themselves, without their provenance."""
    if isinstance(scores, dict):
        keys = ("all", "folds", "mean", "coverage") if "all" in scores else scores
        return [number for key in keys for number in numbers(scores[key])]
    if isinstance(scores, list):
        return [number for part in scores for number in numbers(part)]
    return [scores] if isinstance(scores, (int, float)) else []


@pytest.mark.parametrize("suffix", ["fits", "hdf5", "parquet"])
def test_our_own_predictions_get_the_scores_they_would_have_with_the_truth_inside(files, suffix):
    folder, known = files
    scores = evaluate_matched(matched(folder, f"ours.{suffix}"), progress=False)
    expected = evaluate(known, GRID)
    # qp's HDF5 holds densities, and a float32 is rounded on the way back to probabilities
    np.testing.assert_allclose(numbers(scores), numbers(expected), rtol=1e-5 * (suffix == "hdf5"), atol=1e-9)
    assert scores["n_flagged"] == 4 and scores["n_groups"] == expected["n_groups"]
    assert scores["data"] == "simulated" and scores["model"] == "toy" and set(scores["folds"]) == {"0", "1"}


def test_arrays_of_another_program_get_the_same_scores(files):
    folder, known = files
    scores = evaluate_matched(matched(folder, "arrays.npz", simulated=True), progress=False)
    del known["fold"]
    expected = evaluate(known, GRID)
    for name, score in expected["all"].items():
        if isinstance(score, dict):
            assert scores["all"][name]["value"] == pytest.approx(score["value"], rel=1e-4, abs=1e-6), name
    assert scores["n_flagged"] == 4 and scores["n_groups"] == expected["n_groups"]
    assert scores["truth"]["matched_by"] == "id = objid" and "code_of_predictions" not in scores


def test_point_estimates_have_scores_of_points_alone(files):
    folder, known = files
    scores = evaluate_matched(matched(folder, "points.csv"), progress=False)
    good = np.asarray(known["flag"]) == 0
    expected = all_scores(known["z_spec"][good], known["pdf"][good], GRID, known["z_phot"][good])
    assert scores["all"]["sigma_mad"]["value"] == pytest.approx(expected["sigma_mad"], rel=1e-9)
    assert "crps" not in scores["all"] and scores["coverage"] == [] and scores["grid"] is None
    with pytest.raises(ValueError, match="point estimates have no widths"):
        evaluate_matched(matched(folder, "points.csv"), widest_removed=0.1)


def test_two_programs_are_compared_on_the_same_galaxies(files):
    folder, _ = files
    parts = matched(folder, "arrays.npz"), matched(folder, "points.csv")
    comparison = evaluate_matched(*parts, progress=False)["comparison"]
    assert comparison["n_galaxies"] == 296 and set(comparison["methods"]) == {"arrays", "points"}
    assert comparison["differences"]["points"]["sigma_mad"]["value"] == pytest.approx(0, abs=1e-6)


def test_a_file_above_the_memory_is_scored_in_one_pass(files, monkeypatch):
    folder, _ = files
    whole = evaluate_matched(matched(folder, "arrays.npz"), progress=False)
    monkeypatch.setattr(run_scores, "IN_MEMORY_BYTES", 1000)
    parts = evaluate_matched(matched(folder, "arrays.npz"), progress=False)
    assert "sampling" in parts and parts["truth"] == whole["truth"]
    for name in ("bias", "crps", "sigma_mad"):
        assert parts["all"][name]["value"] == pytest.approx(whole["all"][name]["value"], rel=1e-4, abs=1e-6)


def test_what_is_missing_on_either_side_is_said_before_the_work(files):
    folder, known = files
    Table({"obj_id": np.arange(100, 500), "z_spec": np.full(400, 0.2)}).write(folder / "other.csv")
    parts = matched(folder, "ours.fits", "other.csv")
    with pytest.warns(UserWarning, match="200 galaxies of the truth have no prediction; 100 predictions are not in"):
        say_matched(parts)
    assert evaluate_matched(parts, progress=False)["n_galaxies"] == 200
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        say_matched(matched(folder, "ours.fits"))


def test_another_column_may_be_the_point_estimate(files):
    folder, known = files
    scores = evaluate_matched(matched(folder, "ours.fits", point="z_mode"), progress=False)
    good = np.asarray(known["flag"]) == 0
    residual = (known["z_mode"] - known["z_spec"])[good] / (1 + known["z_spec"][good])
    assert scores["all"]["bias"]["value"] == pytest.approx(residual.mean())
    with pytest.raises(ValueError, match="ours.fits: --point names column nothing"):
        matched(folder, "ours.fits", point="nothing")
