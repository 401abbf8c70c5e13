import numpy as np
import pytest

from photoz_morph.mocks.composite import (
    COLOUR_SCALES,
    NJY_PER_NANOMAGGY,
    CompositeSettings,
    field_of,
    lupton_picture,
    sdss_composite,
    sdss_image,
)
from photoz_morph.surveys import LSST, SDSS

SMALL = CompositeSettings(64)


def gaussian_stamp(fwhm_arcsec, flux, pixel_scale=0.4, size=100, colours=(1.0, 1.0, 1.0)):
    """A round source of that full width in the centre of a stamp, of a total flux [nJy] times a colour in each band."""
    rows, columns = (np.indices((size, size)) - (size - 1) / 2) * pixel_scale
    sigma = fwhm_arcsec / 2.3548
    profile = np.exp(-0.5 * (rows**2 + columns**2) / sigma**2)
    return flux * (profile / profile.sum())[..., None] * np.array(colours)


def second_moment_fwhm(image):
    """Full width [arcsec] of a Gaussian with the second moment of an image in SDSS pixels."""
    rows, columns = np.indices(image.shape) - (len(image) - 1) / 2
    return 2.3548 * np.sqrt((image * (rows**2 + columns**2)).sum() / image.sum() / 2) * SDSS.pixel_scale


class NoNoise:
    """Generator whose normal numbers are zero."""

    def normal(self, size):
        return np.zeros(size)


def test_a_star_keeps_its_flux_and_has_the_seeing_of_sdss():
    star = gaussian_stamp(LSST.psf_fwhm[1], 3631.0 * 100)
    image = sdss_image(star, 0.4, NoNoise())
    r = image[..., 1]
    assert r.sum() == pytest.approx(100, rel=1e-3)  # nanomaggies
    assert second_moment_fwhm(r) == pytest.approx(SDSS.psf_fwhm[SDSS.bands.index("r")], rel=0.03)


def test_noise_is_that_of_the_sky_and_of_the_galaxys_photons():
    rng = np.random.default_rng(1)
    empty = sdss_image(np.zeros((100, 100, 3)), 1.0, rng)
    for number, band in enumerate("gri"):
        assert empty[..., number].std() == pytest.approx(SDSS.sky_sigma[SDSS.bands.index(band)], rel=0.02)
    bright = sdss_image(np.full((100, 100, 3), 3631.0 * 50 / SDSS.pixel_scale**2), 1.0, rng)  # 50 nanomaggies a pixel
    r = SDSS.bands.index("r")
    assert bright[..., 1].mean() == pytest.approx(50, rel=0.01)
    assert bright[..., 1].std() == pytest.approx(np.hypot(SDSS.sky_sigma[r], np.sqrt(50 / SDSS.gain[r])), rel=0.02)


def test_red_galaxies_are_red_and_the_bands_come_out_as_g_r_i():
    red = gaussian_stamp(6, 3631.0 * 300, colours=(0.1, 0.5, 1.5))
    g, r, i = sdss_composite(red, 0.4, np.random.default_rng(0), SMALL)[28:36, 28:36].reshape(-1, 3).mean(axis=0)
    assert i > r > g


def test_a_galaxy_of_equal_scaled_fluxes_is_grey():
    image = np.full((8, 8, 3), 0.1) / [COLOUR_SCALES[band] for band in "gri"]
    picture = lupton_picture(image)
    assert picture.dtype == np.uint8 and np.ptp(picture.reshape(-1, 3).mean(axis=0)) < 1
    assert 0 < picture.mean() < lupton_picture(2 * image).mean() < 255


def test_images_are_cut_in_proportion_to_the_size_of_the_galaxy():
    sizes = {}
    for fwhm in (4, 8):
        stamp = gaussian_stamp(fwhm, 1e6 * (fwhm / 4) ** 2)  # of one surface brightness
        sizes[fwhm] = field_of(stamp, 2.0)
        bright = sdss_composite(stamp, 0.4, NoNoise(), CompositeSettings(64, 2.0)).mean(axis=-1)
        width = np.sum(bright[32] > bright.max() / 2)
        sizes[fwhm, "width"] = width
    assert sizes[8] == pytest.approx(2 * sizes[4], rel=0.03)
    assert sizes[8, "width"] == pytest.approx(sizes[4, "width"], abs=6)  # of 64: as wide in both, but for the seeing
    assert field_of(gaussian_stamp(8, 1e6), 50) == 100  # never beyond the stamp


def test_a_composite_is_a_function_of_the_generator_and_what_is_no_stamp_is_refused():
    stamp = gaussian_stamp(6, 1e6)
    first, again, other = (sdss_composite(stamp, 0.4, np.random.default_rng(seed), SMALL) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert first.shape == (64, 64, 3) and first.dtype == np.uint8
    with pytest.raises(ValueError, match="not finite"):
        sdss_composite(np.where(stamp > 1e3, np.nan, stamp), 0.4, NoNoise())
    with pytest.raises(ValueError, match=r"shape \(100, 100\)"):
        sdss_composite(stamp[..., 0], 0.4, NoNoise())
    with pytest.raises(ValueError, match="2 arcsec wide"):
        sdss_composite(stamp[:2, :2], 1.0, NoNoise())
    for wrong in ({"size": 8}, {"field_radii": 0.5}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} is "):
            CompositeSettings(**wrong)
    assert NJY_PER_NANOMAGGY == pytest.approx(1e9 * 10 ** (-0.4 * (22.5 - 8.9)), rel=1e-3)
