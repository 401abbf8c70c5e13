import numpy as np
import pytest

from photoz_morph.blend.scenes.scene import sigma_map
from photoz_morph.blend.scenes.truth import box_of, measure_truth


def two_sources():
    """A bright source of 4 x 4 pixels and a faint one of 3 x 3 that overlap in one pixel; two bands."""
    images = np.zeros((3, 10, 12, 2))
    images[0, 1:5, 1:5] = 4, 6
    images[1, 4:7, 4:7] = 2, 1
    images[2, 8, 8] = 0.5, 0.5  # below the noise
    return images


def test_pixels_belong_to_the_brightest_source_and_boxes_have_the_hidden_parts():
    instances, columns = measure_truth(two_sources(), [1.0, 1.0])
    expected = np.zeros((10, 12), int)
    expected[4:7, 4:7] = 2
    expected[1:5, 1:5] = 1
    np.testing.assert_array_equal(instances, expected)
    assert columns["box"][:2].tolist() == [[0.5, 0.5, 4.5, 4.5], [3.5, 3.5, 6.5, 6.5]]  # the corner included
    assert np.isnan(columns["box"][2]).all()
    assert columns["n_visible"].tolist() == [16, 8, 0]
    assert columns["flux"].tolist() == [[64, 96], [18, 9], [0.5, 0.5]]


def test_blendedness_and_signal_to_noise_by_hand():
    _, columns = measure_truth(two_sources(), [1.0, 2.0])
    # Sums over bands are 10 and 3: S.S = 16 * 100 and 9 * 9, S.T has 30 more in the pixel in common.
    np.testing.assert_allclose(columns["blendedness"], [1 - 1600 / 1630, 1 - 81 / 111, 0])
    np.testing.assert_allclose(columns["snr"][:2], [np.sqrt(16 * (16 + 36 / 4)), np.sqrt(9 * (4 + 1 / 4))])
    assert columns["is_target"].tolist() == [True, False, False]  # 20 and 6.2


def test_threshold_is_one_sigma_of_the_sum_over_bands():
    images = np.full((1, 2, 2, 3), 1.0)
    images[0, 0, 0] = 0.99
    instances, _ = measure_truth(images, [1.0, 2.0, 2.0])  # a sum of 3 against sqrt(1 + 4 + 4)
    assert instances.sum() == 0
    assert measure_truth(images, [1.0, 2, 1.9])[0].tolist() == [[1, 1], [1, 1]]


def test_a_scene_without_sources_has_an_empty_truth():
    instances, columns = measure_truth(np.zeros((0, 4, 5, 3)), np.ones(3))
    assert instances.shape == (4, 5) and not instances.any()
    assert columns["box"].shape == (0, 4) and columns["flux"].shape == (0, 3)


def test_boxes_are_edges_of_pixels():
    mask = np.zeros((5, 6), bool)
    mask[2, 3] = True
    assert box_of(mask).tolist() == [1.5, 2.5, 2.5, 3.5]


def test_noise_of_a_wrong_shape_or_sign_is_refused():
    with pytest.raises(ValueError, match=r"sigma has shape \(2,\), an image of shape \(4, 5, 3\) needs"):
        sigma_map(np.ones(2), (4, 5, 3))
    with pytest.raises(ValueError, match="sigma has 1 values that are not positive"):
        sigma_map([1.0, 0, 2], (4, 5, 3))
