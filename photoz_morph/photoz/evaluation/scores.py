"""Scores of a predictions table: per fold, mean over folds, and of several methods on the same galaxies.

`photoz evaluate` and `photoz compare` call it; `report/tables.py` prints what it returns. Every dictionary says under
`data` whether the galaxies are "simulated" or "real", so that a number never travels without it. Each score is
`{"value", "error"}`, the error from a bootstrap over galaxies, copies of one parent (`group_id`) together; eta and the
other rates are fractions.
"""


import numpy as np

from photoz_morph.metrics.bootstrap import bootstrap_scores
from photoz_morph.metrics.checks import parent_id, scored_rows
from photoz_morph.metrics.redshifts.pit_tests import COVERAGE_LEVELS, coverage
from photoz_morph.metrics.redshifts.point_scores import SCORES, galaxy_scores, score_error
from photoz_morph.runs.scores import ORIGINS


def evaluate(table, grid, n_bootstrap=200, seed=0, choice=""):
    """Scores of predictions for each fold, their mean over folds, and of all galaxies together.

    Parameters
    ----------
    table : Table
        From `predictions_table` or `read_predictions`, with column `z_spec`; `fold` where cross-validated, `group_id`
        where several galaxies have one parent.
    grid : RedshiftGrid
    n_bootstrap, seed : int
        Resamples behind each error, and their seed.
    choice : str
        Which galaxies of the sample the table holds, such as "depth deep"; "" for all. It goes with the numbers.

    Returns
    -------
    dict
        `data`, `survey`, `model`, `choice`, the grid; `n_galaxies` scored, of `n_groups` parents, `n_flagged` and
        `n_without_z_spec` left out, `n_outside_grid` scored though no PDF can reach them; `folds` (fold -> scores,
        n_galaxies and n_groups), `mean` (score -> value, error, and sd_over_folds, None of one fold), `all` (scores of
        all galaxies together) and `coverage` of all galaxies together (a list of level, value, error).

    Raises
    ------
    ValueError
        If no galaxy is left, those of a fold are one or of one parent, a column is missing, or a good row holds a
        non-finite value.

    Notes
    -----
    Pasquet et al. (2019), Table 1; the last row of that table is the mean and the population standard deviation
    (divided by the number of folds) of the rows above.

    What is redrawn for the errors is the parent galaxy: simulated galaxies are copies of fewer real ones at other
    redshifts, share much of their residuals, and come and go together. Without `group_id`, and for real galaxies,
    each is its own parent. The error of a rate without outliers is that of `photoz.score_error`.
    """
    good, header = good_rows(table)
    parents = parent_id(table)[good]
    z_spec = np.asarray(table["z_spec"], float)[good]
    z_phot, pdf = np.asarray(table["z_phot"], float)[good], np.asarray(table["pdf"])[good]
    per_galaxy = galaxy_scores(z_spec, pdf, grid, z_phot)
    fold = np.asarray(table["fold"])[good] if "fold" in table.colnames else np.zeros(len(z_spec), int)
    folds = {}
    for number in np.unique(fold):
        in_fold = {quantity: values[fold == number] for quantity, values in per_galaxy.items()}
        if np.sum(fold == number) < 2:
            raise ValueError(f"fold {number}: scores are of two galaxies or more, there is a single one to score")
        try:
            resampled = bootstrap_scores(SCORES, in_fold, n_bootstrap, seed, parents[fold == number])
        except ValueError as error:
            raise ValueError(f"fold {number}: {error}") from error
        folds[str(number)] = with_errors(in_fold, resampled, len(np.unique(parents[fold == number])))
    n_groups = len(np.unique(parents))
    return header | {
        "choice": choice,
        "n_groups": n_groups,
        "grid": {"z_min": grid.z_min, "z_max": grid.z_max, "n_bins": grid.n_bins},
        "n_outside_grid": int(np.sum(~grid.contains(z_spec))),
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        "folds": folds,
        "mean": _mean_over_folds(folds),
        "all": with_errors(per_galaxy, bootstrap_scores(SCORES, per_galaxy, n_bootstrap, seed, parents), n_groups),
        "coverage": [
            {"level": level, "value": float(share), "error": float(error)}
            for level, share, error in zip(COVERAGE_LEVELS, *coverage(per_galaxy["pit"], group_id=parents))
        ],
    }


def good_rows(table):
    """Which rows can be scored, and the head of the scores: where the table comes from and what was left out."""
    if "z_spec" not in table.colnames:
        raise ValueError(f"predictions have no column z_spec to be scored with, only {', '.join(table.colnames)}")
    flagged = np.asarray(table["flag"]) != 0
    without = ~np.isfinite(np.asarray(table["z_spec"], float))
    good = scored_rows(table)
    if not good.any():
        raise ValueError(
            f"no galaxy to score: of {len(table)} predictions {flagged.sum()} are flagged, {without.sum()} lack z_spec"
        )
    header = {
        "data": ORIGINS[table.meta["origin"]],
        "survey": table.meta["survey"],
        "model": table.meta.get("model", ""),
        "n_galaxies": int(good.sum()),
        "n_flagged": int(flagged.sum()),
        "n_without_z_spec": int((without & ~flagged).sum()),
    }
    return good, header


def with_errors(per_galaxy, resampled, n_groups):
    """Each score of a sample with its bootstrap error, and the number of galaxies and of their parents."""
    scores = {"n_galaxies": len(per_galaxy["residual"]), "n_groups": n_groups}
    for name, (quantity, condense) in SCORES.items():
        error = score_error(name, resampled[name], n_groups)
        scores[name] = {"value": float(condense(per_galaxy[quantity])), "error": error}
    return scores


def _mean_over_folds(folds):
    """Unweighted mean over folds of each score, its error, and the scatter of the folds where there are several."""
    mean = {"n_folds": len(folds), "n_galaxies": sum(scores["n_galaxies"] for scores in folds.values())}
    for name in SCORES:
        values = np.array([scores[name]["value"] for scores in folds.values()])
        errors = np.array([scores[name]["error"] for scores in folds.values()])
        mean[name] = {
            "value": float(values.mean()),
            "error": float(np.sqrt(np.sum(errors**2)) / len(folds)),
            "sd_over_folds": float(values.std()) if len(folds) > 1 else None,
        }
    return mean
