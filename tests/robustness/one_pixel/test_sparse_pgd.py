import numpy as np
import pytest

from photoz_morph.robustness.one_pixel.searches import Bounds
from photoz_morph.robustness.one_pixel.sparse_pgd import sparse_pgd

SHAPE = (9, 8)


@pytest.mark.parametrize("softening", [None, 20.0])
def test_the_best_pixels_of_a_linear_score_are_found(softening):
    bounds = Bounds(np.array([-10.0, 0]), np.array([100.0, 50]), softening)
    rng = np.random.default_rng(1)
    image, weights = rng.uniform(0, 50, (*SHAPE, 2)), rng.normal(size=(*SHAPE, 2))
    gains = np.minimum(weights * (bounds.low - image), weights * (bounds.high - image)).sum(axis=-1)
    search, changes = sparse_pgd(image, bounds, rng, 3), []
    edits = next(search)
    for _ in range(150):
        (pixels,), (values,) = edits.sets()
        assert len(np.unique(pixels, axis=0)) == 3
        assert np.all((values >= bounds.low) & (values <= bounds.high))
        place = tuple(pixels.T)
        changes.append(np.sum(weights[place] * (values - image[place])))
        edits = search.send((changes[-1], weights))
    best = np.sort(gains, axis=None)[:3].sum()
    # Over arcsinh values the slope at the clean pixel is a poor measure of what the whole step gains.
    assert changes[0] > 0.5 * best > 0.7 * best > min(changes)
    assert softening or min(changes) == pytest.approx(best, rel=1e-5)


def test_a_mask_that_stands_still_is_drawn_anew():
    """Without a gradient nothing moves but for the draws after each third step."""
    search = sparse_pgd(np.zeros((*SHAPE, 2)), Bounds(np.zeros(2), np.ones(2)), np.random.default_rng(0), 4)
    masks = [next(search).pixels]
    masks += [search.send((0.0, np.zeros((*SHAPE, 2)))).pixels for _ in range(8)]
    same = [np.array_equal(first, second) for first, second in zip(masks, masks[1:])]
    assert same == [True, True, False, True, True, False, True, True]


def test_a_pixel_beyond_the_bounds_is_left_as_it_is_unless_chosen():
    bounds = Bounds(np.zeros(1), np.ones(1))
    assert bounds.fraction(np.array([[-3.0], [0.25], [7.0]])).ravel().tolist() == [0, 0.25, 1]
    spread = Bounds(np.array([-5.0]), np.array([80.0]), softening=3.0)
    fractions = np.linspace(0, 1, 11)[:, None]
    np.testing.assert_allclose(spread.fraction(spread.at(fractions)), fractions, atol=1e-6)
    steps = (spread.at(fractions + 1e-3).astype(float) - spread.at(fractions - 1e-3))[1:-1] / 2e-3
    np.testing.assert_allclose(spread.slope(fractions)[1:-1], steps, rtol=1e-3)
