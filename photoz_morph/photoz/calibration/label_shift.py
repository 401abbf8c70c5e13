"""Redshift distribution of galaxies without redshifts, from their PDFs: label shift.

The PDFs have the n(z) of the training galaxies as their prior. If a sample has another n(z), but its galaxies look like
the training galaxies at each redshift, that n(z) is the one under which its galaxies are most probable, found by
expectation maximisation: PDFs are re-weighted to an n(z), and their mean is the next n(z).
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from photoz_morph.photoz.calibration.redshift_distribution import smooth_counts

MAX_STEPS, TOLERANCE = 500, 1e-5  # of the largest change of the cumulative n(z) in a step; our choice
MIN_GALAXIES = 30  # with fewer, the n(z) of the training galaxies is the better guess; our choice


def estimated_target(pdfs, counts, grid, source="target"):
    """n(z) of a sample under which its galaxies are most probable, as the share of galaxies in each redshift bin.

    Parameters
    ----------
    pdfs : list of ndarray, shape (n, n_bins)
        PDFs of its galaxies, those of each network or ensemble together.
    counts : list of ndarray, shape (n_bins,)
        Training galaxies of these networks in each bin, from `redshift_distribution.training_counts`.
    grid : RedshiftGrid
    source : path-like
        Named in errors.

    Returns
    -------
    ndarray, shape (n_bins,)
        Sums to one; 0 where the networks have no training galaxies.

    Raises
    ------
    ValueError
        If there are fewer than `MIN_GALAXIES`.

    Notes
    -----
    Saerens, Latinne & Decaestecker (2002), Neural Computation 14, 21, Eq. 2.9. The most probable n(z) in so many bins
    is a row of spikes. Each step is therefore followed by a smoothing (Silverman et al. 1990, J. R. Stat. Soc. B 52,
    271): that of the training counts, the width of Scott's rule for as many galaxies as the sample has.
    """
    n_galaxies = sum(len(pdf) for pdf in pdfs)
    if n_galaxies < MIN_GALAXIES:
        raise ValueError(f"{source}: {n_galaxies} galaxies, too few for an n(z) of their own; give {MIN_GALAXIES}")
    priors, is_known = [], np.ones(grid.n_bins, bool)
    for of_bins in counts:
        smooth, one_galaxy, _ = smooth_counts(of_bins, grid)
        priors.append(np.maximum(smooth, one_galaxy))
        is_known &= smooth >= one_galaxy
    likelihoods = [np.asarray(pdf, float) / prior for pdf, prior in zip(pdfs, priors, strict=True)]
    share = sum(len(pdf) * prior / prior.sum() for pdf, prior in zip(pdfs, priors)) / n_galaxies * is_known
    share /= share.sum()
    for _ in range(MAX_STEPS):
        before = share
        share = sum(_sum_of_posteriors(likelihood, before) for likelihood in likelihoods)
        share = share / share.sum()
        _, _, width = smooth_counts(share * n_galaxies, grid)
        share = gaussian_filter1d(share, width, mode="reflect") * is_known
        share /= share.sum()
        if np.max(np.abs(np.cumsum(share - before))) < TOLERANCE:
            break
    return share


def _sum_of_posteriors(likelihood, share):
    """Sum of the PDFs that some galaxies have under an n(z), shape (n_bins,); those that it excludes are left out."""
    products = likelihood * share
    total = products.sum(axis=1)
    return (1 / total[total > 0]) @ products[total > 0]
