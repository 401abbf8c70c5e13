"""Compare photo-z methods on the galaxies they have in common."""

import numpy as np

from photoz_morph.metrics.bootstrap import bootstrap_scores
from photoz_morph.metrics.checks import parent_id
from photoz_morph.metrics.redshifts.point_scores import galaxy_scores, known_scores, score_error
from photoz_morph.photoz.evaluation.diagnostics import colour_cells
from photoz_morph.photoz.evaluation.scores import good_rows, with_errors
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.provenance import code_version, provenance_of

INTERVAL_ERRORS = 1.96  # standard errors on either side of a 95 % interval


def compare(tables, grids, n_bootstrap=200, seed=0, choice="", survey=None):
    """Scores of several methods on the same galaxies, and paired differences from the first.

    Parameters
    ----------
    tables : dict of str to Table
        Predictions of each method, such as {"network": ..., "k-NN": ...}; matched by `obj_id`.
    grids : dict of str to RedshiftGrid
    n_bootstrap, seed, choice, survey
        As for `evaluate`.

    Returns
    -------
    dict
        `data`, `choice`, `code`, `provenance` of each method, `n_galaxies` good in every table and their `n_groups`,
        `share_of_groups` of tables that are samples, `methods` (method -> scores) and `differences` (every method but
        the first -> score -> value, error and 95 % interval of method minus first), `colour_cells` of
        all methods (see `diagnostics.colour_cells`). The same galaxies, by parent as in
        `evaluate`, are resampled for all methods, so common noise cancels.

    Raises
    ------
    ValueError
        If there are fewer than two methods, they have fewer than two galaxies or parents in common, or their z_spec,
        `data` or ids disagree.
    """
    if len(tables) < 2:
        raise ValueError(f"a comparison needs two methods or more, got {', '.join(tables) or 'none'}")
    kinds = {name: ORIGINS[table.meta["origin"]] for name, table in tables.items()}
    if len(set(kinds.values())) > 1:
        raise ValueError(f"simulated and real galaxies cannot be compared: {kinds}")
    rows = _common_rows(tables)
    per_galaxy, z_first = {}, None
    for name, table in tables.items():
        part = table[rows[name]]
        z_spec = np.asarray(part["z_spec"], float)
        z_first = z_spec if z_first is None else z_first
        different = np.abs(z_spec - z_first) > 1e-6  # float32 against float64
        if different.any():
            raise ValueError(
                f"{name}: z_spec of {different.sum()} galaxies differs from the first method's, the first is obj_id "
                f"{part['obj_id'][np.argmax(different)]}; predict from one catalogue"
            )
        z_phot = np.asarray(part["z_phot"], float)
        pdf = np.asarray(part["pdf"]) if "pdf" in part.colnames else None
        per_galaxy[name] = galaxy_scores(z_first, pdf, grids[name], z_phot)
    quantities = set.intersection(*map(set, per_galaxy.values()))  # of point estimates not those of PDFs
    per_galaxy = {name: {key: values[key] for key in values if key in quantities}
                  for name, values in per_galaxy.items()}  # fmt: skip
    first = next(iter(tables))
    # A table of magnitudes alone may not know the groups.
    knows_groups = next((name for name, table in tables.items() if "group_id" in table.colnames), first)
    parents = parent_id(tables[knows_groups])[rows[knows_groups]]
    n_groups = len(np.unique(parents))
    # One seed resamples the same galaxies for every method.
    resampled = {
        name: bootstrap_scores(known_scores(values), values, n_bootstrap, seed, parents)
        for name, values in per_galaxy.items()
    }
    sampled = min(table.meta.get("sampled", 1.0) for table in tables.values())
    methods = {name: with_errors(values, resampled[name], n_groups) for name, values in per_galaxy.items()}
    return {
        "data": kinds[first],
        "choice": choice,
        "n_galaxies": len(z_first),
        "n_groups": n_groups,
        "n_left_out": {name: len(table) - len(z_first) for name, table in tables.items()},
        **({"share_of_groups": sampled} if sampled < 1 else {}),
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        "code": code_version(),
        "provenance": {name: provenance_of(table.meta) for name, table in tables.items()},
        "methods": methods,
        "differences": {
            name: {
                score: _paired_difference(
                    methods[name][score]["value"] - methods[first][score]["value"],
                    score_error(score, resampled[name][score] - resampled[first][score], n_groups),
                )
                for score in resampled[first]
            }
            for name in methods
            if name != first
        },
        "colour_cells": colour_cells({name: table[rows[name]] for name, table in tables.items()}, grids, survey),
    }


def _common_rows(tables):
    """Row numbers of the galaxies that are good in every table, in the order of the first."""
    rows, common = {}, None
    for name, table in tables.items():
        try:
            good = np.flatnonzero(good_rows(table)[0])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        obj_id, first, counts = np.unique(np.asarray(table["obj_id"])[good], return_index=True, return_counts=True)
        if counts.max() > 1:
            raise ValueError(
                f"{name}: obj_id {obj_id[np.argmax(counts)]} occurs {counts.max()} times; galaxies are matched by it"
            )
        rows[name] = (obj_id, good[first])
        common = obj_id if common is None else np.intersect1d(common, obj_id)
    if len(common) < 2:
        number = "a single" if len(common) else "no"
        raise ValueError(f"{', '.join(tables)} have {number} good galaxy in common; were they made from one catalogue?")
    # In the first table's order, `evaluate` and `compare` resample its galaxies alike and give it the same errors.
    first = next(iter(tables.values()))
    common = np.asarray(first["obj_id"])[np.flatnonzero(np.isin(first["obj_id"], common) & good_rows(first)[0])]
    return {name: good[np.searchsorted(obj_id, common)] for name, (obj_id, good) in rows.items()}


def _paired_difference(value, error):
    """Difference of a score from the first method, with its bootstrap error and interval."""
    # Not the percentiles of the resamples: a resampled PIT is rougher than the PIT, its distances from uniform are
    # larger, and more so for the better calibrated of two methods.
    half = INTERVAL_ERRORS * error
    return {"value": value, "error": error, "interval": [value - half, value + half]}
