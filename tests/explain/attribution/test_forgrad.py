import numpy as np
import pytest

from photoz_morph.explain.attribution.forgrad import best_cutoff, low_pass


def waves(frequency, side=32):
    """A wave along the columns in two bands."""
    wave = np.cos(2 * np.pi * frequency * np.arange(side))
    return np.broadcast_to(wave[None, None, :, None], (1, side, side, 2)).copy()


def test_waves_below_the_cutoff_stay_and_those_above_go():
    slow, fast = waves(2 / 32), waves(12 / 32)
    np.testing.assert_allclose(low_pass(slow + fast, 0.2), slow, atol=1e-12)
    np.testing.assert_allclose(low_pass(slow + fast, 1.0), slow + fast, atol=1e-12)


def test_sums_stay_so_that_a_complete_attribution_is_complete():
    maps = np.random.default_rng(0).normal(size=(3, 16, 16, 5))
    np.testing.assert_allclose(low_pass(maps, 0.1).sum(axis=(1, 2)), maps.sum(axis=(1, 2)), atol=1e-10)


def test_the_best_cutoff_is_that_of_the_most_faithful_maps():
    slow, fast = waves(2 / 32), waves(12 / 32)

    def faithfulness(maps):
        return -np.abs(maps - slow).sum(axis=(1, 2, 3))

    cutoff, scores = best_cutoff(slow + fast, faithfulness, (0.01, 0.2, 0.5))
    assert cutoff == 0.2 and scores.argmax() == 1


def test_no_frequencies_are_refused():
    with pytest.raises(ValueError, match="cutoff is 0 cycles per pixel, must be positive"):
        low_pass(waves(0.1), 0)
