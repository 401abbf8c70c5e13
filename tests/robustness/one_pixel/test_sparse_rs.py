import numpy as np
import pytest

from photoz_morph.robustness.one_pixel.searches import Bounds
from photoz_morph.robustness.one_pixel.sparse_rs import exchanged_fraction, sparse_rs

SHAPE = (6, 5)
BOUNDS = Bounds(np.zeros(3), np.ones(3))


def test_the_fraction_that_is_exchanged_falls_as_published():
    """alpha_init = 0.3; divided by 2, 4, 5, 6, 8, 10, 12, 15, 20 after the steps of Appendix A of 10,000."""
    steps = [0, 1, 50, 51, 200, 201, 501, 1001, 2001, 4001, 6001, 8001, 9999]
    divisors = [1, 2, 2, 4, 4, 5, 6, 8, 10, 12, 15, 20, 20]
    assert [exchanged_fraction(step, 10_000) for step in steps] == pytest.approx(0.3 / np.array(divisors))
    assert exchanged_fraction(160, 3200) == exchanged_fraction(500, 10_000)  # rescaled to the budget


@pytest.mark.parametrize(("n_pixels", "alpha"), [(1, 0.3), (5, 0.3), (10, 0.8)])
def test_a_step_exchanges_pixels_of_the_best_set_for_new_ones_at_corners(n_pixels, alpha):
    search = sparse_rs((20, 20), BOUNDS, np.random.default_rng(0), n_pixels, 400, alpha)
    scores, lowest = np.random.default_rng(1).normal(size=400), np.inf
    asked = next(search)
    for step in range(1, 400):
        if scores[step - 1] < lowest:
            best, lowest = asked, scores[step - 1]
        edits = search.send(scores[step - 1 : step])
        (old,), (new,) = (part.sets()[0].tolist() for part in (best, edits))
        n_new = max(int(exchanged_fraction(step, 400, alpha) * n_pixels), 1)
        assert sum(pixel not in old for pixel in new) == n_new
        assert len({tuple(pixel) for pixel in new}) == n_pixels and set(np.unique(edits.values)) <= {0, 1}
        asked = edits
    with pytest.raises(StopIteration):
        search.send(scores[-1:])


def test_the_best_pixels_of_a_linear_score_are_found():
    """Of one band: with more, a pixel of the best set but of a wrong colour may have to leave and come back, which
    raises the score in between."""
    gains = -np.random.default_rng(3).random(SHAPE)  # of a pixel at 1, from 0
    search, lowest = sparse_rs(SHAPE, Bounds(np.zeros(1), np.ones(1)), np.random.default_rng(4), 3, 2000), 0.0
    edits = next(search)
    for _ in range(1999):
        (pixels,), (values,) = edits.sets()
        score = np.sum(gains[tuple(pixels.T)] * values[:, 0])
        lowest = min(lowest, score)
        edits = search.send(np.array([score]))
    assert lowest == pytest.approx(np.sort(gains, axis=None)[:3].sum())
