"""Stamps to perturb: empty sky and bright Gaussians, and the electrons that were added to them."""

import numpy as np

from photoz_morph.robustness.perturbations.observing import ObservingContext
from photoz_morph.surveys import LSST

SAMPLE, SUM = ObservingContext(LSST), ObservingContext(LSST, binning="sum")
# Electrons per nJy in ten years, by hand: visits x 30 s x 10^(-0.4 (31.4 - zero point)).
ELECTRONS_PER_NJY = np.array([80 * 30 * 0.05546, 184 * 30 * 0.04786, 184 * 30 * 0.03565])
IDS = np.array([7, 11, 5, 123456789012, 40, 2])


def sky_stamps(n=6, context=SAMPLE, seed=0):
    """Stamps of nothing but sky noise."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 100, 100, 3)) * context.sky_sigma).astype(np.float32)


def blobs(n=6, sigma=4.0, flux=1e8):
    """Round Gaussians in the middle, so bright that the sky does not matter; flux in nJy of each band."""
    rows, columns = np.indices((100, 100)) - 49.5
    profile = np.exp(-0.5 * (rows**2 + columns**2) / sigma**2) / (2 * np.pi * sigma**2)
    return np.broadcast_to(flux * profile[..., None], (n, 100, 100, 3)).astype(np.float32)


def added_electrons(before, after, context):
    """Electrons of the whole exposure that were added, shape (n,), from the numbers above."""
    weight = 25 if context.binning == "sample" else 1
    return ((after.astype(float) - before) * ELECTRONS_PER_NJY / weight).sum(axis=(1, 2, 3))
