import numpy as np
import pytest

from photoz_morph.robustness.few_pixels.laplacian import SIGMA_LIMIT, caught_pixels, unseen_limits

SKY, PER_ELECTRON = np.array([0.02, 0.05]), np.array([1e-3, 2e-3])


def caught(images):
    return caught_pixels(images, np.tile(SKY, (len(images), 1)), np.tile(PER_ELECTRON, (len(images), 1)))


def galaxy(seed=0, side=48, seeing=1.5, flux=40.0):
    """A galaxy and a star under seeing of 3.5 pixels, with noise of sky and photons."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((side, side)) - (side - 1) / 2
    light = np.exp(-np.sqrt(x**2 + (1.4 * y) ** 2 + 2 * seeing**2) / 4) * flux / 30
    light += np.exp(-((x - 12) ** 2 + (y + 9) ** 2) / (2 * seeing**2)) * flux / 14
    light = light[..., None] * np.array([1.0, 1.5])
    return light + rng.normal(size=light.shape) * np.sqrt(SKY**2 + light * PER_ELECTRON)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_lone_pixel_on_flat_sky_is_caught_from_four_and_a_half_sigma(sign):
    # The Laplacian of a single pixel is twice its height in each corner: over twice the noise, its height in sigma.
    heights = np.array([0.98, 1.02]) * SIGMA_LIMIT
    images = np.zeros((2, 15, 15, 2))
    images[:, 7, 6] = sign * heights[:, None] * SKY
    mask = caught(images)
    assert not mask[0].any() and mask[1, 7, 6].all() and mask[1].sum() == 2


def test_noise_galaxies_and_stars_of_the_seeing_are_not_caught():
    images = np.stack([galaxy(seed) for seed in range(8)])
    mask = caught(images)
    assert mask.mean() < 1e-3  # the noise of the Laplacian is not Gaussian
    for row, column in ((23, 23), (14, 35)):  # brightest pixels of galaxy and star
        assert not mask[:, row : row + 2, column : column + 2].any()


def test_a_cosmic_ray_is_caught_on_sky_galaxy_and_star():
    image = galaxy(flux=10.0)
    hit = image.copy()
    places = np.array([[5, 40], [24, 23], [15, 36], [40, 8]])
    hit[places[:, 0], places[:, 1], 1] += 3.0
    found = caught(np.stack([image, hit]))
    assert not found[0][places[:, 0], places[:, 1]].any() and found[1][places[:, 0], places[:, 1], 1].all()
    assert not found[1][places[:, 0], places[:, 1], 0].any()  # the other band was not hit


@pytest.mark.parametrize("sign", [1, -1])
def test_limits_are_the_largest_change_that_is_not_caught(sign):
    image, rng = galaxy(3), np.random.default_rng(0)
    limits = unseen_limits(image, SKY, PER_ELECTRON)[0 if sign == 1 else 1]
    before = caught(image[None])[0]
    places = rng.integers(0, 48, (14, 2))
    outcome = {}
    for factor in (0.97, 1.1):
        images = np.repeat(image[None], len(places), axis=0)
        rows = np.arange(len(places))
        images[rows, places[:, 0], places[:, 1], 0] += sign * factor * limits[places[:, 0], places[:, 1], 0]
        outcome[factor] = np.any(caught(images) & ~before, axis=(1, 2, 3))
    assert np.all(limits >= 0) and np.median(limits[..., 0]) > 3 * SKY[0]
    assert outcome[0.97].mean() <= 0.15  # a change may move a median
    assert outcome[1.1].mean() >= 0.75  # limits by neighbours are those of the worst case
