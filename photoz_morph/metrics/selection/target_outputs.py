"""Scores from the class probabilities of unlabelled target galaxies alone.

They reward a network that is sure of its classes. One that calls every galaxy a spiral is sure, too: the entropy then
misleads, which the two other scores are to prevent.
"""

import numpy as np

from photoz_morph.metrics.selection.source_risks import weighted_mean

SND_TEMPERATURE = 0.05  # Saito et al. (2021), Sec. 3.2
ROWS_AT_ONCE = 1000  # of the matrix of similarities: 80 MB for 10,000 galaxies


def entropies(probability):
    """Entropy of the class probabilities of each galaxy [nat]; shape (...), from (..., n_classes)."""
    probability = np.asarray(probability, float)
    logarithm = np.log(probability, out=np.zeros_like(probability), where=probability > 0)
    return -np.sum(probability * logarithm, axis=-1)


def mean_entropy(probability, weights=None):
    """Mean entropy of the class probabilities of the target [nat]; lower is better. Morerio, Cavazza & Murino (2018).

    `probability` has shape (n, n_classes), `weights`, optional, (..., n): the times that each galaxy counts.
    """
    return weighted_mean(entropies(probability), weights)


def information_maximisation(probability, weights=None):
    """Entropy of the mean probabilities minus their mean entropy [nat]: sure galaxies, and classes of all kinds.

    Arguments as for `mean_entropy`. The mutual information of Bridle, Heading & MacKay (1992), a validator of Musgrave,
    Belongie & Lim (2022).
    """
    probability = np.asarray(probability, float)
    mean = np.stack([weighted_mean(column, weights) for column in probability.T], axis=-1)
    return entropies(mean) - mean_entropy(probability, weights)


def neighbourhood_entropies(probability, temperature=SND_TEMPERATURE):
    """Entropy of the soft neighbourhood of each galaxy, the other galaxies by their similarity [nat]; shape (n,).

    Parameters
    ----------
    probability : ndarray, shape (n, n_classes)
        Two galaxies or more; similar are those whose probabilities have a small angle.
    temperature : float

    Raises
    ------
    ValueError
        If there is a single galaxy.

    Notes
    -----
    Saito et al. (2021), Eqs. 1-3. Their mean, soft neighbourhood density, is high where galaxies lie in dense clusters.
    It is ln(n - 1) where all are alike.
    """
    probability = np.asarray(probability, float)
    if len(probability) < 2:
        raise ValueError(f"{len(probability)} galaxies have no neighbours; neighbourhoods need two or more")
    unit = probability / np.linalg.norm(probability, axis=1, keepdims=True)
    parts = []
    for start in range(0, len(unit), ROWS_AT_ONCE):
        similarity = unit[start : start + ROWS_AT_ONCE] @ unit.T / temperature
        rows = np.arange(len(similarity))
        similarity[rows, start + rows] = -np.inf  # no galaxy is its own neighbour
        similarity -= similarity.max(axis=1, keepdims=True)
        parts.append(entropies(np.exp(similarity) / np.exp(similarity).sum(axis=1, keepdims=True)))
    return np.concatenate(parts)
