"""How well the two domains can be told apart in latent space, and the ratio of their densities there.

A logistic regression learns which domain a galaxy is of. Its answers are for galaxies of groups that it has not seen,
so that it cannot know the two images of a galaxy by heart.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from photoz_morph.metrics.checks import checked
from photoz_morph.metrics.selection.source_risks import weighted_mean

N_PARTS = 5  # our choice: the regression learns from four fifths of the groups
INVERSE_PENALTY = 0.1  # our choice, of standardised latents: a few hundred galaxies have 256 of them
EDGE = 1e-6  # our choice: no density ratio is above a million


def held_out_domain(source_latent, target_latent, source_group, target_group):
    """Probability of the target domain for each galaxy, by a regression that has not seen its group.

    Parameters
    ----------
    source_latent, target_latent : ndarray, shapes (n, n_latent) and (m, n_latent)
    source_group, target_group : ndarray, shapes (n,) and (m,)
        Galaxies of a group are held out together, those of both domains.

    Returns
    -------
    source_probability, target_probability : ndarray, shapes (n,) and (m,)
        For domains of equal size, whatever n and m.

    Raises
    ------
    ValueError
        If latents are not finite, or there are fewer than two groups in a domain.
    """
    latents = checked(np.concatenate([source_latent, target_latent]), "latents")
    is_target = np.repeat([False, True], [len(source_latent), len(target_latent)])
    part = group_parts(np.concatenate([source_group, target_group]))
    probability = np.full(len(latents), np.nan)
    for number in range(part.max() + 1):
        seen = part != number
        if np.unique(is_target[seen]).size < 2:
            raise ValueError("a domain has galaxies of one group alone; domains are compared over two groups or more")
        probability[~seen] = linear_head(latents[seen], is_target[seen]).predict_proba(latents[~seen])[:, 1]
    return probability[~is_target], probability[is_target]


def group_parts(group_id, n_parts=N_PARTS):
    """Part of each galaxy, from 0, for cross-validation that keeps groups together; shape (n,)."""
    groups, group = np.unique(np.asarray(group_id), return_inverse=True)
    order = np.random.default_rng(0).permutation(len(groups))
    return order[group] % min(n_parts, len(groups))


def linear_head(latents, classes):
    """Logistic regression from standardised latents to classes, which all count alike."""
    head = LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=1000)
    return make_pipeline(StandardScaler(), head).fit(latents, classes)


def density_ratio(source_probability):
    """Density of the target over that of the source at each galaxy of the source, at most a million; shape (n,).

    `source_probability` is from `held_out_domain`. Bickel, Brückner & Scheffer (2007).
    """
    clipped = np.clip(source_probability, EDGE, 1 - EDGE)
    return clipped / (1 - clipped)


def effective_number(ratio):
    """Number of unweighted galaxies that would give a weighted mean the same error: Kish (1965), Sec. 8.2."""
    ratio = np.asarray(ratio, float)
    return float(ratio.sum() ** 2 / np.sum(ratio**2))


def domain_auc(source_probability, target_probability, source_weights=None, target_weights=None):
    """Area under the ROC curve of the domain classifier: 0.5 for domains that look alike, 1 for separate ones.

    Parameters
    ----------
    source_probability, target_probability : ndarray, shapes (n,) and (m,)
        From `held_out_domain`.
    source_weights, target_weights : ndarray, shapes (..., n) and (..., m), optional
        Number of times that each galaxy counts.

    Returns
    -------
    float or ndarray, shape (...)
        Probability that a galaxy of the target has the higher value than one of the source; ties count half.
    """
    source, target = np.asarray(source_probability), np.asarray(target_probability)
    source_weights, target_weights = (
        np.ones(size) if weights is None else np.asarray(weights, float)
        for weights, size in ((source_weights, len(source)), (target_weights, len(target)))
    )
    order = np.argsort(source)
    counted = np.cumsum(source_weights[..., order], axis=-1)
    counted = np.concatenate([np.zeros_like(counted[..., :1]), counted], axis=-1)
    # Source galaxies below each target galaxy, and those no higher.
    below, not_above = (counted[..., np.searchsorted(source[order], target, side)] for side in ("left", "right"))
    pairs = source_weights.sum(axis=-1) * target_weights.sum(axis=-1)
    return np.sum(0.5 * (below + not_above) * target_weights, axis=-1) / pairs


def a_distance(source_probability, target_probability, source_weights=None, target_weights=None):
    """Proxy A-distance 2 (1 - 2 error), with the error of the domain classifier: 0 for equal domains, 2 for separate.

    Arguments as for `domain_auc`. Ben-David et al. (2007), Sec. 4, by logistic regression in place of a linear SVM;
    chance makes it slightly negative for equal domains.
    """
    wrong = weighted_mean(np.asarray(source_probability) >= 0.5, source_weights)
    missed = weighted_mean(np.asarray(target_probability) < 0.5, target_weights)
    return 2 * (1 - (wrong + missed))
