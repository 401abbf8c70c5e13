"""Sobol indices (Fel et al. 2021): the share of a target's variance that a player has to do with, alone or jointly."""

import numpy as np
from scipy.stats import qmc

from photoz_morph.explain.occlusion.regions import MaskedScore


def total_sobol_indices(score, inputs, filling, regions, n_designs=32, seed=0):
    """Total Sobol index of each player, whose presence varies between 0 and 1.

    Parameters
    ----------
    score : Score
    inputs, filling : ndarray or dict of ndarray
        See `regions.MaskedScore`.
    regions : Regions
    n_designs : int
        N: there are N (n_players + 2) evaluations for each galaxy. A power of two suits the sequence best.
    seed : int
        Of the scrambled Sobol sequence.

    Returns
    -------
    ndarray, shape (n, n_players)
        Between 0 and 1 but for noise; without sign. NaN where the target does not vary.

    Notes
    -----
    Fel et al. (2021, arXiv 2111.04138), Eq. 3, by the estimator of Jansen (1999) as there.
    """
    masked, n_players = MaskedScore(score, inputs, filling, regions), regions.n_players
    drawn = qmc.Sobol(2 * n_players, rng=seed).random(n_designs)
    first, second = drawn[:, :n_players], drawn[:, n_players:]
    mixed = np.repeat(first[None], n_players, axis=0)
    for player in range(n_players):
        mixed[player, :, player] = second[:, player]
    kept = np.concatenate([first, second, mixed.reshape(-1, n_players)])
    found = []
    for galaxy in range(len(masked.given[masked.image])):
        values = masked(galaxy, kept)
        of_first, of_mixed = values[:n_designs], values[2 * n_designs :].reshape(n_players, n_designs)
        variance = values[: 2 * n_designs].var(ddof=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(np.mean((of_first - of_mixed) ** 2, axis=1) / (2 * variance))
    return np.array(found)
