"""Completeness and purity of detections, in bins of magnitude or blendedness, at a score threshold or at a purity.

All of it are ratios of sums over images, from `detection.Matches`: `completeness_terms` and `purity_terms` give the
sums of each image, `group_errors.group_bootstrap` of `ratio` their errors.
"""

import numpy as np


def ratio(sums):
    """First of the sums over the second, along the last axis; NaN where the second is 0."""
    sums = np.asarray(sums, float)
    return np.divide(sums[..., 0], sums[..., 1], out=np.full(sums.shape[:-1], np.nan), where=sums[..., 1] > 0)


def bin_number(values, edges):
    """Number of the bin of each value, -1 outside of all and for NaN; bins are [lower, upper), the last [lower, upper].

    Parameters
    ----------
    values : ndarray, shape (n,)
    edges : ndarray, shape (n_bins + 1,)
        Ascending.
    """
    values, edges = np.asarray(values, float), np.asarray(edges, float)
    number = np.searchsorted(edges, values, side="right") - 1
    number[values == edges[-1]] = len(edges) - 2
    return np.where((number < len(edges) - 1) & np.isfinite(values), number, -1)


def column_of(tables, name, image, row):
    """Values of a column at some rows of some images' tables.

    Parameters
    ----------
    tables : list of mapping
        As given to `match_images`.
    name : str
    image, row : ndarray of int, shape (n,)
        Such as `image` and `row` of `Matches`, or `truth_image` and `truth_row`.

    Returns
    -------
    ndarray, shape (n, ...)
    """
    starts = np.cumsum([0, *(len(table[name]) for table in tables)])
    return np.concatenate([np.asarray(table[name]) for table in tables])[starts[image] + row]


def nearest_truth(matches, detections, truths):
    """Target nearest to each detection in its image, as a row of the matched truths; -1 where the image has none.

    What a detection lacks that took no truth, such as a blendedness, is that of its surroundings: the piece of a galaxy
    torn apart belongs to the bin of that galaxy.

    Parameters
    ----------
    matches : Matches
    detections, truths : list of mapping
        The tables that were matched, with columns `y` and `x` [pixel].

    Returns
    -------
    ndarray of int, shape (n,)
    """
    here = [column_of(detections, axis, matches.image, matches.row).astype(float) for axis in "yx"]
    there = [column_of(truths, axis, matches.truth_image, matches.truth_row).astype(float) for axis in "yx"]
    nearest = np.full(len(matches.score), -1)
    for image in np.unique(matches.image):
        rows = np.flatnonzero(matches.image == image)
        targets = np.flatnonzero((matches.truth_image == image) & matches.is_target)
        if len(targets):
            y, x = (np.subtract.outer(one[rows], other[targets]) for one, other in zip(here, there))
            nearest[rows] = targets[np.hypot(y, x).argmin(axis=1)]
    return nearest


def completeness_terms(matches, values, edges, score_threshold=-np.inf, level=0):
    """Targets found and targets of each image, in bins of one of their properties.

    Parameters
    ----------
    matches : Matches
    values : ndarray, shape (n_truth,)
        Of the truths, such as magnitude or blendedness; those outside of all bins, and NaN, are not counted.
    edges : ndarray, shape (n_bins + 1,)
        Bins as of `bin_number`.
    score_threshold : float
        Lowest score of a detection that counts.
    level : int
        Which of the matches' thresholds.

    Returns
    -------
    ndarray, shape (n_images, n_bins, 2)
    """
    is_found = matches.found_at[level] >= max(score_threshold, np.finfo(float).min)
    return _binned(matches.truth_image, values, edges, matches.is_target, is_found, matches.n_images)


def purity_terms(matches, values, edges, score_threshold=-np.inf, level=0):
    """True detections and detections of each image, in bins of one of their properties.

    Arguments as for `completeness_terms`, but `values`, shape (n,), are of the detections, such as their measured
    magnitude. Detections of truths that are no targets are not counted.

    Returns
    -------
    ndarray, shape (n_images, n_bins, 2)
    """
    counts = (matches.score >= score_threshold) & ~matches.is_ignored[level]
    return _binned(matches.image, values, edges, counts, matches.is_true[level], matches.n_images)


def _binned(image, values, edges, counts, is_good, n_images):
    """Number of good rows and of rows that count, of each image and bin, shape (n_images, n_bins, 2)."""
    chosen = bin_number(values, edges)
    counts = counts & (chosen >= 0)
    terms = np.zeros((n_images, len(edges) - 1, 2))
    for part, rows in enumerate((counts & is_good, counts)):
        np.add.at(terms, (image[rows], chosen[rows], part), 1)
    return terms


def score_at_purity(matches, purity, level=0, weights=None):
    """Lowest score threshold at which the purity is at least `purity`; infinite if there is none.

    Parameters
    ----------
    matches : Matches
    purity : float
        Between 0 and 1.
    level : int
        Which of the matches' thresholds.
    weights : ndarray, shape (n_images,), optional
        How often an image is in the sample.

    Returns
    -------
    float
    """
    if not 0 <= purity <= 1:
        raise ValueError(f"purity is {purity:g}, a fraction from 0 to 1")
    each = np.ones(len(matches.score)) if weights is None else np.asarray(weights, float)[matches.image]
    order = np.argsort(-matches.score, kind="stable")
    order = order[each[order] > 0]
    score, each = matches.score[order], each[order]
    true = np.cumsum(each * matches.is_true[level, order])
    count = np.cumsum(each * ~matches.is_ignored[level, order])
    # A threshold keeps all detections of one score or none, so only the last of them can be where it lies. The first
    # few may all be ignored; such a threshold finds nothing.
    is_last = np.append(score[1:] != score[:-1], True)[: len(score)]
    passes = is_last & (count > 0) & (true >= purity * count * (1 - 1e-12))
    return float(score[np.flatnonzero(passes)[-1]]) if passes.any() else np.inf


def completeness_at_purity(matches, purity, weights=None, is_counted=None, level=0):
    """Fraction of the targets found at the lowest score threshold with a purity of at least `purity`.

    Parameters
    ----------
    matches : Matches
    purity : float
        Of all detections of the sample.
    weights : ndarray, shape (n_images,) or (k, n_images), optional
        As for `detection.average_precision`. Each sample has a threshold of its own, as a new sample of images would.
    is_counted : ndarray of bool, shape (n_truth,), optional
        Targets whose completeness is asked for, such as the blended ones; by default all.
    level : int

    Returns
    -------
    float or ndarray, shape (k,)
        0 if no threshold is so pure, NaN where there is no target.
    """
    wanted = matches.is_target if is_counted is None else matches.is_target & is_counted
    samples = np.ones((1, matches.n_images)) if weights is None else np.atleast_2d(np.asarray(weights, float))
    values = np.full(len(samples), np.nan)
    for row, weight in enumerate(samples):
        each = weight[matches.truth_image] * wanted
        if each.sum() > 0:
            found = matches.found_at[level] >= score_at_purity(matches, purity, level, weight)
            values[row] = each[found].sum() / each.sum()
    return values if np.ndim(weights) == 2 else float(values[0])
