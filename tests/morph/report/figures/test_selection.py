import numpy as np

from photoz_morph.metrics.selection.scores import SCORES
from photoz_morph.morph.report.figures.selection import selection_figure
from tests.support.selection import toy_selection


def test_every_score_has_a_panel_with_all_networks_and_its_choice():
    selection = toy_selection()
    figure = selection_figure(selection, "toys")
    assert len(figure.axes) == len(SCORES)
    for axes, (score, (title, sign, _)) in zip(figure.axes, SCORES.items()):
        assert axes.get_title().startswith(title)
        lines = {line.get_label(): line for line in axes.get_lines()}
        for run, part in selection["runs"].items():
            np.testing.assert_allclose(lines[run].get_xdata(), part["networks"][score])
            np.testing.assert_allclose(lines[run].get_ydata(), part["networks"]["accuracy"])
        run, number = selection["choices"][score]["network"]
        assert lines["chosen by the score"].get_xdata()[0] == selection["runs"][run]["networks"][score][number - 1]
        assert axes.xaxis_inverted() == (sign < 0)  # better to the right
