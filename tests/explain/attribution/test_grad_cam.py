import keras
import numpy as np
import pytest

from photoz_morph.explain.attribution.grad_cam import grad_cam, grad_cam_plus_plus
from photoz_morph.explain.gradients import Score
from photoz_morph.explain.targets import class_logit
from photoz_morph.models.registry import build_classifier
from tests.support.explain import galaxies, total


def pooled(side=8, crop=None):
    """Network whose maps are its two bands, of which it adds the means with weights 2 and -1, and 3 E(B-V)."""
    image, ebv = keras.Input((side, side, 2), name="image"), keras.Input((), name="ebv")
    pixels = keras.layers.CenterCrop(crop, crop)(image) if crop else image
    maps = keras.layers.Conv2D(2, 1, use_bias=False, name="maps")
    joined = keras.layers.Concatenate(name="joined")(
        [keras.layers.GlobalAveragePooling2D(name="pool")(maps(pixels)), keras.layers.Reshape((1,))(ebv)]
    )
    head = keras.layers.Dense(1, use_bias=False, name="head")
    network = keras.Model({"image": image, "ebv": ebv}, head(joined))
    maps.set_weights([np.eye(2, dtype="float32")[None, None]])
    head.set_weights([np.array([[2.0], [-1.0], [3.0]], "float32")])
    return network


def inputs(n=3, side=8):
    rng = np.random.default_rng(0)
    return {"image": rng.random((n, side, side, 2)).astype("float32"), "ebv": rng.random(n).astype("float32")}


def test_map_is_the_sum_of_the_maps_by_their_weights_in_the_mean():
    given = inputs()
    expected = (2 * given["image"][..., 0] - given["image"][..., 1]) / 64
    score = Score(pooled(), total, batch_size=2)
    np.testing.assert_allclose(grad_cam(score, given, "maps", signed=True), expected, atol=1e-6)
    np.testing.assert_allclose(grad_cam(score, given, "maps"), np.maximum(expected, 0), atol=1e-6)


def test_plus_plus_weights_are_those_of_its_equations():
    given = inputs()
    maps, gradient = given["image"], np.array([2.0, -1.0]) / 64
    share = gradient**2 / (2 * gradient**2 + maps.sum(axis=(1, 2), keepdims=True) * gradient**3)
    weights = 64 * share * np.maximum(gradient, 0)  # of equal gradients everywhere
    expected = np.sum(weights * maps, axis=-1)
    np.testing.assert_allclose(grad_cam_plus_plus(Score(pooled(), total), given, "maps"), expected, rtol=1e-4)


def test_a_map_behind_a_crop_lies_where_the_crop_was():
    given = inputs()
    found = grad_cam(Score(pooled(crop=4), total), given, "maps", signed=True)
    expected = np.zeros((3, 8, 8))
    centre = given["image"][:, 2:6, 2:6]
    expected[:, 2:6, 2:6] = (2 * centre[..., 0] - centre[..., 1]) / 16
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_maps_of_a_morphology_network_are_found_for_an_image_alone():
    network = build_classifier("convnet", (20, 20, 3), width=2, n_latent=4, seed=3)
    images = galaxies(2, side=20)["image"]
    found = grad_cam(Score(network, class_logit(np.array([0, 2]))), images, "conv2", signed=True)
    assert found.shape == (2, 20, 20) and np.abs(found).max() > 0


@pytest.mark.parametrize(
    "layer, words", [("conv9", "has no layer 'conv9'; it has .*maps"), ("head", "'head' has no maps of shape")]
)
def test_a_layer_without_maps_is_named(layer, words):
    with pytest.raises(ValueError, match=words):
        grad_cam(Score(pooled(), total), inputs(), layer)
    with pytest.raises(ValueError, match="has no layer 'maps'; it has none"):
        grad_cam(Score(lambda images: images, total), inputs()["image"], "maps")
