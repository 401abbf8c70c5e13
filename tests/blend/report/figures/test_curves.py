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


def test_errors_of_fluxes_of_all_count_those_not_found(scores):
    every, found, _ = flux_curves(scores, "toy").axes
    of_all, of_found = ({line.get_label(): line.get_ydata() for line in axes.lines} for axes in (every, found))
    assert np.nanmax(of_all["sep for IoU"]) == 1 and np.nanmax(of_found["sep for IoU"]) < 1e-6
    assert np.nanmax(of_all["net"]) < 1e-6


def test_strongly_blended_bins_are_shaded_and_edges_are_in_per_cent(scores):
    axes = blendedness_curves(scores, "toy").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.1", "1", "3", "10", "30"]
    (shade,) = axes.patches
    strong = np.flatnonzero(BLENDEDNESS_EDGES[:-1] >= 0.1)
    assert shade.get_x() == strong[0] - 0.5 and shade.get_width() == len(strong)
