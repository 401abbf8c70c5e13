import numpy as np
import pytest

from photoz_morph.metrics.checks import scored_rows
from photoz_morph.metrics.fractions import fraction_error
from photoz_morph.metrics.redshifts.pit_tests import COVERAGE_LEVELS
from photoz_morph.metrics.redshifts.point_scores import SCORES
from photoz_morph.photoz.evaluation.comparison import compare
from photoz_morph.photoz.evaluation.scores import evaluate, mean_over_folds
from photoz_morph.runs.scores import read_scores, write_scores
from tests.support.predictions import COARSE_GRID, gaussian_predictions, one_bin_predictions, with_copies


def test_last_row_of_the_papers_table_is_mean_and_population_deviation():
    # Pasquet et al. (2019), Table 1, rows of five digits: the mean has their rounding.
    published = zip([8, 9, 18, 11, 2], [914, 908, 913, 912, 910], [31, 31, 32, 31, 29])
    folds = {}
    for number, (bias, sigma_mad, eta) in enumerate(published):
        values = dict.fromkeys(SCORES, 0.0) | {"bias": bias * 1e-5, "sigma_mad": sigma_mad * 1e-5, "eta": eta * 1e-4}
        folds[str(number)] = {"n_galaxies": 1} | {name: {"value": v, "error": 0.0} for name, v in values.items()}
    mean = mean_over_folds(folds)
    assert mean["bias"]["value"] == pytest.approx(0.00010, abs=1e-5)
    assert round(mean["bias"]["sd_over_folds"], 5) == 5e-5  # 6e-5 had they divided by four
    assert mean["sigma_mad"]["value"] == pytest.approx(0.00912, abs=1e-5)
    assert round(mean["sigma_mad"]["sd_over_folds"], 5) == 2e-5
    assert mean["eta"]["value"] == pytest.approx(0.0031, abs=5e-5)
    assert mean["eta"]["sd_over_folds"] == pytest.approx(0.00009, abs=1e-5)


def test_scores_of_two_folds_worked_by_hand():
    z_spec, fold = np.array([0.05, 0.15, 0.25, 0.25]), np.array([0, 0, 1, 1])
    scores = evaluate(one_bin_predictions([0, 1, 2, 1], z_spec, fold=fold), COARSE_GRID, n_bootstrap=20)
    assert scores["folds"]["0"]["bias"]["value"] == pytest.approx(0, abs=1e-12)
    assert scores["folds"]["1"]["bias"]["value"] == pytest.approx(-0.08 / 2)  # -0.1 / 1.25 and 0
    assert scores["mean"]["bias"]["value"] == pytest.approx(-0.02)
    assert scores["mean"]["bias"]["sd_over_folds"] == pytest.approx(0.02)
    assert scores["all"]["eta"]["value"] == pytest.approx(0.25)
    assert scores["folds"]["1"]["n_galaxies"] == 2 and scores["mean"]["n_galaxies"] == 4


def test_flagged_and_unknown_are_counted_and_change_no_score():
    z_spec = np.array([0.05, 0.15, np.nan, 0.25, np.nan])
    scores = evaluate(one_bin_predictions([0, 1, 1, None, None], z_spec), COARSE_GRID, n_bootstrap=20)
    clean = evaluate(one_bin_predictions([0, 1], z_spec[:2]), COARSE_GRID, n_bootstrap=20)
    assert (scores["n_galaxies"], scores["n_flagged"], scores["n_without_z_spec"]) == (2, 2, 1)
    assert scores["all"] == clean["all"]


def test_galaxy_beyond_the_grid_is_scored_and_counted():
    scores = evaluate(one_bin_predictions([0, 3], np.array([0.05, 0.6])), COARSE_GRID, n_bootstrap=20)
    assert scores["n_outside_grid"] == 1 and scores["all"]["eta"]["value"] == 0.5


def test_scores_say_whether_galaxies_are_real():
    for origin, data in (("simulated", "simulated"), ("stacked", "real"), ("catalogue", "real")):
        assert evaluate(one_bin_predictions([0, 1], [0.1, 0.1], origin), COARSE_GRID, 20)["data"] == data


def test_bootstrap_error_of_bias_is_sigma_over_root_n():
    table, grid = gaussian_predictions(0.01, 0.0)
    residual = (table["z_phot"] - table["z_spec"]) / (1 + table["z_spec"])
    error = evaluate(table, grid, n_bootstrap=400)["all"]["bias"]["error"]
    assert error == pytest.approx(np.std(residual) / np.sqrt(3000), rel=0.15)  # 4 / sqrt(2 x 400)


def test_coverage_of_all_galaxies_is_that_of_their_pit():
    # PIT 1/2, 1 and 0: one galaxy of three is inside every central interval.
    scores = evaluate(one_bin_predictions([0, 1, 2], [0.05, 0.25, 0.15]), COARSE_GRID, n_bootstrap=20)
    assert [part["level"] for part in scores["coverage"]] == list(COVERAGE_LEVELS)
    assert all(part["value"] == pytest.approx(1 / 3) and part["error"] > 0 for part in scores["coverage"])


def test_every_score_has_a_value_and_an_error_in_every_row():
    table, grid = gaussian_predictions(0.01, 0.0, n=200)
    table["fold"] = np.arange(200) % 2
    scores = evaluate(table, grid, n_bootstrap=20)
    for part in (scores["folds"]["0"], scores["folds"]["1"], scores["mean"], scores["all"]):
        assert set(SCORES) <= set(part) and all(part[name]["error"] >= 0 for name in SCORES)
    assert scores["all"]["sigma_iqr"]["error"] > 0 and scores["all"]["pit_ad"]["error"] > 0


def test_a_fold_of_one_galaxy_is_refused():
    table = one_bin_predictions([0, 1, 2], [0.1, 0.1, 0.1], fold=np.array([0, 0, 3]))
    with pytest.raises(ValueError, match="fold 3: scores need two galaxies or more"):
        evaluate(table, COARSE_GRID)


def test_scores_survive_json(tmp_path):
    table = one_bin_predictions([0, 1] * 2, [0.1] * 4, fold=np.array([0, 0, 1, 1]))
    scores = evaluate(table, COARSE_GRID, n_bootstrap=20)
    write_scores(scores, tmp_path / "scores.json")
    assert read_scores(tmp_path / "scores.json") == scores


def test_other_and_truncated_json_is_refused(tmp_path):
    path = tmp_path / "scores.json"
    path.write_text('{"data": ')
    with pytest.raises(ValueError, match="not a file of scores, or truncated"):
        read_scores(path)
    path.write_text('{"bias": 0.1}')
    with pytest.raises(ValueError, match="not a file of photoz scores, it lacks data; evaluate again"):
        read_scores(path)
    with pytest.raises(FileNotFoundError, match="photoz evaluate"):
        read_scores(tmp_path / "absent.json")


def test_nothing_left_to_score_is_an_error():
    with pytest.raises(ValueError, match="of 2 predictions 1 are flagged, 1 lack z_spec"):
        evaluate(one_bin_predictions([None, 0], [0.1, np.nan]), COARSE_GRID)
    table = one_bin_predictions([0], [0.1])
    table.remove_column("z_spec")
    with pytest.raises(ValueError, match="no column z_spec"):
        evaluate(table, COARSE_GRID)


def test_copies_of_a_parent_are_resampled_together():
    table, grid = gaussian_predictions(0.01, 0.0, n=1000)
    once, twice = evaluate(table, grid), evaluate(with_copies(table), grid)
    assert (once["n_groups"], twice["n_groups"], twice["n_galaxies"]) == (1000, 1000, 2000)
    assert twice["folds"]["0"]["n_groups"] == 1000
    for name in ("bias", "sigma_mad", "crps", "pit_std"):
        assert twice["all"][name]["value"] == pytest.approx(once["all"][name]["value"])
        assert twice["all"][name]["error"] == pytest.approx(once["all"][name]["error"], rel=0.25)  # 3.5 / sqrt(200)
    copies = with_copies(table)
    copies.remove_column("group_id")
    assert evaluate(copies, grid)["all"]["bias"]["error"] < 0.85 * once["all"]["bias"]["error"]
    for part, of_copies in zip(once["coverage"], twice["coverage"]):
        assert of_copies["error"] == pytest.approx(part["error"], rel=0.01)


def test_galaxies_of_one_parent_have_no_error():
    table = one_bin_predictions([0, 1, 2], [0.1, 0.1, 0.1], group_id=np.array([5, 5, 5]))
    with pytest.raises(ValueError, match="fold 0: all 3 galaxies have group_id 5"):
        evaluate(table, COARSE_GRID)


def test_no_outlier_among_few_galaxies_is_no_proof_that_there_are_none():
    table, grid = gaussian_predictions(0.001, 0.0, n=40)
    scores = evaluate(table, grid)["all"]
    assert scores["eta"] == {"value": 0, "error": pytest.approx(fraction_error(0, 40))}
    assert scores["outlier_rate"]["error"] > 0
    difference = compare({"a": table, "b": table}, {"a": grid, "b": grid})["differences"]["b"]["eta"]
    assert difference["value"] == 0 and difference["error"] > 0


def test_one_fold_does_not_scatter():
    scores = evaluate(one_bin_predictions([0, 1], [0.1, 0.1]), COARSE_GRID, n_bootstrap=20)
    assert all(scores["mean"][name]["sd_over_folds"] is None for name in SCORES)


def test_scores_say_which_galaxies_were_chosen():
    table = one_bin_predictions([0, 1], [0.1, 0.1])
    assert evaluate(table, COARSE_GRID, 20)["choice"] == ""
    assert evaluate(table, COARSE_GRID, 20, choice="depth deep")["choice"] == "depth deep"
    tables, grids = {"a": table, "b": table}, {"a": COARSE_GRID, "b": COARSE_GRID}
    assert compare(tables, grids, 20, choice="depth deep")["choice"] == "depth deep"


def test_rows_that_can_be_scored_have_a_pdf_and_a_redshift():
    table = one_bin_predictions([0, None, 1, 2], [0.1, 0.1, np.nan, 0.2])
    np.testing.assert_array_equal(scored_rows(table), [True, False, False, True])
    table.remove_column("z_spec")
    assert not scored_rows(table).any()
