"""Report of a photo-z run: figures as PNG and PDF, Table 1 as CSV, and one HTML page with all of it inside.

Takes the results of a run and of its trials, and stacks of a few galaxies if there are any; returns the path of the
page. The sections follow the questions of a referee: which data, how good and how good could it be, where it fails, can
the PDFs be trusted, on what does it depend, was it trained to the end, what does the sample look like, how do I repeat
it.
"""

from functools import partial
from pathlib import Path

import numpy as np

from photoz_morph.metrics.redshifts import point_scores
from photoz_morph.metrics.redshifts.pdf_scores import pit
from photoz_morph.photoz.report import diagnostics, science
from photoz_morph.photoz.report.attacks import attacks
from photoz_morph.photoz.report.attainable import attainable
from photoz_morph.photoz.report.calibration import calibration
from photoz_morph.photoz.report.figures.pdfs import galaxies_with_pdf, pit_histogram, rescaled_pit
from photoz_morph.photoz.report.figures.point_estimates import residual_histogram, z_phot_against_z_spec
from photoz_morph.photoz.report.figures.sample import random_stamps, redshifts_and_magnitudes, sky_map
from photoz_morph.photoz.report.figures.training import loss_curves
from photoz_morph.photoz.report.tables.scores import scores_csv
from photoz_morph.photoz.report.text import BANNERS, overview, provenance, score_tables, summary
from photoz_morph.report.page import Entry, write_page
from photoz_morph.report.style import write_text
from photoz_morph.report.text import count, made_from

N_WITH_PDF = 8  # galaxies beside their PDF


def write_report(results, out_dir=None, stacks=None, note="", progress=True):
    """Write the report of a run.

    Parameters
    ----------
    results : RunResults
        From `results.read_results`.
    out_dir : path-like, optional
        By default `report` in the run folder.
    stacks : tuple of (ndarray, shape (n, size, size, n_bands); ndarray, shape (n,)), optional
        Images of random galaxies and their `obj_id`.
    note : str
        Why there are no stacks, printed in their place.
    progress : bool

    Returns
    -------
    Path
        The page, `report.html`.
    """
    out_dir = Path(out_dir or results.run_dir / "report")
    out_dir.mkdir(parents=True, exist_ok=True)
    files = {"table1.csv": scores_csv(results.scores)}
    with_pdf, stamps = _stack_figures(results, stacks, note)
    entries = [Entry("Scores", html=piece) for piece in (summary(results), *score_tables(results))]
    entries += attainable(results)
    entries += [*science.trials(results, files), *_performance(results), with_pdf, *_pit_of_pdfs(results)]
    entries += calibration(results)
    sections = (
        science.widths, science.trends, diagnostics.tomography, diagnostics.colour_cells, science.sky, attacks
    )  # fmt: skip
    entries += [entry for part in sections for entry in part(results, files)]
    entries += [*_training_and_sample(results), stamps]
    entries += [Entry("Provenance", html=piece) for piece in provenance(results)]
    for name, text in files.items():
        write_text(text, out_dir / name)
    return write_page(
        entries,
        out_dir,
        title=f"Photometric redshifts: run {results.run_dir.resolve().name}",
        banner=BANNERS[results.is_real].format(survey=results.survey.name.upper()),
        is_real=results.is_real,
        overview=overview(results, ("z_phot_z_spec", "pit")),
        footer="Written by photoz report on {date}. Definitions of the scores: Pasquet et al. (2019), Sec. 4.1. "
        + made_from(results.table.meta),
        progress=progress,
    )


def _performance(results):
    """Figures of the point estimates."""
    table, title, n = results.table, results.title, f"n = {len(results.table):,}"
    z_spec, z_phot = np.asarray(table["z_spec"], float), np.asarray(table["z_phot"], float)
    limit = point_scores.ETA_THRESHOLD
    return [
        Entry("z_phot against z_spec", "z_phot_z_spec",
              f"{title}: z_phot against z_spec, {n}. Colours give the density of galaxies. The solid line marks "
              f"equality, dotted lines the outlier limits, |residual| = {limit}. The lower panel shows the residuals.",
              lambda: z_phot_against_z_spec(z_spec, z_phot, title, results.z_max)),
        Entry("Residuals", "residuals",
              f"{title}: histogram of the residuals, {n}, on a linear axis (core) and a logarithmic one (wings). The "
              "curve is the Gaussian with the bias and sigma_MAD given in the legend, not a fit; outliers beyond "
              f"{limit} are hatched.",
              lambda: residual_histogram(z_spec, z_phot, title)),
    ]  # fmt: skip


def _pit_of_pdfs(results):
    """PIT of the mean PDF, of the members where known, and of PDFs of another width."""
    table, grid, n = results.table, results.grid, f"n = {len(results.table):,}"
    has_members = results.n_members > 1 and "pit_member" in table.colnames
    members = " of the mean PDF (thick) and of the PDFs of single members (thin, pooled over folds)" * has_members
    missing = " The predictions lack the PIT of the members; photoz predict computes it." * (
        results.n_members > 1 and not has_members
    )

    def draw():
        z_spec, pdf = np.asarray(table["z_spec"], float), np.asarray(table["pdf"])
        rescaled = {
            f"every PDF 20 % {name}": rescaled_pit(z_spec, pdf, grid, factor)
            for name, factor in (("wider", 1.2), ("narrower", 0.8))
        }
        pit_member = table["pit_member"] if has_members else None
        return pit_histogram(pit(z_spec, pdf, grid), results.title, 20, pit_member, rescaled)

    caption = (
        f"{results.title}: probability integral transform{members}, {n}. The PIT is the probability that a PDF assigns "
        "to redshifts below z_spec. It is uniform if the PDFs are calibrated; a hump means that the PDFs are too wide, "
        "peaks at 0 and 1 that they are too narrow, a slope a bias. Dashed and dash-dotted: the same with every PDF "
        f"stretched or squeezed by 20 % about its mean.{missing}"
    )
    return [Entry("Calibration of the PDFs", "pit", caption, draw)]


def _stack_figures(results, stacks, note):
    """Galaxies beside their PDFs, and random stamps, or the reason why they are missing."""
    row_of = {obj_id: row for row, obj_id in enumerate(results.table["obj_id"])}
    shown = [] if stacks is None else [index for index, obj_id in enumerate(stacks[1]) if obj_id in row_of]
    titles = "PDFs of random galaxies", "Random stamps"
    if not shown:
        reason = f"Left out: {note or 'no stack of these galaxies was given'}."
        return [Entry(title, caption=reason) for title in titles]
    rows = [row_of[stacks[1][index]] for index in shown]
    images, table, survey, with_pdf = stacks[0][shown], results.table[rows], results.survey, slice(0, N_WITH_PDF)
    mags, band = results.magnitudes
    red, green, blue = survey.colour_bands
    scale = f"{survey.pixel_scale:g} arcsec per pixel, north up, east left"
    return [
        Entry(titles[0], "galaxies_with_pdf",
              f"{count(len(table[with_pdf]), 'random stamp')} beside the PDFs, with z_phot, its 68 % interval and "
              f"z_spec; {scale}. Red, green and blue are {red}, {green} and {blue} with an asinh stretch (Lupton et "
              "al. 2004).",
              partial(galaxies_with_pdf, images[with_pdf], table[with_pdf], results.grid, "Random galaxies", 2,
                      survey)),
        Entry(titles[1], "stamps",
              f"{count(len(table), 'random stamp')}, {scale}; z is z_spec, {band} the dereddened magnitude. Linear "
              f"stretch of {red}, {green}, {blue} between the same black and white levels for all stamps, with "
              "enhanced saturation and a gamma of 2.2 (Bertin 2012).",
              partial(random_stamps, images, survey, table["z_spec"], mags[rows], f"Random {results.galaxies}", 6,
                      band)),
    ]  # fmt: skip


def _training_and_sample(results):
    """Loss curves and the sample."""
    table, title, n = results.table, results.title, f"n = {len(results.table):,}"
    sizes = f"{count(len(results.folds), 'fold')}, {count(results.n_members, 'member')} each"
    networks = f"{count(len(results.histories), 'network')} ({sizes})"
    mags, band = results.magnitudes
    loss, loss_name = ("CRPS, 6 ln(n) / n times its sum over n bins", "scaled CRPS")
    if results.config.train.loss == "cross_entropy":
        loss, loss_name = "Cross-entropy", "cross-entropy [nat]"
    figures = [
        Entry("Training", "loss_curves",
              f"{loss}, sigma_MAD of the validation galaxies and learning rate of {networks}. The training loss "
              "is the mean over an epoch during which the weights change, on flipped and rotated stamps; the first "
              "epochs may lie above the panels.",
              lambda: loss_curves(list(results.histories.values()), title, loss_name)),
        Entry("Sample", "redshifts_magnitudes",
              f"Redshifts and dereddened {band} magnitudes of the test galaxies, {n}, and their joint distribution.",
              lambda: redshifts_and_magnitudes(table["z_spec"], table["z_phot"], mags, title, results.z_max, 50, band)),
    ]  # fmt: skip
    if {"ra", "dec", "ebv"} <= set(table.colnames):
        caption = f"Positions of the test galaxies, {n}, and the mean Galactic E(B-V) of the galaxies in each cell."
        draw = partial(sky_map, table["ra"], table["dec"], table["ebv"], title)
        figures.append(Entry("Sample", "sky_map", caption, draw))
    return figures
