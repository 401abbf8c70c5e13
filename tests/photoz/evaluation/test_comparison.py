import numpy as np
import pytest

from photoz_morph.metrics.fractions import fraction_error
from photoz_morph.metrics.redshifts.point_scores import RATES, SCORES
from photoz_morph.photoz.evaluation.comparison import compare
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.predictions import predictions_table
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.surveys import SDSS
from tests.support.predictions import COARSE_GRID, gaussian_predictions, one_bin_predictions, with_copies


def test_comparison_matches_by_id_whatever_the_order():
    first, grid = gaussian_predictions(0.01, 0.0)
    shuffled, _ = gaussian_predictions(0.01, 0.0, order=np.random.default_rng(1).permutation(3000))
    comparison = compare({"a": first, "b": shuffled}, {"a": grid, "b": grid}, n_bootstrap=20)
    assert comparison["n_galaxies"] == 3000
    for name, difference in comparison["differences"]["b"].items():
        # Of 3000 galaxies none is an outlier in one table alone.
        assert difference["value"] == 0 and difference["error"] == (fraction_error(0, 3000) if name in RATES else 0)


def test_paired_error_is_smaller_than_the_unpaired_one():
    # Both methods share the scatter of 0.02; the second adds a little of its own.
    first, grid = gaussian_predictions(0.0, 0.02)
    second, _ = gaussian_predictions(0.004, 0.02)
    comparison = compare({"a": first, "b": second}, {"a": grid, "b": grid})
    errors = [method["sigma_mad"]["error"] for method in comparison["methods"].values()]
    assert comparison["differences"]["b"]["sigma_mad"]["error"] < 0.8 * np.hypot(*errors)


def test_comparison_gives_the_errors_of_evaluate_and_an_interval_of_1_96_of_them():
    first, grid = gaussian_predictions(0.01, 0.0, n=500)
    second, _ = gaussian_predictions(0.02, 0.0, n=500)
    comparison = compare({"a": first, "b": second}, {"a": grid, "b": grid}, n_bootstrap=50)
    alone = evaluate(second, grid, n_bootstrap=50)["all"]
    for name in SCORES:
        assert comparison["methods"]["b"][name] == pytest.approx(alone[name], rel=1e-9)
        difference = comparison["differences"]["b"][name]
        assert difference["value"] == pytest.approx(alone[name]["value"] - comparison["methods"]["a"][name]["value"])
        assert np.diff(difference["interval"])[0] == pytest.approx(2 * 1.96 * difference["error"])
        assert np.mean(difference["interval"]) == pytest.approx(difference["value"])


def test_error_of_a_shift_that_is_the_same_for_all_galaxies_is_zero():
    # The second method's residuals are the first's and a constant, so nothing is left to be uncertain about.
    first, grid = gaussian_predictions(0.01, 0.0, n=500)
    second = first.copy()
    second["z_phot"] += 0.004 * (1 + second["z_spec"])
    differences = compare({"a": first, "b": second}, {"a": grid, "b": grid}, n_bootstrap=50)["differences"]["b"]
    for name in ("bias", "median_bias"):
        assert differences[name]["value"] == pytest.approx(0.004) and differences[name]["error"] < 1e-12
    assert abs(differences["sigma_iqr"]["value"]) < 1e-12 and differences["crps"]["value"] == 0


def test_methods_may_have_different_grids():
    first, grid = gaussian_predictions(0.01, 0.0, n=500)
    coarse = RedshiftGrid(0.0, 0.4, 90)
    columns = {"obj_id": first["obj_id"], "z_spec": first["z_spec"]}
    pdf = np.asarray(first["pdf"]).reshape(500, 90, 2).sum(axis=2)
    second = predictions_table(columns, pdf, coarse, SDSS, "simulated")
    difference = compare({"a": first, "b": second}, {"a": grid, "b": coarse}, n_bootstrap=20)["differences"]["b"]
    assert difference["sigma_mad"]["value"] == pytest.approx(0, abs=2e-5)  # both means of one PDF
    assert difference["width_68"]["value"] == pytest.approx(0, abs=1e-3)  # half a bin


def test_galaxy_missing_from_one_method_is_left_out_of_all():
    first, grid = gaussian_predictions(0.01, 0.0)
    comparison = compare({"a": first, "b": first[10:]}, {"a": grid, "b": grid}, n_bootstrap=20)
    assert comparison["n_galaxies"] == 2990 and comparison["n_left_out"] == {"a": 10, "b": 0}


def test_comparisons_that_mean_nothing_are_refused():
    z = [0.1, 0.1]
    table, grids = one_bin_predictions([0, 1], z), {"a": COARSE_GRID, "b": COARSE_GRID}
    with pytest.raises(ValueError, match="two methods or more"):
        compare({"a": table}, grids)
    with pytest.raises(ValueError, match="simulated and real"):
        compare({"a": table, "b": one_bin_predictions([0, 1], z, "stacked")}, grids)
    with pytest.raises(ValueError, match="z_spec of 1 galaxies differs .* obj_id 1"):
        compare({"a": table, "b": one_bin_predictions([0, 1], [0.1, 0.2])}, grids)
    other, twice = one_bin_predictions([0, 1], z), one_bin_predictions([0, 1], z)
    other["obj_id"] += 5
    with pytest.raises(ValueError, match="no good galaxy in common"):
        compare({"a": table, "b": other}, grids)
    twice["obj_id"] = 7
    with pytest.raises(ValueError, match="b: obj_id 7 occurs 2 times"):
        compare({"a": table, "b": twice}, grids)


@pytest.mark.parametrize("knows_groups", [("a", "b"), ("b",)])
def test_comparison_resamples_parents_even_if_one_table_does_not_know_them(knows_groups):
    tables = {"a": gaussian_predictions(0.01, 0.0, n=1000)[0], "b": gaussian_predictions(0.012, 0.0, n=1000)[0]}
    grids = dict.fromkeys(tables, RedshiftGrid())
    once = compare(tables, grids)
    copies = {name: with_copies(table) for name, table in tables.items()}
    for name in set(copies) - set(knows_groups):
        copies[name].remove_column("group_id")
    twice = compare(copies, grids)
    assert (twice["n_galaxies"], twice["n_groups"]) == (2000, 1000)
    for name in ("bias", "sigma_mad", "crps"):
        first, second = (part["differences"]["b"][name] for part in (once, twice))
        assert second["value"] == pytest.approx(first["value"])
        assert second["error"] == pytest.approx(first["error"], rel=0.25)
