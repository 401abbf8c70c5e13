"""Scores of anybody's redshift predictions against a catalogue of true redshifts, for `photoz evaluate --truth`.

The predictions are matched to the catalogue and take its redshifts, magnitudes, E(B-V) and groups; what comes out is a
table of predictions, or such a table in parts, which is scored as those of this package.
"""

import warnings
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from photoz_morph.metrics.checks import scored_rows
from photoz_morph.metrics.redshifts.point_scores import residuals
from photoz_morph.metrics.redshifts.tomography import N_BINS
from photoz_morph.photoz.evaluation.comparison import compare
from photoz_morph.photoz.evaluation.diagnostics import dereddened_magnitude
from photoz_morph.photoz.evaluation.run_scores import COMPARED_ROWS, is_large
from photoz_morph.photoz.evaluation.score_parts import evaluate_parts
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.evaluation.trials import select
from photoz_morph.photoz.evaluation.truth import match
from photoz_morph.photoz.formats.others import open_others
from photoz_morph.photoz.prediction_parts import PART_ROWS, PredictionParts, sample_predictions
from photoz_morph.photoz.predictions import READERS, predictions_file, predictions_table
from photoz_morph.surveys import SDSS
from photoz_morph.system.provenance import provenance_of

KEPT_META = ("zphot_at", "n_member", "cdf_err")  # of our own tables, beside their provenance


class OwnPredictions:
    """A table of predictions of this package, with the attributes and `parts` of `formats.others.OtherPredictions`."""

    def __init__(self, parts, point=None):
        self.table_parts, self.path, self.grid, self.n_rows = parts, parts.path, parts.grid, parts.n_rows
        self.kind, self.meta = "predictions of photoz-morph", parts.template.meta
        self.point = point or ""
        if point and point not in parts.template.colnames:
            there = ", ".join(parts.template.colnames)
            raise ValueError(f"{self.path}: --point names column {point}, the file has {there}")

        columns = [table["obj_id", *self._folds()] for table in self.table_parts.tables(["obj_id", "fold"])]
        columns = vstack(columns) if columns else self.table_parts.template
        self.ids = columns["obj_id"]
        self.fold = np.asarray(columns["fold"]) if self._folds() else None

    def _folds(self):
        return ["fold"] if "fold" in self.table_parts.template.colnames else []

    def parts(self, part_rows=PART_ROWS):
        """As of `OtherPredictions`; a flagged galaxy has no PDF."""
        start, name = 0, self.point or "z_phot"
        for table in self.table_parts.tables(["obj_id", "flag", name, "pdf"]):
            pdf = np.array(table["pdf"], np.float32)
            pdf[np.asarray(table["flag"]) != 0] = np.nan
            yield start, pdf, np.asarray(table[name], float), {}
            start += len(table)


class MatchedParts:
    """Predictions of any program with the truth beside them, some rows at a time, as `PredictionParts`.

    Parameters
    ----------
    source : OtherPredictions or OwnPredictions
    truth : Truth
    survey : Survey
    origin : str
        Of the galaxies; see `predictions_table`.

    Attributes
    ----------
    path, grid, n_rows, template
        As of `PredictionParts`; the rows are those that the truth has, without `pdf` and `grid` of point estimates.
    survey : Survey
    facts : dict
        From `truth.match`, and `kind`, `point`, `n_rescaled` and `n_cut` of the rows read last.

    Raises
    ------
    ValueError
        If they cannot be matched.
    """

    def __init__(self, source, truth, survey, origin):
        self._source, self._truth, self.survey, self._origin = source, truth, survey, origin
        self.path, self.grid = source.path, source.grid
        self._row, self._matched = match(source.ids, source.n_rows, source.path, truth)
        self.n_rows = self._matched["n_matched"]
        self._counts = {}
        nothing = np.zeros(0, int)
        self.template = self._table(nothing, nothing, np.empty((0, self.grid.n_bins)) if self.grid else None, None)

    @property
    def facts(self):
        """What was matched and how, and what had to be done to the PDFs."""
        point = self._source.point or ("z_phot" if isinstance(self._source, OwnPredictions) else "mean of the PDF")
        truth = {"file": self._truth.path.name, "kind": self._source.kind, "point": point}
        return {**truth, **self._matched, **self._counts}

    def tables(self, names=None):
        """Iterate over the rows as Tables; all columns, whatever `names` are."""
        self._counts = {}
        for start, pdf, z_phot, counts in self._source.parts():
            for key, number in counts.items():
                self._counts[key] = self._counts.get(key, 0) + number
            row = self._row[start : start + (len(z_phot) if pdf is None else len(pdf))]
            there = row >= 0
            if there.any():
                pdf, z_phot = (None if part is None else part[there] for part in (pdf, z_phot))
                yield self._table(start + np.flatnonzero(there), row[there], pdf, z_phot)

    def _table(self, number, row, pdf, z_phot):
        """Predictions of some rows of the truth; `number` is theirs in the file of the predictions."""
        columns, meta = self._truth.table[row], getattr(self._source, "meta", {})
        if getattr(self._source, "fold", None) is not None:
            columns["fold"] = self._source.fold[number]
        kept = provenance_of(meta) | {key: meta[key] for key in KEPT_META if key in meta}
        kept = {key: value for key, value in kept.items() if key not in ("survey", "bands")}
        model = meta.get("model") or self.path.stem
        try:
            if pdf is None:
                return _point_table(columns, z_phot, self.survey, self._origin, model)
            table = predictions_table(columns, pdf, self.grid, self.survey, self._origin, model, meta=kept)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from error
        if not meta:
            del table.meta["code"]  # another program's
            table.meta["survey"] = self.survey.name if "mags" in columns.colnames else ""
        if z_phot is not None:
            table["z_phot"] = z_phot
            table["flag"][~np.isfinite(z_phot)] = 1
        return table


def _point_table(columns, z_phot, survey, origin, model):
    """Table of point estimates alone."""
    z_phot = np.zeros(len(columns)) if z_phot is None else z_phot
    table = Table(columns, copy=True)
    known = survey.name if "mags" in columns.colnames else ""
    table.meta = {"survey": known, "origin": origin, "model": model, "bands": ",".join(survey.bands)}
    table["flag"] = (~np.isfinite(z_phot)).astype(np.int16)
    table["z_phot"] = z_phot
    return table


def matched_parts(source, truth, id_name=None, point=None, layout=None, survey=SDSS, simulated=False):
    """Open the predictions of any program and match them to the truth.

    Parameters
    ----------
    source : path-like
        A file for `open_others`, a table of predictions of this package, or a run folder.
    truth : Truth
    id_name, point, layout
        See `open_others`.
    survey : Survey
        Of the magnitudes of the truth.
    simulated : bool
        Whether the galaxies are simulated, though no header says so.

    Returns
    -------
    MatchedParts

    Raises
    ------
    FileNotFoundError
    ValueError
        As from `open_others` and `truth.match`.
    """
    path = predictions_file(source)
    found = None
    if path.suffix in READERS and layout is None and id_name is None:
        try:
            found = PredictionParts(path)
        except ValueError:
            if path.suffix == ".hats":
                raise
        found = found and OwnPredictions(found, point)
    found = found or open_others(path, id_name, point, layout)
    origin = getattr(found, "meta", {}).get("origin", "catalogue")
    origin = "simulated" if simulated or truth.is_simulated else origin
    return MatchedParts(found, truth, survey, origin)


def evaluate_matched(
    parts, against=None, depth="all", without_region=None, widest_removed=0.0, progress=True, n_bins=N_BINS
):
    """Scores of predictions matched to the truth, and their comparison with others.

    Parameters
    ----------
    parts : MatchedParts
    against : MatchedParts, optional
        Predictions of another method for the same galaxies.
    depth, without_region, widest_removed, progress, n_bins
        As for `run_scores.evaluate_file`.

    Returns
    -------
    dict
        As from `evaluate`, with `truth`, the `MatchedParts.facts`. Point estimates have no scores of PDFs.

    Raises
    ------
    ValueError
        If the galaxies cannot be chosen, scored or compared.

    Notes
    -----
    Files whose PDFs take more than `run_scores.IN_MEMORY_BYTES` are scored in one pass, as those of this package.
    """
    choice = [depth] * (depth != "all") + [f"without {without_region}"] * (without_region is not None)
    choice = ", ".join(choice + [f"without the widest {100 * widest_removed:g} %"] * (widest_removed > 0))
    selection = (depth, without_region, widest_removed)
    if parts.grid is None and widest_removed:
        raise ValueError(f"{parts.path}: point estimates have no widths; leave out --widest-removed")
    try:
        if parts.grid is not None and is_large(parts):
            scores = evaluate_parts(
                parts, choice=choice, selection=selection, progress=progress, survey=parts.survey, n_bins=n_bins
            )
            scores["truth"] = parts.facts
            table = sample_predictions(parts, COMPARED_ROWS) if against else None
        else:
            table = whole_table(parts)
            table = table[select(table, *selection)]
            scores = evaluate(table, parts.grid, choice=choice, survey=parts.survey, n_bins=n_bins)
            scores["truth"] = parts.facts
    except ValueError as error:
        where = "" if str(error).startswith(f"{parts.path}: ") else f"{parts.path}: "
        raise ValueError(f"{where}{error}") from error
    if against:
        other = sample_predictions(against, COMPARED_ROWS) if _is_too_large(against) else whole_table(against)
        names = [one.meta["model"] for one in (table, other)]
        names = names if names[0] != names[1] else [str(parts.path), str(against.path)]
        grids = dict(zip(names, (parts.grid, against.grid)))
        table = table[select(table, *selection)]
        scores["comparison"] = compare(dict(zip(names, (table, other))), grids, choice=choice, survey=parts.survey)
    return scores


def _is_too_large(parts):
    return parts.grid is not None and is_large(parts)


def for_trends(parts, depth="all", without_region=None, widest_removed=0.0):
    """What trends are measured on: predictions that can be scored, or a sample of large ones, and their residuals.

    Parameters
    ----------
    parts : MatchedParts
    depth, without_region, widest_removed
        As for `evaluate_matched`.

    Returns
    -------
    table : Table
    residual : ndarray, shape (n,)
    magnitude : (ndarray, shape (n,); str) or None
        Dereddened, and its band; None where unknown.
    """
    table = sample_predictions(parts, COMPARED_ROWS) if _is_too_large(parts) else whole_table(parts)
    table = table[select(table, depth, without_region, widest_removed)]
    table = table[scored_rows(table)]
    return table, residuals(table["z_phot"], table["z_spec"]), dereddened_magnitude(table, parts.survey)


def whole_table(parts):
    """All rows of `MatchedParts` as one Table."""
    tables = list(parts.tables())
    joined = vstack(tables, metadata_conflicts="silent") if len(tables) > 1 else tables[0]
    joined.meta = dict(parts.template.meta)
    return joined


def remark(facts):
    """Sentence on galaxies that only one of the files has, for before the work; "" if there is none."""
    parts = [f"{facts['n_missing']} galaxies of the truth have no prediction"] * (facts["n_missing"] > 0)
    parts += [f"{facts['n_without_truth']} predictions are not in the truth"] * (facts["n_without_truth"] > 0)
    return "; ".join(parts)


def say_matched(parts):
    """Warn of galaxies that are in one file only."""
    text = remark(parts.facts)
    if text:
        warnings.warn(f"{Path(parts.path)}: {text}; they are left out", stacklevel=2)
