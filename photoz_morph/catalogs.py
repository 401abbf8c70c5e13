"""Galaxy tables, and the stable folds that keep copies of one galaxy together."""

import numpy as np

N_FOLDS = 5  # Pasquet et al. (2019), Sec. 3.8


def assign_fold(group_id, n_folds=N_FOLDS):
    """Fold of each group, from a stable hash: the same on every machine and whatever else is in the sample.

    Parameters
    ----------
    group_id : ndarray of int, shape (n,)
        64-bit identifier shared by all copies of a galaxy.
    n_folds : int
        Number of folds.

    Returns
    -------
    ndarray of int, shape (n,)
        Values 0 to n_folds - 1.

    Notes
    -----
    The hash is the finaliser of SplitMix64 (Steele, Lea & Flood 2014), so neighbouring ids fall in unrelated folds.
    """
    with np.errstate(over="ignore"):
        x = np.atleast_1d(np.asarray(group_id)).astype(np.int64).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return (x % np.uint64(n_folds)).astype(int)
