"""Searches of the one-pixel attack: generators that yield edits and are sent their scores.

An edit replaces one pixel in all bands, or a set of k pixels, for which `growth`, `sparse_rs` and `sparse_pgd` search.
Lower scores are better; a search knows neither the classifier nor the criterion of success. `evolution` is that of Su,
Vargas & Sakurai (2019) as coded in DeepAdversaries (arXiv 2111.00961); `lattice` and `saliency` spend half of their
edits around the best ones so far and the other half on a fixed order, an even lattice or a ranking by the gradient;
`random_corners` is the baseline.
"""

import heapq
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

SLICE = 32  # edits per query; our choice: half a batch, so that two images fill one
SET_SLICE = 4  # the same for sets of pixels, of which a few are often enough
POPULATION = 400  # DeepAdversaries code, and so the next two
MUTATION = 0.5
GIVE_UP = (80, 0.4)  # generation after which a target probability below this ends the search
LATTICE_STEPS = (10, 5, 1)  # [pixel], our choice: coarse first
NEIGHBOUR_STEPS = (1, 2, 4)  # [pixel], our choice


class Edits(NamedTuple):
    """Replacements of one pixel each, or of a set of k pixels each.

    Attributes
    ----------
    pixels : ndarray of int, shape (n, 2) or (n, k, 2)
        Row and column. A set that lists a pixel twice gives it the same value twice.
    values : ndarray, shape (n, n_bands) or (n, k, n_bands), float32
        New pixel values [image unit].
    """

    pixels: np.ndarray
    values: np.ndarray

    def __len__(self):
        return len(self.pixels)

    def part(self, start, stop):
        """Slice of the edits."""
        return Edits(self.pixels[start:stop], self.values[start:stop])

    def sets(self):
        """Pixels, shape (n, k, 2), and values, shape (n, k, n_bands); k is 1 for edits of one pixel."""
        if self.pixels.ndim == 3:
            return self.pixels, self.values
        return self.pixels[:, None], self.values[:, None]


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

    def fraction(self, values):
        """Fractions of values, the inverse of `at`, from 0 to 1, with the nearest bound for values beyond."""
        low, high = np.asarray(self.low, float), np.asarray(self.high, float)
        values = np.clip(np.asarray(values, float), low, high)
        if self.softening is not None:
            low, high, values = (np.arcsinh(part / self.softening) for part in (low, high, values))
        return (values - low) / (high - low)

    def slope(self, fraction):
        """Derivative of `at` [image unit]: shape (..., n_bands)."""
        low, high = np.asarray(self.low, float), np.asarray(self.high, float)
        if self.softening is None:
            return np.broadcast_to(high - low, np.shape(fraction))
        first, last = np.arcsinh(low / self.softening), np.arcsinh(high / self.softening)
        return self.softening * np.cosh(first + fraction * (last - first)) * (last - first)

    def corners(self):
        """Every band at its low or its high: shape (2**n_bands, n_bands); bit b of the row is set where b is high."""
        n_bands = len(self.low)
        bits = np.arange(2**n_bands)[:, None] >> np.arange(n_bands) & 1
        return np.where(bits, self.high, self.low).astype(np.float32)


def evolution(shape, bounds, rng, population=POPULATION, mutation=MUTATION, gives_up=False, n_pixels=1):
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
    n_pixels : int
        Pixels of an edit; the genes of a set are those of its pixels one after the other (Su et al., Sec. 3.2).

    Notes
    -----
    As coded: positions uniform, colours N(0.5, 0.5) clipped to [0, 1], genes that leave [0, 1] drawn anew, a child
    replaces its own parent if it is better. Unlike there, every pixel is as likely as any other (rounding made the
    first row half and the last one and a half times as likely), and the three parents differ from the child's own.
    """
    n_bands = len(bounds.low)
    places, colours = rng.uniform(size=(population, n_pixels, 2)), rng.normal(0.5, 0.5, (population, n_pixels, n_bands))
    genes = np.concatenate([places, np.clip(colours, 0, 1)], axis=2).reshape(population, -1)
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


def random_corners(shape, bounds, rng, n_pixels=1):
    """Random pixels set to random corners of the bounds, no edit twice; or without end, random sets of pixels."""
    corners = bounds.corners()
    while n_pixels > 1:
        pixels = np.stack([rng.choice(shape[0] * shape[1], n_pixels, replace=False) for _ in range(SET_SLICE)])
        yield edits_of(pixels * len(corners) + rng.integers(len(corners), size=pixels.shape), shape, corners)
    order = rng.permutation(shape[0] * shape[1] * len(corners))
    for start in range(0, len(order), SLICE):
        yield edits_of(order[start : start + SLICE], shape, corners)


def lattice(shape, bounds, rng):
    """Black box: an ever finer lattice of pixels set to the lowest and highest corner, and neighbours of the best."""
    corners = bounds.corners()
    pixels = np.concatenate(list(lattice_pixels(shape, rng)))
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
        scores = yield edits_of(np.array(batch), shape, corners)
        for edit in zip(scores.tolist(), batch):
            heapq.heappush(best, edit)


def _near_the_best(best, asked, shape, n_corners, n_wanted):
    """Untried neighbours of the best edits; edits that have none left leave the heap."""
    batch = []
    while best and len(batch) < n_wanted:
        for neighbour in neighbours(best[0][1], shape, n_corners):
            if not asked[neighbour]:
                asked[neighbour] = True
                batch.append(neighbour)
                if len(batch) == n_wanted:
                    break
        else:
            heapq.heappop(best)
    return batch


def neighbours(edit, shape, n_corners):
    """The other colours of a pixel, then its colour in the eight directions, nearest first."""
    pixel, corner = divmod(edit, n_corners)
    yield from (pixel * n_corners + other for other in range(n_corners) if other != corner)
    row, column = divmod(pixel, shape[1])
    for step in NEIGHBOUR_STEPS:
        for down in (-step, 0, step):
            for right in (-step, 0, step):
                if (down or right) and 0 <= row + down < shape[0] and 0 <= column + right < shape[1]:
                    yield ((row + down) * shape[1] + column + right) * n_corners + corner


def lattice_pixels(shape, rng):
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
    """Edits of genes in [0, 1]: row, column, colour of each pixel."""
    genes = genes.reshape(len(genes), -1, 2 + len(bounds.low))
    pixels = np.minimum((genes[..., :2] * shape).astype(int), np.array(shape) - 1)
    values = bounds.at(genes[..., 2:])
    if genes.shape[1] == 1:
        return Edits(pixels[:, 0], values[:, 0])
    flat = pixels[..., 0] * shape[1] + pixels[..., 1]
    # Two genes of one pixel: the value of the last is that of both.
    last = flat.shape[1] - 1 - np.argmax(flat[:, :, None] == flat[:, None, ::-1], axis=2)
    return Edits(pixels, np.take_along_axis(values, last[..., None], axis=1))


def edits_of(indices, shape, corners):
    """Edits of flat indices, pixel * n_corners + corner.

    Parameters
    ----------
    indices : ndarray of int, shape (n,) or (n, k)
    shape : tuple of int
        Rows and columns of the image.
    corners : ndarray, shape (n_corners, n_bands)
        From `Bounds.corners`.

    Returns
    -------
    Edits
    """
    pixel, corner = np.divmod(indices, len(corners))
    return Edits(np.stack(np.divmod(pixel, shape[1]), axis=-1), corners[corner])
