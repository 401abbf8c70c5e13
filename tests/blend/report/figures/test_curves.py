import numpy as np
import pytest

from photoz_morph.blend.evaluation import BLENDEDNESS_EDGES
from photoz_morph.blend.report.figures.curves import blendedness_curves, flux_curves, magnitude_curves
from tests.support.blends import numbered, random_scenes, toy_results


@pytest.fixture(scope="module")
def scores():
    return toy_results(numbered(random_scenes(9, 3))).columns


def values(row):
    return np.array([np.nan if score["value"] is None else score["value"] for score in row])


@pytest.mark.parametrize(
    "draw, panel, keys",
    [
        (magnitude_curves, 0, ("by_magnitude", "completeness")),
        (magnitude_curves, 1, ("by_magnitude", "purity")),
        (blendedness_curves, 0, ("by_blendedness", "completeness")),
        (blendedness_curves, 1, ("by_blendedness", "purity")),
        (blendedness_curves, 2, ("by_blendedness", "source_iou")),
    ],
)
def test_a_curve_has_the_scores_of_its_method(scores, draw, panel, keys):
    axes = draw(scores, "toy").axes[panel]
    lines = {line.get_label(): line for line in axes.lines}
    for name, part in scores.items():
        np.testing.assert_array_equal(lines[name].get_ydata(), values(part[keys[0]][keys[1]]))
    assert lines["net"].get_color() != lines["sep for IoU"].get_color()
    assert not np.allclose(lines["net"].get_xdata(), lines["sep for IoU"].get_xdata())  # their bars do not hide


def test_errors_of_fluxes_are_those_of_all_and_of_found_targets(scores):
    shown = ("of_all", "median_absolute"), ("of_found", "median_absolute"), ("of_found", "median")
    for axes, (kind, statistic) in zip(flux_curves(scores, "toy").axes, shown):
        lines = {line.get_label(): line for line in axes.lines}
        for name, part in scores.items():
            expected = values([row[statistic] for row in part["by_blendedness"]["flux_error"][kind]])
            np.testing.assert_array_equal(lines[name].get_ydata(), expected)
    missed = [row["mean_absolute"]["value"] for row in scores["sep for IoU"]["by_blendedness"]["flux_error"]["of_all"]]
    assert max(value for value in missed if value is not None) > 0.2  # a third of the sources are not found


def test_strongly_blended_bins_are_shaded_and_edges_are_in_per_cent(scores):
    axes = blendedness_curves(scores, "toy").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.1", "1", "3", "10", "30"]
    (shade,) = axes.patches
    strong = np.flatnonzero(BLENDEDNESS_EDGES[:-1] >= 0.1)
    assert shade.get_x() == strong[0] - 0.5 and shade.get_width() == len(strong)
