"""Searches of the one-pixel attack: generators that yield edits and are sent their scores.

An edit replaces one pixel in all bands. Lower scores are better; a search knows neither the classifier nor the
criterion of success. `evolution` is that of Su, Vargas & Sakurai (2019) as coded in
DeepAdversaries (arXiv 2111.00961); `lattice` and `saliency` spend half of their edits around the best ones so far and
the other half on a fixed order, an even lattice or a ranking by the gradient; `random_corners` is
the baseline.
"""

import heapq
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

SLICE = 32  # edits per query; our choice: half a batch, so that two images fill one
POPULATION = 400  # DeepAdversaries code, and so the next two
MUTATION = 0.5
GIVE_UP = (80, 0.4)  # generation after which a target probability below this ends the search
LATTICE_STEPS = (10, 5, 1)  # [pixel], our choice: coarse first
NEIGHBOUR_STEPS = (1, 2, 4)  # [pixel], our choice


class Edits(NamedTuple):
    """Replacements of one pixel each.

    Attributes
    ----------
    pixels : ndarray of int, shape (k, 2)
        Row and column.
    values : ndarray, shape (k, n_bands), float32
        New pixel values [image unit].
    """

    pixels: np.ndarray
    values: np.ndarray

    def __len__(self):
        return len(self.pixels)

    def part(self, start, stop):
        """Slice of the edits."""
        return Edits(self.pixels[start:stop], self.values[start:stop])


@dataclass(frozen=True)
class Bounds:
    """Lowest and highest value that a pixel may be set to.

    Attributes
    ----------
    low, high : ndarray, shape (n_bands,)
        [image unit]
    softening : float, optional
        Values between are spread evenly in arcsinh(value / softening), as the network sees them; evenly without it.
    """

    low: np.ndarray
    high: np.ndarray
    softening: float | None = None

    def __post_init__(self):
        low, high = np.asarray(self.low, float), np.asarray(self.high, float)
        if low.ndim != 1 or low.shape != high.shape or not np.all(np.isfinite([low, high])) or np.any(low >= high):
            raise ValueError(f"bounds of a pixel must rise in every band, got {low.tolist()} to {high.tolist()}")

    def at(self, fraction):
        """Values at fractions from 0, low, to 1, high: shape (..., n_bands), float32."""
        low, high = np.asarray(self.low, float), np.asarray(self.high, float)
        if self.softening is None:
            values = low + fraction * (high - low)
        else:
            first, last = np.arcsinh(low / self.softening), np.arcsinh(high / self.softening)
            values = self.softening * np.sinh(first + fraction * (last - first))
        return np.clip(values, low, high).astype(np.float32)  # sinh of an arcsinh may be off in the last digit

    def corners(self):
        """Every band at its low or its high: shape (2**n_bands, n_bands); bit b of the row is set where b is high."""
        n_bands = len(self.low)
        bits = np.arange(2**n_bands)[:, None] >> np.arange(n_bands) & 1
        return np.where(bits, self.high, self.low).astype(np.float32)


def evolution(shape, bounds, rng, population=POPULATION, mutation=MUTATION, gives_up=False):
    """Differential evolution, rand/1 without crossover.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the image.
    bounds : Bounds
    rng : Generator
    population : int
    mutation : float
        F, the length of a step in units of the difference of two others.
    gives_up : bool
        End after generation 80 if no score is below -0.4: for the probability of a target, the rule of the code.

    Notes
    -----
    As coded: positions uniform, colours N(0.5, 0.5) clipped to [0, 1], genes that leave [0, 1] drawn anew, a child
    replaces its own parent if it is better. Unlike there, every pixel is as likely as any other (rounding made the
    first row half and the last one and a half times as likely), and the three parents differ from the child's own.
    """
    n_bands = len(bounds.low)
    genes = np.concatenate(
        [rng.uniform(size=(population, 2)), np.clip(rng.normal(0.5, 0.5, (population, n_bands)), 0, 1)], axis=1
    )
    scores = yield _of_genes(genes, shape, bounds)
    generation = 0
    while not (gives_up and generation > GIVE_UP[0] and scores.min() > -GIVE_UP[1]):
        first, second, third = _three_others(population, rng)
        children = genes[first] + mutation * (genes[second] - genes[third])
        outside = (children < 0) | (children > 1)
        children[outside] = rng.uniform(size=outside.sum())
        of_children = yield _of_genes(children, shape, bounds)
        better = of_children < scores
        genes[better], scores[better] = children[better], of_children[better]
        generation += 1


def random_corners(shape, bounds, rng):
    """Random pixels set to random corners of the bounds, no edit twice."""
    corners = bounds.corners()
    order = rng.permutation(shape[0] * shape[1] * len(corners))
    for start in range(0, len(order), SLICE):
        yield _of_indices(order[start : start + SLICE], shape, corners)


def lattice(shape, bounds, rng):
    """Black box: an ever finer lattice of pixels set to the lowest and highest corner, and neighbours of the best."""
    corners = bounds.corners()
    pixels = np.concatenate(list(_lattice_pixels(shape, rng)))
    extremes = np.array([0, len(corners) - 1])
    order = (pixels[:, None] * len(corners) + extremes).ravel()
    others = rng.permutation(np.delete(np.arange(shape[0] * shape[1] * len(corners)), order))
    yield from _guided(np.concatenate([order, others]), shape, corners)


def saliency(shape, bounds, ranking):
    """White box: edits in the order of a ranking, and neighbours of the best.

    Parameters
    ----------
    shape : tuple of int
    bounds : Bounds
    ranking : ndarray of int, shape (rows * columns * 2**n_bands,)
        Edits, (row * n_columns + column) * n_corners + corner, the most promising first.
    """
    yield from _guided(ranking, shape, bounds.corners())


def _guided(order, shape, corners):
    """Slices of edits: half of them around the best so far, the rest in the given order."""
    asked = np.zeros(shape[0] * shape[1] * len(corners), bool)
    best, position = [], 0  # a heap of (score, edit) with untried neighbours
    while True:
        batch = _near_the_best(best, asked, shape, len(corners), SLICE // 2)
        while len(batch) < SLICE and position < len(order):
            upcoming = order[position : position + SLICE - len(batch)]
            position += len(upcoming)
            upcoming = upcoming[~asked[upcoming]]
            asked[upcoming] = True
            batch.extend(upcoming.tolist())
        if not batch:
            return
        scores = yield _of_indices(np.array(batch), shape, corners)
        for edit in zip(scores.tolist(), batch):
            heapq.heappush(best, edit)


def _near_the_best(best, asked, shape, n_corners, n_wanted):
    """Untried neighbours of the best edits; edits that have none left leave the heap."""
    batch = []
    while best and len(batch) < n_wanted:
        for neighbour in _neighbours(best[0][1], shape, n_corners):
            if not asked[neighbour]:
                asked[neighbour] = True
                batch.append(neighbour)
                if len(batch) == n_wanted:
                    break
        else:
            heapq.heappop(best)
    return batch


def _neighbours(edit, shape, n_corners):
    """The other colours of a pixel, then its colour in the eight directions, nearest first."""
    pixel, corner = divmod(edit, n_corners)
    yield from (pixel * n_corners + other for other in range(n_corners) if other != corner)
    row, column = divmod(pixel, shape[1])
    for step in NEIGHBOUR_STEPS:
        for down in (-step, 0, step):
            for right in (-step, 0, step):
                if (down or right) and 0 <= row + down < shape[0] and 0 <= column + right < shape[1]:
                    yield ((row + down) * shape[1] + column + right) * n_corners + corner


def _lattice_pixels(shape, rng):
    """Flat indices of the pixels of each lattice, in random order; the lattices have a random origin."""
    rows, columns = np.indices(shape)
    origin = rng.integers(0, LATTICE_STEPS[0], 2)
    seen = np.zeros(shape, bool)
    for step in LATTICE_STEPS:
        new = ((rows - origin[0]) % step == 0) & ((columns - origin[1]) % step == 0) & ~seen
        seen |= new
        yield rng.permutation(np.flatnonzero(new))


def _three_others(n, rng):
    """Three different others for each of n individuals."""
    own = np.arange(n)
    chosen = [own]
    for number in range(3):
        drawn = rng.integers(0, n - 1 - number, n)
        for earlier in np.sort(np.stack(chosen), axis=0):  # skip over those taken, in rising order
            drawn += drawn >= earlier
        chosen.append(drawn)
    return chosen[1:]


def _of_genes(genes, shape, bounds):
    """Edits of genes in [0, 1]: row, column, colour."""
    pixels = np.minimum((genes[:, :2] * shape).astype(int), np.array(shape) - 1)
    return Edits(pixels, bounds.at(genes[:, 2:]))


def _of_indices(indices, shape, corners):
    """Edits of flat indices (pixel * n_corners + corner)."""
    pixel, corner = np.divmod(indices, len(corners))
    return Edits(np.stack(np.divmod(pixel, shape[1]), axis=1), corners[corner])
