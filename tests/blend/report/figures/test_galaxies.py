import numpy as np
import pytest

from photoz_morph.blend.deblending_scores import evaluate_deblended
from photoz_morph.blend.report.figures.curves import deblending_curves
from photoz_morph.blend.report.figures.galaxies import blend_gallery, coverage_figure
from tests.support.blends import deblended_galaxies, toy_blends


@pytest.fixture(scope="module")
def scores():
    tables = {"right": deblended_galaxies(100, n_samples=99), "narrow": deblended_galaxies(100, 0, 99, 0.05, seed=1)}
    return {name: evaluate_deblended(table, n_bootstrap=50) for name, table in tables.items()}


def test_points_are_the_coverage_of_the_samples(scores):
    for axes, kind in zip(coverage_figure(scores, "toy").axes, ("flux", "pixels")):
        lines = {line.get_label(): line for line in axes.lines}
        for name, part in scores.items():
            np.testing.assert_array_equal(lines[name].get_xdata(), part["coverage"]["levels"])
            np.testing.assert_array_equal(lines[name].get_ydata(), [row["value"] for row in part["coverage"][kind]])
        assert np.all(lines["narrow"].get_ydata() < lines["right"].get_ydata())


def test_curves_are_errors_in_bins_of_blendedness(scores):
    figure = deblending_curves(scores, "toy")
    keys = [("flux_error", "median_absolute"), ("flux_error", "median"), ("colour_error", "median_absolute"),
            ("size_error", "median_absolute"), ("size_error", "median"), ("e1_error", "median_absolute")]  # fmt: skip
    for axes, (quantity, statistic) in zip(figure.axes, keys):
        lines = {line.get_label(): line for line in axes.lines}
        rows = scores["right"]["by_blendedness"][quantity]
        expected = [np.nan if row[statistic]["value"] is None else row[statistic]["value"] for row in rows]
        np.testing.assert_array_equal(lines["right"].get_ydata(), np.array(expected, float))


def test_a_row_has_blend_truth_prediction_samples_and_what_is_wrong():
    examples = toy_blends(2)
    figure = blend_gallery(examples, "toy")
    titles = [axes.get_title() for axes in figure.axes[:8]]
    assert titles == ["blend", "true galaxy", "predicted", "sample 1", "sample 2", "sample 3", "predicted - true",
                      "scatter of samples"]  # fmt: skip
    residual = figure.axes[6].images[0].get_array()
    one = examples[0]
    expected = 0.2 * one["truth"].sum(axis=-1) / np.sqrt(np.sum(one["sigma"] ** 2))
    np.testing.assert_allclose(residual, expected)
    scatter = figure.axes[7].images[0].get_array()
    np.testing.assert_allclose(scatter, one["samples"].sum(axis=-1).std(axis=0, ddof=1) / np.sqrt(50), rtol=1e-6)
    assert "flux +20 %" in figure.axes[0].get_ylabel() and "blendedness 30 %" in figure.axes[8].get_ylabel()


def test_without_samples_there_are_no_panels_of_them():
    figure = blend_gallery([{**one, "samples": None} for one in toy_blends(1)], "toy")
    assert [axes.get_title() for axes in figure.axes[:4]] == ["blend", "true galaxy", "predicted", "predicted - true"]
    assert len(figure.axes) == 5  # with the colour bar
