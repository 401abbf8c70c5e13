"""Scores of several methods against the number of labels, with intervals over test galaxies and over repeats.

Repeats are trainings with other seeds and other labelled galaxies. A resample draws parents of test galaxies and
repeats with replacement, the same for all methods, so that differences are paired in both. Of few repeats the scatter
is known badly, and intervals are somewhat too short.
"""

import numpy as np

from photoz_morph.metrics.group_sums import number_groups

COVERAGE = 95  # of the intervals [%]


def label_curve(quantities, scores, group_id, reference, n_resamples=500, seed=0):
    """Scores of each method at each number of labels, and their differences from a reference.

    Parameters
    ----------
    quantities : dict of (str, int) to dict of str to ndarray, shape (n_repeats, n_galaxies)
        By method and number of labels, 0 for networks that have learnt none: what the scores summarise, of the same
        test galaxies in the same order.
    scores : dict of str to (str, callable)
        The quantity of a score, and the function that maps it from (n,) to a number.
    group_id : ndarray, shape (n_galaxies,)
        Parent of each test galaxy.
    reference : str
        Method that the others are compared with.
    n_resamples, seed : int

    Returns
    -------
    list of dict
        `method`, `n_labels`; `scores`, by name `value`, the mean over repeats, `interval` and `repeats`; and of others
        than the reference `differences`, by name `value` and `interval`, at numbers that the reference has.

    Raises
    ------
    ValueError
        If `n_resamples` is below 2, or there are fewer than two parents.
    """
    if n_resamples < 2:
        raise ValueError(f"an interval needs at least 2 resamples, got {n_resamples}")
    n_repeats, n_galaxies = next(iter(next(iter(quantities.values())).values())).shape
    group, n_groups = number_groups(group_id, n_galaxies)
    if n_groups < 2:
        raise ValueError(f"all {n_galaxies} test galaxies are of one parent; intervals need two or more")
    drawn = _draws(group, n_groups, n_repeats, n_resamples, seed)
    values, resampled = {}, {}
    for key, known in quantities.items():
        for name, (quantity, condense) in scores.items():
            arrays = known[quantity]
            values[key, name] = [float(condense(array)) for array in arrays]
            resampled[key, name] = np.array(
                [np.mean([condense(arrays[repeat][rows]) for repeat in repeats]) for rows, repeats in drawn]
            )
    entries = []
    for method, n_labels in quantities:
        key, other = (method, n_labels), (reference, n_labels)
        entry = {"method": method, "n_labels": n_labels, "scores": {}}
        for name in scores:
            entry["scores"][name] = {
                "value": float(np.mean(values[key, name])), "interval": _interval(resampled[key, name]),
                "repeats": values[key, name],
            }  # fmt: skip
        if method != reference and other in quantities:
            entry["differences"] = {
                name: {
                    "value": float(np.mean(values[key, name]) - np.mean(values[other, name])),
                    "interval": _interval(resampled[key, name] - resampled[other, name]),
                }
                for name in scores
            }
        entries.append(entry)
    return entries


def _draws(group, n_groups, n_repeats, n_resamples, seed):
    """Rows of test galaxies and numbers of repeats of each resample."""
    rng = np.random.default_rng(seed)
    rows, draws = np.arange(len(group)), []
    for _ in range(n_resamples):
        counts = np.bincount(rng.integers(0, n_groups, n_groups), minlength=n_groups)
        draws.append((np.repeat(rows, counts[group]), rng.integers(0, n_repeats, n_repeats)))
    return draws


def _interval(values):
    """Both ends of the interval of resampled values."""
    return [float(end) for end in np.percentile(values, [(100 - COVERAGE) / 2, (100 + COVERAGE) / 2])]
