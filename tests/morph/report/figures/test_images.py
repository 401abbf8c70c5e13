import numpy as np
import pytest

from photoz_morph.morph.report.figures import images as image_figures
from photoz_morph.morph.report.figures import stretch
from photoz_morph.morph.report.figures.images import composite_sheet
from tests.support.morph import CLASSES
from tests.support.reports import two_arms


@pytest.fixture(scope="module")
def results():
    return two_arms()


def test_examples_have_a_row_for_each_class_and_a_pair_for_each_galaxy(results):
    examples = results.examples
    arguments = examples["image_y10"], examples["image_y1"], examples["label"], CLASSES, "Simulated"
    figure = image_figures.examples_figure(*arguments, n_examples=5)
    assert [axes.get_ylabel() for axes in figure.axes[::5]] == list(CLASSES)
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert len(shown) == 15 and shown[0].shape == (100, 200 + image_figures.GAP)
    grey = stretch.stretch(examples["image_y1"], examples["image_y10"])
    np.testing.assert_array_equal(shown[6][:, -100:], grey[4])  # second row, second galaxy: the fifth of 0, 1, 2, 0, 1


def test_composites_are_shown_with_their_top_above_and_red_from_i():
    simulated = np.zeros((2, 8, 8, 3))
    simulated[0, 0, :, 2] = 255  # the top row, bright in i
    real = np.full((1, 8, 8, 3), 51.0)
    left, right = composite_sheet(simulated, real, "simulated and real").axes
    picture = left.images[0].get_array()
    assert left.images[0].origin == "lower"
    np.testing.assert_allclose(picture[7, :8], np.tile([1.0, 0, 0], (8, 1)))
    np.testing.assert_allclose(right.images[0].get_array()[:8, :8], 0.2)
    assert left.get_title() == "simulated: 2" and right.get_title() == "real: 1"
    assert not composite_sheet(simulated, real[:0], "x").axes[1].images
