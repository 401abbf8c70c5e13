import numpy as np
import pytest

from photoz_morph.robustness.few_pixels.hits import Hits
from photoz_morph.robustness.few_pixels.smallest import SmallestOptions, smallest_changes

SIDE, N_BANDS = 16, 2
PER_UNIT = np.array([100.0, 20.0])


class Linear:
    """Success once sum(weights * change) is 1 or more, to either side."""

    def __init__(self, images, weights):
        self._images, self._weights = images, weights
        self.n_asked = 0

    def _moved(self, index, images):
        return np.einsum("nijb,ijb->n", images - self._images[index], self._weights)

    def margins(self, index, images):
        self.n_asked += len(images)
        return 1 - np.abs(self._moved(index, images))

    def slopes(self, index, images):
        side = np.sign(np.round(self._moved(index, images), 5)).astype(int)
        return np.broadcast_to(self._weights, images.shape), side


def images(n=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, SIDE, SIDE, N_BANDS)).astype(np.float32)


def one_pixel(weight=0.5, place=(5, 9, 1)):
    weights = np.zeros((SIDE, SIDE, N_BANDS))
    weights[place] = weight
    return weights


def attack(weights, options, measure="electrons", n=3, **more):
    own = images(n)
    victim = Linear(own, weights)
    hits = [Hits(image, PER_UNIT, measure, **more) for image in own]
    return victim, smallest_changes(victim, hits, list(range(n)), options), hits


def test_a_victim_that_looks_at_one_pixel_is_moved_there_by_the_least():
    # 1 / 0.5 image units of band 1 are 40 electrons; seven halvings of the range from 1 to 1e4 end within 7.5 %.
    options = SmallestOptions("gradient", lowest=1, highest=1e4, n_levels=7)
    victim, found, hits = attack(one_pixel(), options)
    for one, own in zip(found, hits):
        assert one.changes.places.tolist() == [[[5, 9, 1]]]
        assert 40 <= own.cost(one.changes)[0] <= 40 * 1.075
        assert one.queries < 1 + 8 * 33 * 4 and one.slopes > 0
    assert victim.n_asked == sum(one.queries for one in found)


def test_the_black_box_finds_the_pixel_of_a_victim_that_looks_around_it():
    y, x = np.indices((SIDE, SIDE))
    weights = np.zeros((SIDE, SIDE, N_BANDS))
    weights[..., 0] = np.exp(-((y - 6) ** 2 + (x - 10) ** 2) / 8)
    options = SmallestOptions("lattice", n_hits=1, lowest=1, highest=1e4)
    _, found, hits = attack(weights, options)
    for one, own in zip(found, hits):
        assert one.slopes == 0 and one.changes.places[0, 0].tolist() == [6, 10, 0]
        assert 100 <= own.cost(one.changes)[0] <= 108


def test_random_hits_need_more_than_either():
    y, x = np.indices((SIDE, SIDE))
    weights = np.exp(-((y - 6) ** 2 + (x - 10) ** 2) / 8)[..., None] * np.array([1.0, 0.01])
    costs = {}
    for search in ("gradient", "lattice", "random"):
        options = SmallestOptions(search, n_hits=1, lowest=1, highest=1e4, max_queries=400)
        _, found, hits = attack(weights, options, n=8)
        costs[search] = np.median([own.cost(one.changes)[0] for one, own in zip(found, hits)])
    assert costs["gradient"] <= costs["lattice"] < costs["random"]


def test_pixels_that_can_take_little_are_hit_together():
    # No pixel may change by more than 0.4: three of weight 1 are needed, and the fourth is not.
    weights = np.zeros((SIDE, SIDE, N_BANDS))
    weights[[2, 7, 12, 3], [4, 9, 1, 13], 0] = 1
    options = SmallestOptions("gradient", n_hits=3, lowest=1, highest=1e4)
    _, found, hits = attack(weights, options, up=0.4, down=0.4)
    for one, own in zip(found, hits):
        used = one.changes.places[0]
        assert len(np.unique(used, axis=0)) == 3 and np.all(weights[tuple(used.T)] == 1)
        assert 100 <= own.cost(one.changes)[0] <= 120
    _, found, _ = attack(weights, SmallestOptions("gradient", n_hits=2, lowest=1, highest=1e4), up=0.4, down=0.4)
    assert all(one.changes is None for one in found)


def test_the_largest_hit_is_made_small_by_spreading_it():
    weights = np.zeros((SIDE, SIDE, N_BANDS))
    weights[2, [3, 8, 13], 0] = 1  # 100 sigma in one, 33 sigma in three
    options = SmallestOptions("gradient", n_hits=3, lowest=1, highest=1e4)
    _, found, hits = attack(weights, options, "sigma")
    assert all(33 <= own.cost(one.changes)[0] <= 36 for one, own in zip(found, hits))


def test_a_change_that_is_not_allowed_does_not_count():
    own = images()
    victim = Linear(own, one_pixel(0.5) + one_pixel(0.25, (10, 3, 1)))
    hits = [
        Hits(image, PER_UNIT, is_allowed=lambda changed, image=image: changed[5, 9, 1] == image[5, 9, 1])
        for image in own
    ]
    for one, of_image in zip(smallest_changes(victim, hits, range(3), SmallestOptions(lowest=1, highest=1e4)), hits):
        assert one.changes.places.tolist() == [[[10, 3, 1]]] and 80 <= of_image.cost(one.changes)[0] <= 86


@pytest.mark.parametrize("search", ["gradient", "lattice", "random"])
def test_an_image_ends_alike_whatever_is_beside_it_and_within_its_queries(search):
    weights = np.random.default_rng(1).normal(size=(SIDE, SIDE, N_BANDS)) ** 3 / 5
    options = SmallestOptions(search, lowest=0.1, highest=1e4, max_queries=300)
    _, together, _ = attack(weights, options, n=12)
    _, fewer, _ = attack(weights, options, n=2)
    for one, other in zip(together, fewer):
        assert np.array_equal(one.changes.places, other.changes.places) and one.queries == other.queries
        assert np.array_equal(one.changes.amounts, other.changes.amounts)
    assert all(one.queries <= 300 + 32 for one in together)


def test_a_victim_that_sees_nothing_or_answers_nan_is_not_moved():
    _, found, _ = attack(np.zeros((SIDE, SIDE, N_BANDS)), SmallestOptions(max_queries=100))
    assert all(one.changes is None and one.queries > 1 for one in found)
    own = images(1)
    victim = Linear(own, np.full((SIDE, SIDE, N_BANDS), np.nan))
    assert smallest_changes(victim, [Hits(own[0], PER_UNIT)], [0], SmallestOptions("random"))[0].changes is None


@pytest.mark.parametrize(
    "options, message",
    [
        ({"search": "evolution"}, "search is 'evolution'; choose one of gradient, lattice, random"),
        ({"lowest": 10.0, "highest": 10.0}, "give 0 < lowest < highest"),
        ({"n_hits": 0}, "n_hits is 0; give 1 or more"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        SmallestOptions(**options)
