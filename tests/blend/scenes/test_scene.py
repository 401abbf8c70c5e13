import numpy as np
import pytest

from photoz_morph.blend.scenes.scene import sigma_map


def test_noise_is_that_of_bands_or_of_pixels():
    assert sigma_map([1.0, 2, 3], (4, 5, 3))[3, 4].tolist() == [1, 2, 3]
    of_pixels = np.arange(1.0, 61).reshape(4, 5, 3)
    np.testing.assert_array_equal(sigma_map(of_pixels, (4, 5, 3)), of_pixels)


def test_noise_of_a_wrong_shape_or_sign_is_refused():
    with pytest.raises(ValueError, match=r"sigma has shape \(2,\), an image of shape \(4, 5, 3\) needs"):
        sigma_map(np.ones(2), (4, 5, 3))
    with pytest.raises(ValueError, match="sigma has 1 values that are not positive"):
        sigma_map([1.0, 0, 2], (4, 5, 3))
