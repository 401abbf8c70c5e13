"""Scores as text: Markdown and CSV in the layout of the papers' tables.

In go the dictionaries of `evaluation.evaluate` and `evaluation.compare`, out comes text. Titles say whether the
galaxies are simulated or real; eta is a fraction in the scores and per cent here.
"""

from photoz_morph.predictions import ORIGINS

# Column title, factor and digits of each score; the first three are Pasquet et al. (2019), Table 1.
COLUMNS = {
    "bias": ("bias", 1, 5),
    "sigma_mad": ("sigma_MAD", 1, 5),
    "eta": ("eta [%]", 100, 2),
    "crps": ("CRPS", 1, 5),
    "pit_std": ("PIT sd", 1, 4),
    "width_68": ("68 % width", 1, 4),
}
DATA_NAMES = {"simulated": "simulated galaxies", "real": "real galaxies"}
TIE_SIGMA = 2.0  # our choice: fewer standard errors than this are called a tie


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
    name = " ".join(part for part in (scores.get("model"), scores["survey"]) if part)
    lines = [
        f"**{name}, {DATA_NAMES[scores['data']]}** ({_left_out(scores)})",
        "",
        *_header(["fold", "n"]),
        *(_row([fold, str(part["n_galaxies"])], part, "error") for fold, part in scores["folds"].items()),
    ]
    if len(scores["folds"]) > 1:
        lines += [_row(["mean ± sd over folds", str(scores["mean"]["n_galaxies"])], scores["mean"], "sd_over_folds")]
        lines += [_row(["all together", str(scores["n_galaxies"])], scores["all"], "error")]
    lines += ["", f"± is the bootstrap error ({scores['n_bootstrap']} resamples) where not said otherwise."]
    return "\n".join(lines) + "\n"


def scores_csv(scores):
    """The same table as CSV: data, fold, n, then value and error of each score; the mean row has sd as error.

    Parameters
    ----------
    scores : dict
        From `evaluation.evaluate`.

    Returns
    -------
    str
    """
    names = [f"{name}{suffix}" for name in COLUMNS for suffix in ("", "_error")]
    lines = [",".join(["data", "fold", "n_galaxies", *names])]
    parts = [(fold, part, "error") for fold, part in scores["folds"].items()]
    parts += [("mean", scores["mean"], "sd_over_folds"), ("all", scores["all"], "error")]
    for fold, part, error in parts:
        numbers = [repr(part[name][key]) for name in COLUMNS for key in ("value", error)]
        lines.append(",".join([scores["data"], fold, str(part["n_galaxies"]), *numbers]))
    return "\n".join(lines) + "\n"


def comparison_markdown(comparison):
    """Methods side by side on the same galaxies, their paired differences, and a verdict in plain words.

    Parameters
    ----------
    comparison : dict
        From `evaluation.compare`.

    Returns
    -------
    str
    """
    first = next(iter(comparison["methods"]))
    lines = [
        f"**{' and '.join(comparison['methods'])} on the same {comparison['n_galaxies']} "
        f"{DATA_NAMES[comparison['data']]}**",
        "",
        *_header(["method"]),
        *(_row([name], part, "error") for name, part in comparison["methods"].items()),
        *(_row([f"{name} - {first}"], part, "error") for name, part in comparison["differences"].items()),
        "",
        *(f"- {sentence}" for sentence in verdicts(comparison)),
        "",
        f"± is the bootstrap error ({comparison['n_bootstrap']} resamples); differences are paired.",
    ]
    return "\n".join(lines) + "\n"


def verdicts(comparison, score="sigma_mad"):
    """One sentence for each method but the first: which of the two has the lower score, by how many standard errors.

    Parameters
    ----------
    comparison : dict
        From `evaluation.compare`.
    score : str
        A score that is better when lower.

    Returns
    -------
    list of str
    """
    title, factor, digits = COLUMNS[score]
    first = next(iter(comparison["methods"]))
    sentences = []
    for name, differences in comparison["differences"].items():
        value, error = differences[score]["value"], differences[score]["error"]
        names = (name, first) if value < 0 else (first, name)
        better, worse = (f"{comparison['methods'][key][score]['value'] * factor:.{digits}f}" for key in names)
        n_sigma = abs(value) / error if error > 0 else (float("inf") if value else 0.0)
        difference = f"{title} {better} against {worse}, {n_sigma:.1f} standard errors of the paired difference"
        where = f"on {comparison['n_galaxies']} {DATA_NAMES[comparison['data']]}"
        if n_sigma < TIE_SIGMA:
            sentences.append(f"{names[0]} and {names[1]} tie {where}: {difference}.")
        else:
            sentences.append(f"{names[0]} beats {names[1]} {where}: {difference}.")
    return sentences


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


def _header(titles):
    """Markdown head of a table: left titles, then the scores."""
    titles = [*titles, *(title for title, _, _ in COLUMNS.values())]
    return ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]


def _row(cells, part, error):
    """Markdown row: left cells, then each score with the error of that key."""
    numbers = [
        f"{part[name]['value'] * factor:.{digits}f} ± {part[name][error] * factor:.{digits}f}"
        for name, (_, factor, digits) in COLUMNS.items()
    ]
    return "| " + " | ".join([*cells, *numbers]) + " |"
