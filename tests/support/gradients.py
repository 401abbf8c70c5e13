"""Gradients against differences of the function itself."""

import numpy as np
import tensorflow as tf
from keras import ops


def slopes(function, values, direction, step=1e-2):
    """Slope of a scalar function along a direction: by its gradient, and by a central difference.

    `values` is an array, or a Keras variable of which the function makes use.
    """
    direction = np.asarray(direction, np.float32)
    if isinstance(values, np.ndarray):
        variable = tf.Variable(np.asarray(values, np.float32))
        value, assign, evaluate = variable, variable.assign, lambda: function(tf.convert_to_tensor(variable))
    else:
        value, assign, evaluate = values.value, values.assign, function
    start = np.array(value)
    with tf.GradientTape() as tape:
        result = evaluate()
    gradient = tape.gradient(result, value)
    by_gradient = 0.0 if gradient is None else float(np.sum(ops.convert_to_numpy(gradient) * direction))
    ends = []
    for sign in (1, -1):
        assign(start + sign * step * direction)
        ends.append(float(evaluate()))
    assign(start)
    return by_gradient, (ends[0] - ends[1]) / (2 * step)
