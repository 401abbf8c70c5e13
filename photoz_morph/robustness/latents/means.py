"""Means of lengths in a latent space, raw and scale-free, and their ratios between networks, with errors over groups.

Scale-free is a length over the separation of the classes or over their spread, see `geometry`. Groups of
galaxies are resampled together, and the scale is measured again in each resample.
"""

from dataclasses import dataclass

import numpy as np

from photoz_morph.metrics.group_errors import INTERVAL, group_bootstrap, interval
from photoz_morph.robustness.latents.geometry import class_separation, class_terms, scale_of_sums

UNITS = ("raw", "per_separation", "per_spread")


@dataclass(frozen=True)
class LatentSpace:
    """Galaxies that set the scale of a latent space.

    Attributes
    ----------
    latents : ndarray, shape (n, n_latent)
        Of the base images, Y10.
    labels : ndarray of int, shape (n,)
        True classes; -1 where unknown, which then do not count for the scale.
    group_id : ndarray, shape (n,)
        Galaxies of a group are resampled together.
    """

    latents: np.ndarray
    labels: np.ndarray
    group_id: np.ndarray


def scaled_means(quantities, space, n_resamples=1000, seed=0):
    """Means of lengths in a latent space, raw and over its separation and spread, with errors over groups.

    Parameters
    ----------
    quantities : dict of str to ndarray, shape (n,)
        Lengths, one for each galaxy of `space`; NaN where a galaxy has none.
    space : LatentSpace
    n_resamples, seed : int

    Returns
    -------
    dict of str to dict
        For each quantity: n, n_groups, standard_deviation (with 1/n) and standard_error as published, and for "raw",
        "per_separation" and "per_spread" {value, error, interval}; None as error and interval where fewer than two
        groups have a value.

    Raises
    ------
    ValueError
        If a quantity has no value at all.

    Notes
    -----
    Groups are resampled with replacement; the scale is measured again in each resample, so its error is part of that
    of the ratio. The network is held fixed: the scatter between training seeds is not included.
    """
    measured = _measure(quantities, space)
    resampled = _measure(quantities, space, n_resamples, seed)
    return {
        name: _counts(values, space.group_id) | {
            unit: _with_error(measured[name][unit][0], resampled[name][unit], _n_groups(values, space.group_id))
            for unit in UNITS
        }
        for name, values in quantities.items()
    }  # fmt: skip


def scale_of(space, n_resamples=1000, seed=0):
    """Separation and spread of a latent space, each {value, error, interval} over groups."""
    terms, n_classes = class_terms(np.asarray(space.latents, float), np.asarray(space.labels))
    resampled = group_bootstrap(lambda sums: scale_of_sums(sums, n_classes), terms, space.group_id, n_resamples, seed)
    values = class_separation(space.latents, space.labels)
    n_groups = len(np.unique(space.group_id))
    return {name: _with_error(value, part, n_groups) for (name, value), part in zip(values.items(), resampled)}


def paired_ratio(first, second, n_resamples=1000, seed=0):
    """Ratio of the mean lengths of two networks over the same galaxies, raw and scale-free, with its interval.

    Parameters
    ----------
    first, second : tuple of (ndarray of shape (n,), LatentSpace)
        Lengths and the space they were measured in, of the same galaxies in the same order. Only galaxies for which
        both have a length count; the scales are measured on all.
    n_resamples, seed : int

    Returns
    -------
    dict
        n, n_groups and, for "raw", "per_separation" and "per_spread", {value: mean of the second over mean of the
        first, error, interval}, the last two None for fewer than two groups.

    Raises
    ------
    ValueError
        If the galaxies differ, or none has a length in both.

    Notes
    -----
    The published claim is the raw ratio, 38.1 / 16.8 = 2.3 (Ciprijanovic et al. 2021, Table 2). Both networks are held
    fixed: the interval is over galaxies, that of another seed of either may lie elsewhere.
    """
    lengths, spaces = zip(first, second)
    if not np.array_equal(spaces[0].group_id, spaces[1].group_id):
        raise ValueError("a ratio of distances needs the same galaxies in the same order; the group_id differ")
    both = np.isfinite(np.asarray(lengths[0], float)) & np.isfinite(np.asarray(lengths[1], float))
    quantities = [{"length": np.where(both, values, np.nan)} for values in lengths]
    # The same groups and seed draw the same samples: the ratio is paired.
    values = [_measure(part, space)["length"] for part, space in zip(quantities, spaces)]
    resampled = [_measure(part, space, n_resamples, seed)["length"] for part, space in zip(quantities, spaces)]
    n_groups = _n_groups(quantities[0]["length"], spaces[0].group_id)
    result = {"n": int(both.sum()), "n_groups": n_groups}
    for unit in UNITS:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = resampled[1][unit] / resampled[0][unit]
        result[unit] = _with_error(values[1][unit][0] / values[0][unit][0], ratios, n_groups)
        if result[unit]["interval"]:  # a ratio is skewed: percentiles, not a t
            tail = 50 * (1 - INTERVAL)
            result[unit]["interval"] = np.nanpercentile(ratios, (tail, 100 - tail)).tolist()
    return result


def _measure(quantities, space, n_resamples=None, seed=0):
    """Mean of each quantity in each unit, of all galaxies or of resamplings of the groups, shape (n_resamples,)."""
    scale, n_classes = class_terms(np.asarray(space.latents, float), np.asarray(space.labels))
    columns = []
    for name, values in quantities.items():
        known = np.isfinite(np.asarray(values, float))
        if not known.any():
            raise ValueError(f"no galaxy has a {name}: nothing to average; was any flipped?")
        columns += [np.where(known, values, 0.0), known]
    terms = np.concatenate([np.stack(columns, axis=1), scale], axis=1)

    def means(sums):
        separation, spread = scale_of_sums(sums[:, len(columns) :], n_classes)
        found = {}
        for number, name in enumerate(quantities):
            with np.errstate(divide="ignore", invalid="ignore"):  # of a resampling without any
                mean = sums[:, 2 * number] / sums[:, 2 * number + 1]
            found[name] = dict(zip(UNITS, (mean, mean / separation, mean / spread)))
        return found

    if n_resamples is None:
        return means(terms.sum(axis=0)[None])
    return group_bootstrap(means, terms, space.group_id, n_resamples, seed)


def _counts(values, group_id):
    """Number of galaxies and groups with a value, and their scatter as the paper gives it."""
    known = np.asarray(values, float)[np.isfinite(values)]
    return {"n": len(known), "n_groups": _n_groups(values, group_id), "standard_deviation": float(known.std()),
            "standard_error": float(known.std() / np.sqrt(len(known)))}  # fmt: skip


def _n_groups(values, group_id):
    """Groups with a value."""
    return len(np.unique(np.asarray(group_id)[np.isfinite(values)]))


def _with_error(value, resampled, n_groups):
    """A value with its error and interval over groups, or without both for fewer than two groups."""
    if n_groups < 2:
        return {"value": float(value), "error": None, "interval": None}
    return interval(value, [(np.nanstd(resampled, ddof=1), n_groups - 1)])
