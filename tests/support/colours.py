"""Predictions of galaxies with magnitudes, of which one method sees more than colours."""

import numpy as np

from photoz_morph.photoz.predictions import predictions_table
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.surveys import SDSS

GRID = RedshiftGrid()
# Change of u, g, r, i, z with redshift, and with the type of a galaxy, which is degenerate with it in colours.
OF_REDSHIFT, OF_TYPE = np.array([6.0, 4.0, 1.5, 0.8, 0.5]), np.array([0.9, 0.5, 0.0, -0.2, -0.3])


def predictions_with_colours(sigma=0.01, n=1500, seed=0, n_without=0, model="network", **columns):
    """Means of Gaussian PDFs for galaxies whose redshift is Gaussian within a type; one seed gives one set of galaxies.

    Parameters
    ----------
    sigma : float
        Error of the measurement that the PDFs come from.
    n, seed : int
    n_without : int
        Galaxies without a magnitude in u.
    model : str
    **columns
        Further columns of the table.

    Returns
    -------
    Table
    """
    rng = np.random.default_rng(seed)
    kind, spread = rng.normal(size=n), 0.03
    z_spec = np.clip(0.16 + spread * rng.normal(size=n), 0.02, 0.35)
    ebv = rng.uniform(0, 0.2, n)
    mags = 17 + z_spec[:, None] * OF_REDSHIFT + kind[:, None] * OF_TYPE + 0.1 * rng.normal(size=(n, 5))
    mags += ebv[:, None] * np.asarray(SDSS.extinction_per_ebv)
    mags[:n_without, 0] = np.nan
    measured = z_spec + sigma * np.random.default_rng([seed, 1]).normal(size=n)
    shrunk = spread**2 / (spread**2 + sigma**2)
    centre, width = 0.16 + shrunk * (measured - 0.16), np.sqrt(shrunk) * sigma
    pdf = np.exp(-0.5 * ((GRID.midpoints - centre[:, None]) / width) ** 2)
    table = {"obj_id": np.arange(n), "z_spec": z_spec, "mags": mags, "ebv": ebv, **columns}
    return predictions_table(table, pdf / pdf.sum(axis=1, keepdims=True), GRID, SDSS, "simulated", model)
