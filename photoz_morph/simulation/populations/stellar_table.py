"""Light of simple stellar populations in g, r, i of LSST, as seen at z = 0.05.

The table is of the PopStar models (Molla, Garcia-Vargas & Bressan 2009) with the initial mass function of Chabrier
(2003), for stars that formed at once; `photoz_morph/data/README.md`. Masses are those of the stars formed, of which
after some Gyr little more than half is left in stars and remnants.
"""

from functools import lru_cache

import numpy as np

from photoz_morph.shards.scenes import NJY_ZERO_POINT
from photoz_morph.simulation.morphology.populations import DISTANCE_MODULUS
from photoz_morph.simulation.sdss.tables import load_table

R_BAND = 1  # of g, r, i


def population_mags(log_age, metallicity):
    """Absolute AB magnitudes of one solar mass of stars formed.

    Parameters
    ----------
    log_age : float or ndarray, shape (...)
        log10 of the age in years, 7 to 10.14.
    metallicity : float or ndarray, shape (...)
        [M/H] = log10 Z / 0.02, -2.3 to 0.4.

    Returns
    -------
    ndarray, shape (..., 3)
        In g, r, i, linear between the ages and metallicities of the table, shifted to z = 0.05.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    ages, metals, mags = _table()
    log_age, metallicity = np.broadcast_arrays(np.asarray(log_age, float), np.asarray(metallicity, float))
    for name, values, nodes in (("log_age", log_age, ages), ("metallicity", metallicity, metals)):
        if not ((values >= nodes[0] - 1e-9) & (values <= nodes[-1] + 1e-9)).all():
            raise ValueError(
                f"{name} is from {values.min():.4g} to {values.max():.4g}; the populations are tabulated from "
                f"{nodes[0]:.4g} to {nodes[-1]:.4g}"
            )
    column, older = _place(ages, log_age)
    row, richer = _place(metals, metallicity)
    older, richer = older[..., None], richer[..., None]
    poor, rich = ((1 - older) * mags[r, column] + older * mags[r, column + 1] for r in (row, row + 1))
    return (1 - richer) * poor + richer * rich


def relative_fluxes(mags):
    """Flux densities relative to that in r, shape (..., 3), of magnitudes of `population_mags`."""
    return 10 ** (-0.4 * (mags - mags[..., R_BAND, None]))


def mass_per_flux(mags):
    """Solar masses of stars formed for each nJy in r of a galaxy at z = 0.05, shape (...), of such magnitudes."""
    return 10 ** (0.4 * (mags[..., R_BAND] + DISTANCE_MODULUS - NJY_ZERO_POINT))


def ranges():
    """Lowest and highest log age, and lowest and highest metallicity of the table."""
    ages, metals, _ = _table()
    return (float(ages[0]), float(ages[-1])), (float(metals[0]), float(metals[-1]))


def _place(nodes, values):
    """Node below each value, and the part of the way to the next."""
    below = np.clip(np.searchsorted(nodes, values, side="right") - 1, 0, len(nodes) - 2)
    return below, (values - nodes[below]) / (nodes[below + 1] - nodes[below])


@lru_cache(maxsize=1)
def _table():
    """Log ages (n,), metallicities (m,) and magnitudes (m, n, 3)."""
    table = load_table("stellar_populations.npz")
    return table["log_age"], table["metallicity"], table["abs_mags"].astype(float)
