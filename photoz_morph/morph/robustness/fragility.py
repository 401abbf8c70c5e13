"""Flags for new stamps whose class a single pixel can change.

The lattice search of `robustness.one_pixel` queries the exported model as a black box. Logarithms of its probabilities
serve as logits: in float32 small probabilities keep their relative precision, and differences of logarithms are those
of the logits.
"""

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.metrics.classification import predicted_class
from photoz_morph.robustness.one_pixel.attack import AttackOptions, CallableQueries, one_pixel_attack
from photoz_morph.robustness.one_pixel.bounds import pixel_bounds
from photoz_morph.shards.mocks import read_mock_shard

SMALLEST = 1e-37  # about the smallest normal float32


def pixel_range(paths, years):
    """Lowest and highest pixel value of each band over the stamps of mock shards, shape (n_bands,) each [nJy]."""
    low, high = np.inf, -np.inf
    for path in paths:
        images = read_mock_shard(path, years=(years,))[0][years]
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


def flag_fragile(estimator, table, paths, years, max_queries, progress=True):
    """Add `fragile_columns` to the table of `infer_mocks`, with the pixel range of all its stamps as bounds.

    Parameters
    ----------
    estimator : ExportedMorphModel
    table : Table
        From `infer_mocks` of the same paths.
    paths : list of path-like
        Shards.
    years, max_queries : int
    progress : bool
    """
    low, high = pixel_range(paths, years)
    start = 0
    with tqdm(total=len(table), desc="fragility", unit=" stamps", disable=not progress) as bar:
        parts = []
        for path in paths:
            images = read_mock_shard(path, years=(years,))[0][years]
            obj_ids = np.asarray(table["obj_id"])[start : start + len(images)]
            parts.append(
                fragile_columns(estimator, images, obj_ids, years, low, high, max_queries, on_done=bar.update)
            )
            start += len(images)
    for name in parts[0].colnames:
        table[name] = np.concatenate([part[name] for part in parts])
    table.meta["budget"] = max_queries  # queries; FITS keywords have at most eight letters


def _log_probability(estimator, stamps, years):
    """Logarithms of the class probabilities, shape (n, n_classes)."""
    probability = estimator.predict(stamps, years=years)["probability"]
    return np.log(np.maximum(probability, SMALLEST))
