"""Pixels that a unit of a layer sees, from the kernels, strides and padding of the layers before it."""

from dataclasses import dataclass

import numpy as np
from keras import tree

from photoz_morph.explain.backward.layer_kinds import kind_of

WINDOWS = ("kernel_size", "pool_size")  # what layers call the side of what they slide over an image
# Joint layers that mix bands, never places.
POINTWISE = {"Softmax", "Multiply", "Deredden", "PixelScales", "LayerNormalization", "Maximum", "Minimum", "TrueDivide"}
MEDIAN_SIDE = 3  # of the windows of `MedianFilter`


@dataclass(frozen=True)
class Span:
    """Pixels along an axis that the units of a layer see.

    Attributes
    ----------
    first : int
        First pixel of unit 0; negative in the padding.
    size : int
        Number of pixels of each unit [pixel].
    step : int
        Pixels from one unit to the next; 0 where every unit sees all.
    """

    first: int
    size: int
    step: int

    def of_unit(self, index):
        """First pixel of a unit, and the first behind it."""
        first = self.first + self.step * index
        return first, first + self.size

    def behind(self, window, stride, before):
        """Span of units that slide a window over these, `before` units of padding in front."""
        return Span(self.first - before * self.step, self.size + (window - 1) * self.step, self.step * stride)


def receptive_field(network, layer, kinds=None):
    """Pixels of the image that each unit of a layer sees.

    Parameters
    ----------
    network : keras.Model
        Functional or Sequential, with one input of shape (n, rows, columns, n_bands).
    layer : str
    kinds : dict of str to str, optional
        See `backward.layer_kinds.kind_of`.

    Returns
    -------
    rows, columns : Span
        Of a layer without maps, of one that all pixels reach, or behind it: the whole image, step 0.

    Raises
    ------
    ValueError
        If the network has no such layer or not one image, a layer before it is of no known kind or is called more than
        once, or the maps of branches that are joined have other steps.
    """
    images = [tensor for tensor in network.inputs if len(tensor.shape) == 4]
    if len(images) != 1:
        raise ValueError(f"network {network.name!r} has {len(images)} inputs with pixels; a receptive field needs one")
    sides, made = images[0].shape[1:3], {id(tensor) for tensor in network.inputs}
    spans = {id(images[0]): tuple(Span(0, 1, 1) for _ in sides)}
    for operation in getattr(network, "operations", None) or network.layers:
        if hasattr(operation, "operations"):
            if operation.name == layer:
                break
            raise ValueError(f"layer {operation.name!r} is a network; give that network for the fields of its layers")
        inputs, outputs = tree.flatten(operation.input), tree.flatten(operation.output)
        if any(id(tensor) not in made for tensor in inputs):
            raise ValueError(f"layer {operation.name!r} is behind one that is called more than once; give another")
        made |= {id(tensor) for tensor in outputs}
        before = [(spans[id(tensor)], tensor) for tensor in inputs if id(tensor) in spans]
        if before and id(outputs[0]) not in spans:
            found = _after(operation, before, outputs[0], sides, kinds)
            spans |= {id(tensor): found for tensor in outputs}
        if operation.name == layer:
            if id(outputs[0]) not in spans:
                raise ValueError(f"layer {layer!r} sees no pixel")
            return spans[id(outputs[0])]
    names = ", ".join(operation.name for operation in network.layers)
    raise ValueError(f"network {network.name!r} has no layer {layer!r}; it has {names}")


def cut_out(images, spans, positions):
    """What units see of their images.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns, n_bands)
    spans : (Span, Span)
        From `receptive_field`.
    positions : ndarray of int, shape (n, 2) or (n, 0)
        Row and column of the unit of each image; nothing for a layer without maps.

    Returns
    -------
    ndarray, shape (n, size, size, n_bands)
        NaN beyond the edges.
    """
    images = np.asarray(images)
    positions = positions if np.shape(positions)[1] else np.zeros((len(images), 2), int)
    sizes = [span.size for span in spans]
    patches = np.full((len(images), *sizes, images.shape[-1]), np.nan, np.float32)
    for patch, image, position in zip(patches, images, positions):
        inside, there = [], []
        for span, index, side in zip(spans, position, image.shape):
            start, stop = span.of_unit(int(index))
            low, high = max(start, 0), min(stop, side)
            inside.append(slice(low, high))
            there.append(slice(low - start, high - start))
        patch[tuple(there)] = image[tuple(inside)]
    return patches


def _after(operation, before, output, sides, kinds):
    """Spans behind a layer, from those of its inputs."""
    kind, name = kind_of(operation, kinds), type(operation).__name__
    whole = tuple(Span(0, side, 0) for side in sides)
    if len(output.shape) != 4 or any(spans == whole for spans, _ in before) or name == "SquareViews":
        return whole
    spans = _joined(operation, [spans for spans, _ in before])
    shape = before[0][1].shape[1:3]
    window = next((getattr(operation, attribute) for attribute in WINDOWS if hasattr(operation, attribute)), None)
    if name == "MedianFilter":
        return tuple(span.behind(MEDIAN_SIDE, 1, MEDIAN_SIDE // 2) for span in spans)
    if window is not None:
        dilation = getattr(operation, "dilation_rate", 1)
        dilation = (dilation, dilation) if isinstance(dilation, int) else dilation
        return tuple(
            _slid(span, length, (size - 1) * rate + 1, stride, operation.padding)
            for span, length, size, stride, rate in zip(spans, shape, window, operation.strides, dilation)
        )
    if name in ("ZeroPadding2D", "Cropping2D"):
        sign, edges = (1, operation.padding) if name == "ZeroPadding2D" else (-1, operation.cropping)
        return tuple(span.behind(1, 1, sign * edge[0]) for span, edge in zip(spans, edges))
    if name == "CenterCrop":
        cuts = [(length - side) // 2 for length, side in zip(shape, output.shape[1:3])]
        return tuple(span.behind(1, 1, -cut) for span, cut in zip(spans, cuts))
    is_pointwise = kind in ("weighted", "linear", "rectifier", "elementwise") or name in POINTWISE
    if is_pointwise and output.shape[1:3] == shape and name not in ("Transpose", "Permute", "Flip", "Reshape"):
        return spans
    return whole


def _slid(span, length, window, stride, padding):
    """Span of a window that slides with Keras's padding, which puts the odd unit of "same" behind."""
    total = max((-(-length // stride) - 1) * stride + window - length, 0) if padding == "same" else 0
    return span.behind(window, stride, total // 2)


def _joined(operation, all_spans):
    """Spans that hold those of several branches."""
    joined = []
    for spans in zip(*all_spans):
        if len({span.step for span in spans}) > 1:
            raise ValueError(f"layer {operation.name!r} joins maps of several pixel sizes; give one before it")
        first = min(span.first for span in spans)
        joined.append(Span(first, max(span.first + span.size for span in spans) - first, spans[0].step))
    return tuple(joined)
