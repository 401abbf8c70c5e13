import numpy as np

from photoz_morph.models.layers.unpooling import MaxPoolingWithIndices, MaxUnpooling


def test_maximums_return_to_their_pixels_and_all_else_is_zero():
    maps = np.random.default_rng(1).normal(size=(2, 6, 8, 3)).astype(np.float32)
    pooled, indices = MaxPoolingWithIndices()(maps)
    windows = maps.reshape(2, 3, 2, 4, 2, 3)
    np.testing.assert_array_equal(pooled, windows.max(axis=(2, 4)))
    is_maximum = windows == windows.max(axis=(2, 4), keepdims=True)
    expected = np.where(is_maximum, windows, 0).reshape(maps.shape)
    np.testing.assert_array_equal(MaxUnpooling()(pooled, indices), expected)


def test_indices_count_the_pixels_of_a_window_along_its_rows():
    window = np.zeros((4, 2, 2, 1), np.float32)
    window.reshape(4, 4)[range(4), range(4)] = 1
    assert MaxPoolingWithIndices()(window)[1].numpy().ravel().tolist() == [0, 1, 2, 3]


def test_of_equal_pixels_one_alone_gets_the_value():
    pooled, indices = MaxPoolingWithIndices()(np.ones((1, 2, 2, 1), np.float32))
    assert MaxUnpooling()(pooled, indices).numpy().ravel().tolist() == [1, 0, 0, 0]
