"""Scores that ask whether the classes a network gives to target galaxies bear a second look.

Circular validation learns from them and goes back to the source; MixVal classifies mixtures of two target images.
"""

import numpy as np

from photoz_morph.metrics.selection.domains import group_parts, linear_head
from photoz_morph.metrics.selection.source_risks import weighted_mean

MIXING = 0.55  # share of the first image, Hu et al. (2023), Sec. 3.2


def circular_classes(source_latent, target_latent, target_class, source_group, target_group):
    """Class of each source galaxy by a linear head on the latents that knows the classes of target galaxies only.

    Parameters
    ----------
    source_latent, target_latent : ndarray, shapes (n, n_latent) and (m, n_latent)
    target_class : ndarray of int, shape (m,)
        Those that the network gives.
    source_group, target_group : ndarray, shapes (n,) and (m,)
        The head learns from other groups than those that it is asked for.

    Returns
    -------
    ndarray of int, shape (n,)

    Notes
    -----
    Bruzzone & Marconcini (2010); Zhong et al. (2010), reverse validation. They train the whole classifier again; a
    logistic regression on the latents is its last layer, and takes a second instead of an hour.
    """
    target_class = np.asarray(target_class)
    part = group_parts(np.concatenate([source_group, target_group]))
    source_part, target_part = part[: len(source_latent)], part[len(source_latent) :]
    found = np.empty(len(source_latent), int)
    for number in range(part.max() + 1):
        seen, asked = target_part != number, source_part == number
        if not asked.any():
            continue
        given = np.unique(target_class[seen])
        if len(given) == 1:  # no head is needed to know the one class
            found[asked] = given[0]
        elif len(given):
            found[asked] = linear_head(np.asarray(target_latent)[seen], target_class[seen]).predict(
                np.asarray(source_latent)[asked]
            )
        else:
            raise ValueError("all target galaxies are of one group; circular validation needs two groups or more")
    return found


def mixval(target_class, partner, mixed_class, weights=None):
    """Fraction of mixtures of two target images that have the class of the image with the larger share.

    Parameters
    ----------
    target_class : ndarray of int, shape (n,)
        Class that the network gives to each image alone.
    partner : ndarray of int, shape (n,)
        Row of the image that it is mixed with.
    mixed_class : ndarray of int, shape (n,)
        Class of `MIXING` times the image plus the rest of its partner.
    weights : ndarray, shape (..., n), optional
        Number of times that each galaxy counts; its mixture counts as often.

    Returns
    -------
    float or ndarray, shape (...)
        Mean of the fractions among pairs of one class and of two, or the only one there is.

    Notes
    -----
    Hu et al. (2023), "intra" and "inter" cluster probes. They average the ranks of the networks by both; the mean of
    both fractions is a score of one network alone.
    """
    target_class = np.asarray(target_class)
    consistent, same = target_class == np.asarray(mixed_class), target_class == target_class[np.asarray(partner)]
    weights = np.ones(len(target_class)) if weights is None else np.asarray(weights, float)
    kinds = np.stack([weighted_mean(consistent, weights * pairs) for pairs in (same, ~same)])
    known = np.isfinite(kinds)
    return np.where(known, kinds, 0.0).sum(axis=0) / known.sum(axis=0)
