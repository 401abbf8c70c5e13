"""Test-time defences: wrappers around a trained classifier.

`d4` averages the outputs over all eight flips and rotations of an image: the class no longer depends on orientation,
and a pixel that fools the network in one orientation must fool the mean. The mean of the logits is the linear head of
the mean latent, so latent geometry remains valid. `median` replaces each pixel by the median of its 3 x 3 neighbours in
its band, which no single pixel can move beyond their range.
"""

import keras
from keras import ops

DEFENCES = ("none", "d4", "median")
N_VIEWS = 8  # elements of the symmetry group of the square, D4


def defended(network, name):
    """Wrap a classifier in a test-time defence, with the same weights.

    Parameters
    ----------
    network : keras.Model
        {"image"} or {"image", "domain"} to {"logits", "latent"}.
    name : {"none", "d4", "median"}

    Returns
    -------
    keras.Model
        With the same inputs and outputs. "none" returns the network itself; in the others it is a layer, under its own
        name.

    Raises
    ------
    ValueError
        If there is no such defence.
    """
    if name not in DEFENCES:
        raise ValueError(f"no test-time defence {name!r}; there are {', '.join(DEFENCES)}")
    if name == "none":
        return network
    inputs = {tensor.name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.name)
              for tensor in network.inputs}  # fmt: skip
    if name == "median":
        outputs = network({**inputs, "image": MedianFilter()(inputs["image"])})
    else:
        views = {"image": SquareViews()(inputs["image"])}
        if "domain" in inputs:
            views["domain"] = keras.layers.Concatenate(axis=0, name="domain_views")([inputs["domain"]] * N_VIEWS)
        outputs = {name: MeanOfViews(name=f"mean_{name}")(values) for name, values in network(views).items()}
    return keras.Model(inputs, outputs, name=f"{network.name}_{name}")


@keras.saving.register_keras_serializable("photoz_morph")
class SquareViews(keras.layers.Layer):
    """All flips and rotations of square images, shape (8 n, size, size, n_bands), the n images of a view together."""

    def __init__(self, name="square_views", dtype="float32", **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)  # float32: the scaling that follows needs all digits

    def call(self, images):
        views = [images, ops.transpose(images, (0, 2, 1, 3))]
        for axis in (1, 2):
            views += [ops.flip(view, axis) for view in views]
        return ops.concatenate(views, axis=0)

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable("photoz_morph")
class MeanOfViews(keras.layers.Layer):
    """Mean of the outputs of a network over the views of `SquareViews`: (8 n, k) to (n, k)."""

    def __init__(self, name="mean_of_views", dtype="float32", **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)

    def call(self, values):
        return ops.mean(ops.reshape(values, (N_VIEWS, -1, values.shape[-1])), axis=0)

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable("photoz_morph")
class MedianFilter(keras.layers.Layer):
    """Median of the 3 x 3 pixels about each pixel, band by band; the edge is continued by its own pixels.

    Notes
    -----
    The median of nine is the median of three: the highest of the columns' minima, the median of their medians and the
    lowest of their maxima. Columns are sorted once for the three windows they are in, 18 minima and maxima a pixel in
    place of a sort, and the gradient goes to the pixel that is the median.
    """

    def __init__(self, name="median_filter", dtype="float32", **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)

    def call(self, images):
        # Of one pixel of padding, "symmetric" is the edge itself; Keras has no "edge" on TensorFlow.
        padded = ops.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
        low, middle, high = _sorted3(padded[:, :-2], padded[:, 1:-1], padded[:, 2:])
        low, middle, high = ([part[:, :, k : part.shape[2] - 2 + k] for k in range(3)] for part in (low, middle, high))
        highest_low = ops.maximum(ops.maximum(low[0], low[1]), low[2])
        lowest_high = ops.minimum(ops.minimum(high[0], high[1]), high[2])
        return _median3(highest_low, _median3(*middle), lowest_high)

    def compute_output_shape(self, input_shape):
        return input_shape


def _sorted3(a, b, c):
    """Smallest, median and largest of three, element by element."""
    a, b = ops.minimum(a, b), ops.maximum(a, b)
    b, c = ops.minimum(b, c), ops.maximum(b, c)
    return ops.minimum(a, b), ops.maximum(a, b), c


def _median3(a, b, c):
    """Median of three, element by element."""
    return ops.maximum(ops.minimum(a, b), ops.minimum(ops.maximum(a, b), c))
