"""Section of the photo-z report on the calibration of a run: what was fitted, and what the test galaxies say of it."""

from functools import partial

import numpy as np

from photoz_morph.metrics.redshifts.pdf_scores import pit
from photoz_morph.metrics.redshifts.pit_tests import pit_ks
from photoz_morph.photoz.calibration.files import run_calibrations
from photoz_morph.photoz.calibration.quality import BITS, MEANINGS
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.report.figures.calibration import before_and_after
from photoz_morph.photoz.report.tables.calibration import FIT_TITLES, coverage_rows, fit_rows
from photoz_morph.report import html
from photoz_morph.report.page import Entry
from photoz_morph.runs.folder import finished_members

SECTION = "Calibration of the PDFs"


def calibration(results):
    """Entries of the section: a figure and tables of a calibrated run, else a line that says how to calibrate it.

    Parameters
    ----------
    results : RunResults

    Returns
    -------
    list of Entry
    """
    table = results.table
    if "pit_uncalibrated" not in table.colnames:
        text = f"These PDFs are the mean of the members', not calibrated: see photoz calibrate {results.run_dir}."
        return [Entry(SECTION, caption=text)]
    z_spec, before = np.asarray(table["z_spec"], float), np.asarray(table["pit_uncalibrated"], float)
    after, rows, n = pit(z_spec, np.asarray(table["pdf"]), results.grid), coverage_rows(table), f"{len(table):,}"
    limit = 1.63 / np.sqrt(len(table))  # asymptotic 1 % point of the distance (Stephens 1974)
    caption = (
        f"{results.title}, n = {n}, none of them used to train or to calibrate. Left: PIT before and after "
        f"calibration; the largest distance from a uniform distribution is {pit_ks(before):.4f} before and "
        f"{pit_ks(after):.4f} after (1 % of calibrated samples of as many independent galaxies are beyond "
        f"{limit:.4f}). Right: coverage found minus stated, of the central intervals of the PDFs and of the conformal "
        "intervals, with standard errors."
    )
    entries = [Entry(SECTION, "calibration", caption, partial(before_and_after, before, after, rows, results.title))]
    cells = [
        [f"{100 * row['stated']:g} %", f"{100 * row['found']:.2f} ± {100 * row['error']:.2f} %", f"{row['width']:.4f}"]
        for row in rows
    ]
    titles = ["stated coverage", "found", "median width"]
    entries.append(Entry(SECTION, html=html.table(titles, cells, f"Conformal intervals on the {n} test galaxies.")))
    try:
        calibrations = run_calibrations(results.run_dir, finished_members(results.run_dir, PhotozConfig), results.grid)
        if not calibrations:
            raise ValueError(f"{results.run_dir}: no fold has one; run `photoz calibrate {results.run_dir}` again")
        caption = (
            "What was fitted for each fold, to the test galaxies of the others or, in a run of one, to its validation "
            "galaxies. Before is the mean of the members' PDFs; after, each galaxy is calibrated by the others. KS is "
            "the largest distance of the PIT from a uniform distribution."
        )
        entries.append(Entry(SECTION, html=html.table(list(FIT_TITLES), fit_rows(calibrations), caption)))
    except (ValueError, OSError) as error:
        entries.append(Entry(SECTION, caption=f"The calibration of these predictions is not there: {error}."))
    return [*entries, Entry(SECTION, html=_flags(table, n))]


def _flags(table, n):
    """Table of the quality bits: how many galaxies have each, and how far their redshifts are off."""
    quality, residuals = np.asarray(table["quality"]), np.asarray(table["z_phot"] - table["z_spec"], float)
    residuals = np.abs(residuals) / (1 + np.asarray(table["z_spec"], float))
    masks = {"no bit": quality == 0} | {f"{bit}: {MEANINGS[name]}": quality & bit > 0 for name, bit in BITS.items()}
    rows = [
        [name, f"{mask.sum():,}", f"{np.median(residuals[mask]):.4f}", f"{100 * np.mean(residuals[mask] > 0.05):.1f} %"]
        for name, mask in masks.items()
        if mask.any()
    ]
    titles = ["quality", "galaxies", "median |residual|", "beyond 0.05"]
    return html.table(titles, rows, f"Quality flags of the {n} test galaxies; a galaxy can have several.")
