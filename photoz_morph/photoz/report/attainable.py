"""Section of the photo-z report on simulated galaxies: what could be reached, beside what was.

In go the scores of a run, with `comparison` and `bounds` from `evaluation.run_scores.current_scores`.
"""

from functools import partial

from photoz_morph.photoz.report.figures.attainable import attainable_scores
from photoz_morph.photoz.report.tables.columns import COLUMNS, score_text
from photoz_morph.report import html
from photoz_morph.report.page import Entry

SECTION = "Attainable"
PIXELS = "pixel information"  # name of a bound
CAPTION = (
    "Bounds by the same small network as the MLP, trained on the same galaxies, but told what only the simulation "
    "knows. No information: every galaxy has the n(z) of the training set as its PDF. True structure: measured "
    "magnitudes with the true size, axis ratio, bulge-to-total ratio and type. Pixel information: one efficient "
    "measurement of the stamp, with the covariance of its Fisher matrix and the population as prior, of the magnitudes "
    "and inner shares in all bands, size, axis ratio and index; neighbours, bars, arms and the point-spread function "
    "are taken as known, so that a method on the pixels is not expected to do better with this training set. True "
    "magnitudes and structure: without noise and errors of the zero points, which no pixels give."
)


def attainable(results):
    """Figure and table of the run between baselines and bounds; no entries for real galaxies.

    Parameters
    ----------
    results : RunResults

    Returns
    -------
    list of Entry
    """
    if results.is_real:
        return []
    bounds = results.scores.get("bounds")
    if not bounds:
        reason = results.bounds_note or f"create them with photoz baseline {results.run_dir} --method bounds"
        return [Entry(SECTION, html=html.paragraph(f"No bounds are shown: {reason}."))]
    methods = ordered_methods(results.scores)
    rows = [[name, {"run": "this run", "baseline": "baseline", "bound": "bound"}[kind],
             *(score_text(scores[score], column) for score, column in COLUMNS.items())]
            for name, kind, scores in methods]  # fmt: skip
    titles = ["", "", *(title for title, _, _ in COLUMNS.values())]
    caption = f"{results.title}. {CAPTION}"
    title = f"{results.title}: what can be reached"
    return [
        Entry(SECTION, "attainable",
              f"{results.title}: sigma_MAD and CRPS of the run (circle), of baselines (squares) and of bounds "
              "(diamonds and dashed lines); the table below says what each of them knows.",
              partial(attainable_scores, methods, title)),
        Entry(SECTION, html=html.table(titles, rows, caption)),
        *(Entry(SECTION, html=html.paragraph(text)) for text in gap_sentences(results.scores)),
        *([Entry(SECTION, html=html.paragraph(f"Not all bounds are shown: {results.bounds_note}."))]
          if results.bounds_note else []),
    ]  # fmt: skip


def ordered_methods(scores):
    """(name, kind, scores) of all methods of a run, the highest sigma_MAD first; kind as for `attainable_scores`."""
    bounds, comparison = scores["bounds"]["methods"], scores.get("comparison", {}).get("methods", {})
    (run, of_run), *others = bounds.items()
    methods = [(run, "run", of_run), *((name, "bound", part) for name, part in others)]
    methods += [(name, "baseline", part) for name, part in comparison.items() if name != run]
    return sorted(methods, key=lambda method: -method[2]["sigma_mad"]["value"])


def gap_sentences(scores):
    """How much of the way from each baseline to the information in the pixels the run has gone, in sentences.

    Parameters
    ----------
    scores : dict
        With `bounds`.

    Returns
    -------
    list of str
        Empty without the bound of the pixels.
    """
    methods = {name: part["sigma_mad"]["value"] for name, _, part in ordered_methods(scores)}
    run = next(iter(scores["bounds"]["methods"]))
    if PIXELS not in methods:
        return []
    sentences = [
        f"sigma_MAD of {run} is {methods[run] / methods[PIXELS]:.2f} times that of an efficient measurement of the "
        f"pixels ({methods[run]:.5f} against {methods[PIXELS]:.5f})."
    ]
    for name in scores.get("comparison", {}).get("methods", {}):
        if name != run and methods[name] > methods[PIXELS]:
            way = (methods[name] - methods[run]) / (methods[name] - methods[PIXELS])
            sentences.append(f"From {name} ({methods[name]:.5f}) that is {100 * way:.0f} % of the way.")
    return sentences
