"""Effects of edits on the score, learned from the scores of sets of them: a Gaussian process over pixels and colours.

The score of a set is taken for the sum of the effects of its edits. Effects vary smoothly over the image, on the scale
of the first convolutions and on that of a galaxy, and with the colour. What is learned in one query of k pixels holds
for those near them.
"""

import numpy as np

SCALES = ((8.0, 0.4), (1.5, 0.4))  # [pixel] and weights of the two Gaussians, our choice
EVERYWHERE = 0.2  # weight of what an edit of that colour does at any pixel
NOISE = 0.05  # variance of a score for each edit in its set, in units of the variance of an effect
N_KEPT = 64  # sets in the fit: the best, and as many of the last


class Effects:
    """Estimates of the effects of edits.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the image.
    n_bands : int
        Edits are flat indices, pixel * 2**n_bands + corner, see `Bounds.corners`.
    """

    def __init__(self, shape, n_bands):
        self._columns, self._n_corners = shape[1], 2**n_bands
        signs = 2 * (np.arange(self._n_corners)[:, None] >> np.arange(n_bands) & 1) - 1
        self._colours = (1 + signs @ signs.T / n_bands) / 2
        squares = np.arange(2 * max(shape) ** 2)
        self._of_distance = EVERYWHERE + sum(weight * np.exp(-squares / 2 / scale**2) for scale, weight in SCALES)
        self._sets, self._changes, self._covariance = None, np.empty(0), np.empty((0, 0))

    def add(self, sets, changes):
        """Learn from sets, int of shape (n, k), and the changes of the score that they made, shape (n,)."""
        n_before = len(self._changes)
        every = np.concatenate([self._sets, sets]) if n_before else np.asarray(sets)
        with_new = self._sums(self._sums(self._kernel(every.ravel(), np.ravel(sets)), np.asarray(sets)).T, every).T
        covariance = np.block([[self._covariance, with_new[:n_before]], [with_new[:n_before].T, with_new[n_before:]]])
        changes = np.concatenate([self._changes, changes])
        keep = np.arange(len(changes))
        if len(keep) > N_KEPT:
            best = np.argsort(changes, kind="stable")[: N_KEPT // 2]
            keep = np.union1d(best, keep[-(N_KEPT // 2) :])
        self._sets, self._changes, self._covariance = every[keep], changes[keep], covariance[np.ix_(keep, keep)]
        noise = NOISE * every.shape[1] * np.eye(len(keep))
        self._inverse = np.linalg.inv(self._covariance + noise)
        self._weights = self._inverse @ self._changes
        # Where nothing changes, all is equally unknown.
        self._variance = self._changes @ self._weights / len(keep) or 1.0

    def estimate(self, edits):
        """Mean and standard deviation of the effects of edits, shapes (m,)."""
        shared = self._sums(self._kernel(edits, self._sets.ravel()), self._sets)
        left = self._of_distance[0] - np.sum((shared @ self._inverse) * shared, axis=1)
        return shared @ self._weights, np.sqrt(self._variance * np.maximum(left, 0))

    def _kernel(self, first, second):
        """Covariances of effects, shape (n, m), in units of their variance."""
        (pixels, colours), (others, their) = (np.divmod(edits, self._n_corners) for edits in (first, second))
        rows, columns = (
            np.subtract.outer(part(pixels, self._columns), part(others, self._columns))
            for part in (np.floor_divide, np.remainder)
        )
        return self._of_distance[rows**2 + columns**2] * self._colours[np.ix_(colours, their)]

    @staticmethod
    def _sums(kernel, sets):
        """Sums over the edits of each set, which are along the last axis."""
        return kernel.reshape(len(kernel), *sets.shape).sum(axis=2)
