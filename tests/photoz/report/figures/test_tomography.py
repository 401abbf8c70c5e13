import numpy as np
import pytest

from photoz_morph.photoz.evaluation.diagnostics import tomography
from photoz_morph.photoz.report.figures.tomography import redshift_distributions
from tests.support.colours import GRID, predictions_with_colours
from tests.support.figures import steps


@pytest.fixture(scope="module")
def drawn():
    table = predictions_with_colours(n=900)
    z_spec, z_phot, pdf = np.asarray(table["z_spec"]), np.asarray(table["z_phot"]), np.asarray(table["pdf"])
    found = tomography(table, GRID, 3)
    return redshift_distributions(z_spec, z_phot, pdf, GRID, found, "toy", 3), found


def test_stacked_pdfs_and_histograms_of_a_bin_have_its_share_of_the_galaxies(drawn):
    figure, _ = drawn
    areas = [np.sum(step.get_data().values * np.diff(step.get_data().edges)) for step in steps(figure.axes[0])]
    np.testing.assert_allclose(np.reshape(areas, (3, 3)), 1 / 3, rtol=0.02)  # filled, outline and PDFs of each bin


def test_shifts_are_those_of_the_scores(drawn):
    figure, found = drawn
    for container, key in zip(figure.axes[1].containers, ("shift", "z_phot_shift"), strict=True):
        shown = np.array(container.lines[0].get_ydata(), float)
        np.testing.assert_allclose(shown, [one[key] for one in found["bins"]])
