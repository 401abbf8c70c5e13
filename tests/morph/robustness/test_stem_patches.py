import keras
import numpy as np

from photoz_morph.morph.robustness.stem_patches import PHASES, STEM_PATCH, first_pooled, phase_kernels, pool


def stem(images, kernel):
    """Convolution at stride 2 of zero-padded images by a sum over taps, shape (n, rows / 2, columns / 2, n_maps)."""
    padded = np.pad(images, [(0, 0), (3, 3), (3, 3), (0, 0)])
    rows, columns = images.shape[1] // 2, images.shape[2] // 2
    maps = np.zeros((len(images), rows, columns, kernel.shape[3]))
    for i, j in np.ndindex(7, 7):
        maps += padded[:, i : i + 2 * rows : 2, j : j + 2 * columns : 2] @ kernel[i, j]
    return maps


def test_one_pixel_changes_the_stem_by_the_kernel_of_its_phase_and_nothing_beyond():
    kernel = np.random.default_rng(0).normal(size=(7, 7, 2, 5)).astype(np.float32)
    bank = phase_kernels(kernel)
    for pixel in np.ndindex(8, 9):
        pixel = np.array(pixel) + 16
        image = np.zeros((1, 40, 40, 2), np.float32)
        image[0, pixel[0], pixel[1], 1] = 1
        expected = np.zeros((1, 20, 20, 5))
        row, column = 2 * np.asarray(first_pooled(pixel)) - 1  # 3 x 3 maxima at stride 2 begin one position before
        phase = pixel % PHASES
        patch = bank[phase[0] * PHASES + phase[1], 1]
        expected[0, row : row + STEM_PATCH, column : column + STEM_PATCH] = patch
        np.testing.assert_allclose(stem(image, kernel), expected, atol=1e-6)


def test_pool_is_that_of_keras_with_a_border_of_zeros():
    maps = np.random.default_rng(1).random((2, 10, 12, 3)).astype(np.float32)
    layer = keras.layers.MaxPooling2D(3, strides=2)
    np.testing.assert_array_equal(pool(maps), layer(keras.layers.ZeroPadding2D(1)(maps)))
