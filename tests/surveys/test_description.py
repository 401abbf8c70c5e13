import dataclasses

import numpy as np
import pytest

from photoz_morph.surveys import SDSS
from tests.support.surveys import THREE_BANDS


def test_asinh_magnitudes_are_ab_when_bright_and_finite_below_zero():
    bright = np.full(5, 1e4)
    np.testing.assert_allclose(SDSS.asinh_magnitude(bright), 22.5 - 10, atol=1e-4)
    # SDSS algorithms: magnitudes of zero flux
    np.testing.assert_allclose(SDSS.asinh_magnitude(np.zeros(5)), [24.63, 25.11, 24.80, 24.36, 22.83], atol=0.01)
    assert np.all(SDSS.asinh_magnitude(np.full(5, -1.0)) > SDSS.asinh_magnitude(np.zeros(5)))


def test_asinh_errors_are_the_derivative_of_the_magnitude():
    step = 1e-5
    for flux in (-0.5, 0.0, 3.0, 400.0):
        fainter, brighter = (SDSS.asinh_magnitude(np.full(5, flux + sign * step)) for sign in (-1, 1))
        slope = (brighter - fainter) / (2 * step)
        np.testing.assert_allclose(SDSS.asinh_magnitude_error(np.full(5, flux), 0.02), 0.02 * np.abs(slope), rtol=1e-4)


def test_a_survey_without_softening_says_that_it_has_no_asinh_magnitudes():
    with pytest.raises(ValueError, match="survey tiny: its description has no asinh_softening"):
        THREE_BANDS.asinh_magnitude(np.ones(3))


def test_colour_images_and_reference_follow_the_wavelengths_not_the_order_of_the_bands():
    assert THREE_BANDS.bands == ("V", "R", "B")
    assert THREE_BANDS.bands_by_wavelength == ("B", "V", "R")
    assert THREE_BANDS.colour_bands == ("R", "V", "B") and THREE_BANDS.reference_band == "V"
    assert THREE_BANDS.dataset_name == "tiny_VRB"


@pytest.mark.parametrize(
    "bands, extinction, colours, reference",
    [
        (("x",), (2.0,), ("x", "x", "x"), "x"),
        (("red", "blue"), (1.0, 4.0), ("red", "blue", "blue"), "red"),
        (("a", "b", "c", "d"), (4.0, 3.0, 2.0, 1.0), ("d", "b", "a"), "c"),
        (("i", "r", "g"), (1.7, 2.3, 3.3), ("i", "r", "g"), "r"),
    ],
)
def test_any_number_of_bands_has_a_colour_image(bands, extinction, colours, reference):
    survey = dataclasses.replace(THREE_BANDS, bands=bands, extinction_per_ebv=extinction)
    assert survey.colour_bands == colours and survey.reference_band == reference


def test_a_survey_in_some_of_its_bands_keeps_their_numbers():
    griz = SDSS.of_bands("griz")
    assert griz.name == "sdss_griz" and griz.dataset_name == "sdss_griz_griz" and griz.bands == ("g", "r", "i", "z")
    assert griz.sky_sigma == SDSS.sky_sigma[1:] and griz.pixel_scale == SDSS.pixel_scale and griz.frames is None
    assert SDSS.of_bands("ugriz") is SDSS
    with pytest.raises(ValueError, match="bands are g, y; name some of u, g, r, i, z of sdss, each once"):
        SDSS.of_bands("gy")
