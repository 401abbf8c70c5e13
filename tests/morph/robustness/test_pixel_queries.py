import keras
import numpy as np
import pytest

from photoz_morph.models.layers.defences import defended
from photoz_morph.morph.robustness.defended_queries import MedianQueries, ViewQueries
from photoz_morph.morph.robustness.network_queries import NetworkQueries, scaling_softening
from photoz_morph.morph.robustness.pixel_queries import ResNetQueries, pixel_queries
from photoz_morph.morph.robustness.stem_queries import StemQueries
from photoz_morph.robustness.one_pixel.attack import AttackOptions, edited_images, one_pixel_attack
from photoz_morph.robustness.one_pixel.searches import Bounds, Edits
from tests.support.queries import network_of, some_edits


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).normal(0, 10, (3, 100, 100, 3)).astype(np.float32)


@pytest.mark.parametrize(("preset", "domain"), [("default", 0), ("paper", 1)])
def test_the_kept_stem_is_exact(images, preset, domain):
    network = network_of(preset=preset, width=4, n_latent=8)
    fast, whole = pixel_queries(network, images, domain), NetworkQueries(network, images, domain)
    assert isinstance(fast, ResNetQueries)
    index, edits = some_edits()
    logits = whole(index, edits)
    assert np.abs(logits - whole.clean_logits()[index]).max() > 5e-3  # the edits matter
    assert np.abs(fast(index, edits) - logits).max() < 3e-5
    assert np.abs(fast.confirm(index, edits) - logits).max() < 5e-6  # the network itself, in smaller batches
    fast.set_images(images[::-1])
    assert np.abs(fast(2 - index, edits) - logits).max() < 3e-5


def test_bfloat16_is_near_and_confirmed_in_float32(images):
    network = network_of(width=4, n_latent=8)
    index, edits = some_edits(64)
    exact, near = (pixel_queries(network, images, precision=name) for name in ("float32", "bfloat16"))
    difference = np.abs(near(index, edits) - exact(index, edits)).max()
    assert 1e-4 < difference < 0.3
    assert np.array_equal(near.confirm(index, edits), exact.confirm(index, edits))


def test_an_answer_does_not_depend_on_its_batch(images):
    queries = pixel_queries(network_of(width=4, n_latent=8), images)
    index, edits = some_edits()
    whole = queries(index, edits)
    for start, stop in ((0, 1), (60, 70), (149, 150)):
        alone = queries(index[start:stop], edits.part(start, stop))
        np.testing.assert_allclose(alone, whole[start:stop], atol=2e-6)  # the rounding of oneDNN


def test_the_ranking_predicts_the_change_of_the_margin(images):
    """Exact up to the curvature of what comes after the pooling: small changes come out right."""
    network = network_of(width=4, n_latent=8)
    image = images[:1]
    bounds = Bounds(np.full(3, -0.5), np.full(3, 0.5), scaling_softening(network))
    weights = np.array([1.0, -1, 0])
    queries = pixel_queries(network, image * 0.02)
    order = queries.ranking(0, weights, bounds)
    assert np.array_equal(np.sort(order), np.arange(80_000))
    best, worst = (edits_of(part, bounds) for part in (order[:40], order[-40:]))
    clean = queries.clean_logits()[0] @ weights
    changes = [queries(np.zeros(40, int), edits) @ weights - clean for edits in (best, worst)]
    assert changes[0].max() < 0 < changes[1].min()
    other = NetworkQueries(network, image * 0.02).ranking(0, weights, bounds)
    assert len(set(other[:400]) & set(order[:400])) > 200  # both rank by the slope, one to first order only


def edits_of(indices, bounds):
    pixel, corner = np.divmod(indices, 8)
    return Edits(np.stack(np.divmod(pixel, 100), axis=1), bounds.corners()[corner])


@pytest.mark.parametrize(("name", "kind"), [("resnet18", ResNetQueries), ("convnet", StemQueries),
                                            ("deepmerge", StemQueries)])  # fmt: skip
def test_every_network_of_the_package_has_its_stem_kept_behind_defences_too(images, name, kind):
    network = network_of(name, width=4)
    assert type(pixel_queries(network, images)) is kind
    assert type(pixel_queries(defended(network, "d4"), images)) is ViewQueries
    median = pixel_queries(defended(network, "median"), images)
    assert type(median) is MedianQueries
    assert scaling_softening(defended(network, "median")) == pytest.approx(40 / 0.85)
    with pytest.raises(ValueError, match="bfloat16 is available for resnet18 only, not for"):
        pixel_queries(defended(network, "median"), images, precision="bfloat16")
    with pytest.raises(ValueError, match="precision is 'float16'"):
        pixel_queries(network, images, precision="float16")


def test_a_network_of_another_name_is_queried_with_whole_images(images):
    network = network_of("convnet", width=2)
    assert type(pixel_queries(keras.Model(network.input, network.output, name="mine"), images)) is NetworkQueries


@pytest.mark.parametrize(("search", "n_pixels"), [("lattice", 1), ("saliency", 1), ("lattice", 3), ("saliency", 3),
                                                  ("sparse-rs", 3), ("sparse-pgd", 3)])  # fmt: skip
def test_attacks_flip_and_stay_flipped(images, search, n_pixels):
    network = network_of(width=4, n_latent=8)
    kernel, bias = network.get_layer("logits").get_weights()
    clean = NetworkQueries(network, images).clean_logits()
    network.get_layer("logits").set_weights([kernel, bias - clean.mean(axis=0)])  # no class is far from any image
    queries = pixel_queries(network, images)
    labels = queries.clean_logits().argmax(axis=1)
    bounds = Bounds(np.full(3, -1e5), np.full(3, 1e5), scaling_softening(network))
    found = one_pixel_attack(queries, labels, range(3), bounds, AttackOptions(search, 400, pixels=n_pixels))
    assert found.flipped.any()
    attacked = images.copy()
    won = np.flatnonzero(found.flipped)
    attacked[won] = edited_images(images[won], Edits(found.pixels[won], found.values[won]))
    assert np.all(np.any(attacked != images, axis=-1).sum(axis=(1, 2)) <= n_pixels)
    given = network.predict_on_batch({"image": attacked})["logits"].argmax(axis=1)
    assert np.array_equal(given != labels, found.flipped)
