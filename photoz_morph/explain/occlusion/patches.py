"""Occlusion sensitivity (Zeiler & Fergus 2014): what a target loses when a patch of the stamp is replaced by sky.

The patches are made inside the compiled function, a batch at a time, so that this costs little more than the network.
"""

import numpy as np
from keras import ops

from photoz_morph.explain.gradients import as_tensor, named
from photoz_morph.explain.sky import image_name, image_of


def occlusion(score, inputs, filling, size=5, stride=2, bands=None, progress=lambda galaxies: galaxies):
    """Target of the galaxy less that of the stamp with a patch replaced, for each place of the patch.

    Parameters
    ----------
    score : Score
    inputs : ndarray or dict of ndarray
    filling : ndarray or dict of ndarray
        What replaces the pixels, from `sky.baseline`: sky noise, or the stamp without the galaxy. Its image is used.
    size, stride : int
        Side of the square patch and step between patches [pixel]. Patches start at the pixels 0, stride, 2 stride ...
        in rows and columns; those at the far edges are cut by it.
    bands : sequence of sequence of int, optional
        Sets of bands that are replaced together; by default all. `[[0], [1], [2]]` occludes each band alone.
    progress : callable, optional
        Wraps the range over galaxies, such as tqdm.

    Returns
    -------
    ndarray, shape (n, n_rows, n_columns) or, with `bands`, (n, n_rows, n_columns, n_sets)
        [target]

    Raises
    ------
    ValueError
        If size or stride is not in the stamp.

    Notes
    -----
    Zeiler & Fergus (2014, arXiv 1311.2901), Sec. 4.2, with a grey square.
    """
    given = named(inputs)
    image = image_name(given)
    skies = image_of(filling, image)
    n, *shape = np.shape(given[image])
    if not (1 <= size <= min(shape[:2]) and 1 <= stride <= min(shape[:2])):
        raise ValueError(f"patches of {size} pixels in steps of {stride} are not in stamps of {shape[0]} x {shape[1]}")
    sets = [range(shape[2])] if bands is None else bands
    chosen = np.stack([np.isin(np.arange(shape[2]), list(members)) for members in sets]).astype(np.float32)
    corners = [np.arange(0, side, stride) for side in shape[:2]]
    places = np.stack(np.meshgrid(*corners, np.arange(len(sets)), indexing="ij"), axis=-1).reshape(-1, 3)
    top, left, of_set = places.astype(np.int32).T
    occluded = _occluder(score, image, shape, size)
    clean = score(inputs)
    values = np.empty((n, len(places)))
    for galaxy in progress(range(n)):
        own = {name: as_tensor(value[galaxy : galaxy + 1]) for name, value in given.items()}
        sky = as_tensor(skies[galaxy : galaxy + 1])
        for start in range(0, len(places), score.batch_size):
            rows = slice(start, start + score.batch_size)
            arguments = (as_tensor(part[rows]) for part in (top, left, chosen[of_set]))
            found = occluded(own, as_tensor(np.int32(galaxy)), sky, *arguments)
            values[galaxy, rows] = ops.convert_to_numpy(found)
    losses = (clean[:, None] - values).reshape(n, *(len(axis) for axis in corners), len(sets))
    return losses[..., 0] if bands is None else losses


def occlusion_map(losses, shape, size=5, stride=2):
    """Losses by occlusion on the pixels of the image: the mean over the patches that cover a pixel.

    Parameters
    ----------
    losses : ndarray, shape (n, n_rows, n_columns, ...)
        From `occlusion`.
    shape : (int, int)
        Rows and columns of the image.
    size, stride : int
        Of the patches.

    Returns
    -------
    ndarray, shape (n, rows, columns, ...)
        NaN where a stride larger than the patch leaves pixels out.
    """
    covers = []
    for side, n_places in zip(shape, losses.shape[1:3]):
        pixel, corner = np.arange(side)[:, None], stride * np.arange(n_places)
        covers.append(((pixel >= corner) & (pixel < corner + size)).astype(float))
    total = np.einsum("ri,cj,nij...->nrc...", *covers, losses)
    count = covers[0].sum(axis=1)[:, None] * covers[1].sum(axis=1)
    count = np.where(count > 0, count, np.nan).reshape(*shape, *[1] * (losses.ndim - 3))
    return total / count


def _occluder(score, image, shape, size):
    """Compiled target of one galaxy under patches: inputs, number, filling, upper rows, left columns, bands (m, c)."""
    rows, columns, n_bands = shape
    row_in_patch, column_in_patch = (axis.astype(np.int32) for axis in np.indices((size, size)))

    def occluded(value, own, galaxy, sky, top, left, bands):
        n = ops.shape(top)[0]
        # Beyond the edge the last pixel is replaced again, by the same values.
        row = ops.minimum(top[:, None, None] + row_in_patch, rows - 1)
        column = ops.minimum(left[:, None, None] + column_in_patch, columns - 1)
        pixel = row * columns + column
        new, old = (ops.take(ops.reshape(part, (-1, n_bands)), pixel, axis=0) for part in (sky, own[image]))
        patch = ops.where(bands[:, None, None, :] > 0, new, old)
        # Only the patch is written into a copy: choosing among all pixels of both images takes several times as long.
        copy = ops.arange(n, dtype="int32")[:, None, None] + 0 * row
        places = ops.reshape(ops.stack([copy, row, column], axis=-1), (-1, 3))
        stamps = ops.broadcast_to(own[image], (n, rows, columns, n_bands))
        stamps = ops.scatter_update(stamps, places, ops.reshape(patch, (-1, n_bands)))
        copies = {name: ops.repeat(values, n, axis=0) for name, values in own.items() if name != image}
        return value({**copies, image: stamps}, ops.repeat(galaxy[None], n))

    return score.compiled(occluded)
