"""Masks, boxes and blendedness of Gaussians, for which they are known."""

import numpy as np
import pytest

from photoz_morph.simulation.blends.truth import SourceImage, box_of, measure_sources

SIZE, SIGMA, WIDTH = 64, np.array([1.0, 2.0, 2.0]), 3.0
THRESHOLD = 3.0  # sqrt(1 + 4 + 4)
NOISE = np.broadcast_to(SIGMA**2, (SIZE, SIZE, 3))


def gaussian(x, y, peak):
    """A source whose sum over bands has that peak, a third in each."""
    rows, columns = np.indices((SIZE, SIZE))
    shape = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * WIDTH**2))
    return SourceImage((peak / 3 * shape[..., None] * np.ones(3)).astype(np.float16), 0, 0)


def measure(*sources):
    return measure_sources(list(sources), (SIZE, SIZE), SIGMA, NOISE)


@pytest.mark.parametrize("distance, ratio", [(6.0, 1.0), (6.0, 0.25), (3.0, 4.0), (15.0, 1.0)])
def test_blendedness_of_two_gaussians_has_a_closed_form(distance, ratio):
    _, columns = measure(gaussian(25, 32, 60), gaussian(25 + distance, 32, 60 * ratio))
    # S.S ~ 1 and S.T ~ 1 + ratio exp(-d^2 / 4 sigma^2), for Gaussians of one width.
    overlap = ratio * np.exp(-(distance**2) / (4 * WIDTH**2))
    assert columns["blendedness"][0] == pytest.approx(overlap / (1 + overlap), rel=2e-3, abs=1e-4)
    overlap = np.exp(-(distance**2) / (4 * WIDTH**2)) / ratio
    assert columns["blendedness"][1] == pytest.approx(overlap / (1 + overlap), rel=2e-3, abs=1e-4)


def test_a_source_alone_is_not_blended_and_its_box_is_where_it_exceeds_the_noise():
    instances, columns = measure(gaussian(20.0, 40.0, 60))
    radius = WIDTH * np.sqrt(2 * np.log(60 / THRESHOLD))  # 7.34: seven pixels to each side
    reach = np.floor(radius) + 0.5
    np.testing.assert_allclose(columns["box"][0], (40 - reach, 20 - reach, 40 + reach, 20 + reach))
    assert columns["blendedness"][0] == pytest.approx(0, abs=1e-6)
    distance = np.hypot(*(np.indices((SIZE, SIZE)) - np.array([40, 20])[:, None, None]))
    np.testing.assert_array_equal(instances == 1, distance <= radius)
    assert columns["n_visible"][0] == columns["n_pixels"][0] == (distance <= radius).sum()


def test_each_pixel_is_its_brightest_sources_and_boxes_hold_hidden_parts():
    instances, columns = measure(gaussian(25, 32, 60), gaussian(33, 32, 60))
    assert (instances[32, 20:29] == 1).all() and (instances[32, 30:38] == 2).all()  # 29 is halfway
    radius = np.floor(WIDTH * np.sqrt(2 * np.log(60 / THRESHOLD))) + 0.5
    assert columns["box"][0][3] == 25 + radius > 29  # beyond the border of the masks
    assert columns["n_visible"].sum() == (instances > 0).sum()
    assert (columns["n_visible"] < columns["n_pixels"]).all()


def test_pixels_where_only_the_sum_exceeds_the_noise_belong_to_the_brighter():
    instances, columns = measure(gaussian(30, 32, 2.0), gaussian(31, 32, 1.8))  # either alone is below 3
    assert (instances == 1).any() and not columns["n_pixels"].any()
    assert np.isnan(columns["box"]).all()


def test_signal_to_noise_ratio_is_that_of_the_matched_filter():
    _, columns = measure(gaussian(32, 32, 60))
    squares = np.pi * WIDTH**2 * 20**2  # integral of a Gaussian of peak 20, squared
    assert columns["snr"][0] == pytest.approx(np.sqrt(squares * (1 + 1 / 4 + 1 / 4)), rel=1e-3)


def test_a_target_is_significant_and_seen():
    _, columns = measure(gaussian(32, 32, 60), gaussian(10, 10, 0.6), gaussian(32.5, 32, 20))
    np.testing.assert_array_equal(columns["is_target"], [True, False, False])  # too faint; hidden by the first
    assert columns["snr"][1] < 7 < columns["snr"][2] and columns["n_visible"][2] == 0


def test_a_cut_image_is_put_where_it_belongs():
    whole = gaussian(20.0, 40.0, 60)
    cut = SourceImage(whole.pixels[30:51, 8:33], 30, 8)
    for one, other in zip(measure(whole)[1].values(), measure(cut)[1].values()):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=1e-6)
    np.testing.assert_array_equal(measure(whole)[0], measure(cut)[0])


def rectangles():
    """A bright source of 4 x 4 pixels, a faint one of 3 x 3 that overlaps it in one, and one below the noise."""
    images = np.zeros((3, 10, 12, 2))
    images[0, 1:5, 1:5] = 4, 6
    images[1, 4:7, 4:7] = 2, 1
    images[2, 8, 8] = 0.5, 0.5
    return [SourceImage(image) for image in images]


def test_truth_of_a_field_that_is_no_square_by_hand():
    instances, columns = measure_sources(rectangles(), (10, 12), [1.0, 2.0])
    expected = np.zeros((10, 12), int)
    expected[4:7, 4:7] = 2
    expected[1:5, 1:5] = 1
    np.testing.assert_array_equal(instances, expected)
    np.testing.assert_array_equal(columns["box"][:2], [[0.5, 0.5, 4.5, 4.5], [3.5, 3.5, 6.5, 6.5]])
    assert columns["n_pixels"].tolist() == [16, 9, 0] and columns["n_visible"].tolist() == [16, 8, 0]
    assert columns["flux_in_image"].tolist() == [[64, 96], [18, 9], [0.5, 0.5]]
    # Sums over bands are 10 and 3: S.S = 16 * 100 and 9 * 9, S.T has 30 more in the pixel in common.
    np.testing.assert_allclose(columns["blendedness"], [1 - 1600 / 1630, 1 - 81 / 111, 0], atol=1e-7)
    np.testing.assert_allclose(columns["snr"][:2], [np.sqrt(16 * (16 + 36 / 4)), np.sqrt(9 * (4 + 1 / 4))], rtol=1e-6)
    assert columns["is_target"].tolist() == [True, False, False]  # 20 and 6.2


def test_pixels_with_noise_of_their_own_have_a_threshold_of_their_own():
    sigma = np.ones((10, 12, 2))
    sigma[1, 1], sigma[2, 2] = np.inf, 8.0  # not to be used; 11.3, above the 10 of the source
    instances, columns = measure_sources(rectangles(), (10, 12), sigma)
    assert instances[1, 1] == instances[2, 2] == 0 and instances[1, 2] == instances[3, 3] == 1
    assert columns["n_pixels"][0] == columns["n_visible"][0] == 14
    assert columns["snr"][0] == pytest.approx(np.sqrt((14 + 1 / 64) * 52))  # 4^2 + 6^2 a pixel


def test_a_source_without_light_has_no_blendedness():
    _, columns = measure_sources([SourceImage(np.zeros((4, 5, 3)))], (4, 5), np.ones(3))
    assert np.isnan(columns["blendedness"][0]) and columns["snr"][0] == 0 and not columns["is_target"][0]


def test_box_of_one_pixel_and_of_none():
    mask = np.zeros((5, 5), bool)
    mask[0, 3] = True
    np.testing.assert_array_equal(box_of(mask), (-0.5, 2.5, 0.5, 3.5))
    instances, columns = measure_sources([], (4, 5), np.ones(3))
    assert instances.shape == (4, 5) and not instances.any()
    assert columns["box"].shape == (0, 4) and columns["flux_in_image"].shape == (0, 3)
