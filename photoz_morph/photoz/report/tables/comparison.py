"""Comparison of several methods on the same galaxies as text: scores, paired differences, and verdicts in words.

In go the dictionaries of `evaluation.comparison.compare`.
"""

import math

from photoz_morph.photoz.evaluation.comparison import INTERVAL_ERRORS
from photoz_morph.photoz.report.tables.columns import ALL_COLUMNS, error_note, galaxies_of, score_text
from photoz_morph.report.text import markdown_table

VERDICT_SCORES = ("bias", "sigma_mad", "eta", "crps", "pit_ks")  # those that `comparison_markdown` puts into words
TIE_SIGMA = INTERVAL_ERRORS  # fewer standard errors than this are called a tie


def comparison_markdown(comparison):
    """Methods side by side on the same galaxies, a row per score, their paired differences, and verdicts in words.

    Parameters
    ----------
    comparison : dict
        From `evaluation.comparison.compare`.

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
        if score not in methods[first]:
            continue
        cells = [column[0], *(score_text(part[score], column) for part in methods.values())]
        for part in differences.values():
            cells += [score_text(part[score], column), _interval(part[score], column)]
        rows.append(cells)
    sentences = [sentence for score in VERDICT_SCORES if score in methods[first]
                 for sentence in verdicts(comparison, score)]
    lines = [
        f"**{' and '.join(methods)} on the same {comparison['n_galaxies']} {galaxies_of(comparison)}**"
        f"{_not_common(comparison)}",
        "",
        *markdown_table(titles, rows),
        "",
        *(f"- {sentence}" for sentence in sentences),
        "",
        f"± is the {error_note(comparison)}; differences are paired, their interval is {INTERVAL_ERRORS} errors to "
        "either side. A tie is a difference within that interval; biases are compared by their absolute values.",
    ]
    return "\n".join(lines) + "\n"


def verdicts(comparison, score="sigma_mad"):
    """One sentence for each method but the first on which of the two has the lower score, by how many standard errors.

    Parameters
    ----------
    comparison : dict
        From `evaluation.comparison.compare`.
    score : str
        A score that is better when lower, or a bias, better when nearer to zero.

    Returns
    -------
    list of str
    """
    title, factor, digits = ALL_COLUMNS[score]
    is_bias = score in ("bias", "median_bias")
    title = f"|{title}|" if is_bias else title
    methods = comparison["methods"]
    first = next(iter(methods))
    sentences = []
    for name in comparison["differences"]:
        value, n_sigma = difference_of(comparison, name, score)
        names = (name, first) if value < 0 else (first, name)
        values = (methods[key][score]["value"] * factor for key in names)
        better, worse = (f"{abs(number) if is_bias else number:.{digits}f}" for number in values)
        difference = f"{title} {better} against {worse}, {n_sigma:.1f} standard errors of the paired difference"
        where = f"on {comparison['n_galaxies']} {galaxies_of(comparison)}"
        if n_sigma < TIE_SIGMA:
            sentences.append(f"{names[0]} and {names[1]} tie {where}: {difference}.")
        else:
            sentences.append(f"{names[0]} beats {names[1]} {where}: {difference}.")
    return sentences


def comparison_words(comparison, score="sigma_mad"):
    """Outcome for the first method in a few words, such as "no better than k-NN (difference 1.9 sigma)".

    Parameters are those of `verdicts`.
    """
    parts = []
    for name in comparison["differences"]:
        value, n_sigma = difference_of(comparison, name, score)
        outcome = "no better" if n_sigma < TIE_SIGMA else "better" if value > 0 else "worse"
        parts.append(f"{outcome} than {name} (difference {n_sigma:.1f} sigma)")
    return " and ".join(parts)


def difference_of(comparison, name, score):
    """Score of a method minus that of the first, of biases that of their absolute values.

    Parameters
    ----------
    comparison : dict
        From `evaluation.comparison.compare`.
    name, score : str

    Returns
    -------
    value : float
        Positive where the first method is better.
    n_sigma : float
        Its absolute value over its error.
    """
    difference = comparison["differences"][name][score]
    value, error = difference["value"], difference["error"]
    if score in ("bias", "median_bias"):
        methods = comparison["methods"]
        value, error = _nearer_to_zero(methods[name][score], next(iter(methods.values()))[score], error)
    return value, abs(value) / error if error > 0 else (float("inf") if value else 0.0)


def _nearer_to_zero(score, first, error_of_difference):
    """|score| - |first| with its error, from the paired error of score - first."""
    if score["value"] * first["value"] >= 0:
        error = error_of_difference
    else:  # Then it is the sum that counts: var(a + b) = 2 var(a) + 2 var(b) - var(a - b).
        error = math.sqrt(max(2 * score["error"] ** 2 + 2 * first["error"] ** 2 - error_of_difference**2, 0.0))
    return abs(score["value"]) - abs(first["value"]), error


def _not_common(comparison):
    """Number of galaxies of each table that were not compared."""
    left_out = [f"{number} of {name}" for name, number in comparison["n_left_out"].items() if number]
    return f" (left out, not good in every table: {', '.join(left_out)})" if left_out else ""


def _interval(score, column):
    """The 95 % interval of a difference."""
    _, factor, digits = column
    low, high = (f"{value * factor:.{digits}f}" for value in score["interval"])
    return f"{low} to {high}"
