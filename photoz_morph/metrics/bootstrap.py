"""Bootstrap errors of scores, with galaxies or their parents resampled with replacement.

Each takes one value per galaxy, or several quantities of the same galaxies, and returns the scores of each resample.
The same number of galaxies, groups and seed draw the same samples, so that two calls are a paired bootstrap.
"""

import numpy as np

from photoz_morph.metrics.checks import checked
from photoz_morph.metrics.group_sums import number_groups

RESAMPLE_ENTRIES = 1_000_000  # galaxies times resamples drawn at once: 8 MB an array


def bootstrap(statistic, values, n_resamples=200, seed=0):
    """Statistic of each resample; its standard deviation is the standard error.

    Parameters
    ----------
    statistic : callable
        Maps (k, n) to (k,), such as `sigma_mad`.
    values : ndarray, shape (n,)
        One value per galaxy.
    n_resamples, seed : int

    Returns
    -------
    ndarray, shape (n_resamples,)

    Raises
    ------
    ValueError
        If `values` is empty or not finite, or `n_resamples` is below 2.

    Notes
    -----
    Efron (1979).
    """
    return bootstrap_scores({"score": ("values", statistic)}, {"values": values}, n_resamples, seed)["score"]


def bootstrap_scores(scores, per_galaxy, n_resamples=200, seed=0, group_id=None):
    """Several scores of each resample, the same resamples for all of them.

    Parameters
    ----------
    scores : dict of str to (str, callable)
        As `point_scores.SCORES`: the quantity of a score, and the function that maps it from (k, n) to (k,).
    per_galaxy : dict of str to ndarray, shape (n,)
        The quantities, of the same galaxies in the same order.
    n_resamples, seed : int
    group_id : ndarray, shape (n,), optional
        Galaxies of a group are resampled together: copies of one parent are not independent, and errors that treat
        them so are too small. By default each galaxy is a group.

    Returns
    -------
    dict of str to ndarray, shape (n_resamples,)

    Raises
    ------
    ValueError
        If a quantity is empty or not finite, `n_resamples` is below 2, or `group_id` is of another length or a single
        group.

    Notes
    -----
    Efron (1979); with groups as units (cluster bootstrap, as in `group_errors`) a sample has as many groups as the
    original and about as many galaxies.

    Resamples are drawn a few at a time, so memory does not grow with their number. A quantity of several scores is
    sorted once, and each resample repeats its values in order: medians and distances between distributions then need
    no sorting of every sample for every score.
    """
    if n_resamples < 2:
        raise ValueError(f"a bootstrap error needs at least 2 resamples, got {n_resamples}")
    per_galaxy = {quantity: checked(per_galaxy[quantity], quantity) for quantity, _ in scores.values()}
    n = len(next(iter(per_galaxy.values())))
    group, n_groups = _groups(group_id, n)
    # Resampled groups have varying numbers of galaxies, so their samples are not rows of one array.
    at_once = max(1, RESAMPLE_ENTRIES // n) if group is None else 1
    rng = np.random.default_rng(seed)
    parts = {score: [] for score in scores}
    made_of = {quantity: [score for score in scores if scores[score][0] == quantity] for quantity in per_galaxy}
    orders = {quantity: np.argsort(values) for quantity, values in per_galaxy.items() if len(made_of[quantity]) > 1}
    for start in range(0, n_resamples, at_once):
        drawn = rng.integers(0, n_groups, (min(at_once, n_resamples - start), n_groups))
        counts = [np.bincount(units, minlength=n_groups) for units in drawn] if orders or group is not None else []
        if group is not None:
            counts = [count[group] for count in counts]
        for quantity, values in per_galaxy.items():
            if quantity in orders:
                order = orders[quantity]
                in_order = values[order]
                resamples = np.stack([np.repeat(in_order, count[order]) for count in counts])
            elif group is None:
                resamples = values[drawn]
            else:
                resamples = np.stack([np.repeat(values, count) for count in counts])
            for score in made_of[quantity]:
                parts[score].append(scores[score][1](resamples))
    return {score: np.concatenate(values) for score, values in parts.items()}


def _groups(group_id, n):
    """Group number of each galaxy, None where each is its own group, and the number of groups."""
    group, n_groups = number_groups(group_id, n)
    if n_groups < 2 and group_id is not None:
        raise ValueError(
            f"all {n} galaxies have group_id {group_id[0]}; errors need galaxies of two parents or more"
        )
    return (None if n_groups == n else group), n_groups
