"""Errors of means and of sigma_MAD for galaxies that come in groups, such as simulated copies of one real galaxy.

Each takes one value per galaxy and the number of its group, as from `number_groups`. Groups are independent of each
other; galaxies of a group are not. Where every group is one galaxy the errors are the textbook ones.
"""

import numpy as np


def number_groups(group_id, n):
    """Number of each galaxy's group, 0 to n_groups - 1 in order of appearance, and the number of groups.

    Parameters
    ----------
    group_id : ndarray, shape (n,), or None
        None if every galaxy is a group of its own.
    n : int

    Returns
    -------
    group : ndarray of int, shape (n,)
    n_groups : int

    Raises
    ------
    ValueError
        If there is not one group_id per galaxy.
    """
    if group_id is None:
        return np.arange(n), n
    group_id = np.asarray(group_id)
    if group_id.shape != (n,):
        raise ValueError(f"group_id has shape {group_id.shape}, the galaxies need ({n},)")
    _, first, group = np.unique(group_id, return_index=True, return_inverse=True)
    rank = np.empty(len(first), int)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[group], len(first)


def count_groups(group):
    """Number of groups among some galaxies; `group` of shape (n,) as from `number_groups`."""
    return int(np.count_nonzero(np.bincount(group)))


def mean_error(values, group):
    """Standard error of a mean.

    Parameters
    ----------
    values : ndarray, shape (n,)
    group : ndarray of int, shape (n,)

    Returns
    -------
    float
        For groups of one the standard deviation over the square root of n.

    Notes
    -----
    Linearisation, with the group as unit: Liang & Zeger (1986).
    """
    return float(np.sqrt(np.sum(np.bincount(group, values - values.mean()) ** 2)) / len(values))


def pair_covariance(values, group):
    """Mean product of the values of two galaxies of one group, over all such pairs.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Of mean zero.
    group : ndarray of int, shape (n,)

    Returns
    -------
    float
        0 where no group has two galaxies, and where it would be negative: copies resemble each other, and noise
        must not make errors smaller than those of independent galaxies.
    """
    count = np.bincount(group)
    n_pairs = np.sum(count * (count - 1))
    if n_pairs == 0:
        return 0.0
    return max(float(np.sum(np.bincount(group, values) ** 2) - np.sum(values**2)) / n_pairs, 0.0)


def fraction_design_effect(is_in, group):
    """Design effect of a fraction: factor by which groups increase its variance, 1 or more.

    Parameters
    ----------
    is_in : ndarray of bool, shape (n,)
    group : ndarray of int, shape (n,)

    Returns
    -------
    float
        If none or all galaxies are in, that of groups whose galaxies all behave alike.

    Notes
    -----
    Kish (1965), Sec. 5.4.
    """
    offset = is_in - np.mean(is_in)
    variance, count = np.sum(offset**2), np.bincount(group)
    if variance == 0:
        return float(np.sum(count**2.0) / len(group))
    return float(1 + pair_covariance(offset, group) * np.sum(count * (count - 1.0)) / variance)


def mad_influence(values):
    """Influence function of `sigma_mad` at each value: `(influence, factor)`, to be multiplied.

    Parameters
    ----------
    values : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n,)
        Influence function of the MAD in units of the factor.
    float
        NaN where half of the values are one number.

    Notes
    -----
    Hampel et al. (1986), Sec. 2.3; Falk (1997) for skewed distributions. Densities are counts within
    0.7 MAD n^(-1/5) of a point.
    """
    values = np.asarray(values, float)
    offset = values - np.median(values)
    mad = np.median(np.abs(offset))
    half_width = 0.7 * mad * len(values) ** -0.2
    if mad == 0:
        return np.zeros(len(values)), np.nan
    below, middle, above = (
        np.mean(np.abs(offset - point) < half_width) / (2 * half_width) for point in (-mad, 0, mad)
    )
    if min(below + above, middle) == 0:
        return np.zeros(len(values)), np.nan
    influence = np.sign(np.abs(offset) - mad) - (above - below) / middle * np.sign(offset)
    return influence, 1.4826 / (2 * (above + below))


def mad_error(values, group=None):
    """Standard error of `sigma_mad`, from the density of the values at their median and one MAD from it.

    Parameters
    ----------
    values : ndarray, shape (n,)
    group : ndarray of int, shape (n,), optional
        By default every galaxy is independent.

    Returns
    -------
    float
        NaN where half of the values are one number. For a Gaussian 1.166 sigma / sqrt(n).

    Notes
    -----
    Root mean square of the influence function (`mad_influence`), summed over each group first. As accurate as a
    bootstrap, without its hundreds of medians.
    """
    influence, factor = mad_influence(values)
    if group is not None:
        influence = np.bincount(group, influence)
    return factor * np.sqrt(np.sum(influence**2)) / len(values)
