"""Errors and tests for samples whose galaxies come in groups: all views of one encounter, all copies of one galaxy.

Galaxies of a group are not independent: counted one by one they give errors and p-values that are too small. Here the
group is the unit that is resampled, and that has one vote.
"""

import numpy as np
from scipy import stats

INTERVAL = 0.95  # our choice


def group_bootstrap(function, terms, group_id, n_resamples=1000, seed=0):
    """Function of sums over galaxies, for samples in which whole groups are resampled with replacement.

    The same groups and seed draw the same samples, so the difference of two calls is a paired bootstrap.

    Parameters
    ----------
    function : callable
        Maps (n_resamples, ...) sums to (n_resamples, ...) values, such as `classification.accuracy`.
    terms : ndarray, shape (n, ...)
        Contribution of each galaxy to the sums, such as one of `classification.galaxy_terms`.
    group_id : ndarray, shape (n,)
    n_resamples, seed : int

    Returns
    -------
    ndarray, shape (n_resamples, ...)

    Raises
    ------
    ValueError
        If the lengths differ, there are fewer than two groups or fewer than two resamples.

    Notes
    -----
    Efron (1979) with the group as unit (cluster bootstrap). A resample only weights the sums of each group by the
    number of times it was drawn, so a thousand of them take milliseconds.
    """
    terms = np.asarray(terms, float)
    group_id = np.asarray(group_id)
    if len(group_id) != len(terms):
        raise ValueError(f"{len(group_id)} group_id but {len(terms)} galaxies; they must be of one table")
    order = np.argsort(group_id, kind="stable")
    groups, starts = np.unique(group_id[order], return_index=True)
    drawn = _drawn(len(groups), n_resamples, seed)
    sums = np.add.reduceat(terms[order], starts, axis=0)
    return function(np.tensordot(drawn, sums, axes=1))


def group_weights(group_id, n_resamples=1000, seed=0):
    """Number of times that each galaxy is in each sample of `group_bootstrap`, for what is no function of sums.

    Parameters
    ----------
    group_id : ndarray, shape (n,)
    n_resamples, seed : int
        As there, where the same values draw the same samples.

    Returns
    -------
    ndarray, shape (n_resamples, n)

    Raises
    ------
    ValueError
        If there are fewer than two groups or fewer than two resamples.
    """
    groups, group = np.unique(np.asarray(group_id), return_inverse=True)
    return _drawn(len(groups), n_resamples, seed)[:, group]


def _drawn(n_groups, n_resamples, seed):
    """Number of times that each group is drawn in each resample, shape (n_resamples, n_groups)."""
    if n_groups < 2:
        raise ValueError(f"a bootstrap over groups needs two groups or more, got {n_groups}; check group_id")
    if n_resamples < 2:
        raise ValueError(f"a bootstrap error needs at least 2 resamples, got {n_resamples}")
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), n_resamples).astype(float)


def mean_with_interval(values, group_id, statistic="mean", seed=0):
    """Mean or root mean square over galaxies, with its 95 % interval, which resamples parents.

    Parameters
    ----------
    values : ndarray, shape (n,)
        NaN where they say nothing.
    group_id : ndarray, shape (n,)
    statistic : {"mean", "rms"}
    seed : int

    Returns
    -------
    dict
        `value`, `interval` and the number `n` of galaxies; NaN where there are fewer than two parents.
    """
    known = np.isfinite(values)
    values, groups = np.asarray(values, float)[known], np.asarray(group_id)[known]
    power = {"mean": 1, "rms": 2}[statistic]

    def of_sums(sums):
        return (sums[..., 0] / sums[..., 1]) ** (1 / power)

    terms = np.column_stack([values**power, np.ones(len(values))])
    if len(np.unique(groups)) < 2:
        return {"value": float("nan"), "interval": [float("nan")] * 2, "n": len(values)}
    resampled = group_bootstrap(of_sums, terms, groups, seed=seed)
    ends = np.nanquantile(resampled, ((1 - INTERVAL) / 2, (1 + INTERVAL) / 2))
    return {"value": float(of_sums(terms.sum(axis=0))), "interval": ends.tolist(), "n": len(values)}


def interval(value, components):
    """Standard error and 95 % interval of a value whose error has several independent parts.

    Parameters
    ----------
    value : float
    components : list of (float, int)
        Standard error and degrees of freedom of each part, such as the test galaxies and the training seeds.

    Returns
    -------
    dict
        value, error, interval [low, high].

    Notes
    -----
    Student's t with the degrees of freedom of Satterthwaite (1946) and Welch (1947). The scatter of three seeds is
    poorly known, and a Gaussian interval would ignore that.
    """
    variances = np.array([error**2 for error, _ in components])
    total = variances.sum()
    half = 0.0
    if total > 0:
        freedom = total**2 / sum(part**2 / n for part, (_, n) in zip(variances, components))
        half = stats.t.ppf((1 + INTERVAL) / 2, freedom) * np.sqrt(total)
    return {
        "value": float(value),
        "error": float(np.sqrt(total)),
        "interval": [float(value - half), float(value + half)],
    }


def mcnemar(first, second):
    """McNemar's test of equal accuracy of two classifiers on the same galaxies.

    Parameters
    ----------
    first, second : ndarray of bool, shape (n,)
        Whether each is right.

    Returns
    -------
    dict
        only_first, only_second (galaxies) and the two-sided p_value, 1 where the two never differ.

    Notes
    -----
    McNemar (1947) in its exact form: one count is binomial with probability 1/2, so no count is too small. Galaxies
    are taken as independent; see `mcnemar_of_groups`.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    n = only_first + only_second
    p_value = float(stats.binomtest(only_first, n, 0.5).pvalue) if n else 1.0
    return {"only_first": only_first, "only_second": only_second, "p_value": p_value}


def mcnemar_of_groups(first, second, group_id):
    """`mcnemar` with one vote per group, for the classifier that is right more often over its galaxies and seeds.

    Parameters
    ----------
    first, second : ndarray, shape (n, n_seeds)
        Whether each seed of each classifier is right; the numbers of seeds may differ.
    group_id : ndarray, shape (n,)

    Returns
    -------
    dict
        As from `mcnemar`, counts of groups. It is the sign test over groups, Conover (1999), Sec. 3.4.
    """
    _, group = np.unique(np.asarray(group_id), return_inverse=True)
    gain = np.bincount(group, np.mean(second, axis=1, dtype=float) - np.mean(first, axis=1, dtype=float))
    gain = np.round(gain, 9)  # sums of thirds cancel only to 1e-16, which would count as a vote
    return mcnemar(gain < 0, gain > 0)
