"""Gaussian posteriors of some parameters: the last layer of a network that estimates them, and its loss.

A posterior has the shape (n, n_parameters, 2): means and the logarithms of the standard deviations, in the unit of the
parameters. The standard deviations are of each parameter alone; correlations are not estimated.
"""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("photoz_morph")
class GaussianParameters(keras.layers.Layer):
    """Means and logarithms of standard deviations, from numbers of order 1.

    Called with values (n, 2 n_parameters), the raw means first; the result has the shape (n, n_parameters, 2).

    Parameters
    ----------
    centre, scale : sequence of float
        Mean and standard deviation of each parameter among the training fields: a raw mean of 0 is the first, one of 1
        is one `scale` above, and a raw logarithm of 0 stands for the second.
    name : str
    """

    def __init__(self, centre, scale, name="parameters", dtype="float32", **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.centre, self.scale = tuple(map(float, centre)), tuple(map(float, scale))
        if len(self.centre) != len(self.scale) or not all(0 < value < math.inf for value in self.scale):
            raise ValueError(
                f"centre is {self.centre} and scale {self.scale}; give as many numbers of each, scales above 0"
            )

    def call(self, values):
        n_parameters = len(self.centre)
        centre, scale = (ops.convert_to_tensor(numbers, self.compute_dtype) for numbers in (self.centre, self.scale))
        means = centre + scale * values[:, :n_parameters]
        return ops.stack([means, values[:, n_parameters:] + ops.log(scale)], axis=-1)

    def compute_output_spec(self, values):
        return keras.KerasTensor((values.shape[0], len(self.centre), 2), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "centre": self.centre, "scale": self.scale}


@keras.saving.register_keras_serializable("photoz_morph")
class GaussianLikelihood(keras.losses.Loss):
    """Negative logarithm of the likelihood of the true parameters, the mean over parameters.

    Parameters
    ----------
    name : str
    """

    def __init__(self, name="gaussian_likelihood", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Loss of each field, shape (n,), of parameters (n, n_parameters) and posteriors (n, n_parameters, 2)."""
        mean, log_sigma = y_pred[..., 0], y_pred[..., 1]
        deviation = (ops.cast(y_true, mean.dtype) - mean) * ops.exp(-log_sigma)
        return ops.mean(0.5 * deviation**2 + log_sigma + 0.5 * math.log(2 * math.pi), axis=-1)
