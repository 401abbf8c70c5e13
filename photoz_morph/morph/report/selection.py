"""Choice among runs without target labels and calibration of their probabilities, as entries of the report."""

import numpy as np

from photoz_morph.morph.evaluation.scores import labelled, probability_of_seeds
from photoz_morph.morph.predictions import domains_of, rows_of
from photoz_morph.morph.report.figures.risk_coverage import risk_coverage_figure
from photoz_morph.morph.report.figures.selection import selection_figure
from photoz_morph.morph.report.figures.temperatures import temperature_figure
from photoz_morph.morph.report.tables import calibration as calibration_table
from photoz_morph.morph.report.tables import selection as selection_table
from photoz_morph.report import html
from photoz_morph.report.page import Entry

CALIBRATION, SELECTION = "Calibration", "Choice without labels"  # sections


def calibration_entries(results, title, sample):
    """Risk-coverage curves, and the temperatures of the runs that have some.

    Parameters
    ----------
    results : MorphResults
    title, sample : str
        Name and number of the galaxies, for figures and captions.

    Returns
    -------
    list of Entry
    """
    entries = [
        Entry(CALIBRATION, "risk_coverage",
              f"{title}: risk and coverage, {sample}. Error rate among the galaxies of the highest confidence against "
              "their fraction; at 1 it is that of all. Solid and dashed: the ensemble, with the 95 % interval over "
              "groups; dotted: mean of the curves of single networks. A lower curve puts its wrong galaxies last.",
              lambda: risk_coverage_figure({run["name"]: _labelled(run["table"]) for run in results.runs}, title)),
    ]  # fmt: skip
    found = {run["name"]: run["calibration"] for run in results.runs if current(run, "calibration")}
    entries += [_stale(CALIBRATION, run, "calibrate") for run in results.runs if is_stale(run, "calibration")]
    if found:
        rows = [row for name, part in found.items() for row in calibration_table.calibration_rows(name, part)]
        caption = calibration_table.calibration_caption(next(iter(found.values())))
        entries.append(Entry(CALIBRATION, html=html.table(calibration_table.HEADER, rows, caption)))
        entries.append(Entry(
            CALIBRATION, "temperatures",
            f"{title}: reliability of the ensembles before and after temperatures, {sample}. Below the line the "
            "ensemble is overconfident. Errors of calibration (ECE) in the order of the legend. The temperature of Y1 "
            "uses its labels and stands for what could be had with them.",
            lambda: temperature_figure(found, title),
        ))  # fmt: skip
    return entries


def selection_entries(results, title):
    """Table and figure of the choice among the runs that the first run was ranked with, if it was.

    Parameters
    ----------
    results : MorphResults
    title : str

    Returns
    -------
    list of Entry
    """
    first = results.runs[0]
    if is_stale(first, "selection"):
        return [_stale(SELECTION, first, "select")]
    if not current(first, "selection"):
        return []
    selection = first["selection"]
    pieces = [html.paragraph(sentence) for sentence in selection_table.selection_verdicts(selection)]
    header, rows = selection_table.selection_header(selection), selection_table.selection_rows(selection)
    pieces.append(html.table(header, rows, selection_table.selection_caption(selection), n_strong=1))
    return [
        *(Entry(SELECTION, html=piece) for piece in pieces),
        Entry(SELECTION, "selection",
              f"{title}: accuracy in Y1 of every network against the scores that need no labels of Y1, better to the "
              "right. Circled: the network that a score chooses; dotted: the best one by the labels.",
              lambda: selection_figure(selection, title)),
    ]  # fmt: skip


def current(run, key):
    """What was found for the networks that the predictions of a run are of; None if there is nothing, or of others."""
    found = run.get(key)
    return None if not found or is_stale(run, key) else found


def is_stale(run, key):
    """True if something was found for other networks than the predictions of a run are of."""
    found = run.get(key)
    if not found:
        return False
    source = found["provenance"].get(run["name"], {}) if key == "selection" else found
    return source.get("model_id") != run["table"].meta.get("model_id")


def _stale(section, run, command):
    """Note in place of results of other networks."""
    return Entry(section, caption=f"Left out: results of {run['name']} are of other networks; `morph {command}` renews "
                 "them.")  # fmt: skip


def _labelled(table):
    """Labels, groups and probabilities of the labelled galaxies of each domain of a table of predictions."""
    found = {}
    for domain in domains_of(table):
        scored = labelled(rows_of(table, domain), "label")
        found[domain] = {
            "label": np.asarray(scored["label"]),
            "group_id": np.asarray(scored["group_id"]),
            "probability": probability_of_seeds(scored, domain),
        }
    return found
