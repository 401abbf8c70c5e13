"""Grad-CAM (Selvaraju et al. 2017) and Grad-CAM++ (Chattopadhyay et al. 2018) of any named layer of maps.

Maps of a layer mix the bands, so these are maps of the sky, not of pixels in bands.
"""

import keras
import numpy as np
from keras import ops

from photoz_morph.explain.gradients import Score, named
from photoz_morph.explain.sky import image_name


def grad_cam(score, inputs, layer, signed=False):
    """Maps of a layer, weighted by the mean gradient of the target with respect to each.

    Parameters
    ----------
    score : Score
        Of a functional or Sequential Keras model.
    inputs : ndarray or dict of ndarray
    layer : str
        Name of a layer with outputs of shape (n, rows, columns, n_maps).
    signed : bool
        Whether to keep what lowers the target, too, as for a redshift; otherwise the map is not negative.

    Returns
    -------
    ndarray, shape (n, rows, columns)
        On the pixels of the image, by bilinear interpolation, 0 outside a crop before the layer.

    Raises
    ------
    ValueError
        If the network has no such layer, or it has no maps.

    Notes
    -----
    Selvaraju et al. (2017, arXiv 1610.02391), Eqs. 1 and 2.
    """
    maps, gradient, place = _maps_and_gradient(score, inputs, layer)
    weights = gradient.mean(axis=(1, 2), keepdims=True)
    return place(_rectified(np.sum(weights * maps, axis=-1), signed))


def grad_cam_plus_plus(score, inputs, layer, signed=False):
    """The same with weights that count every place at which a map is seen, see `grad_cam`.

    Notes
    -----
    Chattopadhyay et al. (2018, arXiv 1710.11063), Eqs. 10 and 19, for the exponential of the target, whose higher
    derivatives are powers of the first.
    """
    maps, gradient, place = _maps_and_gradient(score, inputs, layer)
    denominator = 2 * gradient**2 + np.sum(maps, axis=(1, 2), keepdims=True) * gradient**3
    share = np.divide(gradient**2, denominator, out=np.zeros_like(gradient), where=denominator != 0)
    weights = np.sum(share * np.maximum(gradient, 0), axis=(1, 2), keepdims=True)
    return place(_rectified(np.sum(weights * maps, axis=-1), signed))


def _rectified(maps, signed):
    return maps if signed else np.maximum(maps, 0)


def _maps_and_gradient(score, inputs, layer):
    """Maps of the layer, gradient of the target with respect to them, and what puts maps on the pixels of the image."""
    network = score.network
    names = [found.name for found in getattr(network, "layers", [])]
    if not hasattr(network, "inputs") or layer not in names:
        name, known = getattr(network, "name", network), ", ".join(names) or "none that is known"
        raise ValueError(f"the network {name!r} has no layer {layer!r}; it has {known}")
    tensor = network.get_layer(layer).output
    if isinstance(tensor, (list, tuple, dict)) or len(tensor.shape) != 4:
        raise ValueError(f"layer {layer!r} has no maps of shape (n, rows, columns, n_maps)")
    head = keras.Model(network.inputs, tensor)
    tail = keras.Model({found.name: found for found in [*network.inputs, tensor]}, network.output)
    of_maps = Score(tail, score.target, score.batch_size)
    given, order = named(inputs), [found.name for found in network.inputs]
    maps, gradients = [], []
    for batch, galaxies in score.batches(inputs):
        by_name = dict(zip(order, batch.values())) if len(order) == 1 else batch
        found = ops.convert_to_numpy(head([by_name[name] for name in order]))
        rows = {**{name: ops.convert_to_numpy(values) for name, values in by_name.items()}, tensor.name: found}
        gradients.append(of_maps.value_and_gradient(rows, ops.convert_to_numpy(galaxies))[1][tensor.name])
        maps.append(found)
    size = np.shape(given[image_name(given)])[1:3]
    seen = next((_size(found) for found in head.layers if isinstance(found, keras.layers.CenterCrop)), size)

    def place(values):
        """On the pixels of the image, which may have been cropped before the layer."""
        resized = ops.convert_to_numpy(ops.image.resize(values[..., None].astype(np.float32), seen))[..., 0]
        before = [(whole - part) // 2 for whole, part in zip(size, seen)]
        after = [whole - part - first for whole, part, first in zip(size, seen, before)]
        return np.pad(resized, [(0, 0), *zip(before, after)])

    return np.concatenate(maps), np.concatenate(gradients), place


def _size(crop):
    """Rows and columns of a CenterCrop."""
    return crop.height, crop.width
