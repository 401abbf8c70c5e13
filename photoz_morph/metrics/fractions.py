"""Errors and intervals of fractions, such as that of outliers; they do not vanish at 0 and 1."""

import numpy as np
from scipy import stats


def fraction_error(n_inside, n):
    """Standard error of a fraction of independent galaxies.

    Parameters
    ----------
    n_inside : float or ndarray, shape (...)
        From 0 to `n`.
    n : float or ndarray, shape (...)

    Returns
    -------
    float or ndarray, shape (...)
        sqrt(p (1 - p) / (n + 2)) with p = (n_inside + 1/2) / (n + 1).

    Notes
    -----
    Standard deviation of Beta(n_inside + 1/2, n - n_inside + 1/2), the posterior under Jeffreys' prior, on which the
    Jeffreys interval of Brown, Cai & DasGupta (2001, Sec. 4.1.2) rests. Near the binomial error for many galaxies on
    either side, and 0.7 / n for none.
    """
    p = (n_inside + 0.5) / (n + 1)
    return np.sqrt(p * (1 - p) / (n + 2))


def wilson_interval(fraction, n, level=0.95):
    """Wilson score interval of a fraction, valid at 0 and 1 too.

    Parameters
    ----------
    fraction : ndarray
        Between 0 and 1.
    n : float
        Number of independent objects; need not be whole.
    level : float

    Returns
    -------
    low, high : ndarray

    Notes
    -----
    Wilson (1927).
    """
    z, fraction = stats.norm.ppf((1 + level) / 2), np.asarray(fraction, float)
    centre = (fraction + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(fraction * (1 - fraction) / n + z**2 / (4 * n**2))
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def effective_number(group_id):
    """Effective number of independent galaxies, where those of a group behave alike: Kish (1965), Sec. 8.2."""
    _, members = np.unique(np.asarray(group_id), return_counts=True)
    return float(members.sum() ** 2 / np.sum(members.astype(float) ** 2))
