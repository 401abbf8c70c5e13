"""Noise of frames: that of the sky, whatever objects lie on it."""

import numpy as np
import pytest

from photoz_morph.stacking.noise import MESH, FrameNoise, clipped_sigma


@pytest.mark.parametrize("sigma", [0.02, 3.0])
@pytest.mark.parametrize("level", [0.0, 1000.0])
def test_objects_do_not_raise_the_noise_of_the_sky(sigma, level):
    rng = np.random.default_rng(1)
    sky = rng.normal(level, sigma, (MESH, MESH))
    sky[rng.random(sky.shape) < 0.02] += 100 * sigma
    # Clipping at 3 standard deviations takes 1.3 % off those of a normal distribution, and noise adds 0.6 %.
    assert clipped_sigma(sky.astype(np.float32)) == pytest.approx(0.987 * sigma, rel=0.02)


def test_bad_pixels_are_not_counted_and_too_few_good_ones_tell_nothing():
    sky = np.random.default_rng(2).normal(size=(100, 100)).astype(np.float32)
    sky[:40] = np.nan
    assert clipped_sigma(sky) == pytest.approx(clipped_sigma(sky[40:]), rel=1e-12)
    sky[:60] = -np.inf
    assert np.isnan(clipped_sigma(sky))


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_constant_has_no_noise_and_a_frame_of_it_the_noise_one(value):
    image = np.full((50, 50), value, np.float32)
    assert clipped_sigma(image) == 0
    assert FrameNoise(image)((slice(0, 50), slice(0, 50))) == 1


def test_a_position_has_the_noise_of_its_surroundings():
    rng = np.random.default_rng(3)
    image = rng.normal(size=(600, 600)).astype(np.float32)
    image[300:] *= 5
    noise = FrameNoise(image)
    assert noise((slice(0, 250), slice(100, 350))) == pytest.approx(0.987, rel=0.02)
    assert noise((slice(400, 600), slice(100, 350))) == pytest.approx(5 * 0.987, rel=0.02)


def test_infinite_pixels_do_not_break_it():
    image = np.random.default_rng(4).normal(size=(60, 60)).astype(np.float32)
    image[3, 3] = np.inf
    assert FrameNoise(image)((slice(0, 60), slice(0, 60))) > 0
