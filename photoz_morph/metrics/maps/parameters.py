"""Scores of the parameters that are estimated of fields, with errors that are estimated too."""

import numpy as np

from photoz_morph.metrics.completeness import ratio
from photoz_morph.metrics.group_errors import INTERVAL, group_bootstrap

SCORES = ("r2", "rmse", "bias", "coverage_68", "coverage_95", "likelihood")
LEVELS = (1.0, 1.9599640)  # standard deviations that hold 68.27 % and 95 % of a Gaussian


def parameter_scores(true, posterior, group_id, names, n_resamples=1000, seed=0):
    """Scores of each parameter with 95 % intervals from resampled groups.

    Parameters
    ----------
    true : ndarray, shape (n, n_parameters)
    posterior : ndarray, shape (n, n_parameters, 2)
        Means and logarithms of standard deviations, as of `models.fields.regressor`.
    group_id : ndarray, shape (n,)
        Fields of a simulation are resampled together.
    names : sequence of str
        Of the parameters.
    n_resamples, seed : int

    Returns
    -------
    dict of str to dict of str to list
        By name, as [value, lower, upper]: `r2`, 1 minus the mean square error over the variance of the truth; `rmse`;
        `bias`, the mean error; `coverage_68` and `coverage_95`, the fractions of truths within the intervals that
        should hold 68.27 and 95 % of them; `likelihood`, the mean of its logarithm.

    Raises
    ------
    ValueError
        If the shapes do not fit or a number is not finite.
    """
    true, posterior = np.asarray(true, float), np.asarray(posterior, float)
    if posterior.shape != (*true.shape, 2) or true.shape[1] != len(names):
        raise ValueError(
            f"posteriors have shape {posterior.shape}, {len(names)} parameters of shape {true.shape} need "
            f"{(len(true), len(names), 2)}"
        )
    if not (np.isfinite(true).all() and np.isfinite(posterior).all()):
        raise ValueError("a true parameter or a posterior is not finite; leave its field out")
    error, sigma = posterior[..., 0] - true, np.exp(posterior[..., 1])
    likelihood = -0.5 * (error / sigma) ** 2 - posterior[..., 1] - 0.5 * np.log(2 * np.pi)
    inside = [np.abs(error) <= level * sigma for level in LEVELS]
    terms = np.stack([np.ones(error.shape), error, error**2, true, true**2, *inside, likelihood], axis=-1)
    resampled = group_bootstrap(_scores, terms, group_id, n_resamples, seed)
    ends = np.nanquantile(resampled, ((1 - INTERVAL) / 2, (1 + INTERVAL) / 2), axis=0)
    tables = (_scores(terms.sum(axis=0)), *ends)
    return {
        name: {score: [float(table[row, column]) for table in tables] for column, score in enumerate(SCORES)}
        for row, name in enumerate(names)
    }


def _scores(sums):
    """`SCORES` of sums (..., 8), shape (..., 6)."""
    number, *totals = np.moveaxis(np.asarray(sums, float), -1, 0)
    error, error2, truth, truth2, inside_68, inside_95, likelihood = (
        ratio(np.stack([total, number], axis=-1)) for total in totals
    )
    r2 = 1 - ratio(np.stack([error2, truth2 - truth**2], axis=-1))
    return np.stack([r2, np.sqrt(error2), error, inside_68, inside_95, likelihood], axis=-1)
