"""Assignment of groups of galaxies to folds and splits by a stable hash."""

import numpy as np

N_FOLDS = 5  # Pasquet et al. (2019), Sec. 3.8
SPLITS = ("train", "validation", "test")
SPLIT_FRACTIONS = (0.7, 0.1, 0.2)  # Ciprijanovic et al. (2021), Sec. 2


def assign_fold(group_id, n_folds=N_FOLDS):
    """Fold of each group from a stable hash, independent of the machine and of the rest of the sample.

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
    The hash is the finaliser of SplitMix64 (Steele, Lea & Flood 2014): neighbouring ids fall in unrelated folds.
    """
    return (_splitmix64(group_id, 1) % np.uint64(n_folds)).astype(int)


def assign_split(group_id, fractions=SPLIT_FRACTIONS):
    """Split of each group from a stable hash, independent of the hash of its fold.

    Parameters
    ----------
    group_id : ndarray of int, shape (n,)
        64-bit identifier shared by all copies, views and snapshots of a galaxy.
    fractions : tuple of 3 floats
        Expected fractions of the groups in training, validation and test; their sum is 1.

    Returns
    -------
    ndarray of str, shape (n,)
        Values of `SPLITS`.

    Raises
    ------
    ValueError
        If the fractions are not three numbers from 0 to 1 with sum 1.
    """
    if len(fractions) != len(SPLITS) or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise ValueError(f"split fractions are {fractions}; give {len(SPLITS)} numbers from 0 to 1 with sum 1")
    position = (_splitmix64(group_id, 2) >> np.uint64(11)) / 2**53  # uniform in [0, 1)
    return np.array(SPLITS)[np.searchsorted(np.cumsum(fractions)[:-1], position, side="right")]


def storage_order(group_id, obj_id):
    """Sort keys that put the galaxies of a group side by side and the groups in an order without meaning.

    Parameters
    ----------
    group_id, obj_id : ndarray of int, shape (n,)

    Returns
    -------
    list of int
        128 bits: a stable hash of the group, independent of those of its fold and split, then the galaxy.

    Notes
    -----
    A slice of galaxies in this order is a random choice of groups, and cuts at most one of them at each end.
    """
    group = _splitmix64(group_id, 3)
    galaxy = np.atleast_1d(np.asarray(obj_id)).astype(np.int64).view(np.uint64)
    return [(int(first) << 64) | int(second) for first, second in zip(group, galaxy)]


def _splitmix64(seed, number):
    """Output `number`, counted from 1, of the SplitMix64 generator of each seed."""
    with np.errstate(over="ignore"):
        x = np.atleast_1d(np.asarray(seed)).astype(np.int64).view(np.uint64)
        x = x + np.uint64(number) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
