"""Risk-coverage curves: the error rate of the galaxies that a classifier is surest of, against their fraction.

Who may leave out doubtful galaxies reads off the fraction that a wanted error rate allows. A galaxy's confidence is the
largest of its class probabilities, or any other number that orders galaxies.
"""

import numpy as np


def risk_coverage(confidence, wrong, weights=None):
    """Error rate of the surest galaxies, for each number of them.

    Parameters
    ----------
    confidence : ndarray, shape (n,)
        Higher is surer.
    wrong : ndarray, shape (n,)
        Whether the class of each galaxy is wrong.
    weights : ndarray, shape (..., n), optional
        Number of times that each galaxy counts, as from `group_errors.group_weights`.

    Returns
    -------
    coverage, risk : ndarray, shape (..., n)
        Fraction of the galaxies that are classified, and the error rate among them; the surest galaxy first.

    Raises
    ------
    ValueError
        If the lengths differ or there is no galaxy.

    Notes
    -----
    El-Yaniv & Wiener (2010); Geifman & El-Yaniv (2017). Galaxies of equal confidence come in no order: each counts as
    wrong by the fraction of them that is, which is the mean over all orders.
    """
    confidence, wrong = np.asarray(confidence, float), np.asarray(wrong, float)
    if confidence.ndim != 1 or confidence.shape != wrong.shape or len(wrong) == 0:
        raise ValueError(
            f"confidence and wrong have shapes {confidence.shape} and {wrong.shape}, need (n,) of one table, not empty"
        )
    order = np.argsort(-confidence, kind="stable")
    confidence, wrong = confidence[order], wrong[order]
    weights = np.ones(len(wrong)) if weights is None else np.asarray(weights, float)[..., order]
    starts = np.flatnonzero(np.r_[True, confidence[1:] != confidence[:-1]])
    tied = np.diff(np.r_[starts, len(wrong)])
    in_tie, wrong_in_tie = (np.add.reduceat(part, starts, axis=-1) for part in (weights, weights * wrong))
    wrong = np.repeat(_ratio(wrong_in_tie, in_tie), tied, axis=-1)
    classified = np.cumsum(weights, axis=-1)
    return classified / classified[..., -1:], _ratio(np.cumsum(weights * wrong, axis=-1), classified)


def aurc(confidence, wrong, weights=None):
    """Area under the risk-coverage curve: the mean error rate over all numbers of classified galaxies.

    Arguments as for `risk_coverage`; shape (...). Geifman et al. (2019), Eq. 3.
    """
    coverage, risk = risk_coverage(confidence, wrong, weights)
    return np.sum(np.diff(coverage, axis=-1, prepend=0.0) * risk, axis=-1)


def excess_aurc(confidence, wrong, weights=None):
    """`aurc` above that of an order with all wrong galaxies last, the best for this accuracy.

    Arguments as for `risk_coverage`; shape (...). Geifman et al. (2019), Eq. 5: 0 for a perfect order, whatever the
    accuracy.
    """
    wrong = np.asarray(wrong, float)
    # Galaxies of equal confidence would be mixed; each has its own place here.
    best = -(np.argsort(np.argsort(wrong, kind="stable"), kind="stable")).astype(float)
    return aurc(confidence, wrong, weights) - aurc(best, wrong, weights)


def _ratio(numerator, denominator):
    """Quotient, 0 where the denominator is."""
    return np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=denominator > 0)
