"""Errors of scores: the scores of samples redrawn with replacement from the galaxies.

In go one value per galaxy, or several quantities of the same galaxies; out come the scores of each redrawn sample. The
same number of galaxies and seed redraw the same galaxies, so the difference of two calls is a paired bootstrap.
"""

import numpy as np

from photoz_morph.metrics.checks import checked

RESAMPLE_ENTRIES = 1_000_000  # galaxies times resamples drawn at once: 8 MB an array


def bootstrap(statistic, values, n_resamples=200, seed=0):
    """A statistic of redrawn samples; its standard deviation is the error.

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


def bootstrap_scores(scores, per_galaxy, n_resamples=200, seed=0):
    """Several scores of redrawn samples, the same samples for all of them.

    Parameters
    ----------
    scores : dict of str to (str, callable)
        As `photoz.SCORES`: which quantity a score is made of, and how it condenses (k, n) to (k,).
    per_galaxy : dict of str to ndarray, shape (n,)
        The quantities, of the same galaxies in the same order.
    n_resamples, seed : int

    Returns
    -------
    dict of str to ndarray, shape (n_resamples,)

    Raises
    ------
    ValueError
        If a quantity is empty or not finite, or `n_resamples` is below 2.

    Notes
    -----
    Resamples are drawn a few at a time, so memory does not grow with their number. A quantity of several scores is
    sorted beforehand and put together in order, from how often each galaxy was drawn: medians and distances between
    distributions are then found without sorting every sample for every score.
    """
    if n_resamples < 2:
        raise ValueError(f"a bootstrap error needs at least 2 resamples, got {n_resamples}")
    per_galaxy = {quantity: checked(per_galaxy[quantity], quantity) for quantity, _ in scores.values()}
    n = len(next(iter(per_galaxy.values())))
    rng, at_once = np.random.default_rng(seed), max(1, RESAMPLE_ENTRIES // n)
    parts = {score: [] for score in scores}
    made_of = {quantity: [score for score in scores if scores[score][0] == quantity] for quantity in per_galaxy}
    orders = {quantity: np.argsort(values) for quantity, values in per_galaxy.items() if len(made_of[quantity]) > 1}
    for start in range(0, n_resamples, at_once):
        drawn = rng.integers(0, n, (min(at_once, n_resamples - start), n))
        counts = [np.bincount(galaxies, minlength=n) for galaxies in drawn] if orders else []
        for quantity, values in per_galaxy.items():
            if quantity in orders:
                order = orders[quantity]
                in_order = values[order]
                resamples = np.stack([np.repeat(in_order, count[order]) for count in counts])
            else:
                resamples = values[drawn]
            for score in made_of[quantity]:
                parts[score].append(scores[score][1](resamples))
    return {score: np.concatenate(values) for score, values in parts.items()}
