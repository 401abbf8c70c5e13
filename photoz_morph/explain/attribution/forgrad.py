"""FORGrad (Muzellec et al. 2024): gradients without the high frequencies that strided networks put into them."""

import numpy as np

CUTOFFS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)  # cycles per pixel; 0.5 is that of neighbouring pixels


def low_pass(maps, cutoff):
    """Maps with their low spatial frequencies only, in each band; their sums stay.

    Parameters
    ----------
    maps : ndarray, shape (n, rows, columns, n_bands)
        An attribution, or a gradient.
    cutoff : float
        Largest frequency that is kept [cycles per pixel].

    Returns
    -------
    ndarray, shape (n, rows, columns, n_bands)

    Raises
    ------
    ValueError
        If the cutoff is not positive.

    Notes
    -----
    Muzellec et al. (2024, arXiv 2307.09591), who cut at a square; here frequencies are kept in a circle.
    """
    if not cutoff > 0:
        raise ValueError(f"cutoff is {cutoff} cycles per pixel, must be positive; 0.5 keeps what neighbours differ in")
    frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(side) for side in maps.shape[1:3]), indexing="ij"))
    kept = np.fft.fft2(maps, axes=(1, 2)) * (frequency <= cutoff)[None, ..., None]
    return np.fft.ifft2(kept, axes=(1, 2)).real


def best_cutoff(maps, faithfulness, cutoffs=CUTOFFS):
    """Cutoff with which maps are most faithful.

    Parameters
    ----------
    maps : ndarray, shape (n, rows, columns, n_bands)
    faithfulness : callable
        Maps to a number for each galaxy or for all, the larger the better, such as MuFidelity.
    cutoffs : sequence of float
        [cycles per pixel]

    Returns
    -------
    cutoff : float
    scores : ndarray, shape (n_cutoffs,)
        Mean faithfulness with each.
    """
    scores = np.array([float(np.nanmean(faithfulness(low_pass(maps, cutoff)))) for cutoff in cutoffs])
    return cutoffs[int(np.nanargmax(scores))], scores
