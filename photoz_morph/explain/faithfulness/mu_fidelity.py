"""MuFidelity (Bhatt et al. 2020): whether the attribution of random parts of a stamp tells what their removal does."""

import numpy as np
from scipy.stats import rankdata

from photoz_morph.explain.faithfulness.curves import map_of_image
from photoz_morph.explain.gradients import named
from photoz_morph.explain.occlusion.regions import MaskedScore, patches
from photoz_morph.explain.sky import image_name


def mu_fidelity(score, inputs, attribution, filling, size=4, share=0.2, n_samples=200, each_band=True, seed=0):
    """Rank correlation between the summed attribution of random patches and the loss when these are removed.

    Parameters
    ----------
    score : Score
    inputs : ndarray or dict of ndarray
    attribution : ndarray or dict of ndarray
        Signed, as of `integrated_gradients`; of the image, with bands or without. Scalars stay those of the galaxy.
    filling : ndarray or dict of ndarray
        From `sky.baseline`. Its image is used.
    size : int
        Side of a patch [pixel].
    share : float
        Of the patches, removed in each sample.
    n_samples : int
    each_band : bool
        Whether patches are removed from each band alone.
    seed : int

    Returns
    -------
    ndarray, shape (n,)
        1 for a map that orders all losses; NaN where the target or the map does not vary.

    Notes
    -----
    Bhatt et al. (2020, arXiv 2005.00631), Eq. 3, with Spearman's correlation instead of Pearson's, since only the order
    is asked for.
    """
    given = named(inputs)
    image = image_name(given)
    shape = np.shape(given[image])
    maps = map_of_image(attribution, image, shape)
    regions = patches(shape[1:], size, each_band)
    masked = MaskedScore(score, inputs, filling, regions)
    n_removed = max(1, round(share * regions.n_players))
    order = np.random.default_rng(seed).random((n_samples, regions.n_players)).argsort(axis=1)
    kept = (order >= n_removed).astype(float)
    found = []
    for galaxy in range(shape[0]):
        sums = np.bincount(regions.labels.ravel(), weights=maps[galaxy].ravel(), minlength=regions.n_players)
        found.append(rank_correlation((1 - kept) @ sums, -masked(galaxy, kept)))
    return np.array(found)


def rank_correlation(a, b):
    """Spearman's rank correlation of two arrays of equal size; NaN where one is constant."""
    a, b = (rankdata(np.ravel(values)) for values in (a, b))
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt(np.sum(a**2) * np.sum(b**2))
    return float(np.sum(a * b) / scale) if scale else np.nan
