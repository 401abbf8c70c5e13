import numpy as np
import pytest

from photoz_morph.models.layers.defences import defended
from photoz_morph.morph.robustness.network_queries import NetworkQueries
from photoz_morph.morph.robustness.pixel_queries import pixel_queries
from photoz_morph.morph.robustness.stem_queries import PATCH, convnet_stem, resnet_stem
from photoz_morph.robustness.one_pixel.searches import Edits
from tests.support.queries import network_of, some_edits, some_sets


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).normal(0, 10, (3, 100, 100, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def networks():
    small = {name: network_of(name, width=4, n_latent=8) for name in ("resnet18", "convnet")}
    return small | {"deepmerge": network_of("deepmerge", width=4)}


@pytest.mark.parametrize(("name", "defence"), [("resnet18", "none"), ("convnet", "none"), ("deepmerge", "none"),
                                              ("resnet18", "median"), ("deepmerge", "median"), ("convnet", "d4")])
def test_sets_are_answered_as_by_the_whole_network(networks, images, name, defence):
    network = defended(networks[name], defence)
    fast, whole = pixel_queries(network, images), NetworkQueries(network, images)
    clean = whole.clean_logits()
    for index, edits in (some_edits(), some_sets(2, 30), some_sets(10, 30)):
        logits = whole(index, edits)
        assert np.abs(logits - clean[index]).max() > 5e-3  # the edits matter
        np.testing.assert_allclose(fast(index, edits), logits, atol=1e-5 * max(1, np.abs(logits).max()))
    assert np.array_equal(fast.confirm(index[:9], edits.part(0, 9)), whole.confirm(index[:9], edits.part(0, 9)))
    fast.set_images(images[::-1])
    np.testing.assert_allclose(fast(2 - index, edits), logits, atol=1e-5 * max(1, np.abs(logits).max()))


def test_an_answer_to_a_set_does_not_depend_on_its_batch(networks, images):
    queries = pixel_queries(networks["convnet"], images)
    index, edits = some_sets(3, 90)
    whole = queries(index, edits)
    for start, stop in ((0, 1), (60, 70)):
        alone = queries(index[start:stop], edits.part(start, stop))
        np.testing.assert_allclose(alone, whole[start:stop], atol=2e-6)  # the rounding of oneDNN


def test_pixels_outside_the_crop_change_nothing(networks, images):
    """DeepMerge sees rows and columns 12 to 86 of 100."""
    queries = pixel_queries(networks["deepmerge"], images)
    clean = queries.clean_logits()
    outside = np.array([[[11, 50], [0, 0], [87, 99]], [[50, 11], [11, 11], [99, 12]], [[12, 11], [87, 86], [11, 12]]])
    logits = queries(np.arange(3), Edits(outside, np.full((3, 3, 3), 1e4, np.float32)))
    np.testing.assert_allclose(logits, clean, atol=1e-5)
    beside = outside.copy()
    beside[:, 1] = [[12, 50], [50, 12], [12, 12]]  # where pixels outside are moved to, and now changed itself
    edits = Edits(beside, np.full((3, 3, 3), 1e4, np.float32))
    logits = queries(np.arange(3), edits)
    np.testing.assert_allclose(logits, NetworkQueries.__call__(queries, np.arange(3), edits), rtol=1e-4, atol=1e-4)
    assert np.all(np.abs(logits - clean).max(axis=1) > 1e-3)


def test_one_pixel_changes_the_pooled_positions_of_the_stem_and_no_others(networks):
    for stem in (resnet_stem(networks["resnet18"]), convnet_stem(networks["convnet"])):
        rng = np.random.default_rng(0)
        clean = rng.normal(size=(1, 30, 30, 3)).astype(np.float32)
        before = np.asarray(stem.pooled(clean))
        for pixel in [*np.ndindex(5, 5), (29, 29), (28, 13)]:
            image = clean.copy()
            image[0, pixel[0], pixel[1]] += 1000
            changed = np.argwhere(np.any(np.asarray(stem.pooled(image)) != before, axis=(0, 3)))
            first = stem.first_pooled(np.array(pixel))
            assert len(changed) and np.all((changed >= first) & (changed < first + PATCH))
