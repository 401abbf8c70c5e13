import numpy as np
import pytest

from photoz_morph.blend.finding.profiles import Profiles, brightest_detection, fit_profiles, shared_fluxes

SIGMA = np.array([0.6, 0.8])  # of the sum over bands: 1


def disk(y, x, contrast, reach, shape=(41, 41)):
    """exp(c (1 - r)) of the module on two bands, 2/3 of it in the second, and the box at which it is 1."""
    rows, columns = np.indices(shape)
    radius = np.hypot((rows - y) / reach[0], (columns - x) / reach[1])
    light = np.exp(contrast * (1 - radius))
    return light[..., None] * np.array([1 / 3, 2 / 3]), [y - reach[0], x - reach[1], y + reach[0], x + reach[1]]


def test_a_profile_is_one_sigma_at_the_edges_of_its_box_whatever_its_centre():
    image, _ = disk(20, 20, 3.0, (8, 6))
    found = fit_profiles(image, SIGMA, [[20, 20]], [[14, 15, 29, 27]])
    light = found.log_light[0]
    edges = [light[14, 20], light[29, 20], light[20, 15], light[20, 27]]
    np.testing.assert_allclose(edges, 0, atol=1e-5)
    assert light[20, 20] == found.contrast[0] == light.max()
    # The mean of the 3 x 3 pixels at the centre is a little fainter than the centre.
    assert 3.0 - 0.5 < found.contrast[0] < 3.0


def test_pixels_are_of_the_brightest_profile_above_one_sigma():
    first, box = disk(20, 14, 4.0, (10, 10))
    second, other = disk(20, 28, 2.0, (6, 6))
    profiles = fit_profiles(first + second, SIGMA, [[20, 14], [20, 28]], [box, other])
    owners = brightest_detection(profiles)
    assert owners[20, 14] == 1 and owners[20, 28] == 2 and owners[0, 40] == 0
    truth = np.where(first.sum(axis=-1) > second.sum(axis=-1), 1, 2)
    is_bright = np.maximum(first.sum(axis=-1), second.sum(axis=-1)) > 1
    agrees = (owners == np.where(is_bright, truth, 0)).mean()
    assert agrees > 0.98
    np.testing.assert_array_equal(brightest_detection(profiles, np.ones((41, 41), bool)) > 0, True)
    assert brightest_detection(profiles.of([False, False])).max() == 0


def test_two_disks_share_their_light_and_get_all_of_it():
    first, box = disk(20, 15, 4.0, (9, 9))
    second, other = disk(20, 26, 3.0, (7, 7))
    centres, boxes = [[20, 15], [20, 26]], [box, other]
    profiles = Profiles(np.array([4.0, 3.0], np.float32), fit_profiles(first, SIGMA, centres, boxes).radius)
    found = shared_fluxes(first + second, profiles, np.array([True, True]))
    total = np.array([2 * np.pi * np.exp(c) * (reach / c) ** 2 for c, reach in ((4.0, 9.0), (3.0, 7.0))])
    # Sums over pixels of profiles with a cusp, and of a part of the first beyond its aperture, are good to some %.
    np.testing.assert_allclose(found.sum(axis=1), total, rtol=0.06)
    np.testing.assert_allclose(found[:, 1] / found[:, 0], 2, rtol=1e-4)


def test_an_unsure_detection_takes_nothing_from_sure_ones():
    image, box = disk(20, 20, 3.0, (8, 8))
    both = fit_profiles(image, SIGMA, [[20, 20], [20, 23]], [box, [15, 18, 25, 28]])
    alone = shared_fluxes(image, both.of([True, False]), np.array([True]))
    found = shared_fluxes(image, both, np.array([True, False]))
    np.testing.assert_allclose(found[0], alone[0], rtol=1e-4)  # sums in single precision
    shared = shared_fluxes(image, both, np.array([True, True]))
    assert shared[0, 0] < 0.9 * found[0, 0] and shared[1] == pytest.approx(found[1], rel=1e-4)


def test_no_detection_has_no_flux():
    profiles = fit_profiles(np.ones((8, 8, 2)), SIGMA, np.zeros((0, 2)), np.zeros((0, 4)))
    assert shared_fluxes(np.ones((8, 8, 2)), profiles, np.zeros(0, bool)).shape == (0, 2)
    np.testing.assert_array_equal(brightest_detection(profiles), np.zeros((8, 8)))
