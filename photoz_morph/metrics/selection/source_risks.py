"""Accuracy on the target estimated from labelled source galaxies that are weighted to resemble the target.

The weights are ratios of the densities of both domains in latent space, see `domains.density_ratio`. They can only make
up for galaxies that the source has, too: domains that are told apart everywhere leave a few galaxies all the weight.
"""

import numpy as np


def weighted_mean(values, weights=None):
    """Mean of values of shape (n,), with weights of shape (..., n); NaN where all weights are 0."""
    values = np.asarray(values, float)
    if weights is None:
        return values.mean()
    weights = np.asarray(weights, float)
    with np.errstate(invalid="ignore"):
        return weights @ values / weights.sum(axis=-1)


def importance_weighted_accuracy(right, ratio, weights=None):
    """Accuracy on source galaxies weighted by the density ratio.

    Parameters
    ----------
    right : ndarray, shape (n,)
        Whether each labelled galaxy of the source is classified correctly.
    ratio : ndarray, shape (n,)
        Density of the target over that of the source.
    weights : ndarray, shape (..., n), optional
        Number of times that each galaxy counts.

    Returns
    -------
    float or ndarray, shape (...)

    Notes
    -----
    Sugiyama, Krauledat & Müller (2007), divided by the sum of the ratios, which they leave at its expected value.
    """
    return weighted_mean(right, np.asarray(ratio, float) * (1.0 if weights is None else np.asarray(weights, float)))


def dev_accuracy(right, ratio, weights=None):
    """One minus the risk of deep embedded validation (DEV), with the error rate as the loss.

    Arguments and result as for `importance_weighted_accuracy`.

    Notes
    -----
    You et al. (2019), Algorithm 1: mean of ratio times loss, with the ratio, whose mean is known to be 1, as a control
    variate of coefficient -Cov(ratio x loss, ratio) / Var(ratio). It may leave 0 to 1.
    """
    ratio = np.asarray(ratio, float)
    loss = ratio * (1 - np.asarray(right, float))
    mean_loss, mean_ratio = weighted_mean(loss, weights), weighted_mean(ratio, weights)
    covariance = weighted_mean(loss * ratio, weights) - mean_loss * mean_ratio
    variance = weighted_mean(ratio**2, weights) - mean_ratio**2
    varies = variance > 1e-12 * mean_ratio**2  # else all ratios are equal, but for rounding
    coefficient = np.where(varies, -covariance / np.where(varies, variance, 1.0), 0.0)
    return 1 - (mean_loss + coefficient * (mean_ratio - 1))
