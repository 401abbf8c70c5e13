"""Shapley values (Shapley 1953): each player's part of a target, exact for bands and E(B-V), sampled for many players.

The target of all players less that of none is shared so that equal players get the same, players without effect get
nothing, and the parts add up.
"""

from itertools import combinations
from math import comb, factorial

import numpy as np

from photoz_morph.explain.occlusion.regions import MaskedScore

MAX_EXACT = 14  # players: 2^14 subsets for each galaxy


def leave_one_out(score, inputs, filling, regions):
    """Loss of the target when one player is taken away, such as a band or E(B-V).

    Parameters
    ----------
    score : Score
    inputs, filling : ndarray or dict of ndarray
        See `regions.MaskedScore`.
    regions : Regions
        Such as `regions.whole_bands`.

    Returns
    -------
    ndarray, shape (n, n_players)
        [target]
    """
    masked = MaskedScore(score, inputs, filling, regions)
    kept = np.concatenate([np.ones((1, regions.n_players)), 1 - np.eye(regions.n_players)])
    values = np.stack([masked(galaxy, kept) for galaxy in range(_count(masked))])
    return values[:, :1] - values[:, 1:]


def exact_shapley(score, inputs, filling, regions):
    """Shapley values over all subsets of a few players.

    Parameters
    ----------
    score : Score
    inputs, filling : ndarray or dict of ndarray
        See `regions.MaskedScore`.
    regions : Regions
        With at most 14 players, such as `regions.whole_bands(shape, scalars=("ebv",))`.

    Returns
    -------
    ndarray, shape (n, n_players)
        [target]; the sum is the target of the galaxy less that of the baseline.

    Raises
    ------
    ValueError
        If there are more players.

    Notes
    -----
    Lundberg & Lee (2017, arXiv 1705.07874), Eq. 4.
    """
    n_players = regions.n_players
    if n_players > MAX_EXACT:
        raise ValueError(f"{n_players} players have too many subsets, at most {MAX_EXACT}; use kernel_shap")
    masked = MaskedScore(score, inputs, filling, regions)
    subsets = np.arange(2**n_players)[:, None] >> np.arange(n_players) & 1  # the number of a subset is its bits
    values = np.stack([masked(galaxy, subsets) for galaxy in range(_count(masked))])
    sizes, found = subsets.sum(axis=1), []
    weights = np.array([factorial(k) * factorial(n_players - k - 1) / factorial(n_players) for k in range(n_players)])
    for player in range(n_players):
        without = np.flatnonzero(subsets[:, player] == 0)
        gains = values[:, without | 1 << player] - values[:, without]
        found.append(gains @ weights[sizes[without]])
    return np.stack(found, axis=1)


def kernel_shap(score, inputs, filling, regions, n_samples=1000, seed=0):
    """Shapley values by weighted least squares over sampled subsets; exact where all subsets fit in the samples.

    Parameters
    ----------
    score : Score
    inputs, filling : ndarray or dict of ndarray
        See `regions.MaskedScore`.
    regions : Regions
    n_samples : int
        Subsets, in pairs of a subset and its complement.
    seed : int

    Returns
    -------
    ndarray, shape (n, n_players)
        [target]; the sum is the target of the galaxy less that of the baseline.

    Notes
    -----
    Lundberg & Lee (2017, arXiv 1705.07874), Theorem 2, in pairs as Covert & Lee (2021, arXiv 2012.01536).
    """
    n_players = regions.n_players
    masked = MaskedScore(score, inputs, filling, regions)
    if n_players == 1:
        return leave_one_out(score, inputs, filling, regions)
    subsets, weights = _subsets(n_players, n_samples, seed)
    kept = np.concatenate([np.zeros((1, n_players)), np.ones((1, n_players)), subsets])
    # The sum is imposed by leaving out the last player, which gets what the others leave.
    design = (subsets[:, :-1] - subsets[:, -1:]) * np.sqrt(weights)[:, None]
    found = []
    for galaxy in range(_count(masked)):
        nothing, all_players, *answers = masked(galaxy, kept)
        total = all_players - nothing
        answers = (np.array(answers) - nothing - subsets[:, -1] * total) * np.sqrt(weights)
        first = np.linalg.lstsq(design, answers, rcond=None)[0]
        found.append([*first, total - first.sum()])
    return np.array(found)


def _subsets(n_players, n_samples, seed):
    """Subsets, neither empty nor whole, shape (m, n_players), and their weights in the least squares."""
    if n_players <= MAX_EXACT and 2**n_players - 2 <= n_samples:
        members = [chosen for k in range(1, n_players) for chosen in combinations(range(n_players), k)]
        subsets = np.zeros((len(members), n_players))
        for row, chosen in zip(subsets, members):
            row[list(chosen)] = 1
        sizes = subsets.sum(axis=1).astype(int)
        return subsets, np.array([(n_players - 1) / (comb(n_players, k) * k * (n_players - k)) for k in sizes])
    # Sizes are drawn by the kernel, so that the drawn subsets have equal weights.
    rng, sizes = np.random.default_rng(seed), np.arange(1, n_players)
    probability = 1 / (sizes * (n_players - sizes))
    drawn = rng.choice(sizes, n_samples // 2, p=probability / probability.sum())
    order = rng.random((len(drawn), n_players)).argsort(axis=1)
    subsets = (order < drawn[:, None]).astype(float)
    return np.concatenate([subsets, 1 - subsets]), np.ones(2 * len(subsets))


def _count(masked):
    """Number of galaxies."""
    return len(masked.given[masked.image])
