import numpy as np
import pytest

from photoz_morph.surveys import LSST, SDSS, SURVEYS, ImagingSurvey, get_survey


def test_every_survey_has_one_value_per_band():
    for survey in SURVEYS.values():
        per_band = {name: value for name, value in vars(survey).items() if isinstance(value, tuple)}
        assert {len(value) for value in per_band.values()} == {survey.n_bands}, survey.name
        assert survey.image_shape == (survey.stamp_size, survey.stamp_size, survey.n_bands)
        assert isinstance(survey, ImagingSurvey) and get_survey(survey.name) is survey


def test_stamps_are_those_of_the_papers():
    assert SDSS.image_shape == (64, 64, 5) and SDSS.pixel_scale == 0.396  # Pasquet et al. (2019), Sec. 2
    assert LSST.image_shape == (100, 100, 3) and LSST.bands == ("g", "r", "i")  # Ciprijanovic et al. (2021), Sec. 2


def test_sdss_noise_gives_the_published_depths():
    n_eff = 2.266 * (np.array(SDSS.psf_fwhm) / SDSS.pixel_scale) ** 2
    depth = SDSS.zero_point - 2.5 * np.log10(5 * np.array(SDSS.sky_sigma) * np.sqrt(n_eff))
    np.testing.assert_allclose(
        depth, [22.15, 23.13, 22.70, 22.20, 20.71], atol=0.06
    )  # sky_sigma is rounded, by up to 5 %


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


def test_visits_are_spread_evenly_over_the_years():
    np.testing.assert_allclose(LSST.visits(1), [8, 18.4, 18.4])
    np.testing.assert_allclose(LSST.visits(LSST.n_years), LSST.n_visits)


def test_an_unknown_survey_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown survey 'des'; photoz_morph.surveys describes sdss, lsst"):
        get_survey("des")
