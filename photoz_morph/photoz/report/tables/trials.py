"""Tables 1 and 2 of Pasquet et al. (2019) with a row of the paper above each row of this run, as HTML and CSV.

Each row names its source and its galaxies: the paper's are real, a run's may be simulated, and then the two share a
layout without being comparable.
"""

from photoz_morph.photoz.evaluation.trial_scores import TABLE_SCORES
from photoz_morph.photoz.evaluation.trials import PAPER_TABLE_2
from photoz_morph.report import html

# Pasquet et al. (2019), Table 1, last row: mean and standard deviation over five folds, 6 networks each.
PAPER_TABLE_1 = {"bias": (0.00010, 5e-5), "sigma_mad": (0.00912, 2e-5), "eta": (0.0031, 9e-5)}
HEADER = ("bias", "sigma_MAD", "η [%]", "CRPS")
FORMS = {"bias": (1, 5), "sigma_mad": (1, 5), "eta": (100, 2), "crps": (1, 5)}
PAPER = "paper, real"


def table_1(scores, kind):
    """The mean over folds beside that of the paper.

    Parameters
    ----------
    scores : dict
        From `evaluation.scores.evaluate`.
    kind : str
        Galaxies of this run, "simulated" or "real".

    Returns
    -------
    str
    """
    mean = scores["mean"]
    error = "sd_over_folds" if mean["n_folds"] > 1 else "error"
    rows = [
        [PAPER, "5", *(_cell(name, PAPER_TABLE_1[name]) for name in PAPER_TABLE_1)],
        [f"this run, {kind}", str(mean["n_folds"]),
         *(_cell(name, (mean[name]["value"], mean[name][error])) for name in PAPER_TABLE_1)],
    ]  # fmt: skip
    caption = "Table 1 of Pasquet et al. (2019), last row: mean ± sd over the folds"
    caption += f". {_warning(kind)}" if error == "sd_over_folds" else f", of one fold ± its error. {_warning(kind)}"
    return html.table(["paper / this run", "folds", *HEADER[:3]], rows, caption)


def table_2(rows, kind, region):
    """Table 2 with a row of the paper above each row of this run.

    Parameters
    ----------
    rows : list of TrialRow
    kind : str
        Galaxies of this run, "simulated" or "real".
    region : str
        The zone left out.

    Returns
    -------
    str
    """
    has_zone = any(row.name == "without zone" for row in rows)
    zone = f"No galaxy of this run lies in the zone {region}, which the paper's rows leave out."
    if has_zone:
        zone = f"The zone is {region}; it is left out from its first mention on."
    lines = []
    for row in rows:
        paper = PAPER_TABLE_2.get(row.name)
        if paper:
            values = [_cell(name, (getattr(paper, name),)) for name in TABLE_SCORES]
            lines.append([row.name, PAPER, _count(paper.n_train), _count(paper.n_test), *values, ""])
        difference = row.difference.get("sigma_mad")
        lines.append(
            ["" if paper else row.name, f"this run, {kind}", _count(row.n_train), _count(row.n_test),
             *(_cell(name, row.scores[name]) for name in TABLE_SCORES),
             _cell("sigma_mad", difference, sign="+") if difference else ""]
        )  # fmt: skip
    caption = (
        f"Table 2 of Pasquet et al. (2019). {zone} Deep means ten frames or more in each band, Stripe 82 in the paper; "
        "the width of a PDF is q84 - q16. ± is the bootstrap error over parent galaxies; the last column is the paired "
        "difference of sigma_MAD on the galaxies tested in both runs. "
        f"{_warning(kind)}"
    )
    return html.table(["trial", "paper / this run", "n train", "n test", *HEADER, "minus 80 %"], lines, caption)


def table_2_csv(rows, data):
    """The rows of this run as CSV: data, trial, sizes, value and error of each score and paired difference.

    Parameters
    ----------
    rows : list of TrialRow
    data : str
        "simulated" or "real".

    Returns
    -------
    str
    """
    names = [f"{name}{suffix}" for name in TABLE_SCORES for suffix in ("", "_error")]
    names += [f"{name}_minus_reference{suffix}" for name in TABLE_SCORES for suffix in ("", "_error")]
    lines = [",".join(["data", "trial", "n_train", "n_test", *names])]
    for row in rows:
        numbers = [repr(number) for name in TABLE_SCORES for number in row.scores[name]]
        numbers += [repr(n) for name in TABLE_SCORES for n in row.difference.get(name, ())] or [""] * 8
        n_train = "" if row.n_train is None else str(row.n_train)
        lines.append(",".join([data, f'"{row.name}"', n_train, str(row.n_test), *numbers]))
    return "\n".join(lines) + "\n"


def missing_trials(rows):
    """Sentence on the rows of the paper's table that are missing in this run, "" where it has them all."""
    missing = [name for name in PAPER_TABLE_2 if name not in {row.name for row in rows}]
    if not missing:
        return ""
    return (
        f"Missing rows: {'; '.join(missing)}. Train photoz_trial_*.yaml on the same dataset and give the run folders "
        "to photoz report after this one."
    )


def _warning(kind):
    """Sentence on whether the rows of this run are comparable to the paper's."""
    if "simulated" not in kind:
        return "Comparable to the paper's rows only if the sample was selected in the same way."
    return "The paper's galaxies are real; its rows are not comparable to those of this run."


def _cell(name, numbers, sign=""):
    """A value with its error where known."""
    factor, digits = FORMS[name]
    if numbers[0] is None:
        return ""
    return " ± ".join(f"{number * factor:{sign if i == 0 else ''}.{digits}f}" for i, number in enumerate(numbers))


def _count(number):
    """A number of galaxies as text, "" where unknown."""
    return "" if number is None else f"{number:,}"
