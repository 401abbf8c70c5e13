import numpy as np
import pytest

from photoz_morph.mocks.exposure import check_observing, electron_rate, five_sigma_depth, sky_rate, stamp_binning
from photoz_morph.surveys import LSST


@pytest.mark.parametrize("band, visit, ten_years", [("g", 24.9, 27.4), ("r", 24.4, 27.5), ("i", 24.0, 26.8)])
def test_five_sigma_depths_are_the_published_ones(band, visit, ten_years):
    """One visit: LSST system throughputs, airmass 1. Ten years: Ivezic et al. (2019), Table 1."""
    assert five_sigma_depth(LSST, band) == pytest.approx(visit, abs=0.2)
    assert five_sigma_depth(LSST, band, 10) == pytest.approx(ten_years, abs=0.2)
    assert five_sigma_depth(LSST, band, 10) - five_sigma_depth(LSST, band, 1) == pytest.approx(1.25, abs=0.01)


def test_a_point_source_at_the_depth_has_a_signal_to_noise_of_five():
    for i, band in enumerate(LSST.bands):
        exposure_s = LSST.n_visits[i] * LSST.visit_time_s
        nanojansky = 10 ** (-0.4 * (five_sigma_depth(LSST, band, 10) - 31.4))
        signal = nanojansky * electron_rate(LSST)[i] * exposure_s
        n_eff = 2.266 * (LSST.psf_fwhm[i] / 0.2) ** 2
        noise = np.sqrt(signal + n_eff * (sky_rate(LSST)[i] * exposure_s + LSST.n_visits[i] * 9.0**2))
        assert signal / noise == pytest.approx(5)


def test_rates_by_hand():
    # g: 0.04 arcsec^2 10^(0.4 (28.26 - 22.26)) = 10.05 e-/s; 1 nJy is 31.4 mag, 10^(-0.4 3.14) = 0.0555 e-/s.
    assert sky_rate(LSST)[0] == pytest.approx(10.05, abs=0.005)
    assert electron_rate(LSST)[0] == pytest.approx(0.0555, abs=5e-5)


def test_stamps_are_20_to_101_kpc_wide():
    assert [stamp_binning(field) for field in (20, 60, 100, 101)] == [1, 3, 5, 5]
    for field in (1, 200):
        with pytest.raises(ValueError, match=f"field_kpc is {field}; a stamp of 100 pixels can be 20.2 to 101.0 kpc"):
            stamp_binning(field)


def test_years_must_be_different_and_within_the_survey():
    check_observing(LSST, (10, 1), "sum", 100)
    for years in ((10, 10.5), (0,), (1, 1), ()):
        with pytest.raises(ValueError, match="give different numbers above 0, at most 10"):
            check_observing(LSST, years, "sum", 100)
    with pytest.raises(ValueError, match="binning is 'mean'; choose one of sample, sum"):
        check_observing(LSST, (10,), "mean", 100)
