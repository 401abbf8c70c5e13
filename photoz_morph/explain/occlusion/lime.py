"""LIME (Ribeiro et al. 2016): a linear model of the target near the galaxy, in the presence of players."""

import numpy as np
from sklearn.linear_model import Ridge

from photoz_morph.explain.occlusion.regions import MaskedScore


def lime(score, inputs, filling, regions, n_samples=1000, kernel_width=0.25, ridge=1.0, seed=0):
    """Weights of the players in a linear model of the target, fitted to the galaxy with random players taken away.

    Parameters
    ----------
    score : Score
    inputs, filling : ndarray or dict of ndarray
        See `regions.MaskedScore`.
    regions : Regions
        Such as `regions.superpixels`.
    n_samples : int
        The first keeps all players; in the others each is kept with probability 1/2.
    kernel_width : float
        Of the weights exp(-d^2 / width^2), d the cosine distance from all players.
    ridge : float
        Penalty of the squared weights (scikit-learn's alpha) for a target of unit variance.
    seed : int

    Returns
    -------
    ndarray, shape (n, n_players)
        [target]; the sum need not be the difference to be explained.

    Notes
    -----
    Ribeiro et al. (2016, arXiv 1602.04938), Eq. 2, with distance, width and ridge of the authors' code for images.
    """
    masked = MaskedScore(score, inputs, filling, regions)
    kept = (np.random.default_rng(seed).random((n_samples, regions.n_players)) < 0.5).astype(float)
    kept[0] = 1
    distance = 1 - np.sqrt(kept.mean(axis=1))  # cosine of a set of 0 and 1 with all 1
    weights = np.exp(-((distance / kernel_width) ** 2))
    found = []
    for galaxy in range(len(masked.given[masked.image])):
        answers = masked(galaxy, kept)
        scale = answers.std() or 1.0  # the penalty must not depend on the unit of the target
        model = Ridge(alpha=ridge).fit(kept, (answers - answers.mean()) / scale, sample_weight=weights)
        found.append(scale * model.coef_)
    return np.array(found)
