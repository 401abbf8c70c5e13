import keras
import numpy as np
from keras import ops

from photoz_morph.models.layers.arcsinh import arcsinh


def test_values_are_those_of_numpy_over_the_range_of_fluxes():
    sizes = np.geomspace(1e-30, 1e15, 2000)
    values = np.concatenate([-sizes, [0], sizes]).astype(np.float32)
    expected = np.arcsinh(values.astype(float))
    computed = ops.convert_to_numpy(arcsinh(ops.convert_to_tensor(values)))
    np.testing.assert_allclose(computed, expected, rtol=4e-7)


def test_its_slope_is_that_of_arcsinh_at_zero_too():
    """By training one weight per pixel with plain gradient descent: each falls by the slope."""
    values = np.array([-30.0, -1.0, -1e-3, 0.0, 1e-3, 1.0, 30.0], np.float32)
    layer = keras.layers.Lambda(arcsinh)
    pixels = keras.Input((len(values),))
    start = keras.layers.Dense(len(values), use_bias=False, kernel_initializer="zeros", name="start")
    network = keras.Model(pixels, layer(start(pixels)))
    start.set_weights([np.diag(values)])
    network.compile(keras.optimizers.SGD(1.0), loss=lambda _, y: ops.sum(y, axis=-1))
    network.fit(np.ones((1, len(values)), np.float32), np.zeros((1, len(values))), verbose=0)
    fall = np.diag(np.diag(values) - start.get_weights()[0])
    np.testing.assert_allclose(fall, 1 / np.sqrt(1 + values.astype(float) ** 2), rtol=1e-4)


def test_half_precision_stays_half_precision():
    assert arcsinh(ops.ones((2,), "bfloat16")).dtype == ops.ones((2,), "bfloat16").dtype
