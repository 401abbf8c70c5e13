import numpy as np
import pytest

from photoz_morph.photoz.report.figures.sample import linear_rgb, random_stamps, redshifts_and_magnitudes, sky_map
from photoz_morph.surveys import SDSS
from tests.support.figures import gaussian_redshifts, steps


def test_sample_histograms_hold_every_galaxy():
    z_spec, z_phot = gaussian_redshifts(500)
    r_mag = np.random.default_rng(0).uniform(14.5, 17.8, 500)
    redshift, magnitude, plane = redshifts_and_magnitudes(z_spec, z_phot, r_mag, "toy").axes[:3]
    assert steps(redshift)[0].get_data().values.sum() == 500
    assert steps(magnitude)[0].get_data().values.sum() == 500
    assert plane.collections[0].get_array().sum() == 500
    assert plane.get_ylim()[0] > plane.get_ylim()[1]  # bright galaxies at the top
    assert "[mag]" in magnitude.get_xlabel() and "[mag]" in plane.get_ylabel()


def test_sample_without_magnitudes_says_so():
    figure = redshifts_and_magnitudes(*gaussian_redshifts(50), np.full(50, np.nan), "toy")
    assert "no magnitudes" in [text.get_text() for text in figure.axes[1].texts]


def test_sky_map_shows_the_mean_reddening_where_the_galaxies_are_with_east_left():
    ra, dec = np.array([201.0, 201.0, 30.9]), np.array([31.0, 31.0, -10.9])
    axes = sky_map(ra, dec, [0.1, 0.3, 0.05], "toy").axes[0]
    mesh = axes.collections[0]
    cells = np.ma.masked_array(mesh.get_array())
    corners = np.rad2deg(mesh.get_coordinates()[:-1, :-1])
    found = {tuple(corners[row, column]): cells[row, column] for row, column in np.argwhere(~cells.mask)}
    # RA 201 lies 21 deg to the left of the centre at RA 180; RA 30.9 wraps round to 149.1 on the right.
    assert {(round(x), round(y)): round(float(value), 3) for (x, y), value in found.items()} == {
        (-22, 30): 0.2, (148, -12): 0.05
    }  # fmt: skip


def test_small_field_across_ra_zero_stays_in_one_piece():
    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(-1, 1, 300) % 360, rng.uniform(59, 61, 300)
    figure = sky_map(ra, dec, np.full(300, 0.02), "toy")
    axes = figure.axes[0]
    left, right = axes.get_xlim()
    assert left > right and left - right < 3  # east left
    assert axes.xaxis.get_major_formatter()(359.5, 0) == axes.xaxis.get_major_formatter()(-0.5, 0) == "359.5"
    # Square on the sky: a degree of RA is half a degree long at Dec 60.
    assert axes.get_aspect() == pytest.approx(2, rel=0.05)
    assert np.ma.count(axes.collections[0].get_array()) > 100


def test_linear_colours_are_linear_between_black_and_white():
    stamp = np.ones((1, 2, 2, 5)) / np.array([4, 2.5, 1.5, 1.0, 0.8])  # neutral in BAND_SCALES
    levels = [linear_rgb(stamp * flux, SDSS)[0, 0, 0] ** 2.2 for flux in (0.2, 0.4, 10.0)]
    np.testing.assert_allclose(levels[1], 2 * levels[0], rtol=1e-5)
    np.testing.assert_allclose(levels[0], levels[0][0], rtol=1e-5)  # grey
    np.testing.assert_array_equal(levels[2], 1)


def test_saturation_spreads_the_colours_and_missing_pixels_are_grey():
    stamp = np.ones((1, 2, 2, 5)) * np.array([0, 0.1, 0.2, 0.5, 0])
    red, green, blue = linear_rgb(stamp, SDSS, saturation=2)[0, 0, 0]
    pale = linear_rgb(stamp, SDSS, saturation=0)[0, 0, 0]
    assert red > green > blue and pale[0] == pytest.approx(pale[2])
    stamp[0, 1, 1, 2] = np.nan
    np.testing.assert_array_equal(linear_rgb(stamp, SDSS)[0, 1, 1], 0.5)


def test_stamps_name_redshift_and_magnitude_and_have_a_scale():
    stamps = np.zeros((3, *SDSS.image_shape))
    figure = random_stamps(stamps, SDSS, [0.1, np.nan, 0.2], [17.0, 16.5, np.nan], "Random simulated galaxies")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["z = 0.100, r = 17.00", "z unknown, r = 16.50", "z = 0.200"]
    (bar,) = figure.axes[0].get_lines()
    assert np.ptp(bar.get_xdata()) * SDSS.pixel_scale == pytest.approx(5.0)
    assert "simulated" in figure.get_suptitle()
