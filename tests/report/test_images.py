from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from photoz_morph.report.images import image_grid, relative_noise, rgb, scale_bar, scaled_flux
from photoz_morph.surveys import SDSS
from tests.support.reports import stamps
from tests.support.surveys import THREE_BANDS


def test_colours_are_between_0_and_1_and_sky_is_black():
    image = rgb(stamps(1), SDSS)[0]
    assert image.min() >= 0 and image.max() <= 1
    assert image[:8, 56:].max() < 0.02


def test_galaxy_of_neutral_colour_is_grey_and_a_red_one_red():
    neutral = rgb(stamps(1), SDSS)[0, 45, 20]
    np.testing.assert_allclose(neutral, neutral[0], rtol=1e-5)
    red, green, blue = rgb(stamps(1) * np.array([1, 0.5, 1, 2, 1]), SDSS)[0, 45, 20]
    assert red > green > blue


def test_hue_survives_where_the_image_saturates():
    pixel = np.array([0.1, 1, 2, 4, 1])[None, None, None]
    faint, bright = (rgb(pixel * factor, SDSS)[0, 0, 0] ** 1.4 for factor in (1, 1e3))
    np.testing.assert_allclose(bright / bright.max(), faint / faint.max(), rtol=1e-4)
    assert bright.max() == pytest.approx(1)


def test_brighter_is_brighter_and_images_are_not_scaled_one_by_one():
    alone, together = rgb(stamps(1), SDSS), rgb(np.concatenate([stamps(1), 10 * stamps(1)]), SDSS)
    np.testing.assert_array_equal(alone[0], together[0])
    assert together[1].sum() > together[0].sum()


def test_missing_pixel_is_grey_and_missing_band_an_error():
    broken = stamps(1)
    broken[0, 0, 0, 2] = np.nan
    np.testing.assert_array_equal(rgb(broken, SDSS)[0, 0, 0], 0.5)
    with pytest.raises(ValueError, match="no colour for band y: sdss has u, g, r, i, z"):
        rgb(stamps(1), SDSS, bands=("y", "r", "g"))


def test_image_grid_shows_each_image_once_north_up():
    images = rgb(stamps(5), SDSS)
    figure = image_grid(images, list("abcde"), "simulated", n_columns=3)
    shown = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(shown) == 5 and all(image.origin == "lower" for image in shown)
    np.testing.assert_array_equal(shown[4].get_array(), images[4])


def test_scale_bar_spans_five_arcsec():
    axes = Figure().subplots()
    scale_bar(axes, 64, 0.4)
    (bar,) = axes.get_lines()
    assert np.ptp(bar.get_xdata()) * 0.4 == pytest.approx(5.0)
    assert [text.get_text() for text in axes.texts] == ['5"']


def test_fluxes_of_two_zero_points_have_one_scale():
    # An AB magnitude of 22.5 is one nanomaggy; at a zero point of 31.4 it is 10^(0.4 x 8.9) units, nJy.
    other = replace(SDSS, zero_point=31.4)
    np.testing.assert_allclose(scaled_flux(stamps(1) * 10**3.56, other), scaled_flux(stamps(1), SDSS))


def tiny_stamps(flux, noise, seed=0):
    """A Gaussian galaxy of these fluxes in V, R, B on a noisy sky."""
    rows, columns = np.indices((24, 24)) - 11.5
    profile = np.exp(-0.5 * (rows**2 + columns**2) / 2.0**2) / (2 * np.pi * 2.0**2)
    sky = np.random.default_rng(seed).normal(0, noise, (1, 24, 24, 3))
    return profile[None, :, :, None] * np.asarray(flux) + sky


def test_any_bands_are_shown_by_wavelength_with_more_weight_in_the_blue():
    assert THREE_BANDS.bands == ("V", "R", "B")
    scaled = scaled_flux(np.ones((1, 1, 1, 3)), THREE_BANDS)[0, 0, 0] / 10 ** (-0.4 * (27 - 22.5))
    np.testing.assert_allclose(scaled, np.exp(0.57 * (np.array([2.169, 2.742, 3.626]) - 2.169)))
    red = rgb(tiny_stamps([1000, 3000, 100], 1.0), THREE_BANDS)[0, 12, 12]
    blue = rgb(tiny_stamps([1000, 300, 2000], 1.0), THREE_BANDS)[0, 12, 12]
    assert red[0] > red[1] > red[2] and blue[2] > blue[1] > blue[0]


def test_levels_follow_the_noise_of_the_survey_or_else_of_the_stamps():
    assert relative_noise(stamps(1), SDSS) == 1
    known = replace(THREE_BANDS, sky_sigma=(1.0, 2.0, 3.0))
    to_nanomaggy = 10 ** (-0.4 * (27 - 22.5))
    assert relative_noise(tiny_stamps([0, 0, 0], 9.0), known) == pytest.approx(2.0 * to_nanomaggy / 0.055)
    many = np.concatenate([tiny_stamps([5000, 5000, 5000], 2.0, seed) for seed in range(20)])
    # Of 1,920 pixels; the standard error of their scatter is 2.7 %.
    assert relative_noise(many, THREE_BANDS) == pytest.approx(2.0 * to_nanomaggy / 0.055, rel=0.1)
    assert relative_noise(np.full((2, 24, 24, 3), np.nan), THREE_BANDS) == 1


def test_galaxies_as_far_above_the_noise_look_alike_whatever_the_depth():
    shallow = rgb(tiny_stamps([1000, 1000, 1000], 1.0), replace(THREE_BANDS, sky_sigma=(1.0, 1.0, 1.0)))
    deep = rgb(tiny_stamps([10, 10, 10], 0.01), replace(THREE_BANDS, sky_sigma=(0.01, 0.01, 0.01)))
    np.testing.assert_allclose(shallow, deep, atol=1e-6)
