"""Dense layers behind flattened maps, for maps of another size."""

import numpy as np


def centred_rows(rows, old, new):
    """Rows of the kernel of a dense layer, for maps of another size about the same centre.

    Parameters
    ----------
    rows : ndarray, shape (n_old, units)
    old, new : tuple of int
        Rows, columns and number of the maps, which is the same; n_old is the product of `old`.

    Returns
    -------
    ndarray, shape (n_new, units)
        0 where the old maps did not reach.
    """
    rows = rows.reshape(*old, -1)
    for axis in (0, 1):
        missing = new[axis] - old[axis]
        before = abs(missing) // 2
        if missing >= 0:
            widths = [(0, 0)] * rows.ndim
            widths[axis] = (before, missing - before)
            rows = np.pad(rows, widths)
        else:
            rows = np.take(rows, range(before, before + new[axis]), axis=axis)
    return rows.reshape(-1, rows.shape[-1])
