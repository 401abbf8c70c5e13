import json

import numpy as np
import pytest

from photoz_morph.photoz.evaluation.comparison import compare
from photoz_morph.photoz.evaluation.diagnostics import colour_cells, dereddened_colours
from photoz_morph.photoz.evaluation.score_parts import evaluate_parts
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.prediction_parts import PredictionParts
from photoz_morph.photoz.predictions import write_predictions
from photoz_morph.surveys import SDSS
from tests.support.colours import GRID, predictions_with_colours


def cells_of(*tables):
    names = [table.meta["model"] for table in tables]
    return colour_cells(dict(zip(names, tables)), dict.fromkeys(names, GRID))


def test_colours_are_dereddened():
    table = predictions_with_colours(n=50)
    colours, names = dereddened_colours(table)
    assert names == ["u-g", "g-r", "r-i", "i-z"] and colours.shape == (50, 4)
    dust = SDSS.extinction_per_ebv[0] - SDSS.extinction_per_ebv[1]
    np.testing.assert_allclose(colours[:, 0], table["mags"][:, 0] - table["mags"][:, 1] - dust * table["ebv"])


def test_magnitudes_may_be_columns_of_each_band():
    table = predictions_with_colours(n=50)
    expected, mags = dereddened_colours(table)[0], table["mags"]
    table.remove_column("mags")
    assert dereddened_colours(table)[0] is None
    for index, band in enumerate("ugriz"):
        table[f"modelMag_{band}"] = mags[:, index]
    np.testing.assert_allclose(dereddened_colours(table)[0], expected)


def test_a_method_that_sees_more_is_less_attenuated_in_every_mean():
    sharp, blunt = predictions_with_colours(0.004, 3000), predictions_with_colours(0.03, 3000, model="k-NN")
    found = cells_of(sharp, blunt)
    network, knn = (found["methods"][name]["at_zero"]["slope"] for name in ("network", "k-NN"))
    assert knn["mean"] < network["mean"] - 10 * network["mean_error"] < 0
    assert found["methods"]["network"]["at_zero"]["z_phot_slope"]["n_cells"] == len(found["cells"]["n"])
    assert sum(found["cells"]["n"]) + found["n_in_blank_cells"] == 3000
    json.dumps(found, allow_nan=False)


def test_galaxies_without_colours_are_counted_and_left_out():
    found = cells_of(predictions_with_colours(n=1500, n_without=200))
    assert found["n_without_colours"] == 200 and found["n_galaxies"] == 1300


def test_there_are_no_cells_without_magnitudes_or_a_known_survey():
    table = predictions_with_colours(n=300)
    assert cells_of(predictions_with_colours(n=20)) is None
    table.meta["survey"] = "mine"
    assert cells_of(table) is None
    assert colour_cells({"network": table}, {"network": GRID}, SDSS)["n_galaxies"] == 300
    table.meta["survey"] = "sdss"
    table.remove_column("ebv")
    assert cells_of(table) is None


def test_point_estimates_have_slopes_but_none_of_pdfs():
    table = predictions_with_colours(n=600)
    table.remove_column("pdf")
    method = colour_cells({"network": table}, {"network": None})["methods"]["network"]
    assert set(method["slope_of_pdfs"]) == {None} and len(method["slope"]) >= 3


def test_scores_comparisons_and_passes_over_a_file_agree(tmp_path):
    table = predictions_with_colours(n=900, fold=np.arange(900) % 2, group_id=np.arange(900) // 2)
    table["flag"][:3] = 1
    write_predictions(table, tmp_path / "p.fits")
    whole = evaluate(table, GRID, 2)["colour_cells"]
    assert whole["n_galaxies"] == 897
    parts = evaluate_parts(PredictionParts(tmp_path / "p.fits"), 2, progress=False)
    assert parts["tomography"] == evaluate(table, GRID, 2)["tomography"] and len(parts["tomography"]["bins"]) == 5
    assert parts["colour_cells"] == whole and parts["sampling"]["diagnostics"]["n_sampled"] == 897
    other = predictions_with_colours(0.03, n=900, model="k-NN")
    both = compare({"network": table, "k-NN": other}, {"network": GRID, "k-NN": GRID}, 2)["colour_cells"]
    assert both["methods"]["network"] == whole["methods"]["network"] and both["cells"] == whole["cells"]
    assert list(both["methods"]) == ["network", "k-NN"]


def test_bins_are_of_good_galaxies_and_as_many_as_asked_for():
    table = predictions_with_colours(n=400)
    table["flag"][:40] = 1
    found = evaluate(table, GRID, 2, n_bins=4)["tomography"]
    assert [one["n"] for one in found["bins"]] == [90] * 4 and found["all"]["n"] == 360
    assert evaluate(table[40:60], GRID, 2)["tomography"] is None


@pytest.mark.parametrize("column, shape", [("mags", (5,)), ("mags", (5, 4))])
def test_magnitudes_of_another_shape_are_no_colours(column, shape):
    table = predictions_with_colours(n=5)
    table[column] = np.zeros(shape)
    assert dereddened_colours(table)[0] is None
