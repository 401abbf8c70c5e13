import numpy as np
import pytest

from photoz_morph.robustness.one_pixel.attack import (
    AttackOptions,
    CallableQueries,
    edited_images,
    has_won,
    one_pixel_attack,
    scores_of,
)
from photoz_morph.robustness.one_pixel.bounds import pixel_bounds
from photoz_morph.robustness.one_pixel.searches import Bounds, Edits, evolution, lattice, random_corners, saliency

SHAPE, WEAK, REACH = (20, 24), (6, 17), 2
BOUNDS = Bounds(np.zeros(2), np.ones(2))
SEARCHES = ("lattice", "saliency", "evolution", "random")


def weak_spot():
    """Weights of the pixels: high at one spot, falling off around it."""
    rows, columns = np.indices(SHAPE)
    return np.exp(-((rows - WEAK[0]) ** 2 + (columns - WEAK[1]) ** 2) / 2 / REACH**2)


def classify(images):
    """Three classes: class 0 unless the spot is bright in band 0 and dark in band 1; class 1 is never given."""
    light = np.einsum("nijb,ij->nb", images, weak_spot())
    logits = np.zeros((len(images), 3))
    logits[:, 0], logits[:, 1] = 0.9, -1
    logits[:, 2] = light[:, 0] - light[:, 1]  # 0 for images equally bright in both bands
    return logits


def gradient(images, weights):
    slope = np.zeros(images.shape)
    slope[..., 0] += weak_spot() * weights[:, 2, None, None]
    slope[..., 1] -= weak_spot() * weights[:, 2, None, None]
    return slope


def queries(n=3, **options):
    images = np.full((n, *SHAPE, 2), 0.5, np.float32)
    return CallableQueries(images, classify, gradient, **options)


def attack(n=3, search="lattice", **options):
    return one_pixel_attack(queries(n), np.zeros(n, int), range(n), BOUNDS, AttackOptions(search, **options))


@pytest.mark.parametrize("search", SEARCHES)
def test_the_vulnerable_pixel_is_found(search):
    """A change of at most 0.5 in each band moves the margin by at most 1 x weight: only the spot itself flips."""
    found = attack(search=search, max_queries=20_000)
    assert found.flipped.all()
    weight = weak_spot()[tuple(found.pixels.T)]
    assert np.all(weight > 0.9)  # the margin is 0.9
    corner = (found.values - 0.5) @ [1, -1]
    assert np.all(weight * corner > 0.9)
    assert np.all(found.logits.argmax(axis=1) == 2)


def test_guided_searches_ask_less_than_random_ones():
    queries_of = {search: attack(8, search, max_queries=20_000).queries.mean() for search in SEARCHES}
    assert queries_of["saliency"] < queries_of["lattice"] < queries_of["random"] / 2


def test_saliency_tries_the_best_edit_first():
    assert attack(search="saliency").queries.tolist() == [33] * 3  # one slice and the confirmation


@pytest.mark.parametrize("search", SEARCHES)
def test_each_image_is_attacked_as_if_alone(search):
    together = attack(5, search, max_queries=500)
    for i in range(5):
        alone = one_pixel_attack(queries(1), [0], [i], BOUNDS, AttackOptions(search, max_queries=500))
        for whole, part in zip(together, alone):
            assert np.array_equal(whole[i : i + 1], part, equal_nan=True)


@pytest.mark.parametrize("search", SEARCHES)
def test_every_question_is_counted_and_edits_one_pixel_only(search):
    asked = []

    def watched(images):
        asked.append(images)
        return np.tile([[1.0, 0, 0]], (len(images), 1))

    images = np.full((1, *SHAPE, 2), 0.5, np.float32)
    watching = CallableQueries(images, watched, gradient, batch_size=32)
    found = one_pixel_attack(watching, [0], [0], BOUNDS, AttackOptions(search, max_queries=90, population=64))
    assert not found.flipped[0] and found.queries[0] == 90 and np.all(found.pixels == -1)
    assert np.isnan(found.values).all() and np.isnan(found.logits).all()
    rows = np.concatenate(asked[1:])  # after the clean image; the last batch of 26 is filled up
    assert len(rows) == 96
    changed = np.any(rows != 0.5, axis=-1).sum(axis=(1, 2))
    assert np.all(changed <= 1)
    assert rows.min() >= 0 and rows.max() <= 1


def test_a_flip_that_is_not_confirmed_is_none():
    class Doubtful(CallableQueries):
        def confirm(self, index, edits):
            return np.tile([[1.0, 0, 0]], (len(index), 1))

    images = np.full((1, *SHAPE, 2), 0.5, np.float32)
    found = one_pixel_attack(
        Doubtful(images, classify), [0], [0], BOUNDS, AttackOptions("lattice", max_queries=2000)
    )
    assert not found.flipped[0] and found.n_unconfirmed[0] > 0


def test_a_target_that_cannot_be_reached_is_passed_over():
    found = attack(search="lattice", targeted=True, max_queries=800)
    assert found.flipped.all() and np.all(found.logits.argmax(axis=1) == 2)
    assert np.all(found.queries > 800)  # class 1 came first


def test_wrongly_classified_images_are_refused():
    with pytest.raises(ValueError, match="image 1 is wrongly classified already"):
        one_pixel_attack(queries(2), [0, 1], range(2), BOUNDS)


def test_bounds_of_other_bands_and_no_images_are_refused():
    with pytest.raises(ValueError, match="bounds have 1 bands, the images 2"):
        one_pixel_attack(queries(1), [0], [0], Bounds(np.zeros(1), np.ones(1)))
    with pytest.raises(ValueError, match="0 images, 1 labels"):
        one_pixel_attack(queries(0), [0], [0], BOUNDS)


def test_the_margin_tells_apart_what_probabilities_do_not():
    """In float32 the softmax of a sure network is 1 whatever the edit: the published objective is blind there."""
    logits = np.array([[40, 0, 0], [39, 0, 0], [38, 1, 0]], np.float32)
    assert np.ptp(scores_of(logits, 0, objective="probability")) == 0
    assert scores_of(logits, 0).tolist() == [40, 39, 37]
    assert scores_of(logits, 0, target=1).tolist() == [40, 39, 37]


def test_rules_of_success():
    logits = np.log([[0.4, 0.5, 0.1], [0.04, 0.48, 0.48], [0.6, 0.3, 0.1]])
    assert has_won(logits, 0).tolist() == [True, True, False]
    assert has_won(logits, 0, success="paper").tolist() == [False, True, False]
    assert has_won(logits, 0, target=1).tolist() == [True, True, False]
    assert has_won(logits, 2, target=0, success="paper").tolist() == [False, False, True]


@pytest.mark.parametrize(
    "options", [{"search": "brute"}, {"max_queries": 0}, {"objective": "loss"}, {"success": "no"}, {"population": 3}]
)
def test_options_are_checked(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} is"):
        AttackOptions(**options)


def test_only_the_saliency_search_needs_a_gradient():
    images = np.full((1, *SHAPE, 2), 0.5, np.float32)
    with pytest.raises(ValueError, match="needs gradients"):
        one_pixel_attack(CallableQueries(images, classify), [0], [0], BOUNDS, AttackOptions("saliency"))


def all_edits(search, scores=0.0):
    """What a search asks when every edit scores the same, as (row, column, values) rows, until it ends."""
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


def test_evolution_gives_up_on_a_hopeless_target():
    hopeless = evolution(SHAPE, BOUNDS, np.random.default_rng(0), population=8, gives_up=True)
    assert len(all_edits(hopeless, scores=-0.3)) == 8 * 82
    hopeful = evolution(SHAPE, BOUNDS, np.random.default_rng(0), population=8, gives_up=True)
    edits = next(hopeful)
    for _ in range(200):
        edits = hopeful.send(np.full(len(edits), -0.45))  # would raise StopIteration
    assert len(edits) == 8


def test_bounds_are_spread_as_the_network_sees_them():
    bounds = Bounds(np.array([-1.0, 0]), np.array([1000.0, 10]), softening=1.0)
    assert np.array_equal(bounds.corners(), np.float32([[-1, 0], [1000, 0], [-1, 10], [1000, 10]]))
    middle = bounds.at(np.array([0.5, 0.5]))
    assert np.arcsinh(middle[0]) == pytest.approx((np.arcsinh(-1) + np.arcsinh(1000)) / 2, rel=1e-6)
    assert Bounds(np.array([-1.0]), np.array([3.0])).at(np.array([0.25])).tolist() == [0.0]
    with pytest.raises(ValueError, match="must rise in every band"):
        Bounds(np.array([0.0, 1]), np.array([1.0, 1]))


def test_bounds_of_each_kind():
    data = pixel_bounds("data", [-1, -2], [5, 6])
    assert (data.low.tolist(), data.high.tolist()) == ([-1, -2], [5, 6])
    paper = pixel_bounds("paper", [-1, -2], [5, 6], softening=2.0)
    scaled = (np.arcsinh(np.array([paper.low, [0, 0], paper.high]) / 2) + 1) / 2
    assert np.allclose(scaled, [[0, 0], [0.5, 0.5], [1, 1]])

    class Context:
        sky_sigma, sky_electrons = np.array([2.0, 3]), np.array([100.0, 200])
        njy_per_electron, n_pixels = np.array([0.1, 0.2]), 1

    sigma = pixel_bounds("sigma:10", [0, 0], [1, 1], context=Context)
    assert (sigma.low.tolist(), sigma.high.tolist()) == ([-20, -30], [20, 30])
    electrons = pixel_bounds("electrons:1e4", [0, 0], [1, 1], context=Context)
    assert (electrons.low.tolist(), electrons.high.tolist()) == ([-10, -40], [1000, 2000])


@pytest.mark.parametrize("spec", ["sigma", "sigma:-1", "sigma:x", "data:3", "all", "electrons:inf"])
def test_bounds_that_are_none(spec):
    with pytest.raises(ValueError, match="give data, paper"):
        pixel_bounds(spec, [0], [1])
    with pytest.raises(ValueError, match="nothing is known of the electrons"):
        pixel_bounds("sigma:3", [0], [1])
    with pytest.raises(ValueError, match="does not have"):
        pixel_bounds("paper", [0], [1])


def test_edited_images_leave_the_rest_alone():
    images = np.random.default_rng(0).normal(size=(2, 5, 6, 2)).astype(np.float32)
    edits = Edits(np.array([[1, 2], [4, 0]]), np.float32([[7, 8], [9, 10]]))
    edited = edited_images(images, edits)
    assert edited[0, 1, 2].tolist() == [7, 8] and edited[1, 4, 0].tolist() == [9, 10]
    assert np.sum(edited != images) == 4
