"""Residuals, PDFs and columns of a predictions table with known trends."""

import numpy as np
from astropy.coordinates import SkyCoord
from scipy import stats

from photoz_morph.redshift_grid import RedshiftGrid

GRID = RedshiftGrid()
BANDS = "ugriz"


def dust(n, rng):
    """E(B-V) as at high latitude: a long tail."""
    return 0.03 * np.exp(0.7 * rng.normal(size=n))


def around_edges(grid, n=4):
    """Redshifts at and next to every edge of a grid: the n nearest of float32 and of float64 on both sides, sorted."""
    z = []
    for kind in (np.float32, np.float64):
        for way in (-np.inf, np.inf):
            step = grid.edges.astype(kind)
            for _ in range(n + 1):
                z.append(step.astype(float))
                step = np.nextafter(step, kind(way))
    ends = np.add.outer([grid.z_min, grid.z_max], [-9e-8, -5e-8, -1e-9, 1e-9, 5e-8, 9e-8])
    return np.unique(np.concatenate([*z, ends.ravel()]))


def residuals(n, rng, scatter=0.012):
    """Heavy-tailed, with one catastrophic outlier in 300."""
    return scatter * rng.standard_t(4, n) + 0.2 * (rng.random(n) < 1 / 300)


def copies(n_groups, rng):
    """Group of each galaxy, 1 to 6 copies of one, and values that correlate by 1/2 within groups."""
    group = np.repeat(np.arange(n_groups), rng.integers(1, 7, n_groups))
    shared, own = rng.standard_t(4, n_groups), rng.standard_t(4, len(group))
    return group, (shared[group] + own) / np.sqrt(2)


def photometry(n, seed=0, psf_slope=0.0):
    """Columns of a predictions table, and residuals that follow the seeing in g alone."""
    rng = np.random.default_rng(seed)
    columns = {
        "z_phot": rng.uniform(0.02, 0.3, n),
        "ebv": dust(n, rng),
        "axis_ratio": rng.uniform(0.2, 1, n),
        "is_early": rng.random(n) < 0.5,
        "n_neighbours": rng.poisson(1.9, n),
        "snr": 10 ** rng.normal(2, 0.4, (n, 5)),
        "psf_fwhm": rng.normal([1.5, 1.4, 1.3, 1.3, 1.3], 0.15, (n, 5)),
    }
    return columns, 0.012 * rng.normal(size=n) + psf_slope * (columns["psf_fwhm"][:, 1] - 1.4)


def calibrated(n, seed=0, shift=0.0):
    """PDFs of Gaussians about random centres, and z_spec drawn from them, `shift` added."""
    rng = np.random.default_rng(seed)
    centre, sigma = rng.normal(0.15, 0.04, n), rng.uniform(0.01, 0.03, n)
    pdf = np.diff(stats.norm.cdf(GRID.edges, centre[:, None], sigma[:, None]), axis=1)
    pdf /= pdf.sum(axis=1, keepdims=True)
    cdf = np.cumsum(pdf, axis=1)
    drawn = np.sum(cdf < rng.random(n)[:, None] * cdf[:, -1:], axis=1)
    return GRID.edges[drawn] + GRID.width * rng.random(n) + shift, pdf


def cap(n, seed=0, radius=30.0):
    """Uniform positions within `radius` deg of RA 185, Dec 32.5, and heavy-tailed residuals."""
    rng = np.random.default_rng(seed)
    centre = SkyCoord(185, 32.5, unit="deg")
    distance = np.rad2deg(np.arccos(1 - rng.random(n) * (1 - np.cos(np.deg2rad(radius)))))
    sky = centre.directional_offset_by(rng.uniform(0, 360, n) * centre.ra.unit, distance * centre.ra.unit)
    return sky.ra.deg, sky.dec.deg, 0.012 * rng.standard_t(4, n)


def widths_and_residuals(n, seed=0):
    """Widths, and residuals whose scatter is half the width."""
    rng = np.random.default_rng(seed)
    width = rng.gamma(9, 0.003, n)
    return width, 0.5 * width * rng.normal(size=n)
