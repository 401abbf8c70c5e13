"""The patches of the sky that excite the filters of a layer most, and what in them does (Zeiler & Fergus 2014, Fig. 2).

The galaxies pass once, a batch at a time; only those kept in the list of a filter stay in memory.
"""

from dataclasses import dataclass

import numpy as np
from keras import ops

from photoz_morph.explain.backward.projections import projecting
from photoz_morph.explain.gradients import BATCH_SIZE, Score, named, unnamed
from photoz_morph.explain.patterns.layer_outputs import unit, up_to_layer
from photoz_morph.explain.patterns.receptive_field import Span, cut_out, receptive_field

N_PATCHES = 9  # Zeiler & Fergus (2014)


@dataclass(frozen=True)
class Strongest:
    """Units of the filters of a layer with the largest outputs, one of each galaxy at most, strongest first.

    Attributes
    ----------
    layer : str
    filters : ndarray of int, shape (n_filters,)
    values : ndarray, shape (n_filters, n)
        Outputs of the units.
    galaxies : ndarray of int, shape (n_filters, n)
        Numbers of the galaxies in the order in which they passed.
    positions : ndarray of int, shape (n_filters, n, 2) or (n_filters, n, 0)
        Rows and columns of the units; nothing for a layer without maps.
    rows : ndarray of int, shape (n_filters, n)
        Where the galaxies are in `inputs`.
    inputs : ndarray or dict of ndarray
        Inputs of the galaxies that are in any list, each once.
    """

    layer: str
    filters: np.ndarray
    values: np.ndarray
    galaxies: np.ndarray
    positions: np.ndarray
    rows: np.ndarray
    inputs: object


def strongest_units(network, layer, batches, filters=None, n=N_PATCHES):
    """Find the strongest units of filters among many galaxies.

    Parameters
    ----------
    network : keras.Model
        Functional or Sequential.
    layer : str
    batches : iterable of (ndarray or dict of ndarray)
        Inputs of the network, of some galaxies each.
    filters : sequence of int, optional
        Maps or units of the layer; by default all.
    n : int
        Units of each filter, of as many galaxies.

    Returns
    -------
    Strongest
        Of fewer units where there are fewer galaxies. Of equal ones, that of the galaxy that passed first is kept.

    Raises
    ------
    ValueError
        If there is no such layer or filter, no galaxy, or a pixel or an output is not finite.
    """
    part = up_to_layer(network, layer)
    n_filters = part.outputs[0].shape[-1]
    filters = np.arange(n_filters) if filters is None else np.asarray(filters, int)
    if not len(filters) or filters.min() < 0 or filters.max() >= n_filters:
        raise ValueError(f"filters are {filters.tolist()}; layer {layer!r} has 0 to {n_filters - 1}")
    score = Score(part, lambda output, galaxies: ops.take(output, filters, axis=-1))
    compiled = score.compiled(lambda value, inputs, galaxies: _peaks(value(inputs, galaxies)))
    best, kept, n_seen, form = None, {}, 0, None
    for batch in batches:
        form = batch
        given = {name: np.asarray(values) for name, values in named(batch).items()}
        for pixels in (values for values in given.values() if values.ndim == 4):
            if not (is_good := np.isfinite(pixels).all(axis=(1, 2, 3))).all():  # a rectifier can make NaN a number
                bad = n_seen + int(np.argmin(is_good))
                raise ValueError(f"a pixel of galaxy {bad} is not finite; leave flagged galaxies out")
        for number, (part_of_batch, _) in enumerate(score.batches(batch)):
            peaks, places = (ops.convert_to_numpy(found) for found in compiled(part_of_batch, None))
            if not np.isfinite(peaks).all():
                bad = n_seen + _first_bad(peaks)
                raise ValueError(f"layer {layer!r} is not finite for galaxy {bad}; check its inputs")
            of_part = n_seen + np.arange(len(peaks))
            best = _merged(best, (peaks, np.broadcast_to(of_part[:, None], peaks.shape), places), n)
            in_use = set(np.unique(best[1]).tolist())
            first = number * score.batch_size
            kept |= {galaxy: {name: values[first + row].copy() for name, values in given.items()}
                     for row, galaxy in enumerate(of_part.tolist()) if galaxy in in_use}  # fmt: skip
            kept = {galaxy: values for galaxy, values in kept.items() if galaxy in in_use}
            n_seen += len(peaks)
    if best is None:
        raise ValueError("there are no galaxies to find the strongest patches in")
    values, galaxies, places = (np.moveaxis(found, 0, 1) for found in best)
    numbers = np.array(sorted(kept))
    inputs = {name: np.stack([kept[galaxy][name] for galaxy in numbers.tolist()]) for name in named(form)}
    return Strongest(
        layer, filters, values, galaxies, _positions(places, part.outputs[0].shape[1:-1]),
        np.searchsorted(numbers, galaxies), unnamed(inputs, form),
    )  # fmt: skip


def patches(network, strongest, kinds=None):
    """What the strongest units see.

    Parameters
    ----------
    network : keras.Model
    strongest : Strongest
    kinds : dict of str to str, optional
        See `backward.layer_kinds.kind_of`.

    Returns
    -------
    ndarray, shape (n_filters, n, size, size, n_bands)
        [image unit], NaN beyond the edges of the image; the size is that of the receptive field. Where a unit sees more
        than the image, the whole image.
    """
    pixels = next(values for values in named(strongest.inputs).values() if np.ndim(values) == 4)
    return _cut(network, strongest, pixels[strongest.rows.ravel()], kinds)


def projections(network, strongest, method="deconvnet", batch_size=BATCH_SIZE, kinds=None):
    """What in the patches excites the strongest units.

    Parameters
    ----------
    network : keras.Model
    strongest : Strongest
    method : {"deconvnet", "guided"}
        See `backward.projections`.
    batch_size : int
    kinds : dict of str to str, optional
        See `backward.layer_kinds.kind_of`.

    Returns
    -------
    ndarray, shape (n_filters, n, size, size, n_bands)
        Signal of the unit, of the size of its output, passed back to the pixels it sees; NaN beyond the edges,
        as `patches`.

    Notes
    -----
    Zeiler & Fergus (2014), Sec. 2.1: all other units of the layer are set to zero, and the signal is the output.
    """
    projector = projecting(up_to_layer(network, strongest.layer), method, kinds)
    n_units = strongest.rows.size
    target = unit(strongest.positions.reshape(n_units, -1), np.repeat(strongest.filters, strongest.rows.shape[1]))

    def signal(output, galaxies):
        value = target(output, galaxies)
        return ops.stop_gradient(value) * value

    rows = strongest.rows.ravel()
    given = {name: values[rows] for name, values in named(strongest.inputs).items()}
    score = Score(projector, signal, batch_size)
    _, gradient = score.value_and_gradient(unnamed(given, strongest.inputs), np.arange(n_units))
    pixels = next(values for values in named(gradient).values() if values.ndim == 4)
    return _cut(network, strongest, pixels, kinds)


def _peaks(outputs):
    """Largest output of each filter and its place in the maps counted row by row, shape (n, n_filters) each."""
    flat = ops.reshape(outputs, (ops.shape(outputs)[0], -1, outputs.shape[-1]))
    return ops.max(flat, axis=1), ops.argmax(flat, axis=1)


def _first_bad(peaks):
    """Row of the first number that is not finite."""
    return int(np.argmin(np.isfinite(peaks).all(axis=1)))


def _merged(best, found, n):
    """The n strongest of two lists of values, galaxies and places, shape (k, n_filters) each; the earlier of equals."""
    if best is not None:
        found = tuple(np.concatenate(pair) for pair in zip(best, found))
    order = np.argsort(-found[0], axis=0, kind="stable")[:n]
    return tuple(np.take_along_axis(values, order, axis=0) for values in found)


def _positions(places, shape):
    """Rows and columns of places counted row by row."""
    if not shape:
        return np.zeros((*places.shape, 0), int)
    return np.stack(np.unravel_index(places, shape), axis=-1)


def _cut(network, strongest, pixels, kinds):
    """Receptive fields of the units in pixels of their images, shape (n_filters, n, size, size, n_bands)."""
    spans = [  # in deep layers the fields are several images wide
        span if span.size < side else Span(0, side, 0)
        for span, side in zip(receptive_field(network, strongest.layer, kinds), pixels.shape[1:3])
    ]
    n_units = strongest.rows.size
    cut = cut_out(pixels, spans, strongest.positions.reshape(n_units, strongest.positions.shape[-1]))
    return cut.reshape(*strongest.rows.shape, *cut.shape[1:])
