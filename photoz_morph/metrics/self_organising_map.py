"""A self-organising map: cells on a square lattice whose neighbours hold objects with similar features.

`train_map` takes features such as colours and returns a `CellMap`, which gives the cell of any object. The batch
algorithm from a start in the plane of the two principal components has no random step, but for the choice of the
objects it learns from where there are too many.
"""

from dataclasses import dataclass

import numpy as np

from photoz_morph.metrics.checks import checked
from photoz_morph.system.threads import one_thread

N_EPOCHS = 50
LAST_RADIUS = 0.5  # of the neighbourhood, in cells: then a cell moves with its own objects and few of the next
N_LEARNT = 20_000  # objects that the map learns from; more change it little
CLIPPED = 5.0  # scatters: features further out, of wrong photometry, would stretch the lattice
SLICE = 20_000


@dataclass(frozen=True)
class CellMap:
    """Lattice of cells in the space of the features.

    Attributes
    ----------
    side : int
        Cells along each axis; cell number row * side + column.
    nodes : ndarray, shape (side**2, n_features)
        Centres, in scatters from the median.
    median, scatter : ndarray, shape (n_features,)
        Of the objects it was trained on; the scatter is 1.4826 times the median absolute deviation.
    """

    side: int
    nodes: np.ndarray
    median: np.ndarray
    scatter: np.ndarray

    @property
    def features(self):
        """Features at the centres of the cells, shape (side**2, n_features)."""
        return self.nodes * self.scatter + self.median

    def cell(self, features):
        """Number of the nearest cell, shape (n,); `features` of shape (n, n_features) are finite."""
        scaled = _scaled(np.asarray(features, float), self.median, self.scatter)
        with one_thread():
            return np.concatenate([_nearest(scaled[start : start + SLICE], self.nodes)
                                   for start in range(0, max(len(scaled), 1), SLICE)])  # fmt: skip


def train_map(features, side, seed=0):
    """Train a self-organising map.

    Parameters
    ----------
    features : ndarray, shape (n, n_features)
        Two features or more; each is divided by its scatter.
    side : int
        Cells along each axis.
    seed : int
        Of the choice of `N_LEARNT` objects where there are more.

    Returns
    -------
    CellMap

    Raises
    ------
    ValueError
        If there are fewer than two objects or features, or one is not finite.

    Notes
    -----
    Kohonen (2001), batch map: each cell becomes the mean of all objects, weighted by a Gaussian of the distance on the
    lattice from their own cell. The width of the Gaussian falls from half a side to `LAST_RADIUS`.
    """
    features = checked(features, "features")
    if features.ndim != 2 or min(features.shape) < 2 or side < 1:
        raise ValueError(f"a map of {side} x {side} cells needs two objects and features or more, got {features.shape}")
    median = np.median(features, axis=0)
    scatter = 1.4826 * np.median(np.abs(features - median), axis=0)
    spread = features.std(axis=0)
    scatter = np.where(scatter > 0, scatter, np.where(spread > 0, spread, 1.0))
    scaled = _scaled(features, median, scatter)
    with one_thread():
        return CellMap(side, _trained(scaled, side, seed), median, scatter)


def _trained(scaled, side, seed):
    """Nodes of the map."""
    if len(scaled) > N_LEARNT:
        scaled = scaled[np.sort(np.random.default_rng(seed).choice(len(scaled), N_LEARNT, replace=False))]
    place = np.stack(np.divmod(np.arange(side**2), side), axis=1).astype(float)
    squared = np.sum((place[:, None] - place[None]) ** 2, axis=2)
    nodes = _plane(scaled, place, side)
    for radius in np.geomspace(max(side / 2, LAST_RADIUS), LAST_RADIUS, N_EPOCHS):
        cell = _nearest(scaled, nodes)
        count = np.bincount(cell, minlength=len(nodes))
        sums = np.stack([np.bincount(cell, column, len(nodes)) for column in scaled.T], axis=1)
        weight = np.exp(-0.5 * squared / radius**2)
        total = weight @ count
        nodes = np.where(total[:, None] > 0, weight @ sums / np.maximum(total, 1e-300)[:, None], nodes)
    return nodes


def _plane(scaled, place, side):
    """Start of the nodes: a lattice in the plane of the two principal components, two standard deviations wide."""
    mean = scaled.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(scaled.T))
    first, second = vectors[:, -1], vectors[:, -2]
    # The sign of an eigenvector is arbitrary; its largest component is made positive.
    axes = [axis * np.sign(axis[np.argmax(np.abs(axis))]) * np.sqrt(max(value, 0))
            for axis, value in ((first, values[-1]), (second, values[-2]))]  # fmt: skip
    position = 2 * (2 * place / max(side - 1, 1) - 1) if side > 1 else 0 * place
    return mean + position[:, :1] * axes[1] + position[:, 1:] * axes[0]


def _scaled(features, median, scatter):
    """Features in scatters from the median, those far out clipped."""
    return np.clip((features - median) / scatter, -CLIPPED, CLIPPED)


def _nearest(scaled, nodes):
    """Number of the nearest node of each object."""
    return np.argmin(np.sum(nodes**2, axis=1) - 2 * scaled @ nodes.T, axis=1)
