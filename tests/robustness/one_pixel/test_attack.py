import numpy as np
import pytest

from photoz_morph.robustness.one_pixel.attack import AttackOptions, CallableQueries, edited_images, one_pixel_attack
from photoz_morph.robustness.one_pixel.searches import Bounds, Edits

SHAPE, WEAK, REACH = (20, 24), (6, 17), 2
BOUNDS = Bounds(np.zeros(2), np.ones(2))
SEARCHES = ("lattice", "saliency", "evolution", "random")
PUBLISHED = ("sparse-rs", "sparse-pgd")


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


def test_guided_searches_need_fewer_queries_than_random_ones():
    queries_of = {search: attack(8, search, max_queries=20_000).queries.mean() for search in SEARCHES}
    assert queries_of["saliency"] < queries_of["lattice"] < queries_of["random"] / 2


def test_saliency_tries_the_best_edit_first():
    assert attack(search="saliency").queries.tolist() == [33] * 3  # one slice and the confirmation


def threshold(images, margin):
    """`classify` with another margin between class 0 and what the spot gives."""
    logits = classify(images)
    logits[:, 0] = margin
    return logits


@pytest.mark.parametrize("search", ["lattice", "saliency", "sparse-rs", "sparse-pgd"])
def test_as_many_pixels_as_are_needed_flip_and_no_fewer_do(search):
    """Weights are 1 at the spot and exp(-1/8) at its four neighbours: two pixels move the margin by 1.88 at most."""
    images = np.full((4, *SHAPE, 2), 0.5, np.float32)
    margin = 1.9
    wall = CallableQueries(images, lambda images: threshold(images, margin), gradient)
    for n_pixels, flips in ((2, False), (4, True)):
        options = AttackOptions(search, max_queries=4000 if flips else 300, pixels=n_pixels)
        found = one_pixel_attack(wall, np.zeros(4, int), range(4), BOUNDS, options)
        assert np.all(found.flipped == flips)
        assert found.pixels.shape == (4, n_pixels, 2) and found.values.shape == (4, n_pixels, 2)
    weight = weak_spot()[tuple(np.moveaxis(found.pixels, -1, 0))]
    assert np.all(np.sum(weight * ((found.values - 0.5) @ [1, -1]), axis=1) > margin)
    assert np.all(found.logits.argmax(axis=1) == 2)


@pytest.mark.parametrize("search", PUBLISHED)
def test_published_searches_take_one_pixel_too(search):
    found = attack(search=search, max_queries=20_000)
    assert found.flipped.all() and found.pixels.shape == (3, 2) and found.values.shape == (3, 2)
    assert np.all(weak_spot()[tuple(found.pixels.T)] > 0.9)


@pytest.mark.parametrize(("search", "n_pixels"), [*((search, 1) for search in SEARCHES), *(
    (search, 3) for search in (*SEARCHES, *PUBLISHED))])  # fmt: skip
def test_each_image_is_attacked_as_if_alone(search, n_pixels):
    options = AttackOptions(search, max_queries=500 if n_pixels == 1 else 60, pixels=n_pixels)
    together = one_pixel_attack(queries(5), np.zeros(5, int), range(5), BOUNDS, options)
    for i in range(5):
        alone = one_pixel_attack(queries(1), [0], [i], BOUNDS, options)
        for whole, part in zip(together, alone):
            assert np.array_equal(whole[i : i + 1], part, equal_nan=True)


@pytest.mark.parametrize(("search", "n_pixels"), [*((search, 1) for search in SEARCHES), *(
    (search, 4) for search in (*SEARCHES, *PUBLISHED))])  # fmt: skip
def test_every_query_is_counted_and_edits_so_many_pixels_only(search, n_pixels):
    asked = []

    def watched(images):
        asked.append(images)
        return np.tile([[1.0, 0, 0]], (len(images), 1))

    images = np.full((1, *SHAPE, 2), 0.5, np.float32)
    size = 32 if n_pixels == 1 else 1
    watching = CallableQueries(images, watched, gradient, batch_size=size)
    options = AttackOptions(search, max_queries=90, population=64, pixels=n_pixels)
    found = one_pixel_attack(watching, [0], [0], BOUNDS, options)
    assert not found.flipped[0] and found.queries[0] == 90 and np.all(found.pixels == -1)
    assert np.isnan(found.values).all() and np.isnan(found.logits).all()
    rows = np.concatenate(asked[1:])  # after the clean image; the last batch of 26 is filled up
    assert len(rows) == (96 if n_pixels == 1 else 90)
    changed = np.any(rows != 0.5, axis=-1).sum(axis=(1, 2))
    assert np.all(changed <= n_pixels) and changed.max() == n_pixels
    assert rows.min() >= 0 and rows.max() <= 1


def test_a_flip_that_is_not_confirmed_is_none():
    class Doubtful(CallableQueries):
        def confirm(self, index, edits):
            return np.tile([[1.0, 0, 0]], (len(index), 1))

    images = np.full((1, *SHAPE, 2), 0.5, np.float32)
    found = one_pixel_attack(Doubtful(images, classify), [0], [0], BOUNDS, AttackOptions("lattice", max_queries=2000))
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


@pytest.mark.parametrize(
    "options",
    [{"search": "brute"}, {"max_queries": 0}, {"objective": "loss"}, {"success": "no"}, {"population": 3},
     {"pixels": 0}, {"pixels": 101}],
)  # fmt: skip
def test_options_are_checked(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} is"):
        AttackOptions(**options)


@pytest.mark.parametrize("search", ["saliency", "sparse-pgd"])
def test_only_white_box_searches_need_a_gradient(search):
    images = np.full((1, *SHAPE, 2), 0.5, np.float32)
    with pytest.raises(ValueError, match="needs gradients"):
        one_pixel_attack(CallableQueries(images, classify), [0], [0], BOUNDS, AttackOptions(search))


def test_half_of_an_image_is_not_few_pixels():
    images = np.full((1, 4, 4, 2), 0.5, np.float32)
    one_class = CallableQueries(images, lambda images: np.tile([[1.0, 0]], (len(images), 1)))
    with pytest.raises(ValueError, match=r"pixels is 8, half of an image of \(4, 4\) or more; give fewer"):
        one_pixel_attack(one_class, [0], [0], BOUNDS, AttackOptions("sparse-rs", pixels=8))


def test_slopes_are_the_gradients_at_the_edited_images():
    images = np.random.default_rng(0).normal(size=(20, 5, 6, 2)).astype(np.float32)

    def cubic(images, weights):
        return images**2 * weights[:, :1, None, None]

    asked = CallableQueries(images, classify, cubic)
    index = np.arange(19)[::-1]
    edits = Edits(np.tile([[[1, 2], [3, 3]]], (19, 1, 1)), np.full((19, 2, 2), 7, np.float32))
    weights = np.arange(38.0).reshape(19, 2)
    expected = edited_images(images[index], edits) ** 2 * weights[:, :1, None, None]
    assert np.allclose(asked.slopes(index, edits, weights), expected, rtol=1e-6)


def test_edited_images_leave_the_rest_alone():
    images = np.random.default_rng(0).normal(size=(2, 5, 6, 2)).astype(np.float32)
    edits = Edits(np.array([[1, 2], [4, 0]]), np.float32([[7, 8], [9, 10]]))
    edited = edited_images(images, edits)
    assert edited[0, 1, 2].tolist() == [7, 8] and edited[1, 4, 0].tolist() == [9, 10]
    assert np.sum(edited != images) == 4
    sets = Edits(np.array([[[1, 2], [0, 0]], [[4, 0], [4, 5]]]), np.arange(8, dtype=np.float32).reshape(2, 2, 2) + 9)
    edited = edited_images(images, sets)
    assert edited[0, 0, 0].tolist() == [11, 12] and edited[1, 4, 5].tolist() == [15, 16]
    assert np.sum(edited != images) == 8
