import numpy as np
import pytest

from photoz_morph.metrics.redshifts.sky_cells import sky_cells
from photoz_morph.photoz.report.figures.sky import bias_map, sky_text, width_map
from tests.support.redshifts import cap


def test_bias_map_is_symmetric_about_zero_and_ringed_where_it_deviates_most():
    ra, dec, values = cap(3000)
    cells = sky_cells(ra, dec, values, n_shuffles=5)
    figure = bias_map(ra, dec, values, "toy", cells)
    axes = figure.axes[0]
    mesh = axes.collections[0]
    assert mesh.norm.vmin == -mesh.norm.vmax
    shown = np.ma.compressed(mesh.get_array())
    assert set(np.round(shown, 9)) == set(np.round(cells.mean, 9))
    (ring,) = [line for line in axes.lines if line.get_label() == "most deviant cell"]
    x, y = np.rad2deg(ring.get_xydata()[0])
    assert (180 - x) % 360 == pytest.approx(cells.ra[cells.extreme]) and y == pytest.approx(cells.dec[cells.extreme])
    bars = [patch for patch in figure.axes[-1].patches if hasattr(patch, "get_data")]
    assert bars[0].get_data().values.sum() == len(cells.cell)


def test_small_field_across_zero_hours_stays_whole_with_east_to_the_left():
    rng = np.random.default_rng(0)
    ra, dec = rng.uniform(-3, 3, 2000) % 360, rng.uniform(-3, 3, 2000)
    axes = width_map(ra, dec, 0.03 + 0.01 * rng.random(2000), "toy").axes[0]
    left, right = axes.get_xlim()
    assert left > right and left - right < 10 and axes.name == "rectilinear"


def test_map_of_five_galaxies_says_too_few():
    ra, dec, values = cap(5)
    figure = bias_map(ra, dec, values, "toy")
    assert "too few cells" in figure.axes[-1].texts[0].get_text()
    assert "too few" in sky_text(sky_cells(ra, dec, values))
