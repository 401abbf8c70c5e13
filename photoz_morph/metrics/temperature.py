"""Temperatures that calibrate the probabilities of a classifier: log-probabilities are divided by one number.

The class does not change, the confidence does. A temperature is fitted on labelled galaxies of the domain that it is
for; without labels there, on labelled galaxies of another domain that are weighted to resemble it, or by TransCal.
Log-probabilities serve in place of logits, from which they differ by a constant for each galaxy.
"""

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_softmax, softmax

from photoz_morph.metrics.classification import MIN_PROBABILITY, checked_classes

TEMPERATURES = (0.05, 20.0)  # our choice: beyond these lies no network, only a sample too small
TRANSCAL_POWER = 0.5  # of the weights; where the authors' code starts


def log_probability(probability):
    """Logarithm of probabilities, of no less than those a float32 softmax can tell from 0; any shape."""
    return np.log(np.maximum(np.asarray(probability, float), MIN_PROBABILITY))


def tempered(probability, temperature):
    """Probabilities at a temperature.

    Parameters
    ----------
    probability : ndarray, shape (..., n_classes)
    temperature : float or ndarray, shape (...)
        Above 1 flattens.

    Returns
    -------
    ndarray, shape (..., n_classes)
    """
    return softmax(log_probability(probability) / np.asarray(temperature, float)[..., None], axis=-1)


def fit_temperature(probability, label, weights=None):
    """Temperature of the smallest negative log-likelihood.

    Parameters
    ----------
    probability : ndarray, shape (n, n_classes)
    label : ndarray of int, shape (n,)
    weights : ndarray, shape (n,), optional
        Of the galaxies, such as `selection.domains.density_ratio` for a target domain.

    Returns
    -------
    float
        Within `TEMPERATURES`.

    Raises
    ------
    ValueError
        If a label is no class, or no weight is positive.

    Notes
    -----
    Guo et al. (2017), Sec. 4.2. Weighted, after Park et al. (2020), who weight the Brier score in place of the
    likelihood.
    """
    logits = log_probability(probability)
    label = checked_classes(label, logits.shape[-1], "label")
    weights = np.ones(len(label)) if weights is None else np.asarray(weights, float)
    if not weights.sum() > 0:
        raise ValueError(f"the weights of {len(weights)} galaxies sum to {weights.sum()}; one must be positive")
    rows = np.arange(len(label))

    def loss(log_temperature):
        return -np.average(log_softmax(logits / np.exp(log_temperature), axis=1)[rows, label], weights=weights)

    return float(np.exp(minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded").x))


def transcal_temperature(target_probability, source_probability, source_label, ratio):
    """Temperature for a domain without labels, at which its mean confidence is its estimated accuracy.

    Parameters
    ----------
    target_probability : ndarray, shape (m, n_classes)
    source_probability : ndarray, shape (n, n_classes)
        Of labelled galaxies that the network was not trained on.
    source_label : ndarray of int, shape (n,)
    ratio : ndarray, shape (n,)
        Density of the target over that of the source, from `selection.domains.density_ratio`.

    Returns
    -------
    float
        1 or more, as published.

    Notes
    -----
    TransCal, Wang et al. (2020), Eqs. 8-12: the accuracy is one minus the importance-weighted error with two control
    variates, the weights and the accuracy of the source; the weights are raised to a power between 0 and 1. The authors
    let one optimiser find temperature and power from one equation, which has a line of solutions: which one it returns
    is decided by rounding. Here the power is `TRANSCAL_POWER`, and the temperature is unique.
    """
    logits = log_probability(target_probability)
    label = checked_classes(source_label, logits.shape[-1], "label")
    right = (np.asarray(source_probability).argmax(axis=1) == label).astype(float)
    calibrated = tempered(source_probability, fit_temperature(source_probability, label))
    weights = np.asarray(ratio, float) ** TRANSCAL_POWER
    accuracy = _estimated_accuracy(right, weights, calibrated.max(axis=1).mean())

    def excess(temperature):
        return softmax(logits / temperature, axis=1).max(axis=1).mean() - accuracy

    # The mean confidence falls with the temperature.
    lowest, highest = 1.0, TEMPERATURES[1]
    if excess(lowest) <= 0:
        return lowest
    return highest if excess(highest) >= 0 else float(brentq(excess, lowest, highest))


def _estimated_accuracy(right, weights, source_confidence):
    """Accuracy on the target by the weighted error of the source and both control variates of TransCal."""
    error = weights * (1 - right)
    by_weights = error + _control(error, weights) * (weights - 1)
    return 1 - by_weights.mean() - _control(by_weights, right) * (right.mean() - source_confidence)


def _control(values, variate):
    """Coefficient of a control variate; 0 where it does not vary."""
    variance = np.var(variate, ddof=1)
    return -np.cov(values, variate)[0, 1] / variance if variance > 0 else 0.0
