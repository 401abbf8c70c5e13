"""RISE (Petsiuk et al. 2018): the target under smooth random masks, and which pixels they kept where it was high."""

import numpy as np
from keras import ops

from photoz_morph.explain.gradients import as_tensor, named, unnamed
from photoz_morph.explain.sky import image_name, image_of


def rise(score, inputs, filling, n_masks=2000, cells=7, kept=0.5, each_band=False, seed=0):
    """Mean target under the masks that keep a pixel, less the mean under all.

    Parameters
    ----------
    score : Score
    inputs : ndarray or dict of ndarray
    filling : ndarray or dict of ndarray
        From `sky.baseline`; its scalars, such as E(B-V), are kept or replaced at random beside the pixels.
    n_masks : int
    cells : int
        Along a side of the grid that a mask is interpolated from.
    kept : float
        Probability that a cell is kept.
    each_band : bool
        Whether each band has masks of its own.
    seed : int

    Returns
    -------
    ndarray or dict of ndarray
        Of the form of the filling [target]; without `each_band` the bands are equal.

    Notes
    -----
    Petsiuk et al. (2018, arXiv 1806.07421), Eq. 6 and Sec. 3.2; their map has the mean of the target added, which says
    nothing of a pixel.
    """
    given, fillings = named(inputs), named(filling)
    image = image_name(given)
    image_of(filling, image)
    n, rows, columns, n_bands = np.shape(given[image])
    scalars = [name for name in fillings if name != image]
    call = score.compiled(_masked(image, scalars))
    weighted = {name: np.zeros(np.shape(fillings[name])) for name in fillings}
    sums, total = {name: 0.0 for name in fillings}, np.zeros(n)
    for start in range(0, n_masks, score.batch_size):
        count = min(score.batch_size, n_masks - start)
        rng = np.random.default_rng([seed, start])
        masks = _smooth_masks(rng, count, (rows, columns), cells, kept, n_bands if each_band else 1)
        switches = (rng.random((count, len(scalars))) < kept).astype(np.float32)
        for galaxy in range(n):
            own, sky = (
                {name: as_tensor(values[galaxy : galaxy + 1]) for name, values in part.items()}
                for part in (given, fillings)
            )
            arguments = (as_tensor(part) for part in (np.int32(galaxy), masks, switches))
            values = ops.convert_to_numpy(call(own, sky, *arguments)).astype(np.float64)
            total[galaxy] += values.sum()
            weighted[image][galaxy] += np.tensordot(values, masks, axes=1)
            for number, name in enumerate(scalars):
                weighted[name][galaxy] += values @ switches[:, number]
        sums[image] = sums[image] + masks.sum(axis=0)
        for number, name in enumerate(scalars):
            sums[name] += switches[:, number].sum()
    mean = total / n_masks
    found = {
        name: weighted[name] / np.maximum(sums[name], 1e-9) - mean.reshape(-1, *[1] * (weighted[name].ndim - 1))
        for name in fillings
    }
    return unnamed(found, inputs)


def _smooth_masks(rng, n_masks, shape, cells, kept, n_bands):
    """Masks between 0 and 1, shape (n_masks, rows, columns, n_bands): grids, interpolated and shifted within a cell."""
    grids = (rng.random((n_masks, cells + 1, cells + 1, n_bands)) < kept).astype(np.float32)
    sides = [-(-side // cells) for side in shape]
    large = ops.convert_to_numpy(ops.image.resize(grids, [side * (cells + 1) for side in sides]))
    shifts = [rng.integers(0, side, n_masks) for side in sides]
    return np.stack(
        [mask[top : top + shape[0], left : left + shape[1]] for mask, top, left in zip(large, *shifts)]
    )


def _masked(image, scalars):
    """Target of one galaxy under masks: inputs, filling, number, masks, and which scalars are kept."""

    def masked(value, own, sky, galaxy, masks, switches):
        n = ops.shape(masks)[0]
        copies = {name: ops.repeat(values, n, axis=0) for name, values in own.items() if name != image}
        for number, name in enumerate(scalars):
            kept = ops.reshape(switches[:, number], (-1, *[1] * (len(own[name].shape) - 1)))
            copies[name] = kept * own[name] + (1 - kept) * sky[name]
        stamps = masks * own[image] + (1 - masks) * sky[image]
        return value({**copies, image: stamps}, ops.repeat(galaxy[None], n))

    return masked
