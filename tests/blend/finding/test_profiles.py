import numpy as np

from photoz_morph.blend.finding.profiles import EXPONENT, Profiles, brightest_detection, fit_profiles, fitted_fluxes

SIGMA = np.array([0.6, 0.8])  # of the sum over bands: 1


def source(y, x, contrast, reach, shape=(41, 41)):
    """exp(c (1 - r^1.5)) of the module on two bands, 2/3 of it in the second, and the box at which it is 1."""
    rows, columns = np.indices(shape)
    radius = np.hypot((rows - y) / reach[0], (columns - x) / reach[1])
    light = np.exp(contrast * (1 - radius**EXPONENT))
    return light[..., None] * np.array([1 / 3, 2 / 3]), [y - reach[0], x - reach[1], y + reach[0], x + reach[1]]


def test_a_profile_is_one_sigma_at_the_edges_of_its_box_whatever_its_centre():
    image, _ = source(20, 20, 3.0, (8, 6))
    found = fit_profiles(image, SIGMA, [[20, 20]], [[14, 15, 29, 27]])
    light = found.log_light[0]
    edges = [light[14, 20], light[29, 20], light[20, 15], light[20, 27]]
    np.testing.assert_allclose(edges, 0, atol=1e-5)
    assert light[20, 20] == found.contrast[0] == light.max()
    # The mean of the 3 x 3 pixels at the centre is a little fainter than the centre.
    assert 3.0 - 0.5 < found.contrast[0] < 3.0


def test_pixels_are_of_the_brightest_profile_above_one_sigma():
    first, box = source(20, 14, 4.0, (10, 10))
    second, other = source(20, 28, 2.0, (6, 6))
    profiles = fit_profiles(first + second, SIGMA, [[20, 14], [20, 28]], [box, other])
    owners = brightest_detection(profiles)
    assert owners[20, 14] == 1 and owners[20, 28] == 2 and owners[0, 40] == 0
    truth = np.where(first.sum(axis=-1) > second.sum(axis=-1), 1, 2)
    is_bright = np.maximum(first.sum(axis=-1), second.sum(axis=-1)) > 1
    agrees = (owners == np.where(is_bright, truth, 0)).mean()
    assert agrees > 0.98
    np.testing.assert_array_equal(brightest_detection(profiles, np.ones((41, 41), bool)) > 0, True)
    assert brightest_detection(profiles.of([False, False])).max() == 0


def two_sources():
    """Two overlapping sources, the second bluer, with their exact profiles."""
    first, box = source(20, 15, 4.0, (9, 9))
    second, other = source(20, 26, 3.0, (7, 7))
    second = second[..., ::-1]
    fitted = fit_profiles(first, SIGMA, [[20, 15], [20, 26]], [box, other])
    return first, second, Profiles(np.array([4.0, 3.0], np.float32), fitted.radius, fitted.area)


def test_two_blended_sources_have_all_of_their_light():
    first, second, profiles = two_sources()
    found = fitted_fluxes(first + second, profiles, np.array([True, True]))
    np.testing.assert_allclose(found, [first.sum(axis=(0, 1)), second.sum(axis=(0, 1))], rtol=2e-3)
    np.testing.assert_allclose(profiles.total_light, found.sum(axis=1), rtol=2e-3)


def test_light_that_no_profile_has_is_that_of_the_nearest_source():
    first, second, profiles = two_sources()
    more = np.zeros_like(first)
    more[19:22, 9:12] = 2.0
    more[0, 40] = 50.0  # of neither
    found = fitted_fluxes(first + second + more, profiles, np.array([True, True]))
    expected = np.array([first.sum(axis=(0, 1)) + 18, second.sum(axis=(0, 1))])
    np.testing.assert_allclose(found, expected, rtol=0.02)


def test_an_unsure_detection_takes_nothing_from_sure_ones():
    image, box = source(20, 20, 3.0, (8, 8))
    both = fit_profiles(image, SIGMA, [[20, 20], [20, 23]], [box, [15, 18, 25, 28]])
    alone = fitted_fluxes(image, both.of([True, False]), np.array([True]))
    found = fitted_fluxes(image, both, np.array([True, False]))
    np.testing.assert_allclose(found[0], alone[0], rtol=1e-10)
    assert abs(found[1, 0]) < 0.3 * found[0, 0]


def test_two_detections_at_one_place_have_halves_of_its_light():
    image, box = source(20, 20, 3.0, (8, 8))
    twice = fit_profiles(image, SIGMA, [[20, 20], [20, 20]], [box, box])
    once = fitted_fluxes(image, twice.of([True, False]), np.array([True]))
    found = fitted_fluxes(image, twice, np.array([True, True]))
    np.testing.assert_allclose(found, np.repeat(once / 2, 2, axis=0), rtol=1e-6)


def test_no_detection_has_no_flux():
    profiles = fit_profiles(np.ones((8, 8, 2)), SIGMA, np.zeros((0, 2)), np.zeros((0, 4)))
    assert fitted_fluxes(np.ones((8, 8, 2)), profiles, np.zeros(0, bool)).shape == (0, 2)
    np.testing.assert_array_equal(brightest_detection(profiles), np.zeros((8, 8)))
