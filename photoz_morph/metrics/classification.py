"""Scores of classifiers: classes and class probabilities against true labels, as numbers 0 to n_classes - 1.

Every score is a function of sums over galaxies: the confusion matrix, the sums of the Brier terms and of the
logarithms, the bins of the reliability diagram. `galaxy_terms` gives the contribution of each galaxy, so that
`group_errors.group_bootstrap` resamples the groups of a sample without going through its galaxies again.
"""

import numpy as np

from photoz_morph.metrics.checks import checked

N_CALIBRATION_BINS = 15  # Guo et al. (2017), Table 1
# Smallest probability whose logarithm is taken: that of a float32 softmax, below which it is rounded to 0.
MIN_PROBABILITY = float(np.finfo(np.float32).tiny)


def predicted_class(probability):
    """Class of the largest probability (or logit), along the last axis.

    Parameters
    ----------
    probability : ndarray, shape (..., n_classes)

    Returns
    -------
    ndarray of int, shape (...)
        -1 where a probability is NaN, which argmax would call the first class.
    """
    probability = np.asarray(probability)
    return np.where(np.isnan(probability).any(axis=-1), -1, probability.argmax(axis=-1))


def confusion_matrix(label, predicted, n_classes):
    """Number of galaxies of each true class (rows) and predicted class (columns), shape (n_classes, n_classes).

    Parameters
    ----------
    label, predicted : ndarray of int, shape (n,)
    n_classes : int

    Raises
    ------
    ValueError
        If there is no galaxy, the lengths differ or a class is out of range.
    """
    label, predicted = checked_classes(label, n_classes, "label"), checked_classes(predicted, n_classes, "predicted")
    if label.shape != predicted.shape:
        raise ValueError(f"{len(label)} labels but {len(predicted)} predicted classes; they must be of one table")
    return np.bincount(label * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def accuracy(confusion):
    """Fraction of galaxies classified correctly; `confusion` has shape (..., n_classes, n_classes)."""
    return np.trace(confusion, axis1=-2, axis2=-1) / np.sum(confusion, axis=(-2, -1))


def precision(confusion):
    """Fraction of a predicted class that belongs to it, mean over classes weighted by their true numbers.

    0 for a class that is never predicted, as in scikit-learn. Ciprijanovic et al. (2021), Table 1, "weighted".
    """
    return _weighted(confusion, _per_class(confusion)[0])


def recall(confusion):
    """Fraction of each class that is classified correctly, weighted like `precision`: equal to the accuracy."""
    return _weighted(confusion, _per_class(confusion)[1])


def f1(confusion):
    """Harmonic mean of precision and recall of each class, weighted like `precision`."""
    return _weighted(confusion, _per_class(confusion)[2])


def macro_f1(confusion):
    """Harmonic mean of precision and recall of each class, plain mean over classes: rare classes count equally."""
    return np.mean(_per_class(confusion)[2], axis=-1)


def _per_class(confusion):
    """Precision, recall and F1 of each class, shape (..., n_classes); 0 where the denominator is 0."""
    confusion = np.asarray(confusion, float)
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    given, true = confusion.sum(axis=-2), confusion.sum(axis=-1)
    return _ratio(right, given), _ratio(right, true), _ratio(2 * right, given + true)


def _weighted(confusion, per_class):
    """Mean over classes weighted by their true numbers."""
    true = np.sum(confusion, axis=-1)
    return np.sum(per_class * true, axis=-1) / np.sum(true, axis=-1)


def _ratio(numerator, denominator):
    """Quotient, 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=denominator > 0)


def brier(sums):
    """Mean squared distance of the probabilities from the truth, summed over classes: 0 to 2.

    `sums`, shape (..., 2), holds the sum of the terms and their number. Brier (1950), Eq. 2; with two classes it is
    twice the score that DeepMerge quotes.
    """
    return sums[..., 0] / sums[..., 1]


def nll(sums):
    """Mean negative logarithm of the probability of the true class [nat].

    `sums`, shape (..., 2), holds the sum of the terms and their number. No probability counts as less than 1e-38,
    so that a certain network that is wrong has a finite score.
    """
    return sums[..., 0] / sums[..., 1]


def expected_calibration_error(bins):
    """|mean confidence - accuracy| in bins of the confidence, mean over bins weighted by their galaxies.

    Parameters
    ----------
    bins : ndarray, shape (..., n_bins, 3)
        From `calibration_bins`: galaxies, sum of the confidence, galaxies that are right.

    Notes
    -----
    Guo et al. (2017), Eq. 3. Summing |confidence - right| over galaxies instead, as some codes do, does not vanish
    for calibrated probabilities. The score is never negative, so that of a small sample is biased upwards.
    """
    return np.sum(np.abs(bins[..., 1] - bins[..., 2]), axis=-1) / np.sum(bins[..., 0], axis=-1)


def calibration_bins(label, probability, n_bins=N_CALIBRATION_BINS):
    """Galaxies, sum of the confidence and number right in equal bins of the confidence, shape (n_bins, 3).

    The confidence of a galaxy is the largest of its probabilities, `probability` of shape (n, n_classes).
    """
    return galaxy_terms(label, probability, n_bins)["calibration"].sum(axis=0)


# Each score: the name of its sums, and the function of them.
SCORES = {
    "accuracy": ("confusion", accuracy),
    "precision": ("confusion", precision),
    "recall": ("confusion", recall),
    "f1": ("confusion", f1),
    "macro_f1": ("confusion", macro_f1),
    "brier": ("brier", brier),
    "nll": ("nll", nll),
    "ece": ("calibration", expected_calibration_error),
}


def galaxy_terms(label, probability, n_bins=N_CALIBRATION_BINS):
    """Contribution of each galaxy to the sums behind the scores.

    Parameters
    ----------
    label : ndarray of int, shape (n,)
    probability : ndarray, shape (n, n_classes)
    n_bins : int

    Returns
    -------
    dict of str to ndarray
        confusion (n, n_classes, n_classes), brier (n, 2), nll (n, 2), calibration (n, n_bins, 3).

    Raises
    ------
    ValueError
        If there is no galaxy, a label is out of range, a probability is not finite, or shapes differ.
    """
    probability = np.asarray(probability, float)
    if probability.ndim != 2:
        raise ValueError(f"probability has shape {probability.shape}, needs (n, n_classes)")
    if probability.size:
        probability = checked(probability, "probability")
    n_classes, rows = probability.shape[1], np.arange(len(probability))
    label = checked_classes(label, n_classes, "label")
    if len(label) != len(probability):
        raise ValueError(f"{len(label)} labels but {len(probability)} rows of probability; they must be of one table")
    predicted, confidence = probability.argmax(axis=1), probability.max(axis=1)
    confusion = np.zeros((len(label), n_classes, n_classes))
    confusion[rows, label, predicted] = 1
    truth = np.eye(n_classes)[label]
    calibration = np.zeros((len(label), n_bins, 3))
    # Bins are (lower, upper] as in Guo et al. (2017), so certainty falls in the last one.
    chosen = np.clip(np.ceil(confidence * n_bins).astype(int) - 1, 0, n_bins - 1)
    calibration[rows, chosen] = np.stack([np.ones(len(label)), confidence, predicted == label], axis=1)
    squares = np.sum((probability - truth) ** 2, axis=1)
    return {
        "confusion": confusion,
        "brier": np.stack([squares, np.ones(len(label))], axis=1),
        "nll": np.stack([-np.log(np.maximum(probability[rows, label], MIN_PROBABILITY)), np.ones(len(label))], axis=1),
        "calibration": calibration,
    }


def scores(label, probability):
    """All scores of one sample, accuracy, precision, recall, f1, macro_f1, brier, nll and ece, as a dict."""
    sums = {quantity: terms.sum(axis=0) for quantity, terms in galaxy_terms(label, probability).items()}
    return {name: float(function(sums[quantity])) for name, (quantity, function) in SCORES.items()}


def majority_class(label, n_classes):
    """Most frequent class and its fraction: the accuracy of a classifier that always predicts it.

    Raises a ValueError as `confusion_matrix` does.
    """
    counts = np.bincount(checked_classes(label, n_classes, "label"), minlength=n_classes)
    return int(counts.argmax()), float(counts.max() / counts.sum())


def checked_classes(values, n_classes, name):
    """Class numbers as an integer array, not empty and in range."""
    values = np.asarray(values)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"{name} has shape {values.shape}, needs (n,) with at least one galaxy")
    if values.dtype.kind not in "iu":
        raise ValueError(f"{name} is of type {values.dtype}, classes are integers from 0 to {n_classes - 1}")
    wrong = (values < 0) | (values >= n_classes)
    if wrong.any():
        raise ValueError(
            f"{name}: {wrong.sum()} of {len(values)} are outside 0 to {n_classes - 1}, the first is "
            f"{values[wrong][0]}; leave galaxies without label out"
        )
    return values.astype(np.int64)
