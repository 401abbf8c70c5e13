import numpy as np
import pytest

from photoz_morph.mocks.observe import observe
from photoz_morph.robustness.perturbations.registry import (
    ObservingContext,
    perturb,
)
from photoz_morph.surveys import LSST
from tests.support.perturbations import IDS, SAMPLE, SUM, blobs, sky_stamps


@pytest.mark.parametrize("bit", [4, 12, 20, 31])
def test_flipped_bit_is_worth_a_power_of_two(bit):
    images = sky_stamps() + blobs(flux=1e5)
    step = SAMPLE.sky_sigma / 4
    change = (perturb("bit_flip", images, IDS, bit, SAMPLE) - images) / step
    flipped = np.abs(change) > 1
    assert (flipped.sum(axis=(1, 2, 3)) == 1).all()
    # A float32 of 2^30 steps has no digits left for the value below, nor for rounding.
    np.testing.assert_allclose(np.abs(change[flipped]), 2 ** (bit - 1), atol=0.6 + 2e-7 * 2**bit)
    assert np.abs(change[~flipped]).max() < 0.51


def test_bit_32_is_the_sign():
    images = blobs(flux=1e8)
    change = (perturb("bit_flip", images, IDS, 32, SAMPLE).astype(float) - images) / (SAMPLE.sky_sigma / 4)
    np.testing.assert_allclose(change.min(axis=(1, 2, 3)), -(2.0**31), rtol=1e-6)


@pytest.mark.parametrize("step", [0.25, 2])
def test_rice_adds_the_noise_of_its_steps(step):
    images = sky_stamps()
    residual = perturb("rice", images, IDS, step, SAMPLE) - images
    # Rounding noise is uniform; cfitsio finds the sky sigma of a band to 3 %.
    np.testing.assert_allclose(residual.std(axis=(0, 1, 2)) / SAMPLE.sky_sigma, step / np.sqrt(12), rtol=0.05)


def test_jpeg_loses_more_at_lower_quality_and_keeps_bands_apart():
    images = sky_stamps() + blobs(flux=1e5) * np.array([3.0, 1.0, 0.3], np.float32)
    losses = []
    for quality in (95, 75, 50, 25, 10):
        restored = perturb("jpeg", images, IDS, quality, SAMPLE)
        loss = ((restored - images) / SAMPLE.sky_sigma)[:, :20]
        losses.append((loss @ [0.114, 0.587, 0.299]).std())  # luminance as JFIF has it, of g, r, i as blue, green, red
        core = restored[:, 45:55, 45:55].mean(axis=(0, 1, 2))
        np.testing.assert_allclose(core / images[:, 45:55, 45:55].mean(axis=(0, 1, 2)), 1, atol=0.3)
    # The sky's luminance noise is sqrt(0.114^2 + 0.587^2 + 0.299^2) = 0.67 sigma: little of it is lost, then all.
    assert losses[0] < 0.15 and losses[-1] > 0.6 and losses == sorted(losses)


def test_background_moves_all_bands_up_or_all_down():
    images = sky_stamps()
    offset = (perturb("background", images, IDS, 0.3, SAMPLE) - images) / SAMPLE.sky_sigma
    np.testing.assert_allclose(np.abs(offset), 0.3, atol=1e-4)
    signs = np.sign(offset).reshape(len(images), -1)
    assert (signs == signs[:, :1]).all() and set(signs[:, 0]) == {-1, 1}


def test_seeing_spreads_light_and_keeps_it():
    images = blobs(sigma=3.0, flux=1e9)
    spread = perturb("psf", images, IDS, 5.0, SAMPLE).astype(float)
    np.testing.assert_allclose(spread.sum(axis=(1, 2)), 1e9, rtol=1e-3)
    rows = np.arange(100) - 49.5
    variance = (spread.sum(axis=2) * rows[:, None] ** 2).sum(axis=1) / spread.sum(axis=(1, 2))
    np.testing.assert_allclose(variance, 3**2 + (5.0 / 2.3548) ** 2, rtol=0.01)  # pixels of one arcsec


def test_seeing_leaves_the_sky_noise_white():
    noise = perturb("psf", sky_stamps(), IDS, 3.0, SAMPLE) / SAMPLE.sky_sigma
    np.testing.assert_allclose(noise.std(axis=(0, 1, 2)), 1, rtol=0.02)
    for axis in (1, 2):
        neighbours = np.mean(noise * np.roll(noise, 1, axis))
        assert abs(neighbours) < 0.015  # 180,000 pairs: 0.0024


@pytest.mark.parametrize("context", [SAMPLE, SUM], ids=["sample", "sum"])
def test_seeing_leaves_the_photon_noise_of_a_galaxy(context):
    # 2000 nJy per camera pixel have 270,000 to 520,000 e- in ten years, more than the sky.
    expected, rng = np.full((500, 500, 3), 2000.0), np.random.default_rng(3)
    plateau = np.stack([observe(expected, LSST, [10], rng, context.binning)[10] for _ in IDS])
    spread = perturb("psf", plateau, IDS, 3.0, context)
    np.testing.assert_allclose(spread.std(axis=(0, 1, 2)), plateau.std(axis=(0, 1, 2)), rtol=0.02)
    np.testing.assert_allclose(spread.mean(axis=(1, 2)), plateau.mean(axis=(1, 2)), rtol=1e-4)


@pytest.mark.parametrize("context", [SAMPLE, SUM], ids=["sample", "sum"])
def test_thinned_ten_years_have_the_noise_of_fewer(context):
    # A bright plateau on half of the frame, so that photon noise of the galaxy counts too: 20 nJy per camera pixel.
    expected = np.zeros((500, 500, 3))
    expected[250:] = 2000 if context is SAMPLE else 20
    rng = np.random.default_rng(2)
    deep = np.stack([observe(expected, LSST, [10], rng, context.binning)[10] for _ in IDS])
    short = np.stack([observe(expected, LSST, [1], rng, context.binning)[1] for _ in IDS])
    thinned = perturb("exposure", deep, IDS, 1, context)
    shallow = ObservingContext(LSST, 1, context.binning)
    for half in (slice(0, 50), slice(50, 100)):
        sigma = thinned[:, half].std(axis=(0, 1, 2))
        np.testing.assert_allclose(sigma, short[:, half].std(axis=(0, 1, 2)), rtol=0.02)  # 30,000 pixels: 0.6 %
        error = sigma / np.sqrt(30000)
        # The thinned image is no more and no less bright than the deep one.
        np.testing.assert_array_less(np.abs((thinned - deep)[:, half].mean(axis=(0, 1, 2))), 5 * error)
    np.testing.assert_allclose(thinned[:, :50].std(axis=(0, 1, 2)), shallow.sky_sigma, rtol=0.02)


def test_exposure_cannot_grow():
    with pytest.raises(ValueError, match="exposure of 12 years cannot be made of 10"):
        perturb("exposure", sky_stamps(1), IDS[:1], 12, SAMPLE)


@pytest.mark.parametrize("arcsec", [0.4, 2.5])
def test_shift_moves_the_galaxy_by_so_much(arcsec):
    images = blobs()
    moved = perturb("shift", images, IDS, arcsec, SAMPLE).astype(float)
    np.testing.assert_allclose(moved.sum(axis=(1, 2)), 1e8, rtol=1e-5)
    pixels = np.arange(100) - 49.5
    y = (moved.sum(axis=2) * pixels[:, None]).sum(axis=1) / moved.sum(axis=(1, 2))
    x = (moved.sum(axis=1) * pixels[:, None]).sum(axis=1) / moved.sum(axis=(1, 2))
    np.testing.assert_allclose(np.hypot(x, y), arcsec, atol=0.04)  # the weights of order 3 miss by up to 0.03 pixel
    assert np.ptp(np.arctan2(y[:, 0], x[:, 0])) > 1  # in several directions


def test_shift_by_whole_pixels_copies_them(monkeypatch):
    images = sky_stamps(1)

    class Right:
        def uniform(self, low, high):
            return 0.0

    monkeypatch.setattr("photoz_morph.robustness.perturbations.image_changes.galaxy_rngs", lambda *arguments: [Right()])
    moved = perturb("shift", images, [1], 3.0, SAMPLE)
    np.testing.assert_allclose(moved[:, :, 3:], images[:, :, :-3], atol=1e-3)
    np.testing.assert_allclose(moved[:, :, :3], images[:, :, 2::-1], atol=1e-3)  # the mirror image
