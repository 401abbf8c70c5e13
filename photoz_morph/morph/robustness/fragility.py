"""Flags for new stamps whose class a single pixel can change.

The lattice search of `robustness.one_pixel` queries the exported model as a black box. Logarithms of its probabilities
serve as logits: in float32 small probabilities keep their relative precision, and differences of logarithms are those
of the logits.
"""

import numpy as np
from astropy.table import Table

from photoz_morph.metrics.classification import predicted_class
from photoz_morph.robustness.one_pixel.attack import AttackOptions, CallableQueries, one_pixel_attack
from photoz_morph.robustness.one_pixel.bounds import pixel_bounds

SMALLEST = 1e-37  # about the smallest normal float32
NOT_SEARCHED = {"fragile": False, "fragile_class": "", "fragile_row": -1, "fragile_column": -1, "fragile_queries": 0}


def pixel_range(stamps):
    """Lowest and highest pixel value of each band over stamps.

    Parameters
    ----------
    stamps : iterable of ndarray, shape (n, 100, 100, n_bands)
        Parts of all stamps [nJy]; those with a value that is not finite are left out.

    Returns
    -------
    low, high : ndarray, shape (n_bands,)
        [nJy]; infinite where there is no stamp.
    """
    low, high = np.inf, -np.inf
    for images in stamps:
        images = images[np.isfinite(images).all(axis=(1, 2, 3))]
        if len(images):
            low, high = np.minimum(low, images.min(axis=(0, 1, 2))), np.maximum(high, images.max(axis=(0, 1, 2)))
    return low, high


def fragile_columns(estimator, images, obj_ids, years, low, high, max_queries, seed=0, on_done=None):
    """Search, for each stamp, a pixel value within given bounds that changes the class.

    Parameters
    ----------
    estimator : ExportedMorphModel
    images : ndarray, shape (n, 100, 100, 3)
        [nJy]
    obj_ids : ndarray of int, shape (n,)
        With `seed`, the seeds of the random numbers of each galaxy.
    years : int
    low, high : ndarray, shape (3,)
        [nJy]
    max_queries : int
        For each stamp. One that is not flipped within them may be flipped with more.
    seed : int
    on_done : callable, optional
        Called with the number of stamps finished since the last call.

    Returns
    -------
    Table
        `fragile` (bool), `fragile_class` ("" if not fragile), `fragile_row` and `fragile_column` (array indices, -1 if
        not fragile) and `fragile_queries`. A stamp without a class, because its probabilities are NaN, is not searched.
    """
    def classify(stamps):
        return _log_probability(estimator, stamps, years)

    queries, n = CallableQueries(images, classify), len(images)
    given = predicted_class(queries.clean_logits())
    searched = np.flatnonzero(given >= 0)
    columns = {"fragile": np.zeros(n, bool), "after": np.full(n, -1), "fragile_row": np.full(n, -1),
               "fragile_column": np.full(n, -1), "fragile_queries": np.zeros(n, int)}  # fmt: skip
    if len(searched):
        queries = queries if len(searched) == n else CallableQueries(images[searched], classify)
        seeds = [[seed, int(obj_id)] for obj_id in np.asarray(obj_ids)[searched]]
        options, bounds = AttackOptions("lattice", max_queries), pixel_bounds("data", low, high)
        found = one_pixel_attack(queries, given[searched], seeds, bounds, options, on_done)
        after = predicted_class(found.logits)  # NaN, hence -1, unless flipped
        for name, values in zip(columns, (found.flipped, after, *found.pixels.T, found.queries)):
            columns[name][searched] = values
    if on_done and len(searched) < n:
        on_done(n - len(searched))
    columns["fragile_class"] = np.array([*estimator.classes, ""])[columns.pop("after")]
    order = ("fragile", "fragile_class", "fragile_row", "fragile_column", "fragile_queries")
    return Table({name: columns[name] for name in order})


def flag_fragile(estimator, table, images, years, low, high, max_queries):
    """Add `fragile_columns` to classified stamps.

    Parameters
    ----------
    estimator : ExportedMorphModel
    table : Table
        From its `classify`; stamps that are flagged are not searched.
    images : ndarray, shape (n, 100, 100, 3)
        The same stamps [nJy].
    years : int
    low, high : ndarray, shape (3,)
        From `pixel_range` of all stamps [nJy].
    max_queries : int
    """
    good = np.asarray(table["flag"]) == 0
    obj_ids = np.asarray(table["obj_id"])[good]
    found = good.any() and fragile_columns(estimator, images[good], obj_ids, years, low, high, max_queries)
    for name, missing in NOT_SEARCHED.items():
        values = np.asarray(found[name]) if found else np.array([missing])
        column = np.full(len(table), missing, values.dtype)
        if found:
            column[good] = values
        table[name] = column
    table.meta["budget"] = max_queries  # queries; FITS keywords have at most eight letters


def _log_probability(estimator, stamps, years):
    """Logarithms of the class probabilities, shape (n, n_classes)."""
    probability = estimator.predict(stamps, years=years)["probability"]
    return np.log(np.maximum(probability, SMALLEST))
