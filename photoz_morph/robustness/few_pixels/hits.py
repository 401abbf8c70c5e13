"""What may happen to the pixels of a stamp: hits, each of one pixel of one band, brighter or darker.

A pixel of one band is a pixel of a detector: what a cosmic ray, a hot or a dead pixel changes. A hit has one of 2
n_bands kinds, kind 2 b is brighter and 2 b + 1 darker in band b, and the number (row * n_columns + column) * 2 n_bands
+ kind.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

MEASURES = ("electrons", "sigma")


class Changes(NamedTuple):
    """Changes of one image each.

    Attributes
    ----------
    places : ndarray of int, shape (n, n_hits, 3)
        Row, column and band of each hit; -1 where there are fewer.
    amounts : ndarray, shape (n, n_hits)
        What is added to the pixel [image unit]; 0 where there are fewer.
    """

    places: np.ndarray
    amounts: np.ndarray

    def __len__(self):
        return len(self.places)

    def applied(self, image):
        """Changed copies of one image: shape (n, rows, columns, n_bands), float32."""
        images = np.repeat(np.asarray(image, np.float32)[None], len(self), axis=0)
        row = np.broadcast_to(np.arange(len(self))[:, None], self.amounts.shape)
        used = self.places[..., 0] >= 0
        np.add.at(images, (row[used], *self.places[used].T), self.amounts[used].astype(np.float32))
        return images

    def part(self, index):
        """One of the changes, as changes."""
        return Changes(self.places[index : index + 1], self.amounts[index : index + 1])


def no_change():
    """The image as it is, as changes."""
    return Changes(np.zeros((1, 0, 3), int), np.zeros((1, 0)))


@dataclass(frozen=True)
class Hits:
    """Hits that an image may receive, and what they cost.

    Attributes
    ----------
    image : ndarray, shape (rows, columns, n_bands)
        [image unit]
    per_unit : ndarray, shape (n_bands,)
        Electrons, or standard deviations of the sky, in one image unit.
    measure : {"electrons", "sigma"}
        Cost of a change: the electrons of all hits together, or the standard deviations of the largest.
    up, down : ndarray, shape (rows, columns, n_bands), optional
        Largest change of each pixel to either side [image unit]; infinite by default.
    is_allowed : callable, optional
        Image to bool: whether a change that has succeeded counts.
    """

    image: np.ndarray
    per_unit: np.ndarray
    measure: str = "electrons"
    up: np.ndarray | float = np.inf
    down: np.ndarray | float = np.inf
    is_allowed: object = None

    def __post_init__(self):
        if self.measure not in MEASURES:
            raise ValueError(f"measure is {self.measure!r}; choose one of {', '.join(MEASURES)}")
        per_unit = np.asarray(self.per_unit, float)
        if per_unit.shape != self.image.shape[-1:] or not np.all(np.isfinite(per_unit) & (per_unit > 0)):
            raise ValueError(f"{self.measure} per image unit are {per_unit.tolist()}; give a positive number a band")

    @property
    def n_kinds(self):
        """Kinds of hits of a pixel."""
        return 2 * self.image.shape[-1]

    def corners(self):
        """Kinds of hits as `one_pixel.searches` names the values of a pixel: shape (n_kinds, 1)."""
        return np.arange(self.n_kinds)[:, None]

    def amounts(self, level, n_hits):
        """Change of each pixel by each kind of hit at a level of the cost, shape (rows, columns, n_kinds)."""
        share = (level / n_hits if self.measure == "electrons" else level) / np.asarray(self.per_unit, float)
        up, down = (np.minimum(share, np.broadcast_to(limit, self.image.shape)) for limit in (self.up, self.down))
        return np.stack([up, -down], axis=-1).reshape(*self.image.shape[:2], self.n_kinds)

    def cost(self, changes):
        """Cost of changes, shape (n,)."""
        each = np.abs(changes.amounts) * np.asarray(self.per_unit, float)[changes.places[..., 2]]
        return each.sum(axis=1) if self.measure == "electrons" else each.max(axis=1, initial=0.0)

    def with_hits(self, changes, pixels, kinds, amounts):
        """One change with each of several hits added.

        Parameters
        ----------
        changes : Changes
            A single one.
        pixels : ndarray of int, shape (k, 2)
        kinds : ndarray of int, shape (k,)
        amounts : ndarray, shape (rows, columns, n_kinds)

        Returns
        -------
        Changes
            k of them.
        is_new : ndarray of bool, shape (k,)
            Whether the hit does something, and is not on a pixel that is hit already.
        """
        added = np.concatenate([pixels, kinds[:, None] // 2], axis=1)
        amount = amounts[pixels[:, 0], pixels[:, 1], kinds]
        is_new = (amount != 0) & ~np.any(np.all(added[:, None] == changes.places[0][None], axis=2), axis=1)
        places = np.concatenate([np.repeat(changes.places, len(added), axis=0), added[:, None]], axis=1)
        amounts = np.concatenate([np.repeat(changes.amounts, len(added), axis=0), amount[:, None]], axis=1)
        return Changes(places, amounts), is_new
