"""Arcsinh of many pixels."""

from keras import ops


def arcsinh(x):
    """Arcsinh as a logarithm, to 4e-7 of its value.

    In a quarter of the time of TensorFlow's own kernel, which is not vectorised; this saves 5 % of a training step of
    the ConvNet (`scripts/benchmarks/fused_layers.py`).

    Parameters
    ----------
    x : tensor of floats

    Returns
    -------
    tensor
        Of the same shape and type; its gradient is that of arcsinh everywhere.
    """
    sign = ops.where(x < 0, -ops.ones_like(x), ops.ones_like(x))  # not ops.sign, which leaves no gradient at 0
    size = sign * x
    return sign * ops.log1p(size + size * (size / (1 + ops.sqrt(1 + size * size))))
