"""State of the attack on one image: edits from its search, their logits, and the first confirmed flip.

`attack.one_pixel_attack` drives many of them: `next_slice` gives edits, `receive` takes their logits, `confirm` those
of a candidate on the whole image, `take_slope` the gradient at the edit of a search that follows it, and `advance`
moves on.
"""

import numpy as np

from photoz_morph.robustness.one_pixel import searches
from photoz_morph.robustness.one_pixel.criteria import has_won, scores_of
from photoz_morph.robustness.one_pixel.growth import grown_lattice, grown_saliency
from photoz_morph.robustness.one_pixel.searches import SLICE
from photoz_morph.robustness.one_pixel.sparse_pgd import sparse_pgd
from photoz_morph.robustness.one_pixel.sparse_rs import sparse_rs


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
        of_set = () if options.pixels == 1 else (options.pixels,)
        self.pixel, self.value = np.full((*of_set, 2), -1), np.full((*of_set, len(bounds.low)), np.nan, np.float32)
        self.follows_gradient, self._gradient = options.search == "sparse-pgd", None
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
        target, self._answer = self._targets[0], logits[-1]
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
            self.logits = logits
            self.pixel = self.candidate.pixels.reshape(self.pixel.shape)
            self.value = self.candidate.values.reshape(self.value.shape)
        else:
            self.n_unconfirmed += 1

    def margin_weights(self):
        """Weights of the logits whose gradient the search wants: those of the margin at the last edit."""
        return self._margin_weights(self._answer)

    def take_slope(self, gradient):
        """Record the gradient at the last edit."""
        self._gradient = gradient

    def advance(self):
        """Move to the next batch of the search, to the next target, or to the end."""
        if self.is_done:
            return
        is_spent = self._queries_of_target >= self.options.max_queries
        if not is_spent and self._position < len(self._edits):
            return
        if not is_spent:
            try:
                scores = np.concatenate(self._scores)
                answer = (scores[0], self._gradient) if self.follows_gradient else scores
                self._edits, self._position, self._scores = self._search.send(answer), 0, []
                return
            except StopIteration:
                pass
        self._targets, self._edits = self._targets[1:], None
        self.is_done = not self._targets

    def _begin(self):
        """Start the search for the next target."""
        self._search = self._start()
        self._edits = next(self._search)
        self._position, self._scores, self._queries_of_target = 0, [], 0

    def _start(self):
        """The generator of the search."""
        shape, options, bounds, n_pixels = self._queries.image_shape, self.options, self._bounds, self.options.pixels
        if options.search == "evolution":
            gives_up = options.success == "paper" and options.objective == "probability" and options.targeted
            return searches.evolution(
                shape, bounds, self._rng, options.population, gives_up=gives_up, n_pixels=n_pixels
            )
        if options.search == "random":
            return searches.random_corners(shape, bounds, self._rng, n_pixels)
        if options.search == "sparse-rs":
            return sparse_rs(shape, bounds, self._rng, n_pixels, options.max_queries)
        if options.search == "sparse-pgd":
            return sparse_pgd(self._queries.images[self.index], bounds, self._rng, n_pixels)
        clean = scores_of(self._clean[None], self.label, self._targets[0], options.objective)[0]
        if options.search == "lattice":
            if n_pixels == 1:
                return searches.lattice(shape, bounds, self._rng)
            return grown_lattice(shape, bounds, self._rng, n_pixels, clean)
        ranking = self._queries.ranking(self.index, self._margin_weights(self._clean), bounds)
        if n_pixels == 1:
            return searches.saliency(shape, bounds, ranking)
        return grown_saliency(shape, bounds, self._rng, ranking, n_pixels, clean)

    def _margin_weights(self, logits):
        """The margin to lower, near some logits, as weights of them."""
        target, weights = self._targets[0], np.zeros(len(logits))
        rival = np.delete(np.arange(len(weights)), self.label if target is None else target)
        rival = rival[logits[rival].argmax()]
        weights[[self.label, rival] if target is None else [rival, target]] = 1, -1
        return weights

    def _count(self, n_rows):
        self.queries += n_rows
        self._queries_of_target += n_rows
