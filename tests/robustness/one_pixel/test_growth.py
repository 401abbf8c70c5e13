import numpy as np
import pytest

from photoz_morph.robustness.one_pixel.growth import grown_lattice, grown_saliency
from photoz_morph.robustness.one_pixel.searches import Bounds
from photoz_morph.robustness.one_pixel.sparse_rs import sparse_rs

SHAPE = (30, 28)
BOUNDS = Bounds(np.zeros(2), np.ones(2))
SIGNS = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])  # of the corners


def smooth_gains(seed):
    """Change of the score by each corner of each pixel, shape (rows, columns, 4): two smooth spots of other colours."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(SHAPE)
    gains = 0.02 * rng.normal(size=(*SHAPE, 4))
    for _ in range(2):
        row, column = rng.uniform(4, 24, 2)
        spot = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 2 / 3**2)
        gains += spot[..., None] * (SIGNS @ rng.choice([-1.0, 1.0], 2) - 1)
    return gains


def lowest_scores(search, gains, n_queries):
    """The lowest score so far after each query, and all sets asked for, (n, k, 3) of row, column and corner."""
    lowest, asked, edits = [], [], next(search)
    while len(lowest) < n_queries:
        pixels, values = edits.sets()
        corner = (values @ [1, 2]).astype(int)
        scores = gains[pixels[..., 0], pixels[..., 1], corner].sum(axis=1)
        asked.extend(np.concatenate([pixels, corner[..., None]], axis=2))
        for score in scores:
            lowest.append(min([score, *lowest[-1:]]))
        edits = search.send(scores)
    return np.array(lowest[:n_queries]), np.array(asked)


def best_of(gains, n_pixels):
    return np.sort(gains.min(axis=-1), axis=None)[:n_pixels].sum()


@pytest.mark.parametrize("n_pixels", [2, 5, 10])
def test_sets_grow_to_nearly_the_best_in_fewer_queries_than_sparse_rs(n_pixels):
    ours, peers = [], []
    for seed in range(3):
        gains = smooth_gains(seed)
        searches = (
            grown_lattice(SHAPE, BOUNDS, np.random.default_rng(seed), n_pixels, 0.0),
            sparse_rs(SHAPE, BOUNDS, np.random.default_rng(seed), n_pixels, 1000),
        )
        for found, search in zip((ours, peers), searches):
            found.append(lowest_scores(search, gains, 300)[0] / best_of(gains, n_pixels))
    ours, peers = np.mean(ours, axis=0), np.mean(peers, axis=0)
    assert ours[-1] > 0.9
    reached = 0.9 * peers[-1]
    assert np.argmax(ours > reached) < np.argmax(peers > reached) / 2


def test_the_first_set_of_a_ranking_is_of_its_first_pixels_and_no_set_comes_twice():
    gains = smooth_gains(7)
    ranking = np.argsort(gains, axis=None, kind="stable")
    search = grown_saliency(SHAPE, BOUNDS, np.random.default_rng(0), ranking, 5, 0.0)
    lowest, asked = lowest_scores(search, gains, 200)
    assert lowest[0] == pytest.approx(best_of(gains, 5))  # a linear score is ranked exactly
    assert np.abs(asked[1, :, None, :2] - asked[1, None, :, :2]).max(axis=2)[~np.eye(5, dtype=bool)].min() >= 4
    keys = {tuple(sorted(map(tuple, own))) for own in asked}
    assert len(keys) >= 0.98 * len(asked)
    assert all(len({tuple(pixel) for pixel in own[:, :2]}) == 5 for own in asked)


@pytest.mark.parametrize(("n_pixels", "score"), [(3, 0.0), (3, np.inf), (30, 0.0)])
def test_scores_that_say_nothing_do_not_stop_it(n_pixels, score):
    search = grown_lattice((8, 8), BOUNDS, np.random.default_rng(0), n_pixels, 1.0)
    edits = next(search)
    for _ in range(40):
        assert np.isfinite(edits.values).all() and edits.pixels.max() < 8
        assert all(len(np.unique(own, axis=0)) == n_pixels for own in edits.pixels)
        edits = search.send(np.full(len(edits), score))
