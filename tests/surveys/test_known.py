import numpy as np
import pytest
import yaml

from photoz_morph.surveys import LSST, SDSS, SURVEYS, ImagingSurvey, Survey, get_survey, survey_to_dict

SHIPPED = [survey for survey in SURVEYS.values() if isinstance(survey, Survey)]


def test_every_survey_has_one_value_per_band():
    for survey in SURVEYS.values():
        per_band = {name: value for name, value in vars(survey).items() if isinstance(value, tuple)}
        assert {len(value) for value in per_band.values()} == {survey.n_bands}, survey.name
        assert survey.image_shape == (survey.stamp_size, survey.stamp_size, survey.n_bands)
        assert isinstance(survey, ImagingSurvey) and get_survey(survey.name) is survey


def test_stamps_are_those_of_the_papers():
    assert SDSS.image_shape == (64, 64, 5) and SDSS.pixel_scale == 0.396  # Pasquet et al. (2019), Sec. 2
    assert LSST.image_shape == (100, 100, 3) and LSST.bands == ("g", "r", "i")  # Ciprijanovic et al. (2021), Sec. 2


def test_the_file_of_sdss_holds_the_numbers_of_its_catalogue_and_papers():
    assert SDSS.bands == ("u", "g", "r", "i", "z")
    assert (SDSS.image_unit, SDSS.zero_point) == ("nanomaggy", 22.5)
    assert SDSS.psf_fwhm == (1.53, 1.44, 1.32, 1.26, 1.29)
    assert SDSS.sky_brightness == (22.0, 21.8, 20.9, 20.2, 19.0)
    assert SDSS.gain == (153.0, 1010.0, 920.0, 757.0, 147.0)
    assert SDSS.sky_sigma == (0.050, 0.021, 0.033, 0.055, 0.210)
    assert SDSS.extinction_per_ebv == (5.155, 3.793, 2.751, 2.086, 1.479)
    assert SDSS.asinh_softening == (1.4e-10, 0.9e-10, 1.2e-10, 1.8e-10, 7.4e-10)
    assert SDSS.dataset_name == "sdss_ugriz"


@pytest.mark.parametrize(
    "name, depth",
    [
        ("sdss", [22.15, 23.13, 22.70, 22.20, 20.71]),
        ("panstarrs", [23.3, 23.2, 23.1, 22.3, 21.4]),  # Chambers et al. (2016)
        ("hsc", [26.5, 26.5, 26.2, 25.2, 24.4]),  # Aihara et al. (2022), Wide
        ("lsst_coadd", [26.1, 27.4, 27.5, 26.8, 26.1, 24.9]),  # Ivezic et al. (2019), ten years
    ],
)
def test_the_noise_gives_the_published_depths(name, depth):
    survey = SURVEYS[name]
    n_eff = 2.266 * (np.array(survey.psf_fwhm) / survey.pixel_scale) ** 2
    implied = survey.zero_point - 2.5 * np.log10(5 * np.array(survey.sky_sigma) * np.sqrt(n_eff))
    np.testing.assert_allclose(implied, depth, atol=0.06)  # sky_sigma is rounded, by up to 5 %


@pytest.mark.parametrize("survey", SHIPPED, ids=lambda survey: survey.name)
def test_dust_dims_the_blue_most_in_every_survey(survey):
    assert survey.bands_by_wavelength == survey.bands
    assert survey.reference_band == "r" and survey.colour_bands[1:] == ("r", "g")


def test_an_unknown_survey_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown survey 'des'; photoz_morph.surveys describes sdss, .*lsst"):
        get_survey("des")
    with pytest.raises(ValueError, match="unknown survey 'panstars'.* Did you mean panstarrs"):
        get_survey("panstars")


def test_a_survey_is_found_by_the_path_of_its_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    values = survey_to_dict(SDSS) | {"name": "mine", "stamp_size": 32}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values))
    survey = get_survey("~/mine.yaml")
    assert survey == get_survey(tmp_path / "mine.yaml") == get_survey(survey)
    assert survey.image_shape == (32, 32, 5)
    with pytest.raises(FileNotFoundError, match="~/other.yaml: no such file; make a description with `photoz survey"):
        get_survey("~/other.yaml")


def test_a_file_cannot_take_the_name_of_a_shipped_survey_for_other_numbers(tmp_path):
    (tmp_path / "copy.yaml").write_text(yaml.safe_dump(survey_to_dict(SDSS)))
    assert get_survey(tmp_path / "copy.yaml") == SDSS
    (tmp_path / "copy.yaml").write_text(yaml.safe_dump(survey_to_dict(SDSS) | {"stamp_size": 32}))
    with pytest.raises(ValueError, match="copy.yaml: 'name' is 'sdss', which ships .* give it a name of its own"):
        get_survey(tmp_path / "copy.yaml")
