"""Local maximum mean discrepancy (LMMD; Zhu et al. 2021, IEEE TNNLS 32, 1713): MMD class by class.

Latents are weighted by the probability of a class, the source's by its labels, the target's by what the network
predicts, so that the domains are compared among galaxies of one class, or one redshift, and need not have equal shares
of them. Neighbouring classes, such as redshift bins, are pooled into groups that a batch has galaxies of.
"""

import numpy as np
from keras import ops

from photoz_morph.adaptation.mmd import ESTIMATORS, PAPER_VARIANCES, median_variances, squared_distances

FLAT_SHARE = 1e-3  # of a uniform distribution among the classes of a batch: one without source galaxies has a place


def lmmd_loss(estimator="median", n_groups=None):
    """Adaptation loss: mean over the classes of the squared MMD between the latents of source and target in a class.

    Parameters
    ----------
    estimator : {"median", "paper"}
        Kernels and estimator, as those of `mmd_loss`.
    n_groups : int, optional
        Pool the classes, in their order, into so many groups of equally many source galaxies of the batch; without,
        each class is a group.

    Returns
    -------
    callable
        See `adaptation.losses`; labels may be class numbers, or probabilities of shape (n, n_classes).

    Raises
    ------
    ValueError
        If there is no such estimator.
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"no MMD estimator {estimator!r}; there are {', '.join(ESTIMATORS)}")

    def loss(source, target, labels):
        predicted = ops.stop_gradient(ops.softmax(ops.cast(target["logits"], "float32")))
        n_classes = predicted.shape[-1]
        known = ops.cast(labels, "float32") if len(labels.shape) == 2 else ops.one_hot(labels, n_classes)
        if n_groups is not None:
            shares = group_shares(known, n_groups)
            known, predicted = ops.matmul(known, shares), ops.matmul(predicted, shares)
        return local_mmd(source["latent"], target["latent"], known, predicted, estimator)

    return loss


def group_shares(probability, n_groups):
    """Share of each class in groups of neighbouring classes with equally many galaxies.

    Parameters
    ----------
    probability : tensor, shape (n, n_classes)
        Of the classes, in their order, for each galaxy.
    n_groups : int

    Returns
    -------
    tensor, shape (n_classes, n_groups), float32
        Rows sum to one; a class at the edge of a group is divided between two.
    """
    share = ops.mean(probability, axis=0)
    share = (1 - FLAT_SHARE) * share / ops.sum(share) + FLAT_SHARE / probability.shape[-1]
    upper = ops.cumsum(share)[:, None]
    edges = np.arange(n_groups + 1, dtype=np.float32) / n_groups
    overlap = ops.minimum(upper, edges[None, 1:]) - ops.maximum(upper - share[:, None], edges[None, :-1])
    overlap = ops.maximum(overlap, 0.0)
    return overlap / ops.sum(overlap, axis=1, keepdims=True)


def local_mmd(source, target, source_weights, target_weights, estimator="median"):
    """Mean over groups of the squared discrepancy of the galaxies of a group.

    Parameters
    ----------
    source : tensor, shape (n, n_latent)
    target : tensor, shape (m, n_latent)
    source_weights, target_weights : tensor, shapes (n, n_groups), (m, n_groups)
        Probability that a galaxy is of a group.
    estimator : {"median", "paper"}

    Returns
    -------
    scalar tensor, float32
        0 if no group is in both domains: its weights must add up to one galaxy, and be those of two or more, whose
        number is (sum w)^2 / sum w^2.

    Notes
    -----
    Zhu et al. (2021), Eq. 5 to 7. Of "median" we leave out each latent's kernel with itself, so that it is zero on
    average for equal distributions; the authors, like "paper", do not.
    """
    distances, n = squared_distances(source, target), ops.shape(source)[0]
    if estimator == "median":
        variances = median_variances(distances)
        kernel = sum(ops.exp(-distances / (2 * variance)) for variance in variances) / len(variances)
    else:
        kernel = sum(ops.exp(-distances / (2 * variance)) for variance in PAPER_VARIANCES)
    own, normalised, is_known = 0.0, [], True
    for weights, block in ((source_weights, kernel[:n, :n]), (target_weights, kernel[n:, n:])):
        total = ops.sum(weights, axis=0)
        weights = weights / ops.maximum(total, 1e-12)
        squares = ops.sum(ops.square(weights), axis=0)
        is_there = ops.logical_and(total >= 1 - 1e-3, squares <= 0.5 + 1e-3)
        product = ops.sum(weights * ops.matmul(block, weights), axis=0)
        if estimator == "median":  # whose kernel of a latent with itself is 1
            product = (product - squares) / ops.where(is_there, 1 - squares, 1.0)
        own, is_known = own + product, ops.logical_and(is_known, is_there)
        normalised.append(weights)
    cross = ops.sum(normalised[0] * ops.matmul(kernel[:n, n:], normalised[1]), axis=0)
    known = ops.cast(is_known, "float32")
    return ops.sum(known * (own - 2 * cross)) / ops.maximum(ops.sum(known), 1.0)
