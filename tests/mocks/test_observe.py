import galsim
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.signal import resample
from scipy.special import erf, j0

from photoz_morph.mocks.exposure import FRAME_SIZE
from photoz_morph.mocks.observe import (
    convolve_native,
    expected_image,
    lsst_psf,
    noiseless_stamp,
    observe,
    subdivided,
)
from photoz_morph.shards.scenes import KPC_PER_ARCSEC, NATIVE_PIXEL_KPC, Scene
from photoz_morph.surveys import LSST

DARK = np.zeros((FRAME_SIZE, FRAME_SIZE, 3))


def gaussian_scene(pixel_arcsec, size, sigma=1.2, centre=(0.0, 0.0)):
    """A round Gaussian of 1000 nJy integrated over each pixel, `centre` (x, y) and `sigma` in arcsec."""
    edges = (np.arange(size + 1) - size / 2) * pixel_arcsec
    x, y = (np.diff(erf((edges - place) / sigma / np.sqrt(2))) / 2 for place in centre)
    image = 1000 * np.outer(y, x)
    return Scene(np.stack([image] * 3, axis=-1).astype(np.float32), pixel_arcsec * KPC_PER_ARCSEC, 1, 1)


def repeated(expected, years=(10, 1), n=40, **options):
    """Stamps of n realisations, for each number of years an array of shape (n, 100, 100, 3)."""
    stamps = [observe(expected, LSST, years, np.random.default_rng([5, i]), **options) for i in range(n)]
    return {year: np.stack([stamp[year] for stamp in stamps]) for year in years}


def test_noise_of_dark_sky_worked_by_hand():
    """g: 0.04 arcsec^2 x 10^(0.4 (28.26 - 22.26)) = 10.05 e-/s, 24114 e- in 2400 s, + 80 visits x 81 e-^2: 174.9 e-."""
    stamps = repeated(DARK, years=(10,))[10]
    sigma = np.std(stamps, axis=(0, 1, 2), dtype=float) / 25  # of one camera pixel
    g = 174.9 / 2400 / 10 ** (-0.4 * (31.4 - 28.26))
    i = np.sqrt(183600 + 184 * 81) / 5520 / 10 ** (-0.4 * (31.4 - 27.78))
    np.testing.assert_allclose(sigma[[0, 2]], [g, i], rtol=0.005)  # 4e5 pixels: 0.11 %
    assert np.abs(stamps.mean(axis=(0, 1, 2), dtype=float) / sigma / 25).max() < 5 / np.sqrt(4e5)


@pytest.mark.parametrize("binning", ["sample", "sum"])
@pytest.mark.parametrize("level", [0, 500])
def test_variance_falls_with_the_years(binning, level):
    """Sky and source noise alike; 4e5 pixels per band give the ratio to 0.3 %."""
    stamps = repeated(DARK + level, years=(10, 2, 1), binning=binning)
    variance = {year: cube.var(axis=(0, 1, 2), dtype=float) for year, cube in stamps.items()}
    np.testing.assert_allclose(variance[1] / variance[10], 10, rtol=0.01)
    np.testing.assert_allclose(variance[1] / variance[2], 2, rtol=0.01)


def test_source_photons_make_noise():
    """1e5 nJy in a camera pixel in i: 3565 e-/s against 33.3 of the sky and 2.7 of the read noise."""
    bright, dark = (repeated(DARK + level, years=(1,), n=10)[1][..., 2] for level in (1e5, 0))
    assert bright.var(dtype=float) / dark.var(dtype=float) == pytest.approx((3565 + 36.0) / 36.0, rel=0.02)
    assert bright.mean(dtype=float) == pytest.approx(25 * 1e5, rel=1e-4)


def test_sampled_noise_is_five_times_that_of_the_sum():
    sample, total = (repeated(DARK, years=(1,), binning=binning)[1] for binning in ("sample", "sum"))
    np.testing.assert_allclose(sample.std((0, 1, 2), dtype=float) / total.std((0, 1, 2), dtype=float), 5, rtol=0.01)


def test_nested_observations_share_their_first_year():
    for nested, correlation in ((True, 1 / np.sqrt(10)), (False, 0)):
        stamps = repeated(DARK, nested=nested)
        measured = np.corrcoef(stamps[10].ravel(), stamps[1].ravel())[0, 1]
        assert measured == pytest.approx(correlation, abs=0.005)  # 1.2e6 pixels: 0.0009
        assert stamps[1].var(dtype=float) / stamps[10].var(dtype=float) == pytest.approx(10, rel=0.01)


def test_convolution_keeps_the_flux():
    image = np.random.default_rng(2).lognormal(0, 2, (FRAME_SIZE, FRAME_SIZE, 3)).astype(np.float32)
    total = convolve_native(image).sum(axis=(1, 2), dtype=float)
    np.testing.assert_allclose(total, image.sum(axis=(0, 1), dtype=float), rtol=1e-6)


def test_sum_keeps_the_flux_of_the_expected_image():
    """The brighter the source the smaller its noise: 1e13 nJy leave 2e-8 of the flux."""
    expected = np.random.default_rng(2).uniform(0, 1e9, DARK.shape)
    stamp = observe(expected, LSST, (10,), np.random.default_rng(0), "sum")[10]
    np.testing.assert_allclose(stamp.sum((0, 1), dtype=float), expected.sum((0, 1)), rtol=1e-6)


def test_light_that_leaves_the_frame_does_not_return_on_the_other_side():
    image = np.zeros(DARK.shape, np.float32)
    image[:, 1] = 1
    expected = expected_image(Scene(image, NATIVE_PIXEL_KPC, 1, 1))
    assert np.abs(expected[:, -20:]).max() < 1e-4 * expected.max()


@pytest.mark.parametrize("i", range(3))
def test_psf_has_the_width_of_kolmogorov_turbulence_and_an_annular_pupil(i):
    """Against the Hankel transform of exp(-3.44 (f lambda / r0)^(5/3)) (Fried 1966), FWHM = 0.9758 lambda / r0.

    The pupil's own transfer function is 1 - 4 nu / pi / (1 - obscuration) for nu = f lambda / D << 1: what is lost is
    the shift times the two diameters over the area.
    """
    lambda_over_d = np.degrees(LSST.wavelength_nm[i] * 1e-9 / 8.36) * 3600

    def transfer(f):
        turbulence = np.exp(-3.44 * (f * LSST.psf_fwhm[i] / 0.9758) ** (5 / 3))
        return turbulence * (1 - 4 / np.pi * f * lambda_over_d / (1 - 0.62))

    def profile(r):
        return quad(lambda f: f * transfer(f) * j0(2 * np.pi * f * r), 0, 4, limit=200)[0]

    fwhm = 2 * brentq(lambda r: profile(r) - profile(0) / 2, 0.3, 0.6)
    image = DARK.astype(np.float32)
    image[250, 250] = 1
    row = resample(expected_image(Scene(image, NATIVE_PIXEL_KPC, 1, 1))[250, :, i].astype(float), FRAME_SIZE * 50)
    measured = (row > row.max() / 2).sum() * 0.2 / 50
    assert measured == pytest.approx(fwhm, rel=0.01)
    assert measured == pytest.approx((0.867, 0.819, 0.800)[i], rel=0.01)


def test_airy_pattern_is_the_optical_psf_without_aberrations():
    optics = galsim.OpticalPSF(lam=LSST.wavelength_nm[1], diam=8.36, obscuration=0.62, scale_unit=galsim.arcsec)
    reference = galsim.Convolve(galsim.Kolmogorov(fwhm=LSST.psf_fwhm[1]), optics)
    images = [psf.drawImage(nx=41, ny=41, scale=0.2).array for psf in (lsst_psf(LSST, "r"), reference)]
    np.testing.assert_allclose(images[0], images[1], atol=2e-3 * images[1].max())


@pytest.mark.parametrize("pixel_arcsec, size", [(0.1, 400), (0.16, 301), (0.3, 160)])
def test_scenes_with_other_pixels_give_the_same_image(pixel_arcsec, size):
    """One Gaussian, integrated over the pixels of each; frame centres agree to the half pixel of an odd size."""
    native = expected_image(gaussian_scene(0.2, 200, centre=(1.5, -2.0)))
    other = expected_image(gaussian_scene(pixel_arcsec, size, centre=(1.5, -2.0)))
    np.testing.assert_allclose(other, native, atol=2e-4 * native.max())


@pytest.mark.parametrize("pixel_arcsec, size", [(KPC_PER_ARCSEC, 100), (0.42, 201), (2.5, 40)])
def test_coarse_pixels_give_no_negative_light_and_keep_the_flux(pixel_arcsec, size):
    """Points on a smooth disk, the hardest case, one at the edge of the scene."""
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    image = np.exp(-np.hypot(rows, columns) * pixel_arcsec / 4)
    middle = size // 2
    for row, column in ((middle, middle), (middle + 3, middle - 2), (middle - 1, middle + 6), (middle, middle + 7)):
        image[row, column] += 20
    # Light that leaves the frame is lost, so none comes near its edge.
    image[np.maximum(abs(rows), abs(columns)) * pixel_arcsec > 45] = 0
    scene = Scene(np.stack([image] * 3, axis=-1).astype(np.float32), pixel_arcsec * KPC_PER_ARCSEC, 1, 1)
    expected = expected_image(scene)
    assert expected.min() > -1e-5 * expected.max()  # of the Fourier transform
    np.testing.assert_allclose(expected.sum(axis=(0, 1), dtype=float), image.sum(), rtol=5e-4)  # the wings of the PSF


@pytest.mark.parametrize("sigma, off_by", [(1.0, 0.03), (2.0, 0.002)])
@pytest.mark.parametrize("centre", [(0.0, 0.0), (0.3, -0.4)])
def test_coarse_pixels_keep_the_peak_of_what_they_resolve(sigma, off_by, centre):
    """The peak of a Gaussian [arcsec] in pixels of 1.01 arcsec, against the same in camera pixels."""
    native = expected_image(gaussian_scene(0.2, 200, sigma, centre))
    coarse = expected_image(gaussian_scene(KPC_PER_ARCSEC, 60, sigma, centre))
    np.testing.assert_allclose(coarse, native, atol=off_by * native.max())


def test_finer_pixels_have_the_sums_of_the_coarse_ones():
    image = np.random.default_rng(0).lognormal(0, 3, (12, 12)) * (np.random.default_rng(1).random((12, 12)) > 0.3)
    fine = subdivided(image, 4)
    np.testing.assert_allclose(fine.reshape(12, 4, 12, 4).sum(axis=(1, 3)), image, rtol=1e-12)
    assert fine.min() >= 0
    slope = np.arange(1, 13.0)[:, None] * np.ones(12)
    inside = slice(16, -16)
    even = (np.arange(48) + 0.5) / 4 + 0.5  # of the slope, in the middle of each fine pixel
    np.testing.assert_allclose(16 * subdivided(slope, 4)[inside, inside], (even[:, None] * np.ones(48))[inside, inside],
                               rtol=0.005)  # fmt: skip


def test_a_field_of_20_kpc_is_the_middle_of_the_frame_unbinned():
    expected = expected_image(gaussian_scene(0.2, 200))
    stamp = observe(1e6 * expected, LSST, (10,), np.random.default_rng(0), field_kpc=20)[10]
    np.testing.assert_allclose(stamp, 1e6 * expected[200:300, 200:300], atol=1e-3 * 1e6 * expected.max())


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"years": (10, 11)}, r"years are \[10, 11\]; give different numbers above 0, at most 10"),
        ({"years": (1, 1)}, r"years are \[1, 1\]; give different"),
        ({"years": ()}, r"years are \[\]; give different"),
        ({"binning": "mean"}, "binning is 'mean'; choose one of sample, sum"),
    ],
)
def test_bad_settings_are_refused(options, expected):
    with pytest.raises(ValueError, match=expected):
        observe(DARK, LSST, rng=np.random.default_rng(0), **({"years": (10, 1)} | options))


@pytest.mark.parametrize("binning", ["sample", "sum"])
def test_the_noiseless_stamp_is_the_mean_of_many_observations(binning):
    expected = expected_image(gaussian_scene(0.2, 500, sigma=3.0))
    stamps = repeated(expected, (10,), 60, binning=binning)[10]
    noiseless = noiseless_stamp(expected, LSST, binning)
    deviation = (stamps.mean(axis=0) - noiseless) / (stamps.std(axis=0, ddof=1) / np.sqrt(60))
    assert abs(deviation.mean()) < 0.05 and deviation.std() == pytest.approx(1.0, abs=0.1)  # Student's t is a bit wider
