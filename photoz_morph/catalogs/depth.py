"""Deep and shallow stacks, by their number of frames."""

import numpy as np

DEEP_FRAMES = 10  # stacks of so many frames or more are deep: Stripe 82; elsewhere galaxies lie in one or two


def at_depth(n_frames, depth):
    """Select the galaxies of a depth.

    Parameters
    ----------
    n_frames : ndarray, shape (n, n_bands) or (n,)
        Frames of the stack in each band, or in all of them; a galaxy is deep if all its bands are. A galaxy with NaN,
        unknown, is neither.
    depth : {"all", "deep", "shallow"}

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    n_frames = np.asarray(n_frames, float).reshape(len(n_frames), -1)
    if depth == "all":
        return np.ones(len(n_frames), bool)
    known, deep = np.isfinite(n_frames).all(axis=1), (n_frames >= DEEP_FRAMES).all(axis=1)
    return deep if depth == "deep" else known & ~deep
