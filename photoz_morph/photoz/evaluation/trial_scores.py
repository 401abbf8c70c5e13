"""Scores of a run and its trials in the rows of Pasquet et al. (2019), Table 2.

Each row has scores with bootstrap errors on its galaxies, and the difference of a trial from the reference run on the
galaxies predicted by both. Galaxies of one `group_id` are resampled together.
"""

from dataclasses import dataclass

import numpy as np

from photoz_morph.metrics.bootstrap import bootstrap_scores
from photoz_morph.metrics.checks import parent_id, scored_rows
from photoz_morph.metrics.redshifts.point_scores import SCORES, galaxy_scores, score_error
from photoz_morph.photoz.evaluation.trials import PAPER_TABLE_2, SUSPECT_ZONE, trial_samples

TABLE_SCORES = {name: SCORES[name] for name in ("bias", "sigma_mad", "eta", "crps")}


@dataclass(frozen=True)
class TrialRow:
    """A row of Table 2.

    Attributes
    ----------
    name : str
        A key of `PAPER_TABLE_2`, or the name of a trial that is not in the paper's table.
    n_train : int or None
        Number of galaxies each network was trained on, if known.
    n_test : int
    scores, difference : dict of str to (float, float)
        Value and bootstrap error of `TABLE_SCORES`; the difference from the reference run on the same galaxies is
        empty for rows of the reference itself.
    """

    name: str
    n_train: int | None
    n_test: int
    scores: dict
    difference: dict


class ScoredTable:
    """A table of predictions with its per-galaxy quantities, computed once for all rows."""

    def __init__(self, table, grid):
        self.table = table = table[scored_rows(table)]
        self.obj_id, self.parent_id = np.asarray(table["obj_id"]), parent_id(table)
        z_spec, z_phot = np.asarray(table["z_spec"], float), np.asarray(table["z_phot"], float)
        self.values = galaxy_scores(z_spec, np.asarray(table["pdf"]), grid, z_phot)

    def scores(self, rows, n_bootstrap, seed):
        """Value and error of each score of some rows, given as a mask or as indices."""
        parents = self.parent_id[rows]
        values, resampled = self._resampled(rows, parents, n_bootstrap, seed)
        n_groups = len(np.unique(parents))
        return {name: (values[name], score_error(name, resampled[name], n_groups)) for name in TABLE_SCORES}

    def difference(self, other, rows, n_bootstrap, seed):
        """Difference of each score from another table on common galaxies: value and paired error."""
        _, mine, theirs = np.intersect1d(self.obj_id[rows], other.obj_id, return_indices=True)
        # A table of magnitudes alone may not know the groups.
        parents = self.parent_id[rows][mine] if "group_id" in self.table.colnames else other.parent_id[theirs]
        n_groups = len(np.unique(parents))
        if n_groups < 2:
            return {}
        # One seed resamples the same galaxies in both.
        first, first_resampled = self._resampled(np.flatnonzero(rows)[mine], parents, n_bootstrap, seed)
        second, second_resampled = other._resampled(theirs, parents, n_bootstrap, seed)
        return {
            name: (first[name] - second[name],
                   score_error(name, first_resampled[name] - second_resampled[name], n_groups))
            for name in TABLE_SCORES
        }  # fmt: skip

    def _resampled(self, rows, parents, n_bootstrap, seed):
        """Scores of some rows, and of their resamples by parent galaxy."""
        per_galaxy = {quantity: self.values[quantity][rows] for quantity, _ in TABLE_SCORES.values()}
        values = {name: float(condense(per_galaxy[quantity])) for name, (quantity, condense) in TABLE_SCORES.items()}
        return values, bootstrap_scores(TABLE_SCORES, per_galaxy, n_bootstrap, seed, parents)


def score_trials(reference, trials=(), knn=None, region=SUSPECT_ZONE, n_bootstrap=200, seed=0):
    """Rows of Table 2 for a run and its trials.

    Parameters
    ----------
    reference : (Table, RedshiftGrid, int or None)
        Predictions of the run trained on 80 %, their grid and the size of its training set.
    trials : list of (str, Table, RedshiftGrid, int or None)
        The same for each trial, after its `trials.name_of_trial`.
    knn : (Table, RedshiftGrid), optional
        Predictions of the baseline for the same galaxies.
    region : str
        Region left out; see `trials.in_region`.
    n_bootstrap, seed : int

    Returns
    -------
    list of TrialRow
        In the order of the paper's table; other trials come last.
    """
    table, grid, n_train = reference
    scored = ScoredTable(table, grid)
    rows = [
        TrialRow(name, n_train, int(sample.sum()), scored.scores(sample, n_bootstrap, seed), {})
        for name, sample in trial_samples(scored.table, "80 %", region).items()
    ]
    if knn:
        other = ScoredTable(*knn)
        every = np.ones(len(other.obj_id), bool)
        rows.append(TrialRow("k-NN", None, len(every), other.scores(every, n_bootstrap, seed),
                             other.difference(scored, every, n_bootstrap, seed)))  # fmt: skip
    for trial, table, grid, n_train in trials:
        other = ScoredTable(table, grid)
        for name, sample in trial_samples(other.table, trial, region).items():
            rows.append(TrialRow(name, n_train, int(sample.sum()), other.scores(sample, n_bootstrap, seed),
                                 other.difference(scored, sample, n_bootstrap, seed)))  # fmt: skip
    order = list(PAPER_TABLE_2)
    return sorted(rows, key=lambda row: order.index(row.name) if row.name in order else len(order))
