"""HSIC (Novello et al. 2022): how much a target depends on the presence of each player, in any way."""

import numpy as np

from photoz_morph.explain.occlusion.regions import MaskedScore


def hsic(score, inputs, filling, regions, n_samples=1500, seed=0):
    """Hilbert-Schmidt independence criterion between the presence of each player and the target.

    Parameters
    ----------
    score : Score
    inputs, filling : ndarray or dict of ndarray
        See `regions.MaskedScore`.
    regions : Regions
    n_samples : int
        Random choices of players, each kept with probability 1/2.
    seed : int

    Returns
    -------
    ndarray, shape (n, n_players)
        0 for independence, without sign and scale: only the order says something.

    Notes
    -----
    Gretton et al. (2005), with a Gaussian kernel of the target, as wide as the median distance, and for presence the
    kernel that is 1 for equals. Novello et al. (2022, arXiv 2206.06219), Sec. 3.
    """
    masked = MaskedScore(score, inputs, filling, regions)
    kept = (np.random.default_rng(seed).random((n_samples, regions.n_players)) < 0.5).astype(float)
    found = []
    for galaxy in range(len(masked.given[masked.image])):
        values = masked(galaxy, kept)
        distance = np.abs(values[:, None] - values)
        width = np.median(distance[np.triu_indices(n_samples, 1)])
        kernel = np.exp(-0.5 * (distance / (width or 1.0)) ** 2)
        centred = kernel - kernel.mean(axis=0) - kernel.mean(axis=1)[:, None] + kernel.mean()
        # The kernel of equals of 0 and 1 is 1 - a - b + 2 a b; all but the product is lost when the other is centred.
        found.append(2 * np.sum(kept * (centred @ kept), axis=0) / (n_samples - 1) ** 2)
    return np.array(found)
