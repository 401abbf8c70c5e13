"""Attacks on few pixels: searches for the one pixel, or the k, whose replacement changes the class of a galaxy.

Works on any classifier: `CallableQueries` takes a function from images to logits, `morph.robustness.pixel_queries` has
faster ones for Keras networks. Many images are attacked at once: each has a search of its own (`searches`), whose
edits go to the classifier together with those of the others, so that its batches are full. An image is done with its
first confirmed flip. The result of an image depends on its own seed only, not on the images beside it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from photoz_morph.robustness.one_pixel.criteria import OBJECTIVES, SUCCESSES
from photoz_morph.robustness.one_pixel.image_attack import ImageAttack
from photoz_morph.robustness.one_pixel.searches import POPULATION, Edits

SEARCHES = ("lattice", "saliency", "evolution", "random", "sparse-rs", "sparse-pgd")
MAX_PIXELS = 100  # one per cent of the stamps; more are not few
BATCH_SIZE = 64  # larger ones are slower on CPUs
AT_ONCE = 8  # images attacked at a time: enough to fill batches when some of them are done
SETS_AT_ONCE = 64  # the same for searches that ask for one set at a time, or a few


@dataclass(frozen=True)
class AttackOptions:
    """Options of an attack.

    Attributes
    ----------
    search : {"lattice", "saliency", "evolution", "random", "sparse-rs", "sparse-pgd"}
        `sparse-rs` and `sparse-pgd` are published attacks on k pixels; `saliency` and `sparse-pgd` need gradients.
    max_queries : int
        Largest number of queries of the search per image, or for each target class of it. Confirmations come on top.
    objective : {"margin", "probability"}
        What the search lowers: the logit of the true class minus the best other (or the best other minus that of the
        target); or, as published, the probability of the true class (or minus that of the target), which float32
        rounds to a constant where the network is sure.
    success : {"flip", "paper"}
        The class changes (to the target); or, as published, the true class falls below 0.05, a target rises above 0.5.
    targeted : bool
        Try the wrong classes one after the other, as published, instead of any.
    population : int
        Of `evolution`.
    pixels : int
        k, the number of pixels that may change.
    """

    search: str = "lattice"
    max_queries: int = 3200
    objective: str = "margin"
    success: str = "flip"
    targeted: bool = False
    population: int = POPULATION
    pixels: int = 1

    def __post_init__(self):
        for name, choices in (("search", SEARCHES), ("objective", OBJECTIVES), ("success", SUCCESSES)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(choices)}")
        if self.max_queries < 1:
            raise ValueError(f"max_queries is {self.max_queries}; give 1 or more")
        if self.population < 5:
            raise ValueError(f"population is {self.population}; differential evolution needs 5 or more")
        if not 1 <= self.pixels <= MAX_PIXELS:
            raise ValueError(f"pixels is {self.pixels}; give 1 to {MAX_PIXELS}")


class Attacks(NamedTuple):
    """Results of attacking n images.

    Attributes
    ----------
    flipped : ndarray of bool, shape (n,)
        True where the attack succeeded, confirmed on the whole image.
    pixels : ndarray of int, shape (n, 2), or (n, k, 2) for k > 1
        Row and column; -1 where it failed.
    values : ndarray, shape (n, n_bands) or (n, k, n_bands), float32
        New value of the pixel [image unit]; NaN where it failed.
    logits : ndarray, shape (n, n_classes)
        Of the attacked image; NaN where it failed.
    queries : ndarray of int, shape (n,)
        Queries of the classifier for edits, including those beside the flip in the last slice and the confirmations.
        The query of the clean image, a ranking by gradients and the backward passes of `sparse-pgd` are not counted.
    n_unconfirmed : ndarray of int, shape (n,)
        Flips that the whole network, in full precision, did not confirm.
    """

    flipped: np.ndarray
    pixels: np.ndarray
    values: np.ndarray
    logits: np.ndarray
    queries: np.ndarray
    n_unconfirmed: np.ndarray


class CallableQueries:
    """Query interface to an arbitrary classifier.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns, n_bands)
    classify : callable
        Images, shape (batch_size, rows, columns, n_bands) float32, to logits, shape (batch_size, n_classes), of NumPy
        or anything it can read. Logarithms of probabilities are as good, if they do not round to zero.
    gradient : callable, optional
        Images and weights, shape (k, n_classes), to the gradient of sum(weights * logits) over the pixels, of the shape
        of the images. Needed for `saliency` and `sparse-pgd` only.
    batch_size : int
        Every call gets this many images, the last ones repeated if need be (those that confirm, `AT_ONCE`): then a
        function compiled for a shape is compiled once, and an image's logits do not depend on how many are beside it,
        but for the last digits, which oneDNN rounds by an image's place in the batch.
    """

    def __init__(self, images, classify, gradient=None, batch_size=BATCH_SIZE):
        self._classify, self._gradient, self.batch_size = classify, gradient, batch_size
        self.set_images(images)

    def set_images(self, images):
        """Take other images; what was compiled for the earlier ones is used again."""
        self.images = np.asarray(images, np.float32)
        if self.images.ndim != 4:
            raise ValueError(f"images have shape {self.images.shape}; give (n, rows, columns, bands)")

    @property
    def image_shape(self):
        """Rows and columns."""
        return self.images.shape[1:3]

    def clean_logits(self):
        """Logits of the images as they are, shape (n, n_classes)."""
        return self._in_batches(self.images)

    def __call__(self, index, edits):
        """Logits of edited images.

        Parameters
        ----------
        index : ndarray of int, shape (k,)
            Image of each edit.
        edits : Edits

        Returns
        -------
        ndarray, shape (k, n_classes)
        """
        return self._in_batches(edited_images(self.images[index], edits))

    def confirm(self, index, edits):
        """The same in small batches: `CallableQueries` are exact anyway, others query the whole network here."""
        return self._in_batches(edited_images(self.images[index], edits), AT_ONCE)

    def slopes(self, index, edits, weights):
        """Gradients at edited images of sums of logits: for `sparse-pgd`.

        Parameters
        ----------
        index : ndarray of int, shape (k,)
            Image of each edit.
        edits : Edits
        weights : ndarray, shape (k, n_classes)
            Of the logits.

        Returns
        -------
        ndarray, shape (k, rows, columns, n_bands)
            Over the pixels [logit per image unit].
        """
        images, weights = edited_images(self.images[index], edits), np.asarray(weights, np.float32)
        slopes = []
        for start in range(0, len(images), AT_ONCE):
            rows = np.minimum(np.arange(start, start + AT_ONCE), len(images) - 1)  # the last repeated
            slopes.append(np.asarray(self._slope_of(images[rows], weights[rows]))[: len(images) - start])
        return np.concatenate(slopes)

    def ranking(self, index, weights, bounds):
        """All corner edits of an image, the most promising first: for `saliency`.

        Parameters
        ----------
        index : int
        weights : ndarray, shape (n_classes,)
            The margin to lower is the sum of these times the logits.
        bounds : Bounds

        Returns
        -------
        ndarray of int, shape (rows * columns * 2**n_bands,)
            See `searches.saliency`.
        """
        image = self.images[index]
        slope = np.asarray(self._slope_of(image[None], np.asarray(weights, np.float32)[None]))[0]
        change = np.einsum("ijb,kb->ijk", slope, bounds.corners()) - np.sum(slope * image, axis=-1)[..., None]
        return np.argsort(change, axis=None, kind="stable")

    def _slope_of(self, images, weights):
        """The classifier's gradient."""
        if self._gradient is None:
            raise ValueError("this search needs gradients; give the classifier's, or search by lattice or sparse-rs")
        return self._gradient(images, weights)

    def _in_batches(self, images, size=None):
        logits, size = [], size or self.batch_size
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            padding = np.repeat(batch[-1:], size - len(batch), axis=0)
            logits.append(np.asarray(self._classify(np.concatenate([batch, padding])))[: len(batch)])
        return np.concatenate(logits)


def edited_images(images, edits):
    """Copies of images, each with one pixel, or those of a set, replaced: shape (n, rows, columns, n_bands)."""
    images = images.copy()
    pixels, values = edits.sets()
    images[np.arange(len(images))[:, None], pixels[..., 0], pixels[..., 1]] = values
    return images


def one_pixel_attack(queries, labels, seeds, bounds, options=None, on_done=None):
    """Attack images, many at a time.

    Parameters
    ----------
    queries : CallableQueries or its like
        The images and their classifier.
    labels : array_like of int, shape (n,)
        True class of each image, which must be the one it is given.
    seeds : sequence
        Entropy of each image's own random numbers: anything `numpy.random.default_rng` takes.
    bounds : Bounds
    options : AttackOptions, optional
    on_done : callable, optional
        Called with the number of images done since the last call.

    Returns
    -------
    Attacks

    Raises
    ------
    ValueError
        If an image is not given its label, its logits are not finite, the bounds are of another number of bands, or
        `options.pixels` is half of the image or more.
    """
    options, labels = options or AttackOptions(), np.asarray(labels, int)
    n_bands = queries.images.shape[-1]
    if len(bounds.low) != n_bands:
        raise ValueError(f"bounds have {len(bounds.low)} bands, the images {n_bands}; give one for each band")
    if not len(labels) == len(seeds) == len(queries.images) > 0:
        raise ValueError(f"{len(queries.images)} images, {len(labels)} labels, {len(seeds)} seeds; give one for each")
    if 2 * options.pixels >= np.prod(queries.image_shape):
        raise ValueError(f"pixels is {options.pixels}, half of an image of {queries.image_shape} or more; give fewer")
    clean = queries.clean_logits()
    if not np.all(np.isfinite(clean)):
        raise ValueError(f"image {int(np.argmin(np.isfinite(clean).all(axis=1)))}: its logits are not finite")
    wrong = clean.argmax(axis=1) != labels
    if wrong.any():
        raise ValueError(f"image {int(wrong.argmax())} is wrongly classified already; attack those that are right")
    attacks = [ImageAttack(i, queries, labels[i], clean[i], seeds[i], bounds, options) for i in range(len(labels))]
    waiting = attacks[::-1]
    n_at_once = SETS_AT_ONCE if options.pixels > 1 or options.search in ("sparse-rs", "sparse-pgd") else AT_ONCE
    done, active = {}, []
    while waiting or active:
        while waiting and len(active) < n_at_once:
            active.append(waiting.pop())
        _ask(queries, active)
        for attack in active:
            if attack.is_done:
                done[attack.index] = attack
        finished = [attack for attack in active if attack.is_done]
        active = [attack for attack in active if not attack.is_done]
        if finished and on_done:
            on_done(len(finished))
    ordered = [done[index] for index in range(len(labels))]
    fields = ("flipped", "pixel", "value", "logits", "queries", "n_unconfirmed")
    return Attacks(*(np.array([getattr(attack, field) for attack in ordered]) for field in fields))


def _ask(queries, active):
    """One slice for each active image, all in one go, and the confirmation of their flips."""
    slices = [attack.next_slice() for attack in active]
    lengths = [len(edits) for edits in slices]
    logits = queries(np.repeat([attack.index for attack in active], lengths), _joined(slices))
    candidates = [
        attack for attack, own in zip(active, np.split(logits, np.cumsum(lengths)[:-1])) if attack.receive(own)
    ]
    if candidates:
        confirmed = queries.confirm(
            np.array([attack.index for attack in candidates]), _joined([attack.candidate for attack in candidates])
        )
        for attack, own in zip(candidates, confirmed):
            attack.confirm(own)
    following = [i for i, attack in enumerate(active) if attack.follows_gradient and not attack.is_done]
    if following:
        slopes = queries.slopes(
            np.array([active[i].index for i in following]), _joined([slices[i] for i in following]),
            np.array([active[i].margin_weights() for i in following]),
        )  # fmt: skip
        for i, slope in zip(following, slopes):
            active[i].take_slope(slope)
    for attack in active:
        attack.advance()


def _joined(parts):
    """Edits of several images in one."""
    return Edits(*(np.concatenate(arrays) for arrays in zip(*parts)))
