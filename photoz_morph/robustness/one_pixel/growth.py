"""Our searches for sets of k pixels: grown from a lattice (black box) or from the gradient (white box), then refined.

Whole sets are asked for from the start. What each of their pixels does is estimated by `effects.Effects`, and the next
sets are those that promise most: pixels of the best sets so far, their neighbours in place and colour, and the next
ones of a fixed order, an ever finer lattice or the ranking by the gradient.
"""

from itertools import cycle, islice

import numpy as np

from photoz_morph.robustness.one_pixel.effects import Effects
from photoz_morph.robustness.one_pixel.searches import SET_SLICE, edits_of, lattice_pixels, neighbours

N_UPCOMING = 64  # edits of the order that a set may take from; this and the next five are our choice
N_REFINED = 4  # edits of the best set whose neighbours it may take
KINDS = (0.0, 0.5, None, 1.0)  # of sets, in turn: standard deviations that the draws of effects scatter by, or renewed
SMALL_SLICES = ((24, 1), (96, 2))  # queries up to which slices are so small, not to ask in vain beside a flip
N_TRIES = 20  # draws of a set, ever bolder, until it is a new one
SPACING = 4  # [pixel] between the pixels of the second set of a ranking


def grown_lattice(shape, bounds, rng, n_pixels, clean):
    """Black box: sets of lattice pixels at their lowest or highest, then those that promise most.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the image.
    bounds : Bounds
    rng : Generator
    n_pixels : int
        k, fewer than half of the pixels of the image.
    clean : float
        Score of the image as it is.
    """
    n_corners = len(bounds.corners())
    pixels = np.concatenate(list(lattice_pixels(shape, rng)))
    bright, dark = pixels * n_corners + n_corners - 1, pixels * n_corners
    colours = rng.integers(n_corners, size=len(pixels))
    order = rng.permuted(np.stack([bright, dark, pixels * n_corners + colours], axis=1), axis=1).ravel()
    starts = [bright[:n_pixels], dark[n_pixels : 2 * n_pixels], bright[2 * n_pixels : 3 * n_pixels]]
    yield from _refined([part for part in starts if len(part) == n_pixels], order, shape, bounds, rng, clean)


def grown_saliency(shape, bounds, rng, ranking, n_pixels, clean):
    """White box: the highest pixels of a ranking together, side by side and apart, then those that promise most.

    Parameters
    ----------
    shape : tuple of int
    bounds : Bounds
    rng : Generator
    ranking : ndarray of int, shape (rows * columns * 2**n_bands,)
        See `searches.saliency`.
    n_pixels : int
    clean : float
    """
    n_corners = len(bounds.corners())
    starts = [_spaced(ranking, n_pixels, spacing, shape, n_corners) for spacing in (1, SPACING)]
    yield from _refined(starts, ranking, shape, bounds, rng, clean)


def _refined(starts, order, shape, bounds, rng, clean):
    """The sets to start with, one by one, then slices of the sets that promise most."""
    corners = bounds.corners()
    n_pixels, n_corners = len(starts[0]), len(corners)
    effects, asked, scored = Effects(shape, corners.shape[1]), set(), []
    fresh, kinds = cycle(order.tolist()), cycle(KINDS)
    upcoming = [next(fresh) for _ in range(N_UPCOMING)]
    sets, starts = [starts[0]], starts[1:]
    while True:
        scores = yield edits_of(np.array(sets), shape, corners)
        asked.update(tuple(np.sort(own)) for own in sets)
        finite = np.minimum(scores, np.abs(clean) * 10 + 1e3)  # logits of NaN score infinity
        effects.add(sets, finite - clean)
        scored = sorted([*scored, *zip(scores.tolist(), map(list, sets))], key=lambda pair: pair[0])[:SET_SLICE]
        if starts:
            sets, starts = [starts[0]], starts[1:]
            continue
        upcoming = [*upcoming[n_pixels:], *(next(fresh) for _ in range(n_pixels))]
        pool = [edit for _, own in scored for edit in own]
        for edit in scored[0][1][:N_REFINED]:
            pool.extend(neighbours(edit, shape, n_corners))
        pool = np.unique([*pool, *upcoming])
        size = next((size for end, size in SMALL_SLICES if len(asked) < end), SET_SLICE)
        sets = [
            _renewed(effects, np.array(scored[0][1]), upcoming, n_corners) if kind is None
            else _promising(effects, pool, n_pixels, kind, asked, rng, n_corners)
            for kind in islice(kinds, size)
        ]  # fmt: skip


def _promising(effects, pool, n_pixels, boldness, asked, rng, n_corners):
    """The set of the lowest effects, drawn with that boldness, or more where it was asked for already."""
    mean, deviation = effects.estimate(pool)
    for bolder in range(N_TRIES):
        drawn = mean + (boldness + bolder / 2) * deviation * rng.normal(size=len(pool))
        own = _best_of(pool[np.argsort(drawn, kind="stable")], n_pixels, n_corners)
        if tuple(np.sort(own)) not in asked:
            break
    asked.add(tuple(np.sort(own)))
    return own


def _renewed(effects, best, upcoming, n_corners):
    """The better half of the best set with edits that are next in the order."""
    kept = best[np.argsort(effects.estimate(best)[0], kind="stable")[: len(best) // 2]]
    return _best_of(np.concatenate([kept, upcoming, best]), len(best), n_corners)


def _best_of(edits, n_pixels, n_corners):
    """The first edits of different pixels."""
    _, first = np.unique(edits // n_corners, return_index=True)
    return edits[np.sort(first)[:n_pixels]]


def _spaced(ranking, n_pixels, spacing, shape, n_corners):
    """The first edits of a ranking whose pixels are so far apart, or nearer where there are not enough of them."""
    chosen, places = [], np.empty((0, 2), int)
    for edit in ranking:
        place = np.array(divmod(int(edit) // n_corners, shape[1]))
        if len(places) == 0 or np.abs(places - place).max(axis=1).min() >= spacing:
            chosen.append(edit)
            places = np.concatenate([places, place[None]])
            if len(chosen) == n_pixels:
                return np.array(chosen)
    return _best_of(ranking, n_pixels, n_corners)
