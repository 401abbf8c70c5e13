"""The report of a photo-z run: figures as PNG and PDF, Table 1 as CSV, and one HTML page with all of it inside.

In go the results of a run and of its trials, and stacks of a few galaxies if there are any; out comes the path of the
page. The sections follow the questions of a referee: which data, how good, where it fails, can the PDFs be trusted,
on what does it depend, was it trained to the end, what does the sample look like, how do I repeat it.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from tqdm import tqdm

from photoz_morph.metrics.redshifts import point_scores as metrics
from photoz_morph.metrics.redshifts.pdf_scores import pit
from photoz_morph.photoz.report import science as science_report
from photoz_morph.photoz.report.figures.pdfs import galaxies_with_pdf, pit_histogram, rescaled_pit
from photoz_morph.photoz.report.figures.point_estimates import residual_histogram, z_phot_against_z_spec
from photoz_morph.photoz.report.figures.sample import random_stamps, redshifts_and_magnitudes, sky_map
from photoz_morph.photoz.report.figures.training import loss_curves
from photoz_morph.photoz.report.tables.scores import scores_csv
from photoz_morph.photoz.report.text import BANNERS, provenance, score_tables, summary
from photoz_morph.report import html
from photoz_morph.report.page import draw_and_save
from photoz_morph.report.style import write_text
from photoz_morph.report.text import count

N_WITH_PDF = 8  # galaxies beside their PDF


def write_report(results, out_dir=None, stacks=None, note="", progress=True):
    """Write the report of a run.

    Parameters
    ----------
    results : RunResults
        From `run_results.read_results`.
    out_dir : path-like, optional
        By default `report` in the run folder.
    stacks : tuple of (ndarray, shape (n, size, size, n_bands); ndarray, shape (n,)), optional
        Images of random galaxies and their `obj_id`.
    note : str
        Why there are no stacks, told in their place.
    progress : bool

    Returns
    -------
    Path
        The page, `report.html`.
    """
    out_dir = Path(out_dir or results.run_dir / "report")
    out_dir.mkdir(parents=True, exist_ok=True)
    files = {"table1.csv": scores_csv(results.scores)}
    sections = [html.Section("Scores", (summary(results), *score_tables(results)))]
    with_pdf, stamps = _stack_figures(results, stacks, note)
    plan = [*science_report.trials(results, files), *_performance(results), with_pdf, *_calibration(results)]
    plan += [entry for part in (science_report.widths, science_report.trends, science_report.sky)
             for entry in part(results, files)]  # fmt: skip
    plan += [*_training_and_sample(results), stamps]
    for name, text in files.items():
        write_text(text, out_dir / name)
    n_figures = 0
    with tqdm(plan, desc="report", unit=" figures", disable=not progress) as bar:
        parts = {}
        for title, name, caption, draw in bar:
            piece = draw if isinstance(draw, str) else html.paragraph(caption)
            if callable(draw):
                n_figures += 1
                piece = html.picture(draw_and_save(draw, out_dir / name), name, n_figures, caption)
            parts.setdefault(title, []).append(piece)
    sections += [html.Section(title, tuple(pieces)) for title, pieces in parts.items()]
    sections.append(html.Section("Provenance", provenance(results)))
    written = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    text = html.page(
        title=f"Photometric redshifts: run {results.run_dir.resolve().name}",
        banner=BANNERS[results.is_real].format(survey=results.survey.name.upper()),
        is_real=results.is_real,
        sections=sections,
        footer=f"Written by photoz report on {written}. Definitions of the scores: Pasquet et al. (2019), Sec. 4.1.",
    )
    write_text(text, out_dir / "report.html")
    return out_dir / "report.html"


def _performance(results):
    """Section, file name, caption and drawing of the figures of point estimates."""
    table, title, n = results.table, results.title, f"n = {len(results.table):,}"
    z_spec, z_phot = np.asarray(table["z_spec"], float), np.asarray(table["z_phot"], float)
    limit = metrics.ETA_THRESHOLD
    return [
        ("z_phot against z_spec", "z_phot_z_spec",
         f"Density of galaxies in the plane of z_phot and z_spec, {n}. The line is equality, dotted lines are the "
         f"limits of outliers, |residual| = {limit}; the lower panel shows the residuals.",
         lambda: z_phot_against_z_spec(z_spec, z_phot, title, results.z_max)),
        ("Residuals", "residuals",
         f"Histogram of the residuals, {n}, on a linear axis (core) and a logarithmic one (wings). The curve is the "
         f"Gaussian of the bias and sigma_MAD given below it, not a fit; outliers beyond {limit} are hatched.",
         lambda: residual_histogram(z_spec, z_phot, title)),
    ]  # fmt: skip


def _calibration(results):
    """The PIT of the mean PDF, of the members where known, and of PDFs of another width."""
    table, grid, n = results.table, results.grid, f"n = {len(results.table):,}"
    has_members = results.n_members > 1 and "pit_member" in table.colnames
    members = " of the mean PDF (thick) and of the PDFs of single members (thin, pooled over folds)" * has_members
    missing = " The predictions lack the PIT of the members; photoz predict makes it." * (
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
        f"Probability integral transform{members}, {n}: the share of a PDF that lies below z_spec. Flat if the PDFs "
        "are calibrated; a hump means PDFs too wide, horns at 0 and 1 too narrow, a slope a bias. Dashed and "
        f"dash-dotted: the same with every PDF stretched or squeezed by 20 % about its mean.{missing}"
    )
    return [("Calibration of the PDFs", "pit", caption, draw)]


def _stack_figures(results, stacks, note):
    """Galaxies beside their PDFs, and random stamps; or the reason why they are missing."""
    row_of = {obj_id: row for row, obj_id in enumerate(results.table["obj_id"])}
    shown = [] if stacks is None else [index for index, obj_id in enumerate(stacks[1]) if obj_id in row_of]
    titles = "PDFs of random galaxies", "Random stamps"
    if not shown:
        reason = f"Left out: {note or 'no stack of these galaxies was given'}."
        return [(title, "", reason, None) for title in titles]
    images, table = stacks[0][shown], results.table[[row_of[stacks[1][index]] for index in shown]]
    survey, with_pdf = results.survey, slice(0, N_WITH_PDF)
    scale = f"{survey.pixel_scale:g} arcsec per pixel, north up, east left"
    return [
        (titles[0], "galaxies_with_pdf",
         f"{count(len(table[with_pdf]), 'random stamp')} beside the PDFs, with z_phot, its 68 % interval and z_spec; "
         f"{scale}. Colours are i, r, g with an asinh stretch (Lupton et al. 2004).",
         lambda: galaxies_with_pdf(images[with_pdf], table[with_pdf], results.grid, "Random galaxies")),
        (titles[1], "stamps",
         f"{count(len(table), 'random stamp')}, {scale}; z is z_spec, r dereddened. Linear remapping of i, r, g with "
         "one black and one white level for all, raised saturation and a gamma of 2.2 (Bertin 2012).",
         lambda: random_stamps(images, survey, table["z_spec"], _r_mag(table), f"Random {results.galaxies}")),
    ]  # fmt: skip


def _training_and_sample(results):
    """Loss curves and the sample."""
    table, title, n = results.table, results.title, f"n = {len(results.table):,}"
    sizes = f"{count(len(results.folds), 'fold')}, {count(results.n_members, 'member')} each"
    networks = f"{count(len(results.histories), 'network')} ({sizes})"
    figures = [
        ("Training", "loss_curves",
         f"Cross-entropy, sigma_MAD on the validation galaxies and learning rate of {networks}. The training loss is "
         "the mean over an epoch while weights change, on flipped and rotated stamps; the first epochs may lie above "
         "the panels.",
         lambda: loss_curves(list(results.histories.values()), title)),
        ("Sample", "redshifts_magnitudes",
         f"Redshifts and dereddened r magnitudes of the test galaxies, {n}, and both together.",
         lambda: redshifts_and_magnitudes(table["z_spec"], table["z_phot"], _r_mag(table), title, results.z_max)),
    ]  # fmt: skip
    if {"ra", "dec", "ebv"} <= set(table.colnames):
        caption = f"Positions of the test galaxies, {n}, and the mean Galactic E(B-V) of the galaxies in each cell."
        figures.append(("Sample", "sky_map", caption, lambda: sky_map(table["ra"], table["dec"], table["ebv"], title)))
    return figures


def _r_mag(table):
    """Dereddened r magnitudes, NaN where the dataset has none."""
    return np.asarray(table["petro_r"] if "petro_r" in table.colnames else np.full(len(table), np.nan), float)
