"""Agreement over an ensemble: members that answer alike should look at the same pixels."""

from itertools import combinations

import numpy as np

from photoz_morph.explain.faithfulness.mu_fidelity import rank_correlation


def mean_correlation(members):
    """Mean over all pairs of members of the rank correlation of their maps.

    Parameters
    ----------
    members : sequence of ndarray, shape (n, ...)
        Attribution of one input by each member, in the same order of galaxies.

    Returns
    -------
    ndarray, shape (n,)
        1 for the same order of all pixels, about 0 for members that have nothing in common.

    Raises
    ------
    ValueError
        If there are fewer than two members or their shapes differ.
    """
    members = _stacked(members)
    pairs = list(combinations(range(len(members)), 2))
    return np.array([
        np.mean([rank_correlation(members[one, galaxy], members[other, galaxy]) for one, other in pairs])
        for galaxy in range(members.shape[1])
    ])  # fmt: skip


def signal_to_noise(members):
    """Mean attribution over the members, over the standard error of that mean.

    Parameters
    ----------
    members : sequence of ndarray, shape (n, ...)

    Returns
    -------
    ndarray, shape (n, ...)
        Beyond about 3, an attribution is not one member's whim. 0 where all are 0.

    Raises
    ------
    ValueError
        If there are fewer than two members or their shapes differ.
    """
    members = _stacked(members)
    error = members.std(axis=0, ddof=1) / np.sqrt(len(members))
    mean = members.mean(axis=0)
    infinite = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
    return np.divide(mean, error, out=infinite, where=error > 0)


def _stacked(members):
    """Maps of the members, shape (n_members, n, ...), in double precision."""
    shapes = {np.shape(member) for member in members}
    if len(members) < 2 or len(shapes) > 1:
        raise ValueError(f"agreement needs two members or more with maps of one shape, got {len(members)} of {shapes}")
    return np.stack([np.asarray(member, np.float64) for member in members])
