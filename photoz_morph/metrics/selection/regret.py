"""What choosing by a score costs: the accuracy of the best network minus that of the network chosen."""

import numpy as np
from scipy import stats


def regret(score, accuracy):
    """Accuracy of the best candidate minus that of the one with the highest score.

    Parameters
    ----------
    score : ndarray, shape (..., n)
        Of each candidate, higher better; NaN is never chosen.
    accuracy : ndarray, shape (..., n)
        On the labelled target.

    Returns
    -------
    float or ndarray, shape (...)
        0 or more; where several share the highest score, the mean over them. NaN where no candidate has a score.

    Notes
    -----
    Regret of Musgrave, Belongie & Lim (2022) and of the benchmark of Lalou et al. (2024), who call the choice by
    accuracy on the target the oracle.
    """
    score, accuracy = np.broadcast_arrays(np.asarray(score, float), np.asarray(accuracy, float))
    known = np.isfinite(score)
    highest = np.max(np.where(known, score, -np.inf), axis=-1, keepdims=True)
    chosen = known & (score == highest)
    with np.errstate(invalid="ignore"):
        mean = np.sum(np.where(chosen, accuracy, 0.0), axis=-1) / chosen.sum(axis=-1)
    return np.maximum(accuracy.max(axis=-1) - mean, 0.0)  # a mean over several can exceed its largest value by rounding


def rank_correlation(score, accuracy):
    """Spearman's rank correlation of score and accuracy over the candidates, None where either is the same for all.

    Arguments as for `regret`, of shape (n,). Saito et al. (2021) judge scores by it.
    """
    score, accuracy = np.asarray(score, float), np.asarray(accuracy, float)
    known = np.isfinite(score)
    if known.sum() < 3 or np.ptp(score[known]) == 0 or np.ptp(accuracy[known]) == 0:
        return None
    return float(stats.spearmanr(score[known], accuracy[known]).statistic)
