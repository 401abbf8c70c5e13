"""Diagnostics of predictions that global scores hide: cells of colour space, and tomographic bins.

Each takes tables of predictions and returns a dictionary for the file of scores, from which reports draw.
"""

from dataclasses import asdict

import numpy as np

from photoz_morph.catalogs.per_band import gather
from photoz_morph.metrics.checks import parent_id, scored_rows
from photoz_morph.metrics.redshifts.colour_cells import MIN_GROUPS, cell_scores, map_side, slopes_at_zero
from photoz_morph.metrics.redshifts.pdf_scores import in_slices
from photoz_morph.metrics.redshifts.tomography import N_BINS, tomographic_bins
from photoz_morph.metrics.self_organising_map import train_map
from photoz_morph.surveys import SURVEYS

SLOPES = ("slope", "z_phot_slope")
DIGITS = 8  # significant ones of a number in the file


def dereddened_colours(table, survey=None):
    """Colours of adjacent bands, corrected for Galactic dust, as (ndarray, shape (n, n_bands - 1); names).

    Parameters
    ----------
    table : Table
        With `ebv` [mag], and `mags` of shape (n, n_bands) or magnitudes of each band as `per_band.gather` finds them.
    survey : Survey, optional
        By default that of the table, if it ships with the package.

    Returns
    -------
    colours : ndarray [mag] or None
        NaN where a magnitude or E(B-V) is unknown; None without the columns or the survey, or with fewer than three
        bands.
    names : list of str
        Such as "u-g".
    """
    mags, survey = _dereddened(table, survey)
    if mags is None or survey.n_bands < 3:
        return None, []
    return mags[:, :-1] - mags[:, 1:], [f"{blue}-{red}" for blue, red in zip(survey.bands, survey.bands[1:])]


def dereddened_magnitude(table, survey=None):
    """Magnitude in the reference band, corrected for Galactic dust, as (ndarray, shape (n,); band), or None.

    Parameters are those of `dereddened_colours`.
    """
    mags, survey = _dereddened(table, survey)
    return None if mags is None else (mags[:, survey.bands.index(survey.reference_band)], survey.reference_band)


def _dereddened(table, survey):
    """Dereddened magnitudes, shape (n, n_bands), or None; and the survey."""
    survey = survey or SURVEYS.get(table.meta.get("survey"))
    if survey is None or "ebv" not in table.colnames:
        return None, survey
    try:
        mags = gather(table, "mags", survey.bands)
    except ValueError:  # a column of that name is no magnitudes
        mags = None
    if mags is None:
        return None, survey
    return mags - np.asarray(table["ebv"], float)[:, None] * np.asarray(survey.extinction_per_ebv), survey


def colour_cells(tables, grids, survey=None, seed=0):
    """Bias, scatter and attenuation of one or more methods in the cells of a self-organising map of colours.

    Parameters
    ----------
    tables : dict of str to Table
        Predictions of each method for the same galaxies in the same order, all of them good. Colours and groups are
        those of the first table that has them.
    grids : dict of str to RedshiftGrid or None
    survey : Survey, optional
        See `dereddened_colours`.
    seed : int
        Of the map.

    Returns
    -------
    dict or None
        None without colours of enough galaxies. Else `colours`, `side`, `seed`, `min_groups`; `n_galaxies` with
        colours and `n_without_colours`; `n_blank_cells` of fewer than `min_groups` parents and the `n_in_blank_cells`;
        `cells`, a list for each of `row`, `column`, `n`, `n_groups`, `z_spec`, `z_spec_sd` and each colour; and
        `methods`, for each the lists of `colour_cells.CellScores` and the `slopes_at_zero` of both slopes, `at_zero`.

    Notes
    -----
    Moran et al. (2025) trained a self-organising map on the *ugriz* colours of the Main Galaxy Sample and compared the
    bias, scatter and attenuation of methods in its cells. The size of the map, its training, the dereddening and the
    error of the slopes are ours.
    """
    colours = names = None
    for table in tables.values():
        colours, names = dereddened_colours(table, survey)
        if colours is not None and np.isfinite(colours).all(axis=1).sum() >= MIN_GROUPS:
            break
    else:
        return None
    known = np.isfinite(colours).all(axis=1)
    first = next((table for table in tables.values() if "group_id" in table.colnames), next(iter(tables.values())))
    z_spec, parents = np.asarray(next(iter(tables.values()))["z_spec"], float)[known], parent_id(first)[known]
    cells = train_map(colours[known], map_side(known.sum()), seed)
    cell = cells.cell(colours[known])
    found = {}
    for name, table in tables.items():
        variance = None
        if "pdf" in table.colnames:
            variance = in_slices(lambda pdf: _variance(pdf, grids[name]), np.asarray(table["pdf"])[known])
        found[name] = cell_scores(cell, z_spec, np.asarray(table["z_phot"], float)[known], parents, variance)
    # A method of one z_phot in a cell, such as a guess, has no slope against it there.
    shown = sorted(set.intersection(*(set(scores.cell.tolist()) for scores in found.values())))
    if not shown:
        return None
    count = np.bincount(cell, minlength=cells.side**2)
    rows = {name: np.searchsorted(scores.cell, shown) for name, scores in found.items()}
    any_scores, any_rows = next((found[name], rows[name]) for name in found)
    described = {"row": np.array(shown) // cells.side, "column": np.array(shown) % cells.side}
    described |= {name: getattr(any_scores, name)[any_rows] for name in ("n", "n_groups", "z_spec", "z_spec_sd")}
    described |= dict(zip(names, cells.features[shown].T))
    return {
        "colours": names,
        "side": cells.side,
        "seed": seed,
        "min_groups": MIN_GROUPS,
        "n_galaxies": int(known.sum()),
        "n_without_colours": int((~known).sum()),
        "n_blank_cells": int(cells.side**2 - len(shown)),
        "n_in_blank_cells": int(known.sum() - count[shown].sum()),
        "cells": {name: _numbers(values) for name, values in described.items()},
        "methods": {name: _method(scores, rows[name]) for name, scores in found.items()},
    }


def _method(scores, rows):
    """Scores of one method in the cells that are shown."""
    names = ("bias", "bias_error", "sigma_mad", "sigma_mad_error", "slope", "slope_error", "slope_of_pdfs",
             "z_phot_slope", "z_phot_slope_error")  # fmt: skip
    values = {name: getattr(scores, name)[rows] for name in names}
    n_groups = scores.n_groups[rows]
    at_zero = {name: slopes_at_zero(values[name], values[f"{name}_error"], n_groups) for name in SLOPES}
    return {**{name: _numbers(column) for name, column in values.items()}, "at_zero": at_zero}


def tomography(table, grid, n_bins=N_BINS, seed=0):
    """Redshift distributions of predictions in tomographic bins of z_phot.

    Parameters
    ----------
    table : Table
        Good predictions with z_spec.
    grid : RedshiftGrid or None
        None of point estimates.
    n_bins, seed : int
        See `tomographic_bins`.

    Returns
    -------
    dict or None
        `bins`, a list of the numbers of `tomography.Bin` for each, and `all`; None where there are too few galaxies.
    """
    pdf = np.asarray(table["pdf"]) if "pdf" in table.colnames else None
    z_spec, z_phot = (np.asarray(table[name], float) for name in ("z_spec", "z_phot"))
    bins, everything = tomographic_bins(z_spec, z_phot, pdf, grid, n_bins, parent_id(table), seed)
    if everything is None:
        return None
    return {"bins": [_rounded(one) for one in bins], "all": _rounded(everything)}


def _rounded(one):
    """Numbers of a bin for JSON."""
    return {name: _number(value) for name, value in asdict(one).items()}


def _numbers(values):
    """Numbers of an array for JSON, None for NaN."""
    return [_number(value) for value in np.asarray(values).tolist()]


def _number(value):
    """A number for JSON: integers as they are, others with some digits, None for NaN."""
    if isinstance(value, int):
        return value
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None


def _variance(pdf, grid):
    """Variance of each PDF, with that of the uniform density inside a bin; shape (n,)."""
    pdf = np.asarray(pdf, float)
    offset = grid.midpoints - grid.expectation(pdf)[:, None]
    return np.sum(pdf * offset**2, axis=1) + grid.width**2 / 12


def diagnostics(table, grid, survey=None, n_bins=N_BINS):
    """The diagnostics of one table of predictions, of which flagged galaxies and those without z_spec are left out.

    Parameters
    ----------
    table : Table
    grid : RedshiftGrid or None
        None of point estimates.
    survey : Survey, optional
        See `dereddened_colours`.
    n_bins : int
        Tomographic bins.

    Returns
    -------
    dict
        `tomography` and `colour_cells`.
    """
    good = table[scored_rows(table)]
    name = table.meta.get("model") or "predictions"
    cells = colour_cells({name: good}, {name: grid}, survey)
    return {"tomography": tomography(good, grid, n_bins), "colour_cells": cells}
