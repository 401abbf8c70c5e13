"""Deletion and insertion curves (Petsiuk et al. 2018): a target while the pixels that a map ranks first go, or come.

Pixels of each band are ranked by their attribution, first those that make most of the change of the target from the
baseline to the galaxy. What goes is replaced by the baseline, such as the stamp without the galaxy; the axis is the
share of pixels, or of the flux between galaxy and baseline, that has gone.
"""

from dataclasses import dataclass

import numpy as np
from keras import ops

from photoz_morph.explain.gradients import as_tensor, named
from photoz_morph.explain.sky import image_name, image_of

DIRECTIONS = ("deletion", "insertion")
STEPS_OF = ("flux", "pixels")


@dataclass(frozen=True)
class Curves:
    """Target against what has been changed.

    Attributes
    ----------
    pixels, flux : ndarray, shape (n, n_steps + 1)
        Share of the pixels, and of the absolute difference of galaxy and baseline, that has been removed, or inserted.
    values : ndarray, shape (n, n_steps + 1)
        [target]
    axis : {"flux", "pixels"}
        In which the steps are equal.
    """

    pixels: np.ndarray
    flux: np.ndarray
    values: np.ndarray
    axis: str

    def area(self):
        """Area between the curve and its start, in units of the difference of its ends, shape (n,).

        1 if the first step does all that the last does, 1/2 for a straight line, and more than 1 where pixels that work
        against the change come last: the larger, the better the map ranks. NaN where both ends are equal.
        """
        steps, change = getattr(self, self.axis), self.values[:, -1:] - self.values[:, :1]
        with np.errstate(invalid="ignore", divide="ignore"):
            relative = (self.values - self.values[:, :1]) / change
        return np.trapezoid(relative, steps, axis=1)


def removal_curves(score, inputs, attribution, filling, direction="deletion", axis="flux", n_steps=20):
    """Curves of a target while pixels are removed from the galaxy, or inserted into the baseline, the first first.

    Parameters
    ----------
    score : Score
    inputs : ndarray or dict of ndarray
    attribution : ndarray or dict of ndarray
        Of the image, shape (n, rows, columns, n_bands), or (n, rows, columns) for maps of all bands together. One with
        negative values is of signed parts of the target; one without ranks pixels by size. Scalar inputs stay those of
        the galaxy.
    filling : ndarray or dict of ndarray
        From `sky.baseline`. Its image is used.
    direction : {"deletion", "insertion"}
    axis : {"flux", "pixels"}
        Whether the steps are equal in flux or in pixels.
    n_steps : int

    Returns
    -------
    Curves

    Raises
    ------
    ValueError
        If there is no such direction or axis, or the attribution has not the rows and columns of the image.

    Notes
    -----
    Petsiuk et al. (2018, arXiv 1806.07421), Sec. 3.3, with pixels as steps.
    """
    if direction not in DIRECTIONS or axis not in STEPS_OF:
        raise ValueError(f"direction is {direction!r}, axis {axis!r}; there are {', '.join(DIRECTIONS + STEPS_OF)}")
    given = named(inputs)
    image = image_name(given)
    images, fillings = np.asarray(given[image], np.float32), image_of(filling, image)
    maps = map_of_image(attribution, image, images.shape)
    if np.any(maps < 0):
        change = score(inputs) - score({**given, image: fillings} if isinstance(inputs, dict) else fillings)
        maps = maps * np.where(change < 0, -1, 1)[:, None, None, None]
    call = score.compiled(_ranked(image))
    pixels, flux, values = ([] for _ in range(3))
    for galaxy in range(len(images)):
        order = np.argsort(-maps[galaxy].ravel(), kind="stable")
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order))
        change = np.abs(images[galaxy] - fillings[galaxy]).ravel()[order].astype(np.float64)
        gone = np.concatenate([[0], np.cumsum(change)]) / (change.sum() or 1.0)
        counts = np.linspace(0, len(order), n_steps + 1).round().astype(np.int32)
        if axis == "flux":
            counts[1:-1] = np.searchsorted(gone[:-1], np.linspace(0, 1, n_steps + 1)[1:-1])
        own = {name: as_tensor(part[galaxy : galaxy + 1]) for name, part in given.items()}
        fixed = [own, *(as_tensor(part) for part in (fillings[galaxy], rank.reshape(images.shape[1:])))]
        fixed += [as_tensor(np.int32(galaxy)), as_tensor(direction == "deletion")]
        found = []
        for start in range(0, n_steps + 1, score.batch_size):
            found.append(ops.convert_to_numpy(call(*fixed, as_tensor(counts[start : start + score.batch_size]))))
        values.append(np.concatenate(found))
        pixels.append(counts / len(order))
        flux.append(gone[counts])
    return Curves(*(np.array(part, np.float64) for part in (pixels, flux, values)), axis)


def removal_gain(score, inputs, attribution, filling, direction="deletion", axis="flux", n_steps=20, seed=0):
    """Area of the curve of a map less that of pixels in random order, see `removal_curves`.

    Returns
    -------
    ndarray, shape (n,)
        About 0 for a map that knows nothing; NaN where the target does not change.
    """
    given = named(inputs)
    image = image_name(given)
    chance = np.random.default_rng(seed).random(np.shape(given[image]))
    areas = [
        removal_curves(score, inputs, maps, filling, direction, axis, n_steps).area()
        for maps in (attribution, {image: chance})
    ]
    return areas[0] - areas[1]


def map_of_image(attribution, image, shape):
    """Attribution of the pixels in each band, shape (n, rows, columns, n_bands)."""
    maps = np.asarray(attribution[image] if isinstance(attribution, dict) else attribution)
    if maps.shape == shape[:3]:
        maps = np.broadcast_to(maps[..., None], shape)
    if maps.shape != shape:
        raise ValueError(f"the attribution has shape {maps.shape}, the images {shape}; they must agree")
    return maps


def _ranked(image):
    """Target of one galaxy: inputs, filling, ranks of its pixels, number, which way, and how many are changed."""

    def ranked(value, own, sky, ranks, galaxy, is_deletion, counts):
        is_changed = ranks < counts[:, None, None, None]
        stamps = ops.where(ops.equal(is_changed, is_deletion), sky, own[image])
        n = ops.shape(counts)[0]
        copies = {name: ops.repeat(values, n, axis=0) for name, values in own.items() if name != image}
        return value({**copies, image: stamps}, ops.repeat(galaxy[None], n))

    return ranked
