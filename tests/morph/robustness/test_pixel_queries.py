import keras
import numpy as np
import pytest

from photoz_morph.models.layers.defences import defended
from photoz_morph.models.layers.image_scaling import PRESETS, scaling_preset
from photoz_morph.models.registry import build_classifier
from photoz_morph.morph.robustness.pixel_queries import (
    NetworkQueries,
    ResNetQueries,
    ResNetViewQueries,
    pixel_queries,
    scaling_softening,
    visible_range,
)
from photoz_morph.robustness.one_pixel.attack import AttackOptions, one_pixel_attack
from photoz_morph.robustness.one_pixel.bounds import pixel_bounds
from photoz_morph.robustness.one_pixel.searches import Bounds, Edits


def network_of(name="resnet18", preset="default", **options):
    scaling = scaling_preset(preset)
    scaling.set_quantiles([[-5.0, 40.0], [-8.0, 30.0]][: scaling.n_domains])
    network = build_classifier(name, (100, 100, 3), 3, seed=3, scaling=scaling, **options)
    rng = np.random.default_rng(5)
    for layer in network.layers:  # as after a training: no batch norm is the identity, and classes differ
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([rng.uniform(0.5, 2, gamma.shape), rng.normal(size=beta.shape),
                               rng.normal(size=mean.shape) / 10, rng.uniform(0.5, 2, variance.shape)])  # fmt: skip
        if isinstance(layer, keras.layers.Dense):
            layer.set_weights([weights + rng.normal(size=weights.shape) / 5 for weights in layer.get_weights()])
    return network


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).normal(0, 10, (3, 100, 100, 3)).astype(np.float32)


def some_edits(n=150):
    """Pixels everywhere, and on all borders."""
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 100, (n, 2))
    edge = np.array([0, 1, 2, 3, 96, 97, 98, 99])
    pixels[:64] = np.stack(np.meshgrid(edge, edge), axis=-1).reshape(-1, 2)
    return rng.integers(0, 3, n), Edits(pixels, rng.normal(0, 300, (n, 3)).astype(np.float32))


@pytest.mark.parametrize(("preset", "domain"), [("default", 0), ("paper", 1)])
def test_the_kept_stem_is_exact(images, preset, domain):
    network = network_of(preset=preset, width=4, n_latent=8)
    fast, whole = pixel_queries(network, images, domain), NetworkQueries(network, images, domain)
    assert isinstance(fast, ResNetQueries)
    index, edits = some_edits()
    logits = whole(index, edits)
    assert np.abs(logits - whole.clean_logits()[index]).max() > 5e-3  # the edits matter
    assert np.abs(fast(index, edits) - logits).max() < 3e-5
    assert np.array_equal(fast.confirm(index, edits), logits)
    fast.set_images(images[::-1])
    assert np.abs(fast(2 - index, edits) - logits).max() < 3e-5


def test_the_views_of_d4_are_queried_through_the_kept_stem(images):
    network = defended(network_of(width=4, n_latent=8), "d4")
    fast, whole = pixel_queries(network, images), NetworkQueries(network, images)
    assert isinstance(fast, ResNetViewQueries)
    index, edits = some_edits()
    logits = whole(index, edits)
    assert np.abs(logits - whole.clean_logits()[index]).max() > 5e-3
    assert np.abs(fast(index, edits) - logits).max() < 3e-5
    assert np.array_equal(fast.confirm(index, edits), logits)


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
        assert np.array_equal(queries(index[start:stop], edits.part(start, stop)), whole[start:stop])


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


def test_other_networks_and_defended_ones_are_queried_with_whole_images(images):
    convnet = network_of("convnet")
    median = defended(network_of(width=4, n_latent=8), "median")
    for network in (convnet, median):
        queries = pixel_queries(network, images)
        assert type(queries) is NetworkQueries
        assert scaling_softening(network) == pytest.approx(40 / 0.85)
        with pytest.raises(ValueError, match="bfloat16 is available for resnet18 only, not for"):
            pixel_queries(network, images, precision="bfloat16")
    with pytest.raises(ValueError, match="precision is 'float16'"):
        pixel_queries(convnet, images, precision="float16")


# What no flux and the bounds of the paper become in the published scaling, (arcsinh(0.85 x / q_high) + 1) / 2, with the
# quantiles of `network_of`; the default scaling has no clip and differs by a factor and an offset.
PUBLISHED = {
    ("default", 0): (0, 1), ("default", 1): (0, 1),
    ("paper", 0): ((np.arcsinh(-0.85 * 5 / 40) + 1) / 2, 0.8856),
    ("paper", 1): ((np.arcsinh(-0.85 * 8 / 30) + 1) / 2, 0.8856),
}  # fmt: skip


@pytest.mark.parametrize("domain", [0, 1])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("defence", ["none", "median"])
def test_the_network_sees_every_value_within_the_bounds(preset, domain, defence):
    network = network_of("convnet", preset)
    layer, network = network.get_layer("arcsinh_scaling"), defended(network, defence)
    visible, softening = visible_range(network, domain), scaling_softening(network, domain)
    for spec in ("paper", "data"):
        bounds = pixel_bounds(spec, [-300, -2, -20], [5e3, 9, 20], softening, visible=visible)
        values = bounds.at(np.linspace(0, 1, 9)[:, None])
        options = {"domain": np.full(1, domain)} if layer.n_domains > 1 else {}
        seen = np.asarray(layer(values[None, None], **options))[0, 0]
        if preset == "default":
            seen = (seen + 1) / 2
        steps = np.diff(seen, axis=0)
        np.testing.assert_allclose(steps, np.broadcast_to((seen[-1] - seen[0]) / 8, steps.shape), rtol=1e-4)
        assert np.all(steps > 1e-3)
        if spec == "paper":
            np.testing.assert_allclose(seen[[0, -1]].T, [PUBLISHED[preset, domain]] * 3, atol=1e-4)


@pytest.mark.parametrize("search", ["lattice", "saliency"])
def test_attacks_flip_and_stay_flipped(images, search):
    network = network_of(width=4, n_latent=8)
    kernel, bias = network.get_layer("logits").get_weights()
    clean = NetworkQueries(network, images).clean_logits()
    network.get_layer("logits").set_weights([kernel, bias - clean.mean(axis=0)])  # no class is far from any image
    queries = pixel_queries(network, images)
    labels = queries.clean_logits().argmax(axis=1)
    bounds = Bounds(np.full(3, -1e5), np.full(3, 1e5), scaling_softening(network))
    found = one_pixel_attack(queries, labels, range(3), bounds, AttackOptions(search, max_queries=400))
    assert found.flipped.any()
    attacked = images.copy()
    won = np.flatnonzero(found.flipped)
    attacked[won, found.pixels[won, 0], found.pixels[won, 1]] = found.values[won]
    given = network.predict_on_batch({"image": attacked})["logits"].argmax(axis=1)
    assert np.array_equal(given != labels, found.flipped)
