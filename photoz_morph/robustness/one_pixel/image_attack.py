"""State of the attack on one image: edits from its search, their logits, and the first confirmed flip.

`attack.one_pixel_attack` drives many of them: `next_slice` gives edits, `receive` takes their logits, `confirm` those
of a candidate on the whole image, and `advance` moves on.
"""

import numpy as np

from photoz_morph.robustness.one_pixel import searches
from photoz_morph.robustness.one_pixel.criteria import has_won, scores_of
from photoz_morph.robustness.one_pixel.searches import SLICE


class ImageAttack:
    """Attack on one image: its search, the queries made so far, and the result.

    Parameters
    ----------
    index : int
        Number of the image in `queries`.
    queries : CallableQueries or its like
    label : int
    clean : ndarray, shape (n_classes,)
        Logits of the image as it is.
    seed : int or sequence of int
        Entropy of its random numbers.
    bounds : Bounds
    options : AttackOptions
    """

    def __init__(self, index, queries, label, clean, seed, bounds, options):
        self.index, self.label, self.options = index, int(label), options
        self._queries, self._bounds, self._clean = queries, bounds, clean
        self._rng = np.random.default_rng(seed)
        self.flipped, self.is_done, self.queries, self.n_unconfirmed = False, False, 0, 0
        self.pixel, self.value = np.full(2, -1), np.full(len(bounds.low), np.nan, np.float32)
        self.logits = np.full(len(clean), np.nan, np.float32)
        self._targets = [t for t in range(len(clean)) if t != self.label] if options.targeted else [None]
        self._edits = None

    def next_slice(self):
        """Edits of the next query."""
        if self._edits is None:
            self._begin()
        left = self.options.max_queries - self._queries_of_target
        self._slice = self._edits.part(self._position, self._position + min(SLICE, left))
        return self._slice

    def receive(self, logits):
        """Record the logits of a slice; returns True if one of its edits looks like a success."""
        target = self._targets[0]
        scores = scores_of(logits, self.label, target, self.options.objective)
        self._scores.append(scores)
        self._position += len(scores)
        self._count(len(scores))
        won = has_won(logits, self.label, target, self.options.success)
        if won.any():
            best = int(np.argmin(np.where(won, scores, np.inf)))
            self.candidate = self._slice.part(best, best + 1)
        return bool(won.any())

    def confirm(self, logits):
        """Accept or reject the candidate by its logits on the whole image."""
        self._count(1)
        if has_won(logits[None], self.label, self._targets[0], self.options.success)[0]:
            self.flipped = self.is_done = True
            self.pixel, self.value, self.logits = self.candidate.pixels[0], self.candidate.values[0], logits
        else:
            self.n_unconfirmed += 1

    def advance(self):
        """Move to the next batch of the search, to the next target, or to the end."""
        if self.is_done:
            return
        is_spent = self._queries_of_target >= self.options.max_queries
        if not is_spent and self._position < len(self._edits):
            return
        if not is_spent:
            try:
                self._edits, self._position = self._search.send(np.concatenate(self._scores)), 0
                self._scores = []
                return
            except StopIteration:
                pass
        self._targets, self._edits = self._targets[1:], None
        self.is_done = not self._targets

    def _begin(self):
        """Start the search for the next target."""
        shape, options = self._queries.image_shape, self.options
        if options.search == "evolution":
            gives_up = options.success == "paper" and options.objective == "probability" and options.targeted
            search = searches.evolution(shape, self._bounds, self._rng, options.population, gives_up=gives_up)
        elif options.search == "saliency":
            ranking = self._queries.ranking(self.index, self._margin_weights(), self._bounds)
            search = searches.saliency(shape, self._bounds, ranking)
        else:
            start = {"lattice": searches.lattice, "random": searches.random_corners}[options.search]
            search = start(shape, self._bounds, self._rng)
        self._search, self._edits = search, next(search)
        self._position, self._scores, self._queries_of_target = 0, [], 0

    def _margin_weights(self):
        """The margin to lower, near the clean image, as weights of the logits."""
        target, weights = self._targets[0], np.zeros(len(self._clean))
        rival = np.delete(np.arange(len(weights)), self.label if target is None else target)
        rival = rival[self._clean[rival].argmax()]
        weights[[self.label, rival] if target is None else [rival, target]] = 1, -1
        return weights

    def _count(self, n_rows):
        self.queries += n_rows
        self._queries_of_target += n_rows
