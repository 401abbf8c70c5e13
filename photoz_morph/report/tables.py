"""Scores as text: Markdown and CSV in the layout of the papers' tables.

In go the dictionaries of `evaluation.evaluate` and `evaluation.compare`, out comes text. Titles say whether the
galaxies are simulated or real; eta and the other rates are fractions in the scores and per cent here.
"""

import math

from photoz_morph.evaluation import INTERVAL_ERRORS
from photoz_morph.metrics.photoz import ETA_THRESHOLD, OUTLIER_SIGMA, OUTLIER_THRESHOLD
from photoz_morph.metrics.pit_tests import CALIBRATED_AD, CALIBRATED_CVM, CALIBRATED_KS
from photoz_morph.predictions import ORIGINS

# Column title, factor and digits of each score. The first three are Pasquet et al. (2019), Table 1.
COLUMNS = {
    "bias": ("bias", 1, 5),
    "sigma_mad": ("sigma_MAD", 1, 5),
    "eta": ("eta [%]", 100, 2),
    "crps": ("CRPS", 1, 5),
    "pit_std": ("PIT sd", 1, 4),
    "width_68": ("68 % width", 1, 4),
}
RAIL_COLUMNS = {  # point estimates as RAIL and qp score them
    "median_bias": ("median bias", 1, 5),
    "sigma_iqr": ("sigma_IQR", 1, 5),
    "outlier_rate": ("outliers [%]", 100, 2),
}
PDF_COLUMNS = {  # PDFs: as qp scores them, and their 90 % width
    "cde_loss": ("CDE loss", 1, 2),
    "pit_ks": ("PIT KS", 1, 4),
    "pit_cvm": ("PIT CvM", 1, 2),
    "pit_ad": ("PIT AD", 1, 2),
    "pit_outlier_rate": ("PIT outliers [%]", 100, 2),
    "width_90": ("90 % width", 1, 4),
}
ALL_COLUMNS = COLUMNS | RAIL_COLUMNS | PDF_COLUMNS
RAIL_NOTE = (
    "RAIL and qp against the paper: bias is the median of the residuals and not their mean; sigma_IQR is their "
    f"interquartile range / 1.349; an outlier is beyond max({OUTLIER_THRESHOLD}, {OUTLIER_SIGMA:g} sigma_IQR) and not "
    f"{ETA_THRESHOLD}."
)
PDF_NOTE = (
    "Of 100 samples of n galaxies with calibrated PDFs, 95 have "
    f"PIT KS below {CALIBRATED_KS:.2f} / sqrt(n), CvM below {CALIBRATED_CVM:.2f} and AD below {CALIBRATED_AD:.2f}; CvM "
    "and AD grow with n. 0.02 % PIT outliers (below 0.0001 or above 0.9999) are expected. CDE loss: lower is better."
)
VERDICT_SCORES = ("bias", "sigma_mad", "eta", "crps", "pit_ks")  # what `comparison_markdown` puts into words
DATA_NAMES = {"simulated": "simulated galaxies", "real": "real galaxies"}
TIE_SIGMA = INTERVAL_ERRORS  # fewer standard errors than this are called a tie


def scores_markdown(scores):
    """Table 1 of Pasquet et al. (2019) with bootstrap errors: a row per fold, then mean and sd over folds.

    Parameters
    ----------
    scores : dict
        From `evaluation.evaluate`.

    Returns
    -------
    str
    """
    note = f"± is the bootstrap error ({scores['n_bootstrap']} resamples) where not said otherwise."
    return "\n".join([_title(scores, _left_out(scores)), "", *_fold_rows(scores, COLUMNS), "", note]) + "\n"


def rail_markdown(scores):
    """The same galaxies in the dialect of RAIL and qp, their PDFs, and how often z_spec is in the central intervals.

    Parameters
    ----------
    scores : dict
        From `evaluation.evaluate`.

    Returns
    -------
    str
    """
    shares = ", ".join(
        f"{100 * part['value']:.1f} ± {100 * part['error']:.1f} of {100 * part['level']:.0f}"
        for part in scores["coverage"]
        if part["level"] in (0.5, 0.68, 0.9, 0.95)
    )
    return "\n".join([
        _title(scores, "point estimates as in RAIL and qp"), "", *_fold_rows(scores, RAIL_COLUMNS), "", RAIL_NOTE, "",
        _title(scores, "PDFs"), "", *_fold_rows(scores, PDF_COLUMNS), "", PDF_NOTE, "",
        f"Coverage, the share of galaxies [%] with z_spec in the central interval of their PDF: {shares}.",
    ]) + "\n"  # fmt: skip


def scores_csv(scores):
    """All scores as CSV: data, fold, n, then value and error of each score; the mean row has sd as error.

    Parameters
    ----------
    scores : dict
        From `evaluation.evaluate`.

    Returns
    -------
    str
    """
    names = [f"{name}{suffix}" for name in ALL_COLUMNS for suffix in ("", "_error")]
    lines = [",".join(["data", "fold", "n_galaxies", *names])]
    parts = [(fold, part, "error") for fold, part in scores["folds"].items()]
    parts += [("mean", scores["mean"], "sd_over_folds"), ("all", scores["all"], "error")]
    for fold, part, error in parts:
        numbers = [repr(part[name][key]) for name in ALL_COLUMNS for key in ("value", error)]
        lines.append(",".join([scores["data"], fold, str(part["n_galaxies"]), *numbers]))
    return "\n".join(lines) + "\n"


def comparison_markdown(comparison):
    """Methods side by side on the same galaxies, a row per score, their paired differences, and verdicts in words.

    Parameters
    ----------
    comparison : dict
        From `evaluation.compare`.

    Returns
    -------
    str
    """
    methods, differences = comparison["methods"], comparison["differences"]
    first = next(iter(methods))
    titles = ["score", *methods]
    for name in differences:
        titles += [f"{name} - {first}", "95 % interval"]
    rows = []
    for score, column in ALL_COLUMNS.items():
        cells = [column[0], *(_number(part[score], column) for part in methods.values())]
        for part in differences.values():
            cells += [_number(part[score], column), _interval(part[score], column)]
        rows.append("| " + " | ".join(cells) + " |")
    sentences = [sentence for score in VERDICT_SCORES for sentence in verdicts(comparison, score)]
    lines = [
        f"**{' and '.join(methods)} on the same {comparison['n_galaxies']} {DATA_NAMES[comparison['data']]}**"
        f"{_not_common(comparison)}",
        "",
        "| " + " | ".join(titles) + " |",
        "|---" * len(titles) + "|",
        *rows,
        "",
        *(f"- {sentence}" for sentence in sentences),
        "",
        f"± is the bootstrap error ({comparison['n_bootstrap']} resamples); differences are paired, their interval is "
        f"{INTERVAL_ERRORS} errors to either side, and a tie is an interval that holds 0.",
    ]
    return "\n".join(lines) + "\n"


def verdicts(comparison, score="sigma_mad"):
    """One sentence for each method but the first: which of the two has the lower score, by how many standard errors.

    Parameters
    ----------
    comparison : dict
        From `evaluation.compare`.
    score : str
        A score that is better when lower, or a bias, better when nearer to zero.

    Returns
    -------
    list of str
    """
    title, factor, digits = ALL_COLUMNS[score]
    methods = comparison["methods"]
    first = next(iter(methods))
    sentences = []
    for name, differences in comparison["differences"].items():
        if score in ("bias", "median_bias"):
            value, error = _nearer_to_zero(methods[name][score], methods[first][score], differences[score]["error"])
        else:
            value, error = differences[score]["value"], differences[score]["error"]
        names = (name, first) if value < 0 else (first, name)
        better, worse = (f"{methods[key][score]['value'] * factor:.{digits}f}" for key in names)
        n_sigma = abs(value) / error if error > 0 else (float("inf") if value else 0.0)
        difference = f"{title} {better} against {worse}, {n_sigma:.1f} standard errors of the paired difference"
        where = f"on {comparison['n_galaxies']} {DATA_NAMES[comparison['data']]}"
        if n_sigma < TIE_SIGMA:
            sentences.append(f"{names[0]} and {names[1]} tie {where}: {difference}.")
        else:
            sentences.append(f"{names[0]} beats {names[1]} {where}: {difference}.")
    return sentences


def _nearer_to_zero(score, first, error_of_difference):
    """|score| - |first| with its error, from the paired error of score - first."""
    if score["value"] * first["value"] >= 0:
        error = error_of_difference
    else:  # Then it is the sum that counts: var(a + b) = 2 var(a) + 2 var(b) - var(a - b).
        error = math.sqrt(max(2 * score["error"] ** 2 + 2 * first["error"] ** 2 - error_of_difference**2, 0.0))
    return abs(score["value"]) - abs(first["value"]), error


def redshifts_text(table):
    """A line per galaxy: z_spec beside z_phot and its 68 % interval, or why there is none.

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
    """How many galaxies the table is of, and what was not scored."""
    counts = f"{scores['n_flagged']} flagged, {scores['n_without_z_spec']} without z_spec"
    text = f"{scores['n_galaxies']} scored; left out {counts}"
    return text + (f"; {scores['n_outside_grid']} beyond the redshift grid" if scores["n_outside_grid"] else "")


def _not_common(comparison):
    """Which galaxies of the tables were not compared."""
    left_out = [f"{number} of {name}" for name, number in comparison["n_left_out"].items() if number]
    return f" (left out, not good in every table: {', '.join(left_out)})" if left_out else ""


def _title(scores, remark):
    """Model, survey and whether the galaxies are real, in bold, and a remark."""
    name = " ".join(part for part in (scores.get("model"), scores["survey"]) if part)
    return f"**{name}, {DATA_NAMES[scores['data']]}** ({remark})"


def _fold_rows(scores, columns):
    """Markdown table: a row per fold, then mean and sd over folds, and all galaxies together."""
    titles = ["fold", "n", *(title for title, _, _ in columns.values())]
    rows = [([fold, part["n_galaxies"]], part, "error") for fold, part in scores["folds"].items()]
    if len(rows) > 1:
        rows.append((["mean ± sd over folds", scores["mean"]["n_galaxies"]], scores["mean"], "sd_over_folds"))
        rows.append((["all together", scores["n_galaxies"]], scores["all"], "error"))
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for (label, n_galaxies), part, error in rows:
        cells = [label, str(n_galaxies), *(_number(part[name], column, error) for name, column in columns.items())]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _number(score, column, error="error"):
    """A score with the error of that key, in the unit and digits of its column."""
    _, factor, digits = column
    return f"{score['value'] * factor:.{digits}f} ± {score[error] * factor:.{digits}f}"


def _interval(score, column):
    """The 95 % interval of a difference."""
    _, factor, digits = column
    low, high = (f"{value * factor:.{digits}f}" for value in score["interval"])
    return f"{low} to {high}"
