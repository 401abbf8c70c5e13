"""Kinds of layers, on which the rules of the way back depend.

weighted
    A convolution or dense layer, `activation(kernel * x + bias)`.
linear
    Linear or affine in its inputs: sums, means, concatenations, crops, padding, average pooling, batch norm in use.
selecting
    A maximum over places: max pooling.
rectifier
    Elementwise, and cuts or flattens what is negative: ReLU, PReLU, GELU and their like.
elementwise
    Other functions of single values: arcsinh and logarithmic scalings, sigmoid, tanh.
joint
    Nonlinear in several values together: softmax, products, dereddening, colours of pixels, aperture fluxes,
    PSF-matched photometry.

A kind goes by the name of the class or of one of its parents, be it a layer or an operation of `keras.ops`.
"""

import keras
from keras import ops

NAMES = {
    "weighted": "Dense Conv1D Conv2D Conv3D DepthwiseConv1D DepthwiseConv2D",
    "linear": (
        "Add Subtract Average Concatenate Flatten Reshape Permute Identity Dropout SpatialDropout2D GaussianNoise "
        "GaussianDropout AlphaDropout ZeroPadding1D ZeroPadding2D Cropping2D CenterCrop UpSampling2D AveragePooling1D "
        "AveragePooling2D GlobalAveragePooling1D GlobalAveragePooling2D BatchNormalization Rescaling Normalization "
        "DomainBatchNormalization Standardization Whitening SelectBands SquareViews MeanOfViews "
        "Stack Mean Sum GetItem Transpose Squeeze ExpandDims Cast Negative Flip Pad"
    ),
    "selecting": "MaxPooling1D MaxPooling2D GlobalMaxPooling1D GlobalMaxPooling2D",
    "rectifier": "ReLU PReLU LeakyReLU ELU Relu Relu6 LeakyRelu Elu Selu Gelu Silu",
    "elementwise": (
        "AsinhCompression ArcsinhScaling LogConditions LogProbability Arcsinh Tanh Sigmoid Exp Log Log1p Sqrt Square"
    ),
    "joint": (
        "Softmax LogSoftmax Multiply TrueDivide Divide Maximum Minimum Dot Deredden PixelScales ApertureFluxes "
        "PsfMatchedPhotometry MedianFilter LayerNormalization UnitNormalization"
    ),
}  # fmt: skip
KINDS = {name: kind for kind, names in NAMES.items() for name in names.split()}
ACTIVATIONS = {
    **dict.fromkeys(("relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "hard_silu"), "rectifier"),
    **dict.fromkeys(("sigmoid", "tanh", "softplus", "softsign", "exponential", "hard_sigmoid"), "elementwise"),
    **dict.fromkeys(("softmax", "log_softmax"), "joint"),
    "linear": "linear",
}


def kind_of(operation, kinds=None):
    """Kind of a layer or operation.

    Parameters
    ----------
    operation : keras.Operation
    kinds : dict of str to str, optional
        Kinds of further layers, by the name of the layer or of its class.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the layer is of no known class, or `kinds` gives it no kind that exists.
    """
    kinds = kinds or {}
    classes = [parent.__name__ for parent in type(operation).__mro__]
    for name in (operation.name, *classes):
        if name in kinds:
            if kinds[name] not in NAMES:
                raise ValueError(f"kinds[{name!r}] is {kinds[name]!r}; there are {', '.join(NAMES)}")
            return kinds[name]
    if "Activation" in classes:
        return activation_kind(operation)
    for name in classes:
        if name in KINDS:
            return KINDS[name]
    raise ValueError(
        f"layer {operation.name!r} of class {classes[0]} has no backward rule; "
        f"say what it is with kinds={{{classes[0]!r}: ...}}, one of {', '.join(NAMES)}"
    )


def activation_kind(layer):
    """Kind of the `activation` of a layer; a ValueError if it is none that is known."""
    name = getattr(layer.activation, "__name__", type(layer.activation).__name__) if layer.activation else "linear"
    if name not in ACTIVATIONS:
        raise ValueError(
            f"layer {layer.name!r} has the activation {name}, which has no backward rule; "
            f"make it a layer of its own, or one of {', '.join(ACTIVATIONS)}"
        )
    return ACTIVATIONS[name]


def linear_part(layer):
    """What a weighted layer does before its bias and activation.

    Parameters
    ----------
    layer : keras.layers.Dense, Conv1D, Conv2D, Conv3D, DepthwiseConv1D or DepthwiseConv2D

    Returns
    -------
    callable
        (x, kernel) to the maps of x under a kernel of the layer's shape.

    Raises
    ------
    ValueError
        If channels do not come last.
    """
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise ValueError(f"layer {layer.name!r} has {layer.data_format}; backward rules need channels_last")
    if isinstance(layer, keras.layers.Dense):
        return ops.matmul
    if hasattr(layer, "convolution_op"):
        return layer.convolution_op
    options = {"strides": layer.strides, "padding": layer.padding, "dilation_rate": layer.dilation_rate}
    return lambda x, kernel: ops.depthwise_conv(x, kernel, **options)


def values_before_activation(layer, x):
    """Outputs of a weighted layer without its activation."""
    maps = linear_part(layer)(x, layer.kernel)
    return maps + layer.bias if layer.use_bias else maps
