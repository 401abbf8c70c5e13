"""Objectives and success of a one-pixel attack: the score that a search lowers, and the rule by which it has won.

Both take the logits of edited images, with the true class and, in a targeted attack, the class to reach.
"""

import numpy as np

from photoz_morph.metrics.classification import predicted_class

OBJECTIVES = ("margin", "probability")
SUCCESSES = ("flip", "paper")
PAPER_TARGET, PAPER_TRUE = 0.5, 0.05  # DeepAdversaries code: above, or below, which probability an attack has won


def scores_of(logits, label, target=None, objective="margin"):
    """Scores that a search lowers.

    Parameters
    ----------
    logits : ndarray, shape (k, n_classes)
    label : int
    target : int, optional
    objective : {"margin", "probability"}
        See `AttackOptions`.

    Returns
    -------
    ndarray, shape (k,)
        A margin is below 0 where the class is another (is the target); infinite where the logits are NaN, which no
        search wants.
    """
    aim = label if target is None else target
    if objective == "margin":
        lead = logits[:, aim] - np.delete(logits, aim, axis=1).max(axis=1)
    else:
        lead = probabilities(logits)[:, aim]
    score = lead if target is None else -lead
    return np.where(np.isnan(score), np.inf, score)


def has_won(logits, label, target=None, success="flip"):
    """Mask of the edits whose logits are successes, by the rule of `AttackOptions`: bool, shape (k,).

    Logits of NaN are none, whatever their argmax.
    """
    if success == "paper":
        probability = probabilities(logits)
        return probability[:, label] < PAPER_TRUE if target is None else probability[:, target] > PAPER_TARGET
    given = predicted_class(logits)
    return (given >= 0) & (given != label) if target is None else given == target


def probabilities(logits):
    """Softmax in the precision of the logits, as the published attack sees it."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
