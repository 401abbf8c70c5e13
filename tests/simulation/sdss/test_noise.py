"""Noise of a stack: the median's, the correlation of resampled frames, and what goes wrong in frames."""

import numpy as np
import pytest

from photoz_morph.simulation.sdss import noise
from photoz_morph.simulation.sdss.noise import (
    MARGIN,
    N_ANGLES,
    add_artefacts,
    correlate,
    draw_artefacts,
    lanczos_covariance,
    median_variance,
    resampled_variance,
)
from photoz_morph.stacking.frame_index import index_frames
from photoz_morph.stacking.stamps import stack_band
from tests.support.frames import R_ONLY, frame_header, write_frame


@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 11, 30, 64])
def test_noise_of_a_stack_is_that_of_the_median_of_its_frames(n_frames):
    medians = np.median(np.random.default_rng(n_frames).standard_normal((60000, n_frames)), axis=1)
    # The variance of 60,000 normal deviates is known to 0.6 %; four sigma. The mean would be 34 % below at 3 frames.
    assert median_variance(n_frames) == pytest.approx(medians.var(), rel=0.024)


def test_variance_of_a_median_has_its_exact_values():
    assert median_variance(1) == 1 and median_variance(2) == 0.5  # the mean, to the bit
    assert median_variance(3) == pytest.approx(1 - np.sqrt(3) / np.pi, rel=1e-9)
    assert median_variance(1001) == pytest.approx(np.pi / 2002, rel=1e-3)  # the limit of many


def covariance(images, lags):
    """Covariance of pixels at lags (y, x) of zero-mean images, shape (n, size, size)."""
    size = images.shape[-1]
    found = []
    for y, x in lags:
        first = images[:, max(y, 0) : size + min(y, 0), max(x, 0) : size + min(x, 0)]
        second = images[:, max(-y, 0) : size + min(-y, 0), max(-x, 0) : size + min(-x, 0)]
        found.append(np.mean(first * second))
    return np.array(found)


LAGS = [(0, 0), (0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0), (2, 1), (0, 4)]


@pytest.mark.parametrize("angle_index", [0, 5, 8, 13])
def test_drawn_noise_has_the_covariance_of_resampled_white_noise(angle_index):
    """White noise on a frame's pixels, interpolated by six lines of NumPy to the pixels of a turned stamp."""
    angle, rng = np.radians(90 * angle_index / N_ANGLES), np.random.default_rng(angle_index)
    y, x = np.indices((64, 64)) - 31.5
    turned_x, turned_y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    stamps = []
    for _ in range(80):
        frame, (dx, dy) = rng.standard_normal((110, 110)), 54 + rng.random(2)
        stamps.append(lanczos(frame, turned_x + dx, turned_y + dy))
    expected = covariance(np.array(stamps), LAGS)
    drawn = correlate(rng.standard_normal((80, 64 + MARGIN, 64 + MARGIN), dtype=np.float32), angle_index)
    # 330,000 correlated pixels: 0.3 % of the variance; six sigma.
    np.testing.assert_allclose(covariance(drawn, LAGS), expected, atol=0.015)


def lanczos(frame, x, y):
    """Lanczos-3 interpolation with weights that add up to 1 along each axis, as SWarp has them."""

    def weights(position):
        offset = position - (np.floor(position).astype(int) + np.arange(-2, 4)[:, None, None])
        weight = np.sinc(offset) * np.sinc(offset / 3)
        return weight / weight.sum(axis=0)

    taps = np.arange(-2, 4)
    rows = np.floor(y).astype(int) + taps[:, None, None]
    columns = np.floor(x).astype(int) + taps[:, None, None]
    return np.einsum("iyx,jyx,ijyx->yx", weights(y), weights(x), frame[rows[:, None], columns[None]])


def test_drawn_noise_has_the_covariance_of_stacks_of_the_package(tmp_path):
    """Frames of white noise, turned against north by 34 degrees, through the engine of `photoz stack`."""
    rng, stamps = np.random.default_rng(0), []
    for run in range(25):
        header = frame_header(30.0, 10.0, 33.75, (130, 130), offset=tuple(rng.uniform(-0.5, 0.5, 2)))
        write_frame(tmp_path, rng.standard_normal((130, 130)), header, run=run + 1)
    index = index_frames(tmp_path, R_ONLY)
    for row in range(len(index["path"])):
        frames = index[np.arange(len(index["path"])) == row]
        stamps.append(stack_band(frames, 30.0, 10.0, R_ONLY, "median", engine="lanczos")[0])
    found = covariance(np.array(stamps), LAGS)
    angle_index = 6  # 33.75 degrees
    drawn = covariance(correlate(rng.standard_normal((80, 72, 72), dtype=np.float32), angle_index), LAGS)
    mirrored = covariance(correlate(rng.standard_normal((80, 72, 72), dtype=np.float32), N_ANGLES - angle_index), LAGS)
    # East is left, so that the frames may be turned the other way round. 100,000 pixels: 0.5 %, four sigma.
    assert min(np.abs(found - expected).max() for expected in (drawn, mirrored)) < 0.025


def test_resampling_takes_a_fifth_of_the_variance_and_nothing_from_a_sum():
    assert resampled_variance() == pytest.approx(0.80, abs=0.01)
    # The variance of the sum of many pixels is the sum of all covariances: that of the frame.
    for angle_index in range(N_ANGLES):
        assert lanczos_covariance(angle_index).sum() == pytest.approx(1, abs=0.02)


def test_artefacts_are_in_one_band_and_in_no_median_of_three(monkeypatch):
    monkeypatch.setattr(noise, "COSMIC_RAY_FRACTION", 1.0)
    monkeypatch.setattr(noise, "TRAIL_FRACTION", 1.0)
    assert draw_artefacts(3, 5, 64, np.random.default_rng(0)) == ()
    sky_sigma = np.full(5, 0.03)
    for seed in range(20):
        cosmic_ray, trail = draw_artefacts(1, 5, 64, np.random.default_rng(seed))
        image = np.zeros((5, 64, 64), np.float32)
        add_artefacts(image, [cosmic_ray], sky_sigma)
        assert [band for band in range(5) if image[band].any()] == [cosmic_ray.band]
        assert (image > 0.5 * image.max()).sum() < 40 and 0.1 < image.max() < 3.1
        halved = draw_artefacts(2, 5, 64, np.random.default_rng(seed))[0]
        assert halved.height == pytest.approx(cosmic_ray.height / 2)
        assert trail.length > 128  # leaves the stamp on both sides


def test_artefacts_are_as_rare_as_said():
    rng = np.random.default_rng(1)
    assert np.mean([len(draw_artefacts(1, 5, 64, rng)) for _ in range(20000)]) == pytest.approx(0.007, abs=0.0024)
