"""Scores as text: Markdown and CSV in the layout of the papers' tables.

Input are the dictionaries of `evaluation.scores.evaluate`. Titles say whether the galaxies are simulated or real; eta
and the other rates are fractions in the scores and per cent here.
"""

from photoz_morph.photoz.report.tables.columns import (
    ALL_COLUMNS,
    COLUMNS,
    PDF_COLUMNS,
    PDF_NOTE,
    RAIL_COLUMNS,
    RAIL_NOTE,
    error_note,
    galaxies_of,
    score_text,
)
from photoz_morph.report.text import markdown_table
from photoz_morph.runs.scores import ORIGINS


def scores_markdown(scores):
    """Table 1 of Pasquet et al. (2019) with bootstrap errors: a row per fold, then mean and sd over folds.

    Parameters
    ----------
    scores : dict
        From `evaluation.scores.evaluate`.

    Returns
    -------
    str
    """
    note = f"± is the {error_note(scores)} unless stated otherwise."
    return "\n".join([_title(scores, _left_out(scores)), "", *_fold_table(scores, COLUMNS), "", note]) + "\n"


def rail_markdown(scores):
    """Scores as defined by RAIL and qp, scores of the PDFs, and coverage of the central intervals.

    Parameters
    ----------
    scores : dict
        From `evaluation.scores.evaluate`.

    Returns
    -------
    str
    """
    coverage = ", ".join(
        f"{100 * part['value']:.1f} ± {100 * part['error']:.1f} of {100 * part['level']:.0f}"
        for part in scores["coverage"]
        if part["level"] in (0.5, 0.68, 0.9, 0.95)
    )
    points = [
        _title(scores, "point estimates as in RAIL and qp"), "", *_fold_table(scores, RAIL_COLUMNS), "", RAIL_NOTE,
    ]  # fmt: skip
    if not coverage:
        return "\n".join(points) + "\n"
    return "\n".join([
        *points, "", _title(scores, "PDFs"), "", *_fold_table(scores, PDF_COLUMNS), "", PDF_NOTE, "",
        f"Coverage, the fraction of galaxies [%] with z_spec in the central interval of their PDF: {coverage}.",
    ]) + "\n"  # fmt: skip


def truth_text(truth):
    """What was matched to the truth and how, and what had to be done to the PDFs, in a few sentences.

    Parameters
    ----------
    truth : dict
        Of the scores of another program's predictions; see `evaluation.other_scores`.

    Returns
    -------
    str
    """
    counts = {
        "n_missing": "galaxies of the truth have no prediction and are left out",
        "n_without_truth": "predictions are not in the truth and are left out",
        "n_rescaled": "PDFs did not integrate to one within 1 % and are normalised",
        "n_cut": "PDFs have more than 1 % beyond the grid, which is cut off",
    }
    found = [f"{truth[key]} {text}." for key, text in counts.items() if truth.get(key)]
    matched = (
        f"{truth['kind'][0].upper()}{truth['kind'][1:]}: {truth['n_matched']} of {truth['n_predictions']} rows matched "
        f"to the {truth['n_truth']} of {truth['file']} by {truth['matched_by']}; point estimate: {truth['point']}."
    )
    return " ".join([matched, *found]) + "\n"


def scores_csv(scores):
    """All scores as CSV: data, choice, fold, n, then value and error of each score; the mean row has the sd.

    The error is empty where undefined, as the sd of a single fold.

    Parameters
    ----------
    scores : dict
        From `evaluation.scores.evaluate`.

    Returns
    -------
    str
    """
    names = [f"{name}{suffix}" for name in ALL_COLUMNS for suffix in ("", "_error")]
    lines = [",".join(["data", "choice", "fold", "n_galaxies", *names])]
    choice = f'"{scores["choice"]}"' if scores.get("choice") else ""
    parts = [(fold, part, "error") for fold, part in scores["folds"].items()]
    parts += [("mean", scores["mean"], "sd_over_folds"), ("all", scores["all"], "error")]
    for fold, part, error in parts:
        numbers = [part[name][key] for name in ALL_COLUMNS for key in ("value", error)]
        numbers = ["" if number is None else repr(number) for number in numbers]
        lines.append(",".join([scores["data"], choice, fold, str(part["n_galaxies"]), *numbers]))
    return "\n".join(lines) + "\n"


def fold_rows(scores, columns):
    """A row per fold, then mean and sd over folds, and all galaxies together, as text.

    Parameters
    ----------
    scores : dict
        From `evaluation.scores.evaluate`.
    columns : dict
        Such as `COLUMNS`.

    Returns
    -------
    titles : list of str
        Of all columns; the first two are the fold and the number of galaxies.
    rows : list of list of str
        One row for a single fold; otherwise the last two rows are those of all folds.
    """
    columns = {name: column for name, column in columns.items() if name in scores["mean"]}
    titles = ["fold", "n", *(title for title, _, _ in columns.values())]
    parts = [(fold, part, "error") for fold, part in scores["folds"].items()]
    if len(parts) > 1:
        parts += [("mean ± sd over folds", scores["mean"], "sd_over_folds"), ("all together", scores["all"], "error")]
    rows = [
        [label, str(part["n_galaxies"]), *(score_text(part[name], column, error) for name, column in columns.items())]
        for label, part, error in parts
    ]
    return titles, rows


def redshifts_text(table):
    """A line per galaxy: z_spec beside z_phot and its 68 % interval, or the reason why there is no PDF.

    Parameters
    ----------
    table : Table
        From `predictions_table`.

    Returns
    -------
    str
    """
    kind, survey = ORIGINS[table.meta["origin"]], table.meta["survey"].upper()
    lines = [f"\n{'obj_id':>20}  z_spec  z_phot  68 % interval    ({kind} {survey} pixels)"]
    for row in table:
        redshifts = f"{row['z_spec']:6.4f}  {row['z_phot']:6.4f}  {row['z_lower']:.4f} to {row['z_upper']:.4f}"
        reason = row["flag_reason"] if "flag_reason" in table.colnames else "flagged"
        lines.append(f"{row['obj_id']:>20}  {f'no PDF: {reason}' if row['flag'] else redshifts}")
    return "\n".join(lines) + "\n"


def _left_out(scores):
    """Number of galaxies scored, and of those left out."""
    counts = f"{scores['n_flagged']} flagged, {scores['n_without_z_spec']} without z_spec"
    text = f"{scores['n_galaxies']} scored; left out {counts}"
    return text + (f"; {scores['n_outside_grid']} beyond the redshift grid" if scores["n_outside_grid"] else "")


def _title(scores, remark):
    """Model, survey and galaxies in bold, and a remark."""
    name = " ".join(part for part in (scores.get("model"), scores["survey"]) if part)
    return f"**{name}, {galaxies_of(scores)}** ({remark})"


def _fold_table(scores, columns):
    """`fold_rows` as lines of Markdown."""
    return markdown_table(*fold_rows(scores, columns))
