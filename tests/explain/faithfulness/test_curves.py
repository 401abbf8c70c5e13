import numpy as np
import pytest

from photoz_morph.explain.faithfulness.curves import removal_curves, removal_gain
from photoz_morph.explain.gradients import Score
from photoz_morph.explain.targets import class_probability
from tests.support.explain import galaxies, linear, total, two_inputs


def one_pixel_counts(n=2, side=6):
    """Score of one pixel of the first band, images of ones and a map that knows it."""
    images, maps = np.ones((n, side, side, 3), "float32"), np.zeros((n, side, side, 3))
    maps[:, 2, 3, 0] = 1
    return Score(lambda images: images, lambda output, galaxies: output[:, 2, 3, 0]), images, maps


@pytest.mark.parametrize("axis", ["pixels", "flux"])
def test_removing_the_only_informative_pixel_first_removes_all_at_once(axis):
    score, images, maps = one_pixel_counts()
    curves = removal_curves(score, images, maps, np.zeros_like(images), axis=axis, n_steps=27)
    np.testing.assert_array_equal(curves.values, np.tile([1.0] + 27 * [0.0], (2, 1)))
    np.testing.assert_allclose(getattr(curves, axis), np.tile(np.linspace(0, 1, 28), (2, 1)))
    np.testing.assert_allclose(curves.area(), 1 - 0.5 / 27)
    last = removal_curves(score, images, 2 - maps, np.zeros_like(images), axis=axis, n_steps=27)
    np.testing.assert_allclose(last.area(), 0.5 / 27)


def test_insertion_begins_with_the_baseline_and_ends_with_the_galaxy():
    score, inputs, filling = Score(two_inputs(), class_probability(1), batch_size=6), galaxies(), galaxies(seed=9)
    maps = np.random.default_rng(0).normal(size=inputs["image"].shape)
    empty = {**inputs, "image": filling["image"]}
    inserted = removal_curves(score, inputs, {"image": maps}, filling, "insertion")
    np.testing.assert_allclose(inserted.values[:, 0], score(empty), atol=1e-6)
    np.testing.assert_allclose(inserted.values[:, -1], score(inputs), atol=1e-6)
    removed = removal_curves(score, inputs, {"image": maps}, filling)
    np.testing.assert_allclose(removed.values[:, [0, -1]], inserted.values[:, [-1, 0]], atol=1e-6)
    by_hand = inputs["image"].copy()
    sign = np.sign(score(inputs)[2] - score(empty)[2])
    first = np.argsort(-sign * maps[2].ravel())[: round(removed.pixels[2, 7] * 108)]
    by_hand[2].ravel()[first] = filling["image"][2].ravel()[first]
    assert removed.values[2, 7] == pytest.approx(score({**inputs, "image": by_hand})[2], abs=1e-6)


def test_equal_steps_of_flux_are_reached_and_shares_rise():
    score, images, _ = one_pixel_counts()
    bright = np.random.default_rng(1).exponential(size=images.shape).astype("float32")
    curves = removal_curves(score, bright, bright, np.zeros_like(bright), n_steps=10)
    np.testing.assert_allclose(curves.flux, np.tile(np.linspace(0, 1, 11), (2, 1)), atol=0.05)
    assert np.all(np.diff(curves.flux) > 0) and np.all(curves.pixels[:, 5] < 0.5)


@pytest.mark.parametrize("direction", ["deletion", "insertion"])
def test_of_a_linear_network_its_own_attribution_beats_its_size_alone_and_random_order(direction):
    network, weights, _ = linear()
    inputs = galaxies(20)
    filling, score = {"image": np.zeros_like(inputs["image"])}, Score(network, total)
    exact = weights * inputs["image"]
    signed, size, chance = (
        np.median(removal_gain(score, inputs, {"image": maps}, filling, direction, "pixels"))
        for maps in (exact, np.abs(exact), np.random.default_rng(3).random((20, 6, 6, 3)))
    )
    assert signed > 0.5 and signed > 5 * abs(size) and abs(chance) < 0.2


def test_a_map_of_the_sky_removes_a_pixel_in_all_bands():
    score, images, _ = one_pixel_counts()
    sky = np.zeros((2, 6, 6))
    sky[:, 2, 3] = 1
    curves = removal_curves(score, images, sky, np.zeros_like(images), axis="pixels", n_steps=36)
    np.testing.assert_array_equal(curves.values[:, :2], [[1, 0]] * 2)


def test_what_does_not_fit_is_named():
    score, images, maps = one_pixel_counts()
    with pytest.raises(ValueError, match=r"attribution has shape \(2, 5, 6, 3\), the images \(2, 6, 6, 3\)"):
        removal_curves(score, images, maps[:, 1:], images)
    with pytest.raises(ValueError, match="axis 'light'; there are deletion, insertion, flux, pixels"):
        removal_curves(score, images, maps, images, axis="light")


def test_a_target_that_does_not_change_has_no_area():
    score, images, maps = one_pixel_counts()
    assert np.isnan(removal_curves(score, images, maps, images).area()).all()
