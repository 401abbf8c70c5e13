"""Stamps by the rules of SWarp in NumPy, against the real SWarp and against mathematics."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS

from photoz_morph.stacking.frame_index import index_frames, overlapping_frames
from photoz_morph.stacking.frames import read_frame
from photoz_morph.stacking.lanczos import Layer, combine_layers, oversampling, resample
from photoz_morph.stacking.noise import FrameNoise
from photoz_morph.stacking.stamps import stack_band
from photoz_morph.surveys import SDSS
from tests.stacking.test_astrometry import VARIANTS, frame_at
from tests.support.frames import PROGRAM, R_ONLY, frame_header, swarp_test, write_frame
from tests.support.paths import DATA, SHARED_DATA

FULL_FRAMES = SHARED_DATA / "sdss_frames"
needs_full_frames = pytest.mark.skipif(not FULL_FRAMES.is_dir(), reason=f"no real full frames in {FULL_FRAMES}")
pytestmark = pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
POSITION_ERROR = 0.001  # that SWarp allows itself [pixel]


def both(frames, ra, dec, survey=SDSS, combine="median"):
    """Stamps and weights by our engine and by SWarp."""
    ours = stack_band(frames, ra, dec, survey, combine, engine="lanczos")[:2]
    return ours, stack_band(frames, ra, dec, survey, combine, PROGRAM, engine="swarp")[:2]


def assert_agree(ours, theirs, weight_tolerance=0.05):
    """Same pixels to a thousandth of the noise, same coverage, same weights.

    Our noise is that of the meshes of the frame, SWarp's that of meshes of the cut: 2 % of it, 4 % of the weight.
    """
    (image, weight), (their_image, their_weight) = ours, theirs
    covered = their_weight > 0
    np.testing.assert_array_equal(weight > 0, covered)
    assert covered.any()
    np.testing.assert_allclose(weight[covered], their_weight[covered], rtol=weight_tolerance)
    # What SWarp's own error of the position does: the slope of an image times a thousandth of a pixel.
    slope = sum(np.abs(np.gradient(np.where(covered, their_image, 0), axis=axis)) for axis in (0, 1))
    tolerance = 1e-3 / np.sqrt(their_weight[covered]) + POSITION_ERROR * slope[covered]
    assert (np.abs(image - their_image)[covered] < tolerance).all()
    flux, within = their_image[covered].sum(), 1e-3 * float(tolerance.sum())
    assert image[covered].sum() == pytest.approx(flux, rel=1e-4, abs=within)


def sky_with_stars(rng, shape=(300, 360), sky=5.0):
    """Unit noise on a sky level, with ten stars."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    image = rng.normal(sky, 1, shape)
    for x, y, flux in rng.uniform((0, 0, 50), (shape[1], shape[0], 3000), (10, 3)):
        image += flux / 12.3 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 1.4**2))
    return image


@swarp_test
@pytest.mark.parametrize("galaxy", [(200.44824, 36.76827), (229.52556, 42.74604)])
def test_real_galaxies_are_those_of_swarp_in_every_band(galaxy):
    index = index_frames(DATA / "frames", SDSS)
    for band in SDSS.bands:
        frames = overlapping_frames(index[index["band"] == band], *galaxy, 25.344)
        assert_agree(*both(frames, *galaxy))


@swarp_test
@needs_full_frames
@pytest.mark.parametrize("combine", ["median", "average"])
def test_two_real_frames_of_stripe_82_are_combined_as_by_swarp(combine):
    index = index_frames(FULL_FRAMES, SDSS)
    frames = overlapping_frames(index[index["band"] == "u"], 38.34, -0.105, 25.344)
    assert len(frames) == 2
    assert_agree(*both(frames, 38.34, -0.105, combine=combine))


@swarp_test
@pytest.mark.parametrize("variant", VARIANTS)
def test_any_astrometry_gives_the_stamps_of_swarp(tmp_path, variant):
    header = frame_at(frame_header(149.99, 20.02, 33.0, (300, 360), pixel_scale=0.4), VARIANTS[variant])
    write_frame(tmp_path, sky_with_stars(np.random.default_rng(3)), header)
    frames = index_frames(tmp_path, R_ONLY)
    # SWarp is told a distortion by polynomials, to 0.02 pixel; our own are exact to 0.002.
    (image, weight), (theirs, their_weight) = both(frames, 150.0, 20.0)
    assert (weight > 0).all() and (their_weight > 0).all()
    slope = sum(np.abs(np.gradient(theirs, axis=axis)) for axis in (0, 1))
    assert (np.abs(image - theirs) < 1e-3 + (POSITION_ERROR if variant == "plain" else 0.02) * slope).all()
    np.testing.assert_allclose(weight, their_weight, rtol=0.02)


@swarp_test
@pytest.mark.parametrize("pixel_scale", [0.13, 0.2, 0.3, 0.39, 0.6, 1.1])
def test_other_pixel_scales_are_resampled_as_by_swarp(tmp_path, pixel_scale):
    header = frame_header(150.0, 20.0, 33.0, (420, 450), pixel_scale)
    write_frame(tmp_path, sky_with_stars(np.random.default_rng(4), (420, 450)), header)
    assert_agree(*both(index_frames(tmp_path, R_ONLY), 150.001, 20.001))


@swarp_test
@pytest.mark.parametrize("offset", [(0.0, 88.0), (-95.3, 0.2), (60.0, -101.0), (-80.0, -70.0)])
def test_edges_end_where_those_of_swarp_end(tmp_path, offset):
    header = frame_header(150.0, 20.0, 20.0, offset=offset)
    write_frame(tmp_path, sky_with_stars(np.random.default_rng(5), (150, 150)), header)
    assert_agree(*both(index_frames(tmp_path, R_ONLY), 150.0, 20.0), weight_tolerance=0.1)  # little is left of the cut


@swarp_test
@pytest.mark.parametrize("combine", ["median", "average"])
@pytest.mark.parametrize("n_frames", [2, 3, 4, 7])
def test_bad_pixels_of_several_frames_are_left_out_as_by_swarp(tmp_path, n_frames, combine):
    rng = np.random.default_rng(6)
    for run in range(n_frames):
        image = rng.normal(0, 1 + run, (150, 150))
        image[tuple(rng.integers(50, 100, (2, 25)))] = np.nan
        if run == 0:
            image[60:64, 60:90] = -1e31  # which SWarp also takes for bad
        write_frame(tmp_path, image, frame_header(30.0, 10.0, 31.0 * run, offset=rng.uniform(-40, 40, 2)), run=run)
    # The cut is the whole frame, so the noise is that of the same pixels, and the weights of SWarp come out.
    assert_agree(*both(index_frames(tmp_path, R_ONLY), 30.0, 10.0, combine=combine), weight_tolerance=1e-3)


@swarp_test
def test_a_survey_of_other_pixels_and_size_is_stacked_as_by_swarp(tmp_path):
    survey = replace(R_ONLY, pixel_scale=0.262, stamp_size=51)
    write_frame(tmp_path, sky_with_stars(np.random.default_rng(7)), frame_header(150.0, 20.0, 10.0, (300, 360), 0.262))
    assert_agree(*both(index_frames(tmp_path, survey), 150.002, 20.001, survey))


@pytest.mark.parametrize("pixel_scale", [0.15, 0.396, 0.8])
@pytest.mark.parametrize("dec", [0.0, 89.99])
def test_a_star_keeps_its_flux_and_its_place(tmp_path, pixel_scale, dec):
    header = frame_header(150.0, dec, 40.0, (401, 401), pixel_scale, offset=(9.3, -7.7))
    rows, columns = np.mgrid[:401, :401]
    x, y = WCS(header).all_world2pix(150.0, dec, 0)
    sigma = 1.2 / pixel_scale
    star = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)
    write_frame(tmp_path, star, header)
    frames = index_frames(tmp_path, R_ONLY)
    image, weight, _ = stack_band(frames, 150.0, dec, SDSS, engine="lanczos")
    assert (weight > 0).all()
    assert image.sum() == pytest.approx(1, abs=1e-3)
    offsets = np.arange(64) - 31.5
    assert [(image.sum(axis=axis) * offsets).sum() for axis in (0, 1)] == pytest.approx([0, 0], abs=0.01)


def test_a_smooth_image_is_interpolated_to_its_values(tmp_path):
    header = frame_header(30.0, 10.0, 33.0)
    rows, columns = np.mgrid[:150, :150]
    write_frame(tmp_path, np.sin(columns / 9) + np.cos(rows / 11), header)
    frame = index_frames(tmp_path, R_ONLY)[0]
    layer = resample(frame, read_frame(frame), FrameNoise(read_frame(frame)), 30.001, 10.001, SDSS)
    stamp = np.meshgrid(np.arange(64), np.arange(64))
    sky = WCS(frame_header(30.001, 10.001, shape=(64, 64))).all_pix2world(*stamp, 0)
    x, y = WCS(header).all_world2pix(*sky, 0)
    assert layer.good is None
    np.testing.assert_allclose(layer.pixels, np.sin(x / 9) + np.cos(y / 11), atol=5e-3)  # Lanczos-3 ripples


@pytest.mark.parametrize("n_layers", [1, 2, 3, 6])
def test_the_combination_of_good_pixels_is_that_of_numpy(n_layers):
    rng = np.random.default_rng(8)
    pixels, good = rng.normal(size=(n_layers, 64, 64)).astype(np.float32), rng.random((n_layers, 64, 64)) < 0.7
    layers = [Layer(*layer, 1.0) for layer in zip(pixels, good)]
    values = np.array([np.where(layer.good, layer.pixels, np.nan) for layer in layers])
    any_good = np.isfinite(values).any(axis=0)
    for how, function in (("median", np.nanmedian), ("average", np.nanmean)):
        image, weight = combine_layers(layers, how, SDSS)
        np.testing.assert_allclose(image[any_good], function(values[:, any_good], axis=0), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(weight > 0, any_good)
        assert (image[~any_good] == 0).all()


def test_points_per_pixel_follow_the_ratio_of_the_scales():
    pixels = {0.2: 2, 0.27: 1, 0.15: 3, 0.5: 1}
    for scale, expected in pixels.items():
        assert oversampling({"cd": np.eye(2) * scale / 3600}, SDSS) == expected


def test_a_frame_thinner_than_the_kernel_has_no_pixel_to_give(tmp_path):
    write_frame(tmp_path, np.ones((4, 200)), frame_header(30.0, 10.0, shape=(4, 200)))
    image, weight, n_frames = stack_band(index_frames(tmp_path, R_ONLY), 30.0, 10.0, SDSS, engine="lanczos")
    assert n_frames == 1 and not image.any() and not weight.any()
