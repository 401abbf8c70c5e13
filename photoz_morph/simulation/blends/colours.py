"""Fluxes in g, r, i of galaxies and stars of a magnitude: redshifted templates and the stellar locus.

Galaxies have the spectra of Coleman, Wu & Weedman (1980) through the band passes of LSST or SDSS. Between the four
templates a spectrum is interpolated, so that `template` is a continuous number from 0, an elliptical, over 1 and 2, Sbc
and Scd, to 3, an irregular.
"""

from functools import lru_cache

import numpy as np

from photoz_morph.simulation.sdss.images import STAR_COLOURS, STAR_G_I, STAR_QUANTILE, STAR_QUANTILE_G_I
from photoz_morph.simulation.sdss.tables import load_table

BANDS = ("g", "r", "i")
ELLIPTICAL, SBC, SCD, IRREGULAR = range(4)
MAX_REDSHIFT = 3.0  # of the table; beyond, hydrogen between the galaxies, which it lacks, dims the g band
# Spectrum of the stellar populations of the simulated galaxies, in the order of `parents.POPULATIONS`.
POPULATION_TEMPLATES = (ELLIPTICAL, SBC, IRREGULAR)


def galaxy_fluxes(redshift, template, survey):
    """AB flux densities of a galaxy relative to that in i.

    Parameters
    ----------
    redshift : float or ndarray, shape (n,)
        0 to 3.
    template : float or ndarray, shape (n,)
        0 (elliptical) to 3 (irregular).
    survey : {"lsst", "sdss"}
        Whose band passes.

    Returns
    -------
    ndarray, shape (n, 3)
        In g, r, i, linear between the redshifts and templates of the table; of single numbers, shape (3,).

    Raises
    ------
    ValueError
        If a redshift or template is out of range.
    """
    z, table = _table(survey)
    redshift, template = np.asarray(redshift, float), np.asarray(template, float)
    if not ((redshift >= 0) & (redshift <= z[-1])).all():
        raise ValueError(f"redshift is {np.ravel(redshift)}; the templates are tabulated from 0 to {z[-1]:g}")
    if not ((template >= 0) & (template <= IRREGULAR)).all():
        raise ValueError(f"template is {np.ravel(template)}; give 0 (elliptical) to {IRREGULAR} (irregular)")
    row = redshift / z[1]
    low_z, low_t = np.minimum(row.astype(int), len(z) - 2), np.minimum(template.astype(int), IRREGULAR - 1)
    right, upper = (row - low_z)[..., None], (template - low_t)[..., None]
    left_flux = (1 - upper) * table[low_z, low_t] + upper * table[low_z, low_t + 1]
    right_flux = (1 - upper) * table[low_z + 1, low_t] + upper * table[low_z + 1, low_t + 1]
    return (1 - right) * left_flux + right * right_flux


def population_fluxes(redshift, survey):
    """Flux densities of old, intermediate and young stars relative to those in i, shape (3 populations, 3 bands).

    They are those of the nearest redshift of the table, within 0.005.
    """
    z, table = _table(survey)
    return table[int(redshift / z[1] + 0.5), POPULATION_TEMPLATES]


def star_magnitudes(mag_r, quantile):
    """AB magnitudes in g, r, i of a star on the stellar locus.

    Parameters
    ----------
    mag_r : float
        [mag]
    quantile : float
        0 to 1, of g - i among the stars of a high-latitude field with r < 22: from the main-sequence turn-off to M
        dwarfs.

    Returns
    -------
    ndarray, shape (3,)
        Those of SDSS; the g, r, i bands of LSST differ from them by less than the locus is wide for all but the
        reddest stars.

    Notes
    -----
    The locus is that of Covey et al. (2007) to 0.1 mag; see `simulation.sdss.images`.
    """
    g_i = np.interp(quantile, STAR_QUANTILE, STAR_QUANTILE_G_I)
    g_r, r_i = (np.interp(g_i, STAR_G_I, column) for column in STAR_COLOURS.T[1:3])
    return np.array([mag_r + g_r, mag_r, mag_r - r_i])


@lru_cache(maxsize=2)
def _table(survey):
    """Redshifts (n,) and fluxes (n, 4, 3) of the shipped table."""
    table = load_table("template_colours.npz")
    return table["z"], table[survey].astype(float)
