import numpy as np
import pytest

from photoz_morph.photoz.report.figures.mean_pdfs import mean_pdfs
from tests.support.redshifts import GRID, calibrated


def test_figure_shows_each_region_beside_its_z_spec():
    z_spec, pdf = calibrated(600)
    north = np.arange(600) < 400
    figure = mean_pdfs({"north": north, "south": ~north}, z_spec, pdf, GRID, "toy")
    upper = figure.axes[1]
    steps = {patch.get_label(): patch for patch in upper.patches if hasattr(patch, "get_data")}
    density = steps["mean PDF"].get_data().values
    assert np.sum(density) * GRID.width == pytest.approx(1)
    assert np.allclose(density, pdf[~north].mean(axis=0) / GRID.width)
    assert "mean PDF, north" in steps and "south, n = 200" in upper.get_title()
    with pytest.raises(ValueError, match="region 'east' has no galaxy"):
        mean_pdfs({"east": north & False}, z_spec, pdf, GRID, "toy")
