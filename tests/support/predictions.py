"""Predictions tables whose scores are known from their construction."""

import numpy as np

from photoz_morph.photoz.predictions import predictions_table
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.surveys import SDSS

COARSE_GRID = RedshiftGrid(0.0, 0.4, 4)  # bins of 0.1
FINE_GRID = RedshiftGrid()


def one_bin_predictions(bins, z_spec, origin="simulated", **columns):
    """All probability in one bin for each galaxy, NaN where the bin is None."""
    pdf = np.array([np.full(4, np.nan) if index is None else np.eye(4)[index] for index in bins])
    table = {"obj_id": np.arange(len(bins)), "z_spec": z_spec} | columns
    return predictions_table(table, pdf, COARSE_GRID, SDSS, origin, "toy")


def gaussian_predictions(sigma, noise, n=3000, seed=0, order=None):
    """Predictions that scatter by `noise` about z_spec; one seed gives one set of z_spec."""
    grid, rng = RedshiftGrid(), np.random.default_rng(seed)
    z_spec, order = rng.uniform(0.1, 0.3, n), np.arange(n) if order is None else order
    centre = z_spec + noise * np.random.default_rng([seed, 1]).normal(size=n) + sigma * rng.normal(size=n)
    pdf = np.exp(-0.5 * ((grid.midpoints - centre[:, None]) / 0.02) ** 2)
    pdf /= pdf.sum(axis=1, keepdims=True)
    columns = {"obj_id": np.arange(n)[order], "z_spec": z_spec[order]}
    return predictions_table(columns, pdf[order], grid, SDSS, "simulated"), grid


def with_copies(table):
    """Every galaxy of a table twice, as two children of one parent."""
    both = table[np.tile(np.arange(len(table)), 2)]
    both["obj_id"] = np.arange(len(both))
    both["group_id"] = np.tile(np.arange(len(table)), 2)
    return both


def trial_predictions(sigma, n=1200, noise_seed=1, ids=None):
    """Calibrated Gaussian predictions of the same galaxies; every fourth is deep and twice as precise."""
    rng = np.random.default_rng(0)
    z_spec, deep = rng.uniform(0.1, 0.3, n), np.arange(n) % 4 == 0
    width = sigma * np.where(deep, 0.5, 1) * rng.uniform(0.8, 1.2, n)
    centre = z_spec + width * np.random.default_rng(noise_seed).normal(size=n)
    pdf = np.exp(-0.5 * ((FINE_GRID.midpoints - centre[:, None]) / width[:, None]) ** 2)
    columns = {
        "obj_id": np.arange(n), "z_spec": z_spec, "ra": rng.uniform(100, 250, n), "dec": rng.uniform(0, 60, n),
        "n_frames": np.where(deep, 30, 1)[:, None] * np.ones(5, int), "fold": np.arange(n) % 5,
    }  # fmt: skip
    pdf /= pdf.sum(axis=1, keepdims=True)
    rows = slice(None) if ids is None else ids
    columns = {name: values[rows] for name, values in columns.items()}
    return predictions_table(columns, pdf[rows], FINE_GRID, SDSS, "simulated")
