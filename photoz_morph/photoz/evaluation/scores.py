"""Scores of a predictions table, per fold and averaged over folds.

Every dictionary states under `data` whether the galaxies are "simulated" or "real". Each score is
`{"value", "error"}`, the error from a bootstrap over galaxies in which copies of one parent (`group_id`) stay together;
eta and the other rates are fractions.
"""

import numpy as np

from photoz_morph.metrics.bootstrap import bootstrap_scores
from photoz_morph.metrics.checks import parent_id, scored_rows
from photoz_morph.metrics.redshifts.pit_tests import COVERAGE_LEVELS, coverage
from photoz_morph.metrics.redshifts.point_scores import SCORES, galaxy_scores, known_scores, score_error
from photoz_morph.metrics.redshifts.tomography import N_BINS
from photoz_morph.photoz.evaluation.diagnostics import diagnostics
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.provenance import scored_provenance


def evaluate(table, grid, n_bootstrap=200, seed=0, choice="", survey=None, n_bins=N_BINS):
    """Scores of predictions for each fold, their mean over folds, and of all galaxies together.

    Parameters
    ----------
    table : Table
        From `predictions_table` or `read_predictions`, with column `z_spec`; `fold` where cross-validated, `group_id`
        where several galaxies have one parent. Without `pdf` the scores are those of point estimates.
    grid : RedshiftGrid or None
        None where there are no PDFs.
    n_bootstrap, seed : int
        Number of bootstrap resamples, and their seed.
    choice : str
        Selection of galaxies in the table, such as "deep"; "" for all. Recorded with the scores.
    survey : Survey, optional
        Of the magnitudes; by default that of the table, if it ships with the package.
    n_bins : int
        Tomographic bins.

    Returns
    -------
    dict
        `data`, `survey`, `model`, the other keys of `system.provenance`, `choice`, the grid; `n_galaxies` scored, of
        `n_groups` parents, `n_flagged` and `n_without_z_spec` left out, `n_outside_grid` scored though no PDF can reach
        them; `folds` (fold -> scores, n_galaxies and n_groups), `mean` (score -> value, error, and sd_over_folds, None
        of one fold), `all` (scores of all galaxies together), `coverage` of all galaxies together (a list of level,
        value, error), and the `diagnostics.diagnostics`.

    Raises
    ------
    ValueError
        If no galaxy is left, a fold has a single galaxy or parent, a column is missing, or a good row holds a
        non-finite value.

    Notes
    -----
    Pasquet et al. (2019), Table 1; the last row of that table is the mean and the population standard deviation
    (divided by the number of folds) of the rows above.

    The bootstrap resamples parent galaxies: simulated galaxies are copies of fewer real ones at other redshifts, and
    their residuals are correlated. Without `group_id`, and for real galaxies, each is its own parent. The error of a
    rate without outliers is that of `point_scores.score_error`.
    """
    good, header = good_rows(table)
    parents = parent_id(table)[good]
    z_spec = np.asarray(table["z_spec"], float)[good]
    z_phot = np.asarray(table["z_phot"], float)[good]
    pdf = np.asarray(table["pdf"])[good] if "pdf" in table.colnames else None
    per_galaxy = galaxy_scores(z_spec, pdf, grid, z_phot)
    fold = np.asarray(table["fold"])[good] if "fold" in table.colnames else np.zeros(len(z_spec), int)
    folds = {}
    for number in np.unique(fold):
        in_fold = {quantity: values[fold == number] for quantity, values in per_galaxy.items()}
        if np.sum(fold == number) < 2:
            raise ValueError(f"fold {number}: scores need two galaxies or more, there is a single one to score")
        try:
            resampled = bootstrap_scores(known_scores(in_fold), in_fold, n_bootstrap, seed, parents[fold == number])
        except ValueError as error:
            raise ValueError(f"fold {number}: {error}") from error
        folds[str(number)] = with_errors(in_fold, resampled, len(np.unique(parents[fold == number])))
    n_groups = len(np.unique(parents))
    resampled = bootstrap_scores(known_scores(per_galaxy), per_galaxy, n_bootstrap, seed, parents)
    return header | {
        "choice": choice,
        "n_groups": n_groups,
        "grid": {"z_min": grid.z_min, "z_max": grid.z_max, "n_bins": grid.n_bins} if grid else None,
        "n_outside_grid": int(np.sum(~grid.contains(z_spec))) if grid else 0,
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        "folds": folds,
        "mean": mean_over_folds(folds),
        "all": with_errors(per_galaxy, resampled, n_groups),
        "coverage": [] if pdf is None else [
            {"level": level, "value": float(fraction), "error": float(error)}
            for level, fraction, error in zip(COVERAGE_LEVELS, *coverage(per_galaxy["pit"], group_id=parents))
        ],
        **diagnostics(table[good], grid, survey, n_bins),
    }  # fmt: skip


def good_rows(table):
    """Mask of the rows that can be scored, and the header of the scores: origin of the table and numbers left out."""
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
        **scored_provenance(table.meta),
        "n_galaxies": int(good.sum()),
        "n_flagged": int(flagged.sum()),
        "n_without_z_spec": int((without & ~flagged).sum()),
    }
    return good, header


def with_errors(per_galaxy, resampled, n_groups):
    """Scores of a sample with their bootstrap errors, and the numbers of galaxies and parents."""
    scores = {"n_galaxies": len(per_galaxy["residual"]), "n_groups": n_groups}
    for name, (quantity, condense) in known_scores(per_galaxy).items():
        error = score_error(name, resampled[name], n_groups)
        scores[name] = {"value": float(condense(per_galaxy[quantity])), "error": error}
    return scores


def mean_over_folds(folds):
    """Unweighted mean over folds of each score, its error, and the scatter of several folds."""
    mean = {"n_folds": len(folds), "n_galaxies": sum(scores["n_galaxies"] for scores in folds.values())}
    for name in SCORES:
        if name not in next(iter(folds.values())):
            continue
        values = np.array([scores[name]["value"] for scores in folds.values()])
        errors = np.array([scores[name]["error"] for scores in folds.values()])
        mean[name] = {
            "value": float(values.mean()),
            "error": float(np.sqrt(np.sum(errors**2)) / len(folds)),
            "sd_over_folds": float(values.std()) if len(folds) > 1 else None,
        }
    return mean
