import numpy as np
import pytest

from photoz_morph.morph.report.figures import images as image_figures
from photoz_morph.morph.report.figures import stretch
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
