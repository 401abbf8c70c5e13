"""Scores of attacks on redshifts: fraction of galaxies moved against the size of the change, and two victims compared.

Intervals are of 95 % and resample parents. A fraction of 0 or 1, which every resample repeats, has Wilson's interval
instead.
"""

import numpy as np

from photoz_morph.metrics.fractions import effective_number, wilson_interval
from photoz_morph.metrics.group_errors import group_bootstrap

SIZES = ("electrons", "sigma")
LEVEL = 0.95
N_RESAMPLES = 1000


def sizes_of(table, size):
    """Size of the change of each galaxy, infinite where it was not moved or the size is unknown: shape (n,).

    Parameters
    ----------
    table : Table
        From `attack_files.read_attacks`.
    size : {"electrons", "sigma"}
    """
    values = np.asarray(table[size], float)
    return np.where(np.isfinite(values) & np.asarray(table["moved"], bool), values, np.inf)


def moved_fractions(table, size, largest):
    """Fractions of the galaxies moved by a change no larger than given, with intervals.

    Parameters
    ----------
    table : Table
    size : {"electrons", "sigma"}
    largest : array_like, shape (k,)

    Returns
    -------
    fraction, low, high : ndarray, shape (k,)
    """
    moved = sizes_of(table, size)[:, None] <= np.atleast_1d(largest)
    return _with_interval(moved.astype(float), table["group_id"])


def moved_curve(table, size):
    """Fraction moved against the size of the change, a point for each galaxy.

    Parameters
    ----------
    table : Table
    size : {"electrons", "sigma"}

    Returns
    -------
    size, fraction, low, high : ndarray, shape (k,)
        Rising; empty where none was moved.
    """
    values = sizes_of(table, size)
    points = np.unique(values[np.isfinite(values)])
    return (points, *moved_fractions(table, size, points)) if len(points) else (points,) * 4


def median_size(table, size):
    """Median over all galaxies of the size of the change, with its interval.

    Parameters
    ----------
    table : Table
    size : {"electrons", "sigma"}

    Returns
    -------
    dict
        value, interval [low, high]; infinite where half of the galaxies were not moved.
    """
    values = sizes_of(table, size)
    groups, group = np.unique(np.asarray(table["group_id"]), return_inverse=True)
    drawn = np.random.default_rng(0).multinomial(len(groups), np.full(len(groups), 1 / len(groups)), N_RESAMPLES)
    medians = [_median(np.repeat(values, counts[group])) for counts in drawn]
    tail = (1 - LEVEL) / 2
    return {"value": _median(values),
            "interval": [float(np.quantile(medians, q, method="nearest")) for q in (tail, 1 - tail)]}  # fmt: skip


def compare_victims(first, second, size, largest):
    """Paired comparison of an attack on two victims, on the galaxies attacked in both.

    Parameters
    ----------
    first, second : Table
    size : {"electrons", "sigma"}
    largest : array_like, shape (k,)

    Returns
    -------
    dict
        n_galaxies; `difference`, `low`, `high`, shape (k,): fraction of the second moved by a change no larger than
        given less that of the first; `harder`, the numbers of galaxies for which the first, and the second, needs the
        larger change; and `ratio`, the median size of the first over that of the second among galaxies moved in both,
        NaN if there are none.
    """
    _, *rows = np.intersect1d(first["obj_id"], second["obj_id"], return_indices=True)
    pair = [table[own] for table, own in zip((first, second), rows)]
    one, two = (sizes_of(table, size) for table in pair)
    votes = (two[:, None] <= np.atleast_1d(largest)).astype(float) - (one[:, None] <= np.atleast_1d(largest))
    difference, low, high = _with_interval(votes, pair[0]["group_id"], is_fraction=False)
    both = np.isfinite(one) & np.isfinite(two)
    return {
        "n_galaxies": len(one), "difference": difference, "low": low, "high": high,
        "harder": [int(np.sum(one > two)), int(np.sum(two > one))],
        "ratio": float(np.exp(np.median(np.log(one[both] / two[both])))) if both.any() else float("nan"),
    }  # fmt: skip


def _with_interval(terms, group_id, is_fraction=True):
    """Means of terms, shape (n, k), with intervals; Wilson's for a fraction of 0 or 1."""
    mean = terms.mean(axis=0)
    sums = np.concatenate([np.ones((len(terms), 1)), terms], axis=1)
    low = high = mean
    if len(np.unique(group_id)) > 1:
        tail = (1 - LEVEL) / 2
        resampled = group_bootstrap(lambda total: total[:, 1:] / total[:, :1], sums, group_id, N_RESAMPLES)
        low, high = np.quantile(resampled, (tail, 1 - tail), axis=0)
    if is_fraction:
        wilson = wilson_interval(mean, effective_number(group_id), LEVEL)
        at_end = (mean == 0) | (mean == 1)
        low, high = np.where(at_end, wilson[0], low), np.where(at_end, wilson[1], high)
    return mean, low, high


def _median(values):
    """Median, of an even number the larger of the two in the middle: some may be infinite."""
    return float(np.sort(values)[len(values) // 2])
