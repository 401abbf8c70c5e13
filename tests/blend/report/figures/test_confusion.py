import numpy as np
import pytest

from photoz_morph.blend.report.figures.confusion import confusion_matrices
from tests.support.blends import numbered, random_scenes, toy_results


def test_confusion_matrices_show_fractions_of_the_true_class():
    scores = toy_results(numbered(random_scenes(9, 3))).columns
    figure = confusion_matrices(scores, "toy")
    assert len(figure.axes) == 2
    for axes, part in zip(figure.axes, scores.values()):
        counts = np.array(part["confusion"])[np.ix_([0, 1, 3], [0, 1, 3])]  # no spheroid, no merger
        shown = np.asarray(axes.images[0].get_array())
        assert shown == pytest.approx(counts / counts.sum(axis=1, keepdims=True))
        names = [label.get_text() for label in axes.get_xticklabels()]
        assert names == ["background", "star", "disk"]
    assert np.array_equal(figure.axes[0].images[0].get_array(), np.eye(3))  # of the truth itself
