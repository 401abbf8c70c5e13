"""Split-conformal intervals of redshift: stated coverage for galaxies like those they were measured on.

The interval of a galaxy is the central part of its own PDF between the quantiles 1/2 - q and 1/2 + q. q is the quantile
of |PIT - 1/2| of galaxies on which neither the networks nor the recalibration was fitted, with the finite-sample
correction: whatever the PDFs are, an interval then holds z_spec with at least the stated probability, averaged over
the choice of those galaxies.
"""

import numpy as np

from photoz_morph.metrics.checks import checked

LEVELS = (0.68, 0.90, 0.95)  # stated coverage


def conformal_radius(pit, level, weights=None):
    """Half the probability between the ends of the interval of a stated coverage.

    Parameters
    ----------
    pit : ndarray, shape (n,)
        Of galaxies that the PDFs were not fitted to.
    level : float
        Coverage, between 0 and 1.
    weights : ndarray, shape (n,), optional
        Of the galaxies, where those of use have another redshift distribution; the new galaxy counts as their mean.

    Returns
    -------
    float
        Between 0 and 1/2; 1/2, the whole grid, where there are too few galaxies for the level.

    Raises
    ------
    ValueError
        If `pit` is empty or not finite, or `level` is not between 0 and 1.

    Notes
    -----
    Distributional conformal prediction (Chernozhukov, Wuethrich & Zhu 2021); with weights as in Podkopaev & Ramdas
    (2021).
    """
    pit = checked(pit, "pit")
    if not 0 < level < 1:
        raise ValueError(f"a coverage is between 0 and 1, got {level}")
    weights = np.ones(len(pit)) if weights is None else np.asarray(weights, float) / np.mean(weights)
    distance = np.abs(pit - 0.5)
    order = np.argsort(distance)
    reached = np.cumsum(weights[order]) / (weights.sum() + 1)
    index = np.searchsorted(reached, level - 1e-12)
    return float(distance[order][index]) if index < len(pit) else 0.5


def bound_names(level):
    """Names of the columns of the two ends of an interval, such as z_lower_68 and z_upper_68."""
    percent = f"{100 * level:g}"
    return f"z_lower_{percent}", f"z_upper_{percent}"


def conformal_bounds(pdf, grid, radii):
    """Ends of the intervals of each PDF.

    Parameters
    ----------
    pdf : ndarray, shape (n, n_bins)
    grid : RedshiftGrid
    radii : dict of float to float
        From `conformal_radius`, by level.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        By the names of `bound_names`; NaN where the PDF is.
    """
    bounds = {}
    for level, radius in radii.items():
        for name, probability in zip(bound_names(level), (0.5 - radius, 0.5 + radius)):
            bounds[name] = grid.quantile(pdf, probability)
    return bounds
