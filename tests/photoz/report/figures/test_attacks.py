import numpy as np
import pytest

from photoz_morph.photoz.report.figures.attacks import moved_curves, worst_galaxies
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.surveys import SDSS
from tests.support.figures import steps
from tests.support.redshift_attacks import attacked


def test_the_fraction_moved_rises_with_the_change():
    electrons = np.array([100.0, 200, 400, np.nan])
    tables = {"a_ensemble": attacked(electrons)[0], "a_network1": attacked(electrons / 2, "network1")[0]}
    figure = moved_curves(tables, "Simulated galaxies")
    left, right = figure.axes
    for axes, scale in ((left, 1), (right, 20)):
        ensemble, single = axes.get_lines()
        assert np.allclose(ensemble.get_xdata() * scale, [100, 200, 400])
        assert np.allclose(single.get_xdata() * scale, [50, 100, 200])
        assert np.allclose(ensemble.get_ydata(), [0.25, 0.5, 0.75]) and axes.get_xscale() == "log"
        assert ensemble.get_color() != single.get_color()


def test_the_galaxies_moved_by_the_least_are_shown_with_their_hits():
    electrons = np.where(np.arange(9) == 4, np.nan, 100.0 * (9 - np.arange(9)))
    table, images = attacked(electrons)
    figure = worst_galaxies(table, images, SDSS, RedshiftGrid(), "Simulated galaxies")
    titles = [axes.get_title() for axes in figure.axes]
    assert [title for title in titles[::3]] == ["8", "7", "6", "5", "3", "2"]
    assert titles[1] == "100 e$^-$, 5 $\\sigma$\ng brighter"
    circle = figure.axes[1].collections[0].get_offsets()
    assert np.array_equal(circle, [[40, 20]])
    before, after = (patch.get_data() for patch in steps(figure.axes[2])[:2])
    assert before.edges[np.argmax(after.values)] > before.edges[np.argmax(before.values)] + 0.07


def test_a_gallery_without_a_moved_galaxy_is_refused():
    table, images = attacked([np.nan, np.nan])
    with pytest.raises(ValueError, match="got none of 2"):
        worst_galaxies(table, images, SDSS, RedshiftGrid(), "")
