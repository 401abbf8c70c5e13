import numpy as np
import pytest

from photoz_morph.robustness.one_pixel.searches import Bounds, evolution, lattice, random_corners, saliency

SHAPE, WEAK, REACH = (20, 24), (6, 17), 2
BOUNDS = Bounds(np.zeros(2), np.ones(2))


def all_edits(search, scores=0.0):
    """Queries of a search for which every edit scores the same, as (row, column, values) rows, until it ends."""
    edits, rows = next(search), []
    while True:
        rows.append(np.concatenate([edits.pixels, edits.values], axis=1))
        try:
            edits = search.send(np.full(len(edits), scores))
        except StopIteration:
            return np.concatenate(rows)


@pytest.mark.parametrize("search", [lattice, random_corners])
def test_in_the_end_every_corner_of_every_pixel_is_tried_once(search):
    rows = all_edits(search((7, 9), BOUNDS, np.random.default_rng(1)))
    assert len(rows) == len(np.unique(rows, axis=0)) == 7 * 9 * 4


def test_saliency_follows_its_ranking():
    ranking = np.random.default_rng(0).permutation(7 * 9 * 4)
    rows = all_edits(saliency((7, 9), BOUNDS, ranking))
    pixel, corner = np.divmod(ranking[:32], 4)
    assert np.array_equal(rows[:32, :2], np.stack(np.divmod(pixel, 9), axis=1))
    assert np.array_equal(rows[:32, 2:], BOUNDS.corners()[corner])
    assert len(np.unique(rows, axis=0)) == 7 * 9 * 4


def test_evolution_draws_every_pixel_alike_and_keeps_what_is_better():
    search = evolution((4, 4), BOUNDS, np.random.default_rng(0), population=40_000)
    first = next(search)
    counts = np.bincount(first.pixels[:, 0] * 4 + first.pixels[:, 1], minlength=16)
    assert np.all(np.abs(counts - 2500) < 5 * 50)
    assert 0.14 < np.mean(first.values == 0) < 0.18  # N(0.5, 0.5) below 0: 16 %


def test_genes_of_a_set_are_those_of_its_pixels_and_a_pixel_has_one_value():
    single = next(evolution((3, 2), BOUNDS, np.random.default_rng(1), population=4))
    assert single.pixels.shape == (4, 2) and single.values.shape == (4, 2)
    sets = next(evolution((3, 2), BOUNDS, np.random.default_rng(0), population=200, n_pixels=3))
    assert sets.pixels.shape == (200, 3, 2) and sets.values.shape == (200, 3, 2)
    flat = sets.pixels @ [2, 1]
    assert np.any(flat[:, 0] == flat[:, 2])
    for pixels, values in zip(flat, sets.values):
        assert len(np.unique(np.column_stack([pixels, values]), axis=0)) == len(np.unique(pixels))


def test_random_sets_are_of_different_pixels_at_corners():
    search = random_corners((4, 4), BOUNDS, np.random.default_rng(0), n_pixels=5)
    edits = [next(search)] + [search.send(np.zeros(4)) for _ in range(400)]
    pixels = np.concatenate([part.pixels for part in edits])
    flat = pixels @ [4, 1]
    assert pixels.shape == (1604, 5, 2) and all(len(set(own)) == 5 for own in flat.tolist())
    counts = np.bincount(flat.ravel(), minlength=16)
    assert np.all(np.abs(counts - 1604 * 5 / 16) < 5 * np.sqrt(1604 * 5 / 16))
    assert set(np.unique(np.concatenate([part.values for part in edits]))) == {0, 1}


def test_evolution_gives_up_on_a_hopeless_target():
    hopeless = evolution(SHAPE, BOUNDS, np.random.default_rng(0), population=8, gives_up=True)
    assert len(all_edits(hopeless, scores=-0.3)) == 8 * 82
    candidates = evolution(SHAPE, BOUNDS, np.random.default_rng(0), population=8, gives_up=True)
    edits = next(candidates)
    for _ in range(200):
        edits = candidates.send(np.full(len(edits), -0.45))  # would raise StopIteration
    assert len(edits) == 8


def test_bounds_are_spread_as_the_network_sees_them():
    bounds = Bounds(np.array([-1.0, 0]), np.array([1000.0, 10]), softening=1.0)
    assert np.array_equal(bounds.corners(), np.float32([[-1, 0], [1000, 0], [-1, 10], [1000, 10]]))
    middle = bounds.at(np.array([0.5, 0.5]))
    assert np.arcsinh(middle[0]) == pytest.approx((np.arcsinh(-1) + np.arcsinh(1000)) / 2, rel=1e-6)
    assert Bounds(np.array([-1.0]), np.array([3.0])).at(np.array([0.25])).tolist() == [0.0]
    with pytest.raises(ValueError, match="must rise in every band"):
        Bounds(np.array([0.0, 1]), np.array([1.0, 1]))


@pytest.mark.parametrize("search", ["lattice", "saliency"])
def test_half_of_the_next_edits_are_around_the_best(search):
    rng, corners = np.random.default_rng(3), BOUNDS.corners()
    ranking = rng.permutation(np.prod(SHAPE) * len(corners))
    edits = lattice(SHAPE, BOUNDS, rng) if search == "lattice" else saliency(SHAPE, BOUNDS, ranking)
    first = next(edits)
    scores = np.ones(len(first))
    scores[7] = 0
    following = edits.send(scores)
    distance = np.abs(following.pixels - first.pixels[7]).max(axis=1)
    assert len(following) == 32 and np.all(distance[:16] <= 4)
    assert (distance[16:] > 4).mean() > 0.5


def test_evolution_replaces_a_parent_only_by_a_better_child():
    search = evolution((4, 4), BOUNDS, np.random.default_rng(5), population=6)
    parents = next(search)
    children = search.send(np.zeros(6))
    grandchildren = search.send(np.ones(6))  # all worse: the parents breed again
    again = evolution((4, 4), BOUNDS, np.random.default_rng(5), population=6)
    assert np.array_equal(next(again).pixels, parents.pixels)
    assert np.array_equal(again.send(np.zeros(6)).values, children.values)
    assert not np.array_equal(again.send(-np.ones(6)).values, grandchildren.values)  # all better: the children do
