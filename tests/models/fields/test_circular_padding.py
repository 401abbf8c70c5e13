import keras
import numpy as np
import pytest

from photoz_morph.models.fields.circular_padding import CircularPadding

MAPS = np.random.default_rng(1).normal(size=(2, 4, 6, 3)).astype(np.float32)


@pytest.mark.parametrize("size", [1, 3, 4])
def test_what_is_added_is_what_is_at_the_other_side(size):
    expected = np.pad(MAPS, ((0, 0), (size, size), (size, size), (0, 0)), mode="wrap")
    np.testing.assert_array_equal(CircularPadding(size)(MAPS), expected)
    assert CircularPadding(size)(keras.Input((4, None, 3))).shape == (None, 4 + 2 * size, None, 3)


def test_a_convolution_of_a_shifted_field_is_the_shifted_convolution():
    convolution = keras.layers.Conv2D(2, 3)
    shifted = np.roll(MAPS, (1, 2), axis=(1, 2))
    expected = np.roll(convolution(CircularPadding(1)(MAPS)), (1, 2), axis=(1, 2))
    np.testing.assert_allclose(convolution(CircularPadding(1)(shifted)), expected, atol=1e-6)


def test_more_than_a_whole_field_is_not_added():
    with pytest.raises(ValueError, match="maps of 4 x 6 pixels cannot be padded by 5"):
        CircularPadding(5)(MAPS)
    with pytest.raises(ValueError, match="size is 0; give 1 pixel or more"):
        CircularPadding(0)
