import numpy as np
import pytest

from photoz_morph.explain import sky


def stamps(n=3, side=32, level=0.2, seed=0):
    """Round galaxies of different flux in two bands of different noise, with a neighbour in a corner."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((side, side)) - (side - 1) / 2
    galaxy = np.exp(-0.5 * (rows**2 + columns**2) / 2.0**2)
    neighbour = np.exp(-0.5 * ((rows - 11) ** 2 + (columns - 11) ** 2) / 1.5**2)
    sigma = np.array([0.1, 0.3])
    light = (galaxy + neighbour)[None, ..., None] * np.array([[20, 20], [30, 10], [10, 30]])[:, None, None]
    return (level + light + sigma * rng.standard_normal((n, side, side, 2))).astype("float32"), sigma


def test_sky_is_measured_in_each_band_behind_the_galaxies():
    images, sigma = stamps()
    level, found = sky.measure_sky(images)
    np.testing.assert_allclose(level, 0.2, atol=4 * sigma.max() / 30)
    np.testing.assert_allclose(found, np.tile(sigma, (3, 1)), rtol=0.12)  # the skirts of the galaxies widen it


def test_mask_covers_the_light_of_the_central_object_and_leaves_the_neighbour():
    masks = sky.galaxy_masks(stamps()[0])
    assert masks[:, 13:19, 13:19].all() and not masks[:, 25:28, 25:28].any()
    assert (masks.sum(axis=(1, 2)) < 420).all()


def test_an_unseen_galaxy_has_a_small_mask_at_the_centre():
    masks = sky.galaxy_masks(np.random.default_rng(1).normal(size=(1, 32, 32, 1)) * 0 + [[[0.0]]])
    assert masks[0, 15:17, 15:17].all() and masks.sum() < 40


def test_without_galaxies_the_light_is_gone_and_the_noise_is_that_of_the_sky():
    images, sigma = stamps()
    masks = sky.galaxy_masks(images)
    empty = sky.without_galaxies(images, masks)
    np.testing.assert_array_equal(empty[~masks], images[~masks])
    level, measured = sky.measure_sky(images)
    for band in range(2):
        replaced = (empty - level[:, None, None])[masks][:, band]
        assert abs(replaced.mean()) < 4 * sigma[band] / np.sqrt(masks.sum())
        assert replaced.std() == pytest.approx(sigma[band], rel=0.2)


def test_noise_of_a_galaxy_follows_from_seed_and_place():
    images, _ = stamps()
    np.testing.assert_array_equal(sky.sky_images(images, 4), sky.sky_images(images, 4))
    assert not np.array_equal(sky.sky_images(images, 4), sky.sky_images(images, 5))
    np.testing.assert_array_equal(sky.sky_images(images, 4)[:1], sky.sky_images(images[:1], 4))


def test_baseline_has_the_form_of_the_inputs_and_only_what_is_explained():
    images, _ = stamps()
    inputs = {"image": images, "ebv": np.full(3, 0.2, "float32"), "n_frames": np.ones((3, 2), "float32")}
    found = sky.baseline(inputs, "zero", {"ebv": 0.05})
    assert set(found) == {"image", "ebv"} and not found["image"].any()
    np.testing.assert_allclose(found["ebv"], 0.05)
    np.testing.assert_array_equal(sky.baseline(images, "noise", seed=2), sky.sky_images(images, 2))


@pytest.mark.parametrize(
    "inputs, options, words",
    [
        ({"image": np.ones((1, 4, 4, 1))}, {"kind": "black"}, "no baseline 'black'; there are removed, noise, zero"),
        ({"image": np.ones((1, 4, 4, 1))}, {"scalars": {"dust": 0}}, "given for 'dust', the network has image"),
        ({"ebv": np.ones(3)}, {}, r"not one image of shape .*: ebv \(3,\)"),
    ],
)
def test_what_no_baseline_can_be_made_of_is_named(inputs, options, words):
    with pytest.raises(ValueError, match=words):
        sky.baseline(inputs, **options)


def test_gradient_per_sigma_of_the_sky_is_in_the_units_of_each_band():
    gradient = np.ones((2, 3, 3, 2))
    np.testing.assert_allclose(sky.per_sky_sigma(gradient, np.array([[1, 2], [3, 4]]))[:, 0, 0], [[1, 2], [3, 4]])
    np.testing.assert_allclose(sky.per_sky_sigma(gradient, np.array([5, 6]))[1, 2, 2], [5, 6])
