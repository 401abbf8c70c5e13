"""A trained ResNet18 for fast inference: batch norms folded into the convolutions, latent layer and head in one matrix.

Its outputs are those of the network up to rounding, in fewer and larger operations; `pixel_queries` runs on it.
"""

import numpy as np
from keras import ops


class FoldedStages:
    """Layers after the first pooling of a ResNet18, without batch norms.

    Parameters
    ----------
    network : keras.Model
    precision : {"float32", "bfloat16"}
        Of the convolutions.

    Notes
    -----
    Dropout is inactive in inference; the latent layer and the head, both linear, are one matrix.
    """

    def __init__(self, network, precision="float32"):
        self.precision = precision
        names = [layer.name for layer in network.layers]
        self._blocks = []
        for block in sorted({name.rsplit("_", 1)[0] for name in names if name.endswith("_add")}):
            parts = {}
            for part in ("conv1", "conv2", "shortcut_conv"):
                if f"{block}_{part}" in names:
                    kernel, bias = folded(network, f"{block}_{part}", f"{block}_{part.replace('conv', 'bn')}")
                    stride = network.get_layer(f"{block}_{part}").strides[0]
                    parts[part] = (*(ops.cast(values, precision) for values in (kernel, bias)), stride)
            self._blocks.append(parts)
        latent, latent_bias = network.get_layer("latent").get_weights()
        head, head_bias = network.get_layer("logits").get_weights()
        self._head, self._head_bias = latent @ head, latent_bias @ head + head_bias

    def __call__(self, maps):
        """Maps after the pooling, shape (k, rows, columns, width), to logits, shape (k, n_classes), float32."""
        maps = ops.cast(maps, self.precision)
        for parts in self._blocks:
            shortcut = _convolve(maps, *parts["shortcut_conv"]) if "shortcut_conv" in parts else maps
            maps = ops.relu(_convolve(maps, *parts["conv1"]))
            maps = ops.relu(_convolve(maps, *parts["conv2"]) + shortcut)
        features = ops.mean(ops.cast(maps, "float32"), axis=(1, 2))
        return ops.matmul(features, self._head) + self._head_bias


def folded(network, convolution, batch_norm):
    """Kernel and bias of a convolution that includes the batch norm after it, float32 arrays."""
    norm = network.get_layer(batch_norm)
    gamma, beta, mean, variance = (np.asarray(values) for values in norm.get_weights())
    factor = gamma / np.sqrt(variance + norm.epsilon)
    kernel, *bias = network.get_layer(convolution).get_weights()
    return kernel * factor, beta - (mean - bias[0] if bias else mean) * factor


def stem_kernel(network):
    """Kernel and bias of the first convolution of a ResNet18."""
    return folded(network, "conv1", "bn1")


def padded(maps, n):
    """Maps with n rows and columns of zeros on every side."""
    return ops.pad(maps, [(0, 0), (n, n), (n, n), (0, 0)])


def _convolve(maps, kernel, bias, stride):
    """A convolution padded as in `models.layers.blocks.convolution`."""
    if stride > 1 and kernel.shape[0] > 1:
        return ops.conv(padded(maps, kernel.shape[0] // 2), kernel, strides=stride, padding="valid") + bias
    return ops.conv(maps, kernel, strides=stride, padding="same" if stride == 1 else "valid") + bias
