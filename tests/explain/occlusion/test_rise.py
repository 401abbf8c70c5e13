import numpy as np

from photoz_morph.explain.gradients import Score
from photoz_morph.explain.occlusion.rise import rise
from tests.support.players import additive, nothing, ones


def test_the_map_peaks_at_the_informative_pixels_in_their_band():
    score = Score(np.asarray, lambda output, galaxies: output[:, 3:5, 7:9, 1].mean(axis=(1, 2)))
    images = np.ones((2, 12, 12, 2), "float32")
    found = rise(score, images, np.zeros_like(images), 600, cells=4, each_band=True)
    for galaxy in found:
        row, column, band = np.unravel_index(galaxy.argmax(), galaxy.shape)
        assert 2 <= row <= 5 and 6 <= column <= 9 and band == 1
        assert galaxy[3:5, 7:9, 1].mean() > 5 * np.abs(galaxy[..., 0]).mean()


def test_scalars_have_their_own_effect():
    found = rise(additive(), ones(), nothing(), 600, cells=2)
    assert found["image"].shape == (2, 4, 4, 3) and found["ebv"].shape == (2,)
    # Three times E(B-V), kept with probability 1/2: the mean under those that keep it is 1.5 above the mean.
    np.testing.assert_allclose(found["ebv"], [1.5, 3.0], rtol=0.15)
    np.testing.assert_array_equal(found["image"][..., 0], found["image"][..., 1])


def test_masks_follow_from_the_seed():
    first, again, other = (rise(additive(), ones(), nothing(), 64, cells=2, seed=seed)["image"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
