"""Diagnostics of the photo-z report that global scores hide: tomographic bins and cells of colour space.

Each function takes the `RunResults` of a run and returns the `Entry`s of a section.
"""

from functools import partial

import numpy as np

from photoz_morph.metrics.checks import parent_id
from photoz_morph.photoz.report.figures.colour_cells import attenuation, cell_maps, has_pdfs
from photoz_morph.photoz.report.figures.tomography import redshift_distributions
from photoz_morph.photoz.report.tables.colour_cells import NOTE as CELLS_NOTE
from photoz_morph.photoz.report.tables.colour_cells import cell_rows, cells_csv, cells_text
from photoz_morph.photoz.report.tables.tomography import NOTE, TITLES, bin_rows, bins_csv, requirement_rows, verdict
from photoz_morph.report import html
from photoz_morph.report.page import Entry


def tomography(results, out_files):
    """Redshift distributions of the run's tomographic bins, and what surveys require of them."""
    title, run, found, table = "Tomographic bins", results.title, results.scores["tomography"], results.table
    if not found:
        return [Entry(title, caption="Too few galaxies for a tomographic bin.")]
    out_files["tomography.csv"] = bins_csv(found, "real" if results.is_real else "simulated")
    z_spec, z_phot, n_bins = np.asarray(table["z_spec"], float), np.asarray(table["z_phot"], float), len(found["bins"])
    caption = (
        f"Redshift distributions of {n_bins} bins of z_phot with equally many galaxies, {run}: stacked PDFs (lines) "
        "and true redshifts (histograms), and the shifts of the mean redshifts with their errors. The band is what "
        "Euclid and LSST after one year require of their own samples."
    )
    draw = partial(redshift_distributions, z_spec, z_phot, np.asarray(table["pdf"]), results.grid, found, run, n_bins,
                   parent_id(table))  # fmt: skip
    entries = [Entry(title, "tomography", caption, draw)]
    rows = html.table(TITLES, bin_rows(found), f"Tomographic bins, {results.galaxies}. {verdict(found)} {NOTE}")
    required = html.table(*requirement_rows(), "What surveys require, of samples far deeper than that of this page.")
    return [*entries, Entry(title, html=rows), Entry(title, html=required)]


def colour_cells(results, out_files):
    """Bias and attenuation of the run and its baselines in the cells of a self-organising map of colours.

    Parameters
    ----------
    results : RunResults
    out_files : dict of str to str
        Gets the text of each file written beside the page.
    """
    title, run = "Colour cells", results.title
    found = (results.scores.get("comparison") or {}).get("colour_cells") or results.scores.get("colour_cells")
    if not found:
        reason = "the dataset has no magnitudes and E(B-V), or too few galaxies with them"
        return [Entry(title, caption=f"No cells of colour: {reason}.")]
    out_files["colour_cells.csv"] = cells_csv(found, "real" if results.is_real else "simulated")
    caption = (
        f"Galaxies, bias and attenuation in cells of colour space, {run}. {cells_text(found)} Neighbouring cells hold "
        "galaxies of similar colours; positions on the map mean nothing else. Attenuation is a negative slope of "
        "z_phot - z_spec against z_spec within a cell. After Moran et al. (2025), whose cells are of ugriz colours, "
        "too; size and training of the map and the errors are ours."
    )
    entries = [
        Entry(title, "colour_cells", caption, partial(cell_maps, found, run)),
        Entry(title, html=html.table(*cell_rows(found), f"Cells of colour space, {results.galaxies}. {CELLS_NOTE}")),
    ]
    if has_pdfs(found):
        caption = (
            "Attenuation in each cell against that of calibrated PDFs of the same width. On the dashed line the "
            "redshifts are as attenuated as their PDFs say, which no method that gives the mean of its PDF can avoid; "
            "a method nearer to 0 knows more of the galaxies of a cell."
        )
        entries.append(Entry(title, "attenuation", caption, partial(attenuation, found, run)))
    return entries
