"""Search for the smallest change of few pixels that succeeds, of many images at once.

For each image the level of the cost, from `Hits`, is bisected on a logarithmic scale. At a level one hit of the whole
level is tried, then two of half of it each and so on; hits are added one after the other, each the best of those that
were asked. What is found is scaled down before anything else is asked, so that most levels cost a single query. White
box, hits are tried in the order of the gradient; black box, on an ever finer lattice; either way half of the queries go
to the neighbours of the best hits, see `one_pixel.searches`. `random` is the baseline without either.

What is found is an upper bound of the smallest change there is.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from photoz_morph.robustness.few_pixels.hits import Changes, no_change
from photoz_morph.robustness.one_pixel.searches import SLICE, Edits, saliency

SEARCHES = ("gradient", "lattice", "random")
ROUND_SLICES = {"gradient": 1, "lattice": 8, "random": 8}  # slices of `SLICE` queries for one more hit, our choice
LATTICE_STEPS = (8, 4, 2, 1)  # [pixel], our choice
AT_ONCE = 8  # images searched at a time, whose queries fill the batches


@dataclass(frozen=True)
class SmallestOptions:
    """Options of a search.

    Attributes
    ----------
    search : {"gradient", "lattice", "random"}
        White box, black box, or random hits.
    n_hits : int
        Largest number of pixels changed.
    lowest, highest : float
        Range of levels of the cost: electrons, or standard deviations of the sky.
    n_levels : int
        Levels tried below the highest.
    max_queries : int
        Largest number of queries per image.
    """

    search: str = "gradient"
    n_hits: int = 3
    lowest: float = 10.0
    highest: float = 1e5
    n_levels: int = 7
    max_queries: int = 3200

    def __post_init__(self):
        if self.search not in SEARCHES:
            raise ValueError(f"search is {self.search!r}; choose one of {', '.join(SEARCHES)}")
        if not 0 < self.lowest < self.highest < np.inf:
            raise ValueError(f"levels of the cost rise from {self.lowest} to {self.highest}; give 0 < lowest < highest")
        for name in ("n_hits", "n_levels", "max_queries"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give 1 or more")


class Smallest(NamedTuple):
    """Smallest change found of an image.

    Attributes
    ----------
    changes : Changes or None
        A single one; None where none succeeded.
    queries, slopes : int
        Images whose margin, and whose gradient, was asked.
    """

    changes: Changes | None
    queries: int
    slopes: int


class _Query(NamedTuple):
    """Changes whose margins a search asks for."""

    changes: Changes


class _Slope(NamedTuple):
    """A change at which a search asks for the gradient."""

    changes: Changes


def smallest_changes(victim, hits, seeds, options=None, on_done=None):
    """Search the smallest change of each image.

    Parameters
    ----------
    victim : object
        `margins(index, images)` gives what is left until success, below 0 where a change has succeeded, shape (k,), of
        images (k, rows, columns, n_bands), which are changed copies of the images of numbers `index`. For `gradient`,
        `slopes(index, images)` gives the derivatives of what is to be moved by the pixels, of the shape of the images,
        and the side to which it has moved so far: -1, 1, or 0 for neither, shape (k,).
    hits : list of Hits
        Of each image.
    seeds : sequence
        Entropy of each image's own random numbers, on which, and not on the other images, its result depends.
    options : SmallestOptions, optional
    on_done : callable, optional
        Called with the number of images done since the last call.

    Returns
    -------
    list of Smallest
    """
    options = options or SmallestOptions()
    waiting, active, found = list(range(len(hits)))[::-1], {}, {}
    while waiting or active:
        while waiting and len(active) < AT_ONCE:
            index = waiting.pop()
            search = _ImageSearch(hits[index], np.random.default_rng(seeds[index]), options).run()
            active[index] = search, next(search)
        answers = _answers(victim, hits, {index: request for index, (_, request) in active.items()})
        n_before = len(found)
        for index, (search, _) in list(active.items()):
            try:
                active[index] = search, search.send(answers[index])
            except StopIteration as end:
                found[index] = end.value
                del active[index]
        if on_done and len(found) > n_before:
            on_done(len(found) - n_before)
    return [found[index] for index in range(len(hits))]


def _answers(victim, hits, requests):
    """Answers to the requests of several searches, each kind asked in one go."""
    answers = {}
    for kind, ask in ((_Query, victim.margins), (_Slope, getattr(victim, "slopes", None))):
        of_kind = {index: request.changes for index, request in requests.items() if isinstance(request, kind)}
        if not of_kind:
            continue
        images = np.concatenate([changes.applied(hits[index].image) for index, changes in of_kind.items()])
        lengths = [len(changes) for changes in of_kind.values()]
        given, ends = ask(np.repeat(list(of_kind), lengths), images), np.cumsum(lengths)[:-1]
        if kind is _Slope:
            answers.update(zip(of_kind, zip(*given)))
        else:
            answers.update(zip(of_kind, np.split(np.asarray(given), ends)))
    return answers


class _ImageSearch:
    """Search of one image; `run` yields requests, is sent their answers, and returns a `Smallest`."""

    def __init__(self, hits, rng, options):
        self._hits, self._rng, self._options = hits, rng, options
        self._shape = hits.image.shape[:2]
        self._queries = self._slopes = 0
        self._found = None

    def run(self):
        options = self._options
        self._clean = (yield from self._ask(no_change()))[0]
        yield from self._search(options.highest)
        low = options.lowest
        for _ in range(options.n_levels):
            if self._found is None or self._is_spent:
                break
            cost = float(self._hits.cost(self._found)[0])
            level = np.sqrt(low * cost)
            if level <= low:
                break
            if not (yield from self._shrink(level / cost)) and not (yield from self._search(level)):
                low = level
        return Smallest(self._found, self._queries, self._slopes)

    @property
    def _is_spent(self):
        return self._queries >= self._options.max_queries

    def _ask(self, changes):
        """Margins of changes; infinite where NaN, or where they succeed but are not allowed."""
        margins = np.array((yield _Query(changes)), float)
        self._queries += len(changes)
        margins[np.isnan(margins)] = np.inf
        if self._hits.is_allowed is not None:
            for index in np.argsort(margins):
                if margins[index] >= 0 or self._hits.is_allowed(changes.part(index).applied(self._hits.image)[0]):
                    break
                margins[index] = np.inf
        return margins

    def _shrink(self, factor):
        """Try what is found with all its hits smaller by a factor; returns whether it succeeds."""
        smaller = Changes(self._found.places, self._found.amounts * factor)
        if (yield from self._ask(smaller))[0] < 0:
            self._found = smaller
            return True
        return False

    def _search(self, level):
        """Search at a level; returns whether a change succeeds, which is then what is found."""
        largest = self._options.n_hits
        # Of electrons fewer hits get more each; standard deviations are those of any hit, however many there are.
        for n_hits in range(1 if self._hits.measure == "electrons" else largest, largest + 1):
            amounts = self._hits.amounts(level, n_hits)
            changes, margin = no_change(), self._clean
            for _ in range(n_hits):
                best, best_margin = yield from self._best_hit(changes, amounts)
                if best_margin < 0:
                    self._found = best
                    return True
                if best_margin >= margin or self._is_spent:
                    break
                changes, margin = best, best_margin
            if self._is_spent:
                return False
        return False

    def _best_hit(self, changes, amounts):
        """One more hit, the best of a round, and its margin."""
        order = yield from self._order(changes, amounts)
        if self._options.search == "random":
            search = _in_order(order, self._shape, self._hits)
        else:
            search = saliency(self._shape, self._hits, order)
        best, best_margin, edits = changes, np.inf, next(search)
        for _ in range(ROUND_SLICES[self._options.search]):
            with_hit, is_new = self._hits.with_hits(changes, edits.pixels, edits.values[:, 0].astype(int), amounts)
            margins = np.full(len(is_new), np.inf)
            if is_new.any():
                asked = Changes(with_hit.places[is_new], with_hit.amounts[is_new])
                margins[is_new] = yield from self._ask(asked)
                index = int(np.argmin(margins))
                if margins[index] < best_margin:
                    best, best_margin = with_hit.part(index), margins[index]
            if best_margin < 0 or self._is_spent:
                break
            try:
                edits = search.send(margins)
            except StopIteration:
                break
        return best, best_margin

    def _order(self, changes, amounts):
        """Numbers of all hits in the order in which they are tried: those of what was found first."""
        size = amounts.size
        if self._options.search == "gradient":
            slope, side = yield _Slope(changes)
            self._slopes += 1
            gain = np.repeat(np.asarray(slope, float), 2, axis=-1) * amounts
            order = np.argsort(-(np.abs(gain) if side == 0 else side * gain), axis=None, kind="stable")
        elif self._options.search == "lattice":
            order = _coarse_to_fine(self._shape, amounts.shape[-1], self._rng)
        else:
            order = self._rng.permutation(size)
        if self._found is None or self._options.search == "random":
            return order
        row, column, band = self._found.places[0].T
        first = (row * self._shape[1] + column) * amounts.shape[-1] + 2 * band + (self._found.amounts[0] < 0)
        return np.concatenate([first, order[~np.isin(order, first)]])


def _in_order(order, shape, hits):
    """Slices of hits in a given order."""
    for start in range(0, len(order), SLICE):
        pixels, kinds = np.divmod(order[start : start + SLICE], hits.n_kinds)
        yield Edits(np.stack(np.divmod(pixels, shape[1]), axis=1), kinds[:, None])


def _coarse_to_fine(shape, n_kinds, rng):
    """Numbers of all hits: those of the pixels of a coarse lattice in random order, then of finer ones."""
    rows, columns = np.indices(shape)
    origin, seen, order = rng.integers(0, LATTICE_STEPS[0], 2), np.zeros(shape, bool), []
    for step in LATTICE_STEPS:
        new = ((rows - origin[0]) % step == 0) & ((columns - origin[1]) % step == 0) & ~seen
        seen |= new
        numbers = np.flatnonzero(new)[:, None] * n_kinds + np.arange(n_kinds)
        order.append(rng.permutation(numbers.ravel()))
    return np.concatenate(order)
