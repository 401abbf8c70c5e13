import keras
import numpy as np
import pytest
from keras import layers

from photoz_morph.explain.patterns.layer_outputs import feature_maps
from photoz_morph.explain.patterns.strongest import patches, projections, strongest_units
from tests.support.explain_layers import network_of

STRIPE = np.array([[-1, 2, -1]] * 3, float)


def stripe_network(activation="relu"):
    """A network whose first filter prefers a vertical stripe in the second band, and its second a horizontal one."""
    image = keras.Input((12, 12, 2), name="image")
    layer = layers.Conv2D(2, 3, padding="same", activation=activation, name="C1")
    network = keras.Model({"image": image}, layers.GlobalAveragePooling2D()(layer(image)))
    kernel = np.zeros((3, 3, 2, 2))
    kernel[:, :, 1, 0], kernel[:, :, 1, 1] = STRIPE, STRIPE.T
    layer.set_weights([kernel, np.zeros(2)])
    return network


def striped(n=30, seed=0):
    """Noise, and in some galaxies a vertical stripe of known brightness and place."""
    rng = np.random.default_rng(seed)
    images = rng.normal(0, 0.1, (n, 12, 12, 2))
    places = {}
    for galaxy, brightness in ((4, 3.0), (11, 5.0), (25, 4.0)):
        row, column = rng.integers(2, 10, 2)
        images[galaxy, row - 1 : row + 2, column, 1] += brightness
        places[galaxy] = (row, column)
    return images.astype("float32"), places


def batches(images, size):
    return [{"image": images[start : start + size]} for start in range(0, len(images), size)]


def test_the_strongest_patches_of_a_planted_filter_are_its_stripes():
    network, (images, places) = stripe_network(), striped()
    found = strongest_units(network, "C1", iter(batches(images, 7)), n=3)
    assert found.galaxies[0].tolist() == [11, 25, 4]
    assert [tuple(place) for place in found.positions[0]] == [places[galaxy] for galaxy in (11, 25, 4)]
    seen = patches(network, found)[0]
    assert seen.shape == (3, 3, 3, 2)
    for patch, galaxy in zip(seen, (11, 25, 4)):
        row, column = places[galaxy]
        np.testing.assert_array_equal(patch, images[galaxy, row - 1 : row + 2, column - 1 : column + 2])


def test_projections_of_a_planted_filter_are_its_stripe_in_its_band():
    network, (images, _) = stripe_network(), striped()
    found = strongest_units(network, "C1", batches(images, 30), filters=[0], n=3)
    for method in ("deconvnet", "guided"):
        projected = projections(network, found, method, batch_size=2)
        np.testing.assert_allclose(projected[0, :, :, :, 0], 0, atol=1e-6)
        expected = found.values[0][:, None, None] * STRIPE
        np.testing.assert_allclose(projected[0, ..., 1], expected, rtol=1e-5)


def test_batches_leave_the_strongest_as_in_the_whole_and_only_these_are_kept():
    network, _, inputs, _ = network_of("inception")
    rng = np.random.default_rng(3)
    images = inputs["image"][rng.integers(0, 2, 40)] * rng.uniform(0.5, 2, (40, 1, 1, 1)).astype("float32")
    ebv = rng.uniform(0, 0.2, 40).astype("float32")
    parts = [{"image": images[start : start + 9], "ebv": ebv[start : start + 9]} for start in range(0, 40, 9)]
    found = strongest_units(network, "Co1", parts, filters=[2, 5], n=4)
    maps = feature_maps(network, "Co1", {"image": images, "ebv": ebv})[..., [2, 5]]
    peaks = maps.max(axis=(1, 2)).T
    order = np.argsort(-peaks, axis=1, kind="stable")[:, :4]
    np.testing.assert_array_equal(found.galaxies, order)
    np.testing.assert_allclose(found.values, np.take_along_axis(peaks, order, axis=1), rtol=1e-5)
    assert len(found.inputs["image"]) == len(np.unique(order)) < 40
    np.testing.assert_array_equal(found.inputs["ebv"][found.rows], ebv[order])
    one = maps[order[1, 2], found.positions[1, 2, 0], found.positions[1, 2, 1], 1]
    np.testing.assert_allclose(one, found.values[1, 2], rtol=1e-5)


def test_units_that_see_more_than_the_image_have_the_whole_image():
    wide = layers.Conv2D(2, 7, strides=2, padding="same", name="wide")
    network = keras.Sequential([keras.Input((9, 9, 1)), layers.Conv2D(2, 7, padding="same"), wide])
    images = np.random.default_rng(0).random((4, 9, 9, 1), np.float32)
    found = strongest_units(network, "wide", [images], n=2)
    np.testing.assert_array_equal(patches(network, found), images[found.galaxies])
    assert projections(network, found).shape == (2, 2, 9, 9, 1)


def test_units_of_dense_layers_see_the_whole_image():
    network, _, inputs, _ = network_of("convnet")
    found = strongest_units(network, "latent", [inputs], filters=[3], n=9)
    assert found.values.shape == (1, 2) and found.positions.shape == (1, 2, 0)
    np.testing.assert_array_equal(patches(network, found)[0], inputs["image"][found.galaxies[0]])
    assert np.abs(projections(network, found)).max() > 0


def test_filters_and_galaxies_that_are_not_there_are_refused():
    network, (images, _) = stripe_network(), striped()
    with pytest.raises(ValueError, match=r"filters are \[2\]; layer 'C1' has 0 to 1"):
        strongest_units(network, "C1", batches(images, 30), filters=[2])
    with pytest.raises(ValueError, match="there are no galaxies"):
        strongest_units(network, "C1", [])
    images[17, 3, 3] = np.nan
    with pytest.raises(ValueError, match="a pixel of galaxy 17 is not finite"):
        strongest_units(network, "C1", batches(images, 10))
