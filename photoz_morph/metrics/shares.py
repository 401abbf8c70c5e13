"""Errors of shares, such as that of outliers, which are not 0 where no galaxy is inside or all are.

In go how many galaxies are inside, and of how many; out comes the standard error of their share.
"""

import numpy as np


def share_error(n_inside, n):
    """Standard error of a share counted on independent galaxies.

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
