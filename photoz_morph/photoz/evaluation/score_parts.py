"""Scores of predictions that are too many to hold: one pass over a file, with stated errors.

`evaluate_parts` gives what `scores.evaluate` gives, with the same keys. The values are those of all galaxies, exact but
for the quantiles and tests whose error stands beside them as `streaming_error` (`metrics.redshifts.score_sums`). Their
bootstrap errors are those of a random sample of whole groups, as many galaxies as `SAMPLE_ROWS` in each fold, scaled to
all, those of `pit_cvm` and `pit_ad` to an upper limit; `sampling` says how many. Galaxies of a fold that has fewer are
all in it, and the errors are those of `evaluate`.
"""

import numpy as np
from tqdm import tqdm

from photoz_morph.metrics.bootstrap import bootstrap_scores
from photoz_morph.metrics.checks import parent_id, scored_rows
from photoz_morph.metrics.redshifts.pit_tests import COVERAGE_LEVELS, coverage
from photoz_morph.metrics.redshifts.point_scores import SCORES, galaxy_scores, score_error
from photoz_morph.metrics.redshifts.score_sums import Histogram, ScoreSums
from photoz_morph.metrics.redshifts.tomography import N_BINS
from photoz_morph.photoz.evaluation.diagnostics import diagnostics
from photoz_morph.photoz.evaluation.scores import mean_over_folds
from photoz_morph.photoz.evaluation.trials import select
from photoz_morph.photoz.prediction_parts import group_share, sample_predictions
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.provenance import scored_provenance

SAMPLE_ROWS = 50_000  # galaxies of a fold behind its errors: these are known to 0.3 %, and to 5 % by 200 resamples
DIAGNOSED_ROWS = 200_000  # galaxies behind cells and bins, which need their PDFs and magnitudes at once
# n times a squared distance: their errors grow as the root of n, or not at all where PDFs are calibrated.
GROW_WITH_N = ("pit_cvm", "pit_ad")
NEEDED = ("obj_id", "group_id", "fold", "flag", "z_spec", "z_phot", "pdf")
FOR_CHOICE = ("z_lower", "z_upper", "n_frames", "ra", "dec")


class GroupSample:
    """Random sample of whole groups of the rows that are added, of at most `n_rows` galaxies or one group.

    The groups are those whose `group_share` is below `share`, which is halved whenever there are too many.

    Attributes
    ----------
    share : float
        Fraction of the groups.
    n_groups : float
        Number of groups of all rows, estimated from those of the sample.
    """

    def __init__(self, n_rows=SAMPLE_ROWS, seed=0):
        self._n_rows, self._seed, self.share = n_rows, seed, 1.0
        self._parts, self._n = [], 0

    def add(self, group_id, per_galaxy):
        """Add rows: their groups, shape (n,), and quantities, a dict of str to ndarray of shape (n,)."""
        place = group_share(group_id, self._seed)
        part = {**per_galaxy, "group": np.asarray(group_id), "place": place}
        self._parts.append({name: values[place < self.share] for name, values in part.items()})
        self._n += len(self._parts[-1]["place"])
        while self._n > self._n_rows:
            found = self._joined()
            share = self.share / 2
            kept = found["place"] < share
            if len(np.unique(found["group"][kept])) < 2:  # larger groups than the sample would hold
                return
            self._parts, self._n, self.share = [{name: part[kept] for name, part in found.items()}], kept.sum(), share

    def rows(self):
        """Quantities and groups of the sample: (dict of str to ndarray, ndarray)."""
        found = self._joined()
        del found["place"]
        return found, found.pop("group")

    @property
    def n_rows(self):
        """Galaxies in the sample."""
        return int(self._n)

    @property
    def n_groups(self):
        """Estimate of the number of groups of all rows."""
        return len(np.unique(self._joined()["group"])) / self.share

    def _joined(self):
        return {name: np.concatenate([part[name] for part in self._parts]) for name in self._parts[0]}


class FoldScores:
    """Sums and group sample of a fold, or of all galaxies."""

    def __init__(self, n_rows, seed):
        self.sums, self.sample = ScoreSums(), GroupSample(n_rows, seed)

    def add(self, per_galaxy, parents):
        self.sums.add(per_galaxy)
        self.sample.add(parents, per_galaxy)

    def scores(self, n_bootstrap, seed):
        """Scores with their errors, the numbers of galaxies and parents, and what streaming and sampling cost."""
        per_galaxy, group = self.sample.rows()
        resampled = bootstrap_scores(SCORES, per_galaxy, n_bootstrap, seed, group)
        n_groups, share = round(self.sample.n_groups), self.sample.share
        found = {"n_galaxies": self.sums.n, "n_groups": n_groups}
        for name, (value, error) in self.sums.scores().items():
            scale = share ** (-0.5 if name in GROW_WITH_N else 0.5)
            found[name] = {"value": value, "error": score_error(name, resampled[name] * scale, n_groups)}
            if error:
                found[name]["streaming_error"] = error
        return found

    @property
    def sampling(self):
        """How large the sample is."""
        return {"n_sampled": self.sample.n_rows, "share_of_groups": self.sample.share}

    def coverage(self):
        """Coverage of all galaxies, with errors from the sample."""
        per_galaxy, group = self.sample.rows()
        errors = coverage(per_galaxy["pit"], group_id=group)[1] * np.sqrt(self.sample.share)
        rows = zip(COVERAGE_LEVELS, self.sums.coverage(), errors)
        return [{"level": level, "value": float(value), "error": float(error)} for level, value, error in rows]


def evaluate_parts(
    parts, n_bootstrap=200, seed=0, choice="", selection=("all", None, 0.0), sample_rows=SAMPLE_ROWS, progress=True,
    survey=None, n_bins=N_BINS,
):  # fmt: skip
    """Scores of predictions in a file of any size; see `scores.evaluate`, whose result has the same keys.

    Parameters
    ----------
    parts : PredictionParts
    n_bootstrap, seed, choice
        As for `scores.evaluate`.
    selection : (str, str or None, float)
        Depth, region to leave out and fraction of the widest PDFs to leave out; see `trials.select`. The last is found
        in a pass of its own.
    sample_rows : int
        Galaxies behind the errors of each fold.
    progress : bool
    survey, n_bins
        As for `scores.evaluate`.

    Returns
    -------
    dict
        As from `scores.evaluate`. A score whose value is not exact has a `streaming_error`, the most it can be off;
        the diagnostics are of a random sample of whole groups, about `DIAGNOSED_ROWS` galaxies; `sampling` has, for it
        (`diagnostics`), each fold and for "all", `n_sampled` galaxies and their `share_of_groups`; where that is
        below 1 the numbers of groups are estimates.

    Raises
    ------
    ValueError
        As `scores.evaluate`.
    """
    template, grid = parts.template, parts.grid
    if "z_spec" not in template.colnames:
        raise ValueError(f"predictions have no column z_spec to be scored with, only {', '.join(template.colnames)}")
    names = [*NEEDED, *(FOR_CHOICE if selection != ("all", None, 0.0) else ())]
    widest = _width_limit(parts, selection, progress)
    folds, together = {}, FoldScores(sample_rows, seed)
    n_flagged = n_without = n_outside = 0
    with tqdm(total=parts.n_rows, desc="evaluate", unit=" galaxies", disable=not progress) as bar:
        for table in parts.tables(names):
            bar.update(len(table))
            table = table[_chosen(table, selection, widest)]
            flagged, without = np.asarray(table["flag"]) != 0, ~np.isfinite(np.asarray(table["z_spec"], float))
            n_flagged, n_without = n_flagged + int(flagged.sum()), n_without + int((without & ~flagged).sum())
            table = table[scored_rows(table)]
            if not len(table):
                continue
            z_spec = np.asarray(table["z_spec"], float)
            n_outside += int(np.sum(~grid.contains(z_spec)))
            pdf, z_phot = np.asarray(table["pdf"]), np.asarray(table["z_phot"], float)
            per_galaxy, parents = galaxy_scores(z_spec, pdf, grid, z_phot), parent_id(table)
            fold = np.asarray(table["fold"]) if "fold" in table.colnames else np.zeros(len(table), int)
            together.add(per_galaxy, parents)
            for number in np.unique(fold):
                rows = fold == number
                one = folds.setdefault(int(number), FoldScores(sample_rows, seed))
                one.add({name: values[rows] for name, values in per_galaxy.items()}, parents[rows])
    if not together.sums.n:
        raise ValueError(
            f"no galaxy to score: of {parts.n_rows} predictions {n_flagged} are flagged, {n_without} lack z_spec"
        )
    scores = {}
    for number, one in sorted(folds.items()):
        if one.sums.n < 2:
            raise ValueError(f"fold {number}: scores need two galaxies or more, there is a single one to score")
        try:
            scores[str(number)] = one.scores(n_bootstrap, seed)
        except ValueError as error:
            raise ValueError(f"fold {number}: {error}") from error
    of_all = together.scores(n_bootstrap, seed)
    diagnosed = sample_predictions(parts, DIAGNOSED_ROWS, seed)
    diagnosed = diagnosed[_chosen(diagnosed, selection, widest) & scored_rows(diagnosed)]
    sampling = {**{str(number): one.sampling for number, one in sorted(folds.items())}, "all": together.sampling}
    sampling["diagnostics"] = {"n_sampled": len(diagnosed), "share_of_groups": diagnosed.meta.get("sampled", 1.0)}
    return {
        "data": ORIGINS[template.meta["origin"]],
        "survey": template.meta["survey"],
        "model": template.meta.get("model", ""),
        **scored_provenance(template.meta),
        "n_galaxies": together.sums.n,
        "n_flagged": n_flagged,
        "n_without_z_spec": n_without,
        "choice": choice,
        "n_groups": of_all["n_groups"],
        "grid": {"z_min": grid.z_min, "z_max": grid.z_max, "n_bins": grid.n_bins},
        "n_outside_grid": n_outside,
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        "sampling": sampling,
        "folds": scores,
        "mean": mean_over_folds(scores),
        "all": of_all,
        "coverage": together.coverage(),
        **diagnostics(diagnosed, grid, survey, n_bins),
    }


def _chosen(table, selection, widest):
    """Mask of the galaxies of a part that are scored."""
    chosen = select(table, *selection[:2])
    return chosen if widest is None else chosen & (_width(table) <= widest)


def _width(table):
    """q84 - q16 of each PDF; NaN where there is none."""
    return np.asarray(table["z_upper"], float) - np.asarray(table["z_lower"], float)


def _width_limit(parts, selection, progress):
    """Width beyond which PDFs are left out, None if none are: that of all galaxies chosen otherwise."""
    if not selection[2]:
        return None
    widths = Histogram()
    with tqdm(total=parts.n_rows, desc="widths", unit=" galaxies", disable=not progress) as bar:
        for table in parts.tables(FOR_CHOICE):
            bar.update(len(table))
            width = _width(table)[select(table, *selection[:2])]
            widths.add(width[np.isfinite(width)])
    return np.inf if not widths.n else sum(widths.quantile(1 - selection[2]))
