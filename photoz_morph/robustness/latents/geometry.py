"""Distances in the latent space of a classifier, in units that make two networks comparable.

Input are latents, shape (n, n_latent), and the head of the network, the linear layer `logits = latent @ kernel + bias`.
The scale of a latent space is arbitrary, for the head can undo it, so raw distances of two networks cannot be compared.
Three units can:

- the separation: the mean distance between the centroids of the classes;
- the spread: the root mean square distance of a latent from the centroid of its class;
- the way itself: where along the step to the attacked image the class changes (`crossing`).

All three are the same for latents a hundred times as large; `crossing` is so for any other invertible linear map of
them, which the head undoes, too.
"""

import numpy as np


def distance(a, b):
    """Euclidean distance of each latent to its partner, shape (n,).

    Parameters
    ----------
    a, b : ndarray, shape (n, n_latent)
        The same galaxies seen twice; rows of NaN give NaN.
    """
    return np.linalg.norm(np.asarray(b, float) - np.asarray(a, float), axis=1)


def distances(a, b):
    """Mean, standard deviation and standard error of the distance between two views of the same galaxies.

    Parameters
    ----------
    a, b : ndarray, shape (n, n_latent)

    Returns
    -------
    dict
        n, mean, standard_deviation (with 1/n, as published), standard_error (standard_deviation / sqrt(n): galaxies
        taken as independent; for errors over groups see `means`).

    Raises
    ------
    ValueError
        If there is no galaxy.

    Notes
    -----
    Ciprijanovic et al. (2021), Table 2, where the base is Y10 and the partner Y1 or the attacked image.
    """
    values = distance(a, b)
    if not len(values):
        raise ValueError("no latents to take a distance of: no galaxy was flipped, or none was given")
    deviation = float(values.std())
    return {"n": len(values), "mean": float(values.mean()), "standard_deviation": deviation,
            "standard_error": float(deviation / np.sqrt(len(values)))}  # fmt: skip


def class_separation(latents, labels):
    """Separation and spread of the classes in a latent space.

    Parameters
    ----------
    latents : ndarray, shape (n, n_latent)
    labels : ndarray of int, shape (n,)
        -1 where unknown.

    Returns
    -------
    dict
        separation: mean distance between the centroids of two classes, every pair with the same weight. spread: root
        mean square distance of a latent from the centroid of its class, every galaxy with the same weight.

    Raises
    ------
    ValueError
        If there are fewer than two classes.

    Notes
    -----
    Our choice; the papers leave distances raw. Labels, not predicted classes, define the centroids, so
    that the unit does not depend on the network's own errors.
    """
    terms, n_classes = class_terms(np.asarray(latents, float), np.asarray(labels))
    scale = scale_of_sums(terms.sum(axis=0)[None], n_classes)
    return {name: float(value[0]) for name, value in zip(("separation", "spread"), scale)}


def class_terms(latents, labels):
    """Contribution of each galaxy to count, sum of squares and sum of its class, and the number of classes.

    Parameters
    ----------
    latents : ndarray, shape (n, n_latent)
    labels : ndarray of int, shape (n,)

    Returns
    -------
    terms : ndarray, shape (n, n_classes * (n_latent + 2))
    n_classes : int
    """
    present = np.unique(labels[labels >= 0])
    if len(present) < 2:
        raise ValueError(f"the scale of a latent space needs two classes or more, got labels {present.tolist()}")
    each = np.concatenate([np.ones((len(latents), 1)), (latents**2).sum(axis=1, keepdims=True), latents], axis=1)
    member = labels[:, None] == present
    return (member[:, :, None] * each[:, None]).reshape(len(latents), -1), len(present)


def scale_of_sums(sums, n_classes):
    """Separation and spread, shape (n_samples,) each, from sums of `class_terms`, one row for each sample of galaxies.

    NaN where a class was not drawn.
    """
    sums = sums.reshape(len(sums), n_classes, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        centroids = sums[:, :, 2:] / sums[:, :, :1]
    within = sums[:, :, 1].sum(axis=1) - (sums[:, :, 0] * (centroids**2).sum(axis=2)).sum(axis=1)
    pairs = [centroids[:, i] - centroids[:, j] for i in range(n_classes) for j in range(i)]
    separation = np.mean([np.linalg.norm(pair, axis=1) for pair in pairs], axis=0)
    return separation, np.sqrt(np.maximum(within, 0) / sums[:, :, 0].sum(axis=1))


def margins(logits, kernel):
    """Signed distance of each latent to the border between each pair of classes, exact.

    Parameters
    ----------
    logits : ndarray, shape (n, n_classes)
    kernel : ndarray, shape (n_latent, n_classes)
        Of the head.

    Returns
    -------
    ndarray, shape (n, n_classes, n_classes)
        [i, p, q] is (L_p - L_q) / |w_p - w_q|, positive on the side of p; NaN for p = q.

    Notes
    -----
    The border of p and q is the hyperplane L_p = L_q, of normal w_p - w_q; lengths are those of the latent space.
    """
    logits, kernel = np.asarray(logits, float), np.asarray(kernel, float)
    normals = np.linalg.norm(kernel[:, :, None] - kernel[:, None], axis=0)
    np.fill_diagonal(normals, np.nan)
    return (logits[:, :, None] - logits[:, None]) / normals


def class_margins(logits, kernel):
    """Distance of each latent to the nearest border of its class.

    Parameters
    ----------
    logits : ndarray, shape (n, n_classes)
    kernel : ndarray, shape (n_latent, n_classes)

    Returns
    -------
    ndarray, shape (n,)

    Notes
    -----
    Exact: the region of a class is where all its half-spaces overlap, so leaving it is leaving the nearest. No
    step in latent space shorter than this changes the class.
    """
    logits = np.asarray(logits, float)
    return np.nanmin(margins(logits, kernel)[np.arange(len(logits)), logits.argmax(axis=1)], axis=1)


def crossing(logits, logits_after, classes):
    """Fraction of the straight path between two latents at which the class changes.

    Parameters
    ----------
    logits, logits_after : ndarray, shape (n, n_classes)
        At the start and the end, such as the original and the attacked image.
    classes : ndarray of int, shape (n,)
        Class given at the start.

    Returns
    -------
    ndarray, shape (n,)
        0 to 1 where another class is given at the end; above 1 where a longer step in this direction would change it;
        infinite where none would; NaN where an input is.

    Notes
    -----
    Logits are linear along the way, so the border to q is met at m_q / (m_q - m'_q) with m = L_p - L_q: a number that
    no invertible linear map of the latents changes. Times the distance it is the margin in the direction of the
    attack; 1 minus it is how far the attack went beyond what was needed.
    """
    logits, logits_after = np.asarray(logits, float), np.asarray(logits_after, float)
    rows = np.arange(len(logits))
    before, after = (part[rows, classes][:, None] - part for part in (logits, logits_after))
    drop = before - after
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(drop > 0, before / drop, np.inf)
    parts[rows, classes] = np.inf  # the border of a class with itself
    nearest = parts.min(axis=1)
    return np.where(np.isfinite(drop).all(axis=1), nearest, np.nan)


def seen_distance(a, b, kernel):
    """Length of the part of each step that the head sees, shape (n,).

    Parameters
    ----------
    a, b : ndarray, shape (n, n_latent)
    kernel : ndarray, shape (n_latent, n_classes)

    Notes
    -----
    Differences of logits depend on the latent only through its projection on the n_classes - 1 directions that the
    w_p - w_q span. The rest of a step, however long, changes no probability.
    """
    kernel = np.asarray(kernel, float)
    contrasts = kernel[:, 1:] - kernel[:, :1]
    directions, _ = np.linalg.qr(contrasts)
    return np.linalg.norm((np.asarray(b, float) - np.asarray(a, float)) @ directions, axis=1)
