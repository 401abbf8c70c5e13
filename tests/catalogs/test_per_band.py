import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.catalogs.per_band import check_quantities, gather, magnitude_prefix, per_galaxy

BANDS = tuple("ugriz")
VALUES = np.array([[19, 18, 17, 16.5, 16.2], [20, 19, 18, 17.5, 17.2]])


def per_band(spelling, values=VALUES):
    return {spelling.format(band): values[:, b] for b, band in enumerate(BANDS)}


@pytest.mark.parametrize(
    "name, spelling",
    [
        ("mags", "mag_{}"), ("mags", "modelMag_{}"), ("mags", "CMODELMAG_{}"), ("mags", "{}"), ("snr", "snr_{}"),
        ("psf_fwhm", "PSF_FWHM_{}"), ("sky_sigma", "sky_sigma_{}"), ("n_frames", "n_frames_{}"),
        ("true_mags", "true_mag_{}"),
    ],
)  # fmt: skip
def test_columns_of_the_bands_are_the_vector(name, spelling):
    np.testing.assert_array_equal(gather(Table(per_band(spelling)), name, BANDS), VALUES)
    np.testing.assert_array_equal(gather(Table({name.upper(): VALUES}), name, BANDS), VALUES)


@pytest.mark.parametrize(
    "mags, errors",
    [("mag_{}", "mag_err_{}"), ("mag_{}", "magErr_{}"), ("modelMag_{}", "modelMagErr_{}"), ("{}", "err_{}")],
)
def test_errors_are_those_of_the_magnitudes_used(mags, errors):
    table = Table(per_band(mags) | per_band(errors, VALUES / 100) | per_band("petroMagErr_{}"))
    np.testing.assert_array_equal(gather(table, "mag_errs", BANDS), VALUES / 100)


def test_bands_without_a_column_and_unknown_values_are_nan():
    table = Table({"psf_fwhm_r": [1.2, -9999.0], "psf_fwhm_g": ["1.3", "null"]})
    nan = np.nan
    np.testing.assert_array_equal(gather(table, "psf_fwhm", BANDS), [[nan, 1.3, 1.2, nan, nan], [nan] * 5])
    mags = np.where(VALUES == 18, 99.0, np.where(VALUES == 17, -9999.0, VALUES))
    expected = np.where((VALUES == 18) | (VALUES == 17), nan, VALUES)
    np.testing.assert_array_equal(gather(Table({"mags": mags}), "mags", BANDS), expected)


def test_what_a_table_lacks_is_none():
    assert gather(Table({"mag_u": [1.0]}), "mags", BANDS) is None
    assert magnitude_prefix(Table({"mag_u": [1.0]}), BANDS) is None
    assert per_galaxy(Table({"mag_u": [1.0]}), "r_e") is None


def test_quantities_that_are_what_they_should_be_pass():
    table = Table({"snr": VALUES, "R_E": [1.0, 2.0], "is_early": [True, False], "note": ["a", "b"]})
    check_quantities(table, BANDS, "a.csv")
    np.testing.assert_array_equal(per_galaxy(table, "is_early"), [1, 0])
    np.testing.assert_array_equal(per_galaxy(table, "r_e"), [1, 2])


@pytest.mark.parametrize(
    "columns, message",
    [
        ({"snr": [1.0, 2.0]}, "column snr has one value per galaxy, where snr has one in each of the bands u g r i z; "
                              "give snr_u ... snr_z, or rename it"),
        ({"Psf_Fwhm": VALUES[:, :3]}, r"column Psf_Fwhm has values of shape \(3,\) per galaxy.*give psf_fwhm_u"),
        ({"mag_errs": [0.1, 0.2]}, "give mag_err_u ... mag_err_z, or rename it"),
        ({"snr_g": ["1", "bright"]}, "snr_g in row 2 is 'bright', which is no number"),
        ({"r_e": VALUES}, r"column r_e has values of shape \(5,\) per galaxy, where r_e is one number; rename it"),
        ({"is_early": ["yes", "no"]}, "is_early in row 1 is 'yes', which is no number"),
    ],
)  # fmt: skip
def test_columns_that_cannot_be_what_they_are_called_are_named(columns, message):
    with pytest.raises(ValueError, match=f"^a.csv: .*{message}|^a.csv: {message}"):
        check_quantities(Table(columns), BANDS, "a.csv")
