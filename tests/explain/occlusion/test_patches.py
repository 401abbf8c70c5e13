import numpy as np
import pytest

from photoz_morph.explain.gradients import Score
from photoz_morph.explain.occlusion.patches import occlusion, occlusion_map
from photoz_morph.explain.targets import class_probability
from tests.support.explain import galaxies, linear, total, two_inputs


def by_hand(score, inputs, filling, size, stride, bands=slice(None)):
    """Losses with a Python loop."""
    side = inputs["image"].shape[1]
    corners = range(0, side, stride)
    losses = np.empty((len(inputs["image"]), len(corners), len(corners)))
    for i, row in enumerate(corners):
        for j, column in enumerate(corners):
            images = inputs["image"].copy()
            place = np.s_[:, row : row + size, column : column + size, bands]
            images[place] = filling["image"][place]
            losses[:, i, j] = score(inputs) - score({**inputs, "image": images})
    return losses


@pytest.mark.parametrize("size, stride", [(3, 2), (2, 3), (6, 6), (1, 1)])
def test_losses_are_those_of_stamps_occluded_one_by_one(size, stride):
    score = Score(two_inputs(), class_probability(np.array([0, 1, 2, 3, 0])), batch_size=4)
    inputs, filling = galaxies(), galaxies(seed=9)
    found = occlusion(score, inputs, filling, size, stride)
    np.testing.assert_allclose(found, by_hand(score, inputs, filling, size, stride), atol=2e-6)


def test_each_band_is_occluded_alone():
    score, inputs, filling = Score(two_inputs(), class_probability(1)), galaxies(), galaxies(seed=9)
    found = occlusion(score, inputs, filling, 2, 2, bands=[[0], [1, 2]])
    assert found.shape == (5, 3, 3, 2)
    np.testing.assert_allclose(found[..., 0], by_hand(score, inputs, filling, 2, 2, slice(0, 1)), atol=2e-6)
    np.testing.assert_allclose(found[..., 1], by_hand(score, inputs, filling, 2, 2, slice(1, 3)), atol=2e-6)


def test_only_patches_over_the_only_informative_pixel_matter():
    images = galaxies(2, side=8)["image"]
    score = Score(lambda images: images, lambda output, galaxies: output[:, 4, 5, 1])
    losses = occlusion(score, images, np.zeros_like(images), 2, 1)
    expected = np.zeros((2, 8, 8))
    expected[:, 3:5, 4:6] = images[:, 4, 5, 1][:, None, None]
    np.testing.assert_allclose(losses, expected, atol=1e-6)
    maps = occlusion_map(losses, (8, 8), 2, 1)
    assert all(np.unravel_index(np.abs(one).argmax(), (8, 8)) == (4, 5) for one in maps)


def test_a_map_has_in_each_pixel_the_mean_of_the_patches_that_cover_it():
    losses = np.arange(8.0).reshape(2, 2, 2)
    maps = occlusion_map(losses, (4, 4), 3, 2)
    np.testing.assert_allclose(maps[0, :, 0], [0, 0, 1, 2])
    np.testing.assert_allclose(maps[1, 2, 2], losses[1].mean())
    with_gaps = occlusion_map(losses[..., None], (4, 4), 1, 2)
    assert np.isnan(with_gaps[0, 1, 0, 0]) and with_gaps[0, 2, 0, 0] == 2


def test_of_a_linear_network_single_pixels_lose_weights_times_difference():
    network, weights, _ = linear()
    inputs, filling = galaxies(), galaxies(seed=9)
    found = occlusion(Score(network, total), inputs, filling, 1, 1, bands=[[0], [1], [2]])
    np.testing.assert_allclose(found, weights * (inputs["image"] - filling["image"]), atol=2e-5)


def test_double_precision_and_a_stamp_as_large_as_the_patch_are_no_exceptions():
    score, inputs, filling = Score(two_inputs(), class_probability(1)), galaxies(), galaxies(seed=9)
    double = {name: values.astype(np.float64) for name, values in inputs.items()}
    found = occlusion(score, double, filling, 6, 6)
    np.testing.assert_allclose(found[:, 0, 0], score(inputs) - score({**inputs, "image": filling["image"]}), atol=2e-6)


def test_a_baseline_without_the_image_is_named():
    with pytest.raises(ValueError, match="the baseline has no 'image'; give it in the form of the inputs"):
        occlusion(Score(two_inputs(), class_probability(1)), galaxies(), galaxies()["image"])


@pytest.mark.parametrize("size, stride", [(0, 1), (7, 1), (1, 0)])
def test_patches_that_are_not_in_the_stamp_are_refused(size, stride):
    with pytest.raises(ValueError, match=f"patches of {size} pixels in steps of {stride} are not in stamps of 6 x 6"):
        occlusion(Score(two_inputs(), class_probability(1)), galaxies(), galaxies(), size, stride)
