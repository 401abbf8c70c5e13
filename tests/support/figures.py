"""Redshifts to draw, and what figures hold."""

import numpy as np


def gaussian_redshifts(n=3000, sigma=0.02, seed=0):
    """z_spec, uniform from 0.05 to 0.35, and z_phot with a bias of 0.002 and Gaussian scatter."""
    rng = np.random.default_rng(seed)
    z_spec = rng.uniform(0.05, 0.35, n)
    return z_spec, z_spec + rng.normal(0.002, sigma, n) * (1 + z_spec)


def steps(axes):
    """Step patches of a panel, as `Axes.stairs` draws them."""
    return [patch for patch in axes.patches if hasattr(patch, "get_data")]
