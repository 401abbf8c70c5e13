"""Weights of a trained redshift network, given to one of another survey.

Layers of the same names and shapes have the same weights. Where bands or sizes differ, the first convolutions and the
rows of the dense layers that see measured fluxes, conditions or another number of maps are made anew, so that the
network gives what that of the source would give if its inputs were mapped as `bands` says: from the same bands and
stamps, exactly its outputs.
"""

import re

import numpy as np

from photoz_morph.models.layers.photometric_inputs import adapt_to_training_set
from photoz_morph.photoz.transfer.bands import BandMap, kernel_of_pixels, kernel_of_scales
from photoz_morph.transfer.sizes import centred_rows

HEAD = "redshift_pdf"
FIRST = re.compile(r"(B\d+_)?C1")  # the convolutions that see pixels
N_SHAPE = 4  # values of the shape that `PsfMatchedPhotometry` gives


def give_weights(source, network, bands, models, sample=None, factor=1.0, with_head=True):
    """Give a new network the weights of a trained one.

    Parameters
    ----------
    source, network : keras.Model
        From `inception_photoz`; of the same options but for bands, sizes and redshift bins.
    bands : BandMap
    models : tuple of InceptionConfig
        Of both, for their `band_subsets` and inputs.
    sample : iterable, optional
        Inputs of training galaxies of another survey, on which its typical observing conditions are measured and, in
        new bands, the whitening of the fluxes. None for the survey of the source.
    factor : float
        A raw pixel in the image unit of the source over the same in that of the new survey.
    with_head : bool
        Whether the last layer, too; else it keeps its weights.
    """
    if sample is not None:
        adapt_to_training_set(network, sample)
    kinds = _row_kinds(models[0])
    for layer in network.layers:
        name, weights = layer.name, layer.weights and source.get_layer(layer.name).get_weights()
        is_measured = sample is not None and name.startswith("log_") or name == "whitening" and not bands.is_same
        if not weights or is_measured or name == HEAD and not with_head:
            continue
        if FIRST.fullmatch(name):
            weights[0] = _first_kernel(weights[0], name, bands, models, factor)
        elif name == "standardization":
            weights = [_of_facts(values, kinds, bands) for values in weights]
        elif name in kinds:
            weights = _dense(weights, kinds[name], source, network, bands)
        layer.set_weights(weights)


def _row_kinds(model):
    """What the rows of the kernels of dense layers see, for those whose rows depend on bands or sizes."""
    side = ["fluxes"] * model.photometric_inputs
    if model.apertures == "psf_matched" or model.observing:
        side.append(("facts", N_SHAPE * (model.apertures == "psf_matched"), len(model.observing)))
    side += ["ebv"] * model.with_ebv
    kinds = {"standardization": next((kind for kind in side if kind[0] == "facts"), None)}
    if model.blocks:
        kinds["FC1"] = ["maps", *side]
    if model.photometric_inputs and model.photometric_layers:
        kinds["PH1"] = side
    elif model.photometric_inputs:
        kinds["FC2"] = [("units", model.dense_units)] * bool(model.blocks) + side
    return kinds


def _first_kernel(kernel, name, bands, models, factor):
    """Kernel of C1, or of that of a branch of some bands."""
    model = models[1]
    if name != "C1":
        bands = _bands_of_branch(int(name.partition("_")[0][1:]) - 1, bands, models)
    if model.photometric_inputs:
        return kernel_of_scales(kernel, bands)
    return kernel_of_pixels(kernel, bands, factor if model.compression == "none" else 1.0)


def _bands_of_branch(number, bands, models):
    """Map between the bands of a branch; `models` then name bands by their indices."""
    old, new = (model.band_subsets[number] for model in models)
    origin = tuple(old.index(bands.origin[band]) for band in new)
    stand_in = tuple(new.index(bands.stand_in[band]) if bands.stand_in[band] in new else 0 for band in old)
    return BandMap(origin, stand_in, len(old))


def _of_facts(values, kinds, bands):
    """Mean or deviation of shape and conditions for the new bands."""
    _, n_shape, n_conditions = kinds["standardization"]
    conditions = values[n_shape:].reshape(n_conditions, bands.n_old)
    return np.concatenate([values[:n_shape], conditions[:, bands.origin].ravel()])


def _dense(weights, kinds, source, network, bands):
    """Kernel and bias of a dense layer whose rows see what `kinds` names, in order."""
    kernel, bias = weights
    sides = [model.get_layer("flatten").input.shape[1:] for model in (source, network)] if "maps" in kinds else None
    parts, at = [], 0
    for kind in kinds:
        if kind == "maps":
            n = int(np.prod(sides[0]))
            parts.append(centred_rows(kernel[:n], *sides))
        elif kind == "fluxes":
            n = source.get_layer("whitening").mean.shape[0]
            rows, shift = _of_fluxes(kernel[at : at + n], source, network, bands)
            parts.append(rows)
            bias = bias + shift
        elif kind[0] == "facts":
            n_shape, n_conditions = kind[1:]
            n = n_shape + n_conditions * bands.n_old
            parts.append(kernel[at : at + n_shape])
            conditions = kernel[at + n_shape : at + n].reshape(n_conditions, bands.n_old, -1)
            parts.append(np.einsum("st,csu->ctu", bands.shares, conditions).reshape(-1, kernel.shape[1]))
        else:
            n = 1 if kind == "ebv" else kind[1]
            parts.append(kernel[at : at + n])
        at += n
    return [np.concatenate(parts), bias]


def _of_fluxes(rows, source, network, bands):
    """Rows for the fluxes as the new network whitens them, and what its bias gains.

    A flux that is left out counts as that of the mean galaxy of the source.
    """
    if bands.is_same:
        return rows, 0.0
    (mean, matrix), (new_mean, new_matrix) = (
        (np.asarray(layer.mean, float), np.asarray(layer.matrix, float))
        for layer in (model.get_layer("whitening") for model in (source, network))
    )
    n_scales = len(mean) // bands.n_old
    of_fluxes = np.kron(np.eye(n_scales), bands.shares).T @ matrix @ rows
    centre = mean.reshape(n_scales, bands.n_old)[:, bands.origin].ravel()
    return np.linalg.solve(new_matrix, of_fluxes), (new_mean - centre) @ of_fluxes
