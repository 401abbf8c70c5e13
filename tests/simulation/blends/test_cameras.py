import galsim
import numpy as np
import pytest
from scipy import stats

from photoz_morph.mocks.exposure import five_sigma_depth
from photoz_morph.simulation.blends.cameras import Camera, check_size, transfer_functions
from photoz_morph.surveys import LSST

MOFFATS = {"g": (1.44, 0.5), "r": (1.32, 0.2), "i": (1.26, 0.0)}  # FWHM [arcsec] and share of the steep profile


def star(name, n=64):
    transform = transfer_functions(name, n)
    return np.fft.fftshift(np.fft.irfft2(transform, s=(n, n)), axes=(1, 2))


def test_a_star_of_lsst_is_what_galsim_draws():
    for band, image in zip("gri", star("lsst")):
        optics = galsim.Airy(lam=dict(zip("gri", LSST.wavelength_nm))[band], diam=8.36, obscuration=0.62)
        atmosphere = galsim.Kolmogorov(fwhm=dict(zip("gri", LSST.psf_fwhm))[band])
        drawn = galsim.Convolve(atmosphere, optics).drawImage(
            nx=65, ny=65, scale=0.2, center=galsim.PositionD(33, 33)).array[:64, :64]  # fmt: skip
        np.testing.assert_allclose(image, drawn, atol=2e-3 * drawn.max())  # wings wrap around
        assert image.sum() == pytest.approx(1, abs=1e-5)


def test_a_star_of_sdss_is_the_sum_of_two_moffat_profiles():
    for band, image in zip("gri", star("sdss")):
        fwhm, share = MOFFATS[band]
        found = image / image.max()
        profile = found[32, 32:]
        half = np.interp(-0.5, -profile[:8], np.arange(8)) * 0.396 * 2
        assert half == pytest.approx(np.hypot(fwhm, 0.2), rel=0.05)  # the pixel of 0.396 arcsec widens it
    assert star("sdss").sum(axis=(1, 2)) == pytest.approx(1, abs=1e-5)


def test_sky_noise_is_that_of_the_stated_depth():
    camera = Camera("lsst", 10)
    for sigma, band, fwhm in zip(camera.sky_sigma, "gri", LSST.psf_fwhm):
        n_eff = 2.266 * (fwhm / 0.2) ** 2
        depth = camera.zero_point - 2.5 * np.log10(5 * sigma * np.sqrt(n_eff))
        assert depth == pytest.approx(five_sigma_depth(LSST, band, 10), abs=0.01)  # that counts the source, too


@pytest.mark.parametrize("name", ["lsst", "sdss"])
def test_images_have_the_mean_and_the_variance_they_say(name):
    camera = Camera(name)
    expected = np.full((96, 96, 3), 50.0) * np.asarray(camera.sky_sigma)
    image = camera.observe(expected, np.random.default_rng(1))
    deviates = (image - expected) / np.sqrt(camera.variance(expected))
    assert abs(deviates.mean()) < 4 / np.sqrt(deviates.size)
    chi2 = np.sum(deviates**2)
    assert 1e-3 < stats.chi2(deviates.size).cdf(chi2) < 1 - 1e-3


def test_one_year_is_as_noisy_as_its_tenth_of_the_exposure():
    np.testing.assert_allclose(Camera("lsst", 1).sky_sigma / Camera("lsst", 10).sky_sigma, np.sqrt(10))


def test_unknown_surveys_and_lengths_are_named():
    with pytest.raises(ValueError, match="survey is 'hsc'; choose one of lsst, sdss"):
        Camera("hsc")
    with pytest.raises(ValueError, match="years is 11; give a number above 0, at most 10"):
        Camera("lsst", 11)
    with pytest.raises(ValueError, match="size is 600; give 32 to 250 pixels"):
        check_size(600)
