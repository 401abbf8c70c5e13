"""Scores of maps pixel by pixel: bias, scatter and explained variance, over all pixels and within galaxies.

`map_terms` has the sums of each galaxy or field, `map_scores` the scores of all with intervals over groups of them, so
that many pixels of one galaxy do not count as many galaxies.
"""

import numpy as np

from photoz_morph.metrics.completeness import ratio
from photoz_morph.metrics.group_errors import INTERVAL, group_bootstrap

N_TERMS = 7
SCORES = ("bias", "scatter", "r2", "r2_within")


def map_terms(true_maps, maps, inside):
    """Sums over the pixels of each galaxy that `map_scores` needs.

    Parameters
    ----------
    true_maps, maps : ndarray, shape (n, rows, columns, n_maps)
        In any unit, such as dex; pixels that are not finite in the truth do not count.
    inside : ndarray of bool, shape (n, rows, columns)
        Pixels that count, such as those above a surface brightness.

    Returns
    -------
    ndarray, shape (n, n_maps, 7)
        Number of pixels; sums of the error, of its square, of the truth and of its square; sums of the squares of error
        and truth about their means in the galaxy.

    Raises
    ------
    ValueError
        If the shapes differ, or an estimate that counts is not finite.
    """
    true_maps, maps = np.asarray(true_maps, float), np.asarray(maps, float)
    if true_maps.shape != maps.shape or true_maps.shape[:3] != np.shape(inside):
        raise ValueError(
            f"maps have shape {maps.shape}, true maps {true_maps.shape}, the mask {np.shape(inside)}; they must be of "
            "the same galaxies"
        )
    counts = np.asarray(inside, bool)[..., None] & np.isfinite(true_maps)
    if not np.isfinite(maps[counts]).all():
        raise ValueError(f"{np.sum(~np.isfinite(maps[counts]))} estimated pixels are not finite; predict them again")
    truth, error = np.where(counts, true_maps, 0), np.where(counts, maps - true_maps, 0)
    number = counts.sum(axis=(1, 2)).astype(float)
    of_error, of_error2, of_truth, of_truth2 = (
        values.sum(axis=(1, 2)) for values in (error, error**2, truth, truth**2)
    )
    about = [square - np.divide(total**2, number, out=np.zeros_like(number), where=number > 0)
             for square, total in ((of_error2, of_error), (of_truth2, of_truth))]  # fmt: skip
    return np.stack([number, of_error, of_error2, of_truth, of_truth2, *about], axis=-1)


def map_scores(terms, group_id, names, n_resamples=1000, seed=0):
    """Scores of each map with 95 % intervals from resampled groups.

    Parameters
    ----------
    terms : ndarray, shape (n, n_maps, 7)
        From `map_terms`.
    group_id : ndarray, shape (n,)
        Galaxies of a group are resampled together.
    names : sequence of str
        Of the maps.
    n_resamples, seed : int

    Returns
    -------
    dict of str to dict
        By name: `n_galaxies` with a pixel that counts, `n_pixels`, and as [value, lower, upper] `bias`, the mean error;
        `scatter`, the standard deviation of the errors; `r2`, 1 minus the mean square error over the variance of the
        truth; `r2_within`, the same of errors and truth about their means in each galaxy: of the shape of a map.

    Raises
    ------
    ValueError
        If no pixel of a map counts.
    """
    terms = np.asarray(terms, float)
    if not (terms[..., 0].sum(axis=0) > 0).all():
        raise ValueError(f"no pixel counts of {', '.join(np.array(names)[terms[..., 0].sum(axis=0) == 0])}; take more")
    values = _scores(terms.sum(axis=0))
    ends = np.nanquantile(group_bootstrap(_scores, terms, group_id, n_resamples, seed),
                          ((1 - INTERVAL) / 2, (1 + INTERVAL) / 2), axis=0)  # fmt: skip
    rows = {}
    for number, name in enumerate(names):
        rows[name] = {
            "n_galaxies": int(np.sum(terms[:, number, 0] > 0)),
            "n_pixels": int(terms[:, number, 0].sum()),
            **{score: [float(table[number, column]) for table in (values, *ends)]
               for column, score in enumerate(SCORES)},
        }  # fmt: skip
    return rows


def _scores(sums):
    """`SCORES` of sums (..., 7), shape (..., 4)."""
    number, error, error2, truth, truth2, error2_within, truth2_within = np.moveaxis(np.asarray(sums, float), -1, 0)
    bias, mean_square = (ratio(np.stack([total, number], axis=-1)) for total in (error, error2))
    spread = truth2 - ratio(np.stack([truth**2, number], axis=-1))
    scores = [bias, np.sqrt(np.maximum(mean_square - bias**2, 0))]
    scores += [1 - ratio(np.stack([square, whole], axis=-1)) for square, whole in
               ((error2, spread), (error2_within, truth2_within))]  # fmt: skip
    return np.stack(scores, axis=-1)
