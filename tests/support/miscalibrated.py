"""PDFs of galaxies with a planted miscalibration."""

import numpy as np
from scipy.stats import norm

from photoz_morph.redshift_grid import RedshiftGrid

GRID = RedshiftGrid()


def planted(n, kind="none", seed=1):
    """Redshifts and Gaussian PDFs of galaxies, right but for one thing.

    Parameters
    ----------
    n : int
    kind : {"none", "narrow", "wide", "shifted", "shifted by z", "narrow where wide"}
        PDFs 0.7 or 1.4 times as wide as the error, off by 0.5 of it, off by 1 to -1 of it from low to high redshift, or
        0.6 times as wide where the error is large and right elsewhere.

    Returns
    -------
    z_spec : ndarray, shape (n,)
    pdf : ndarray, shape (n, 180)
    """
    rng = np.random.default_rng([seed, n])
    error = rng.uniform(0.008, 0.025, n)
    centre = rng.uniform(0.08, 0.3, n)
    z_spec = centre + error * rng.normal(size=n)
    scale, offset = np.ones(n), np.zeros(n)
    if kind == "narrow":
        scale *= 0.7
    elif kind == "wide":
        scale *= 1.4
    elif kind == "shifted":
        offset += 0.5
    elif kind == "shifted by z":
        offset = 1 - 2 * (centre - 0.08) / 0.22
    elif kind == "narrow where wide":
        scale = np.where(error > 0.0165, 0.6, 1.0)
    cdf = norm.cdf((GRID.edges - (centre + offset * error)[:, None]) / (scale * error)[:, None])
    pdf = np.diff(cdf, axis=1)
    return z_spec, pdf / pdf.sum(axis=1, keepdims=True)
