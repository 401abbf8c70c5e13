"""Cells of colour space as text: a row per method with its slopes, and all cells as CSV.

In goes the dictionary of `evaluation.diagnostics.colour_cells`.
"""

import csv
import io

import numpy as np

from photoz_morph.metrics.redshifts.colour_cells import N_SIGMA
from photoz_morph.report.text import markdown_table, p_text

WITHIN = f"cells within {N_SIGMA} sigma of 0"
TITLES = (
    "method", "median absolute bias", "median sigma_MAD", "slope against z_spec", "of the PDFs", WITHIN, "by chance", "p",
    "slope against z_phot", WITHIN, "p",
)  # fmt: skip
PER_CELL = ("bias", "bias_error", "sigma_mad", "sigma_mad_error", "slope", "slope_error", "slope_of_pdfs",
            "z_phot_slope", "z_phot_slope_error")  # fmt: skip
NOTE = (
    "Slopes are those of z_phot - z_spec in a cell, here their means weighted by the errors. Against z_spec a slope "
    "below 0 is the attenuation of Moran et al. (2025); means of calibrated PDFs have that of the PDFs, minus the "
    "variance that these leave open over the variance of z_spec in the cell, and 0 against z_phot. By chance: cells "
    "that would be within if all slopes were 0; p, the chance of so few."
)


def cell_rows(found):
    """Titles and rows of a table of the methods, as text.

    Parameters
    ----------
    found : dict
        From `evaluation.diagnostics.colour_cells`.

    Returns
    -------
    titles : tuple of str
    rows : list of list of str
    """
    rows = []
    for name, method in found["methods"].items():
        slope, other = method["at_zero"]["slope"], method["at_zero"]["z_phot_slope"]
        weight = 1 / np.array(method["slope_error"], float) ** 2
        of_pdfs = np.array([np.nan if value is None else value for value in method["slope_of_pdfs"]])
        expected = f"{np.sum(weight * of_pdfs) / weight.sum():+.3f}" if np.isfinite(of_pdfs).all() else "-"
        rows.append([
            name, f"{np.median(np.abs(method['bias'])):.5f}", f"{np.median(method['sigma_mad']):.5f}", _mean(slope),
            expected, _within(slope), f"{100 * slope['expected_share']:.0f} %", p_text(slope["p_value"]),
            _mean(other), _within(other), p_text(other["p_value"]),
        ])  # fmt: skip
    return TITLES, rows


def cells_text(found):
    """Sentence on the map and the cells that stayed blank.

    Parameters
    ----------
    found : dict
        From `evaluation.diagnostics.colour_cells`.

    Returns
    -------
    str
    """
    without = f", {found['n_without_colours']:,} have no colours" if found["n_without_colours"] else ""
    blank = "no cell is blank"
    if found["n_blank_cells"]:
        blank = (
            f"{found['n_blank_cells']} of fewer than {found['min_groups']} parent galaxies stay blank "
            f"({found['n_in_blank_cells']:,} galaxies)"
        )
    return (
        f"Self-organising map of {found['side']} x {found['side']} cells in dereddened {', '.join(found['colours'])}; "
        f"{found['n_galaxies']:,} galaxies{without}; {blank}."
    )


def cells_markdown(found):
    """The table and its sentences in Markdown, "" without cells; `found` as for `cell_rows`, or None."""
    if not found:
        return ""
    lines = ["**Cells of colour space**", "", *markdown_table(*cell_rows(found)), "", f"{cells_text(found)} {NOTE}"]
    return "\n".join(lines) + "\n"


def cells_csv(found, data):
    """A line per cell and method; `data` is "simulated" or "real"."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    cells = found["cells"]
    writer.writerow(["data", "method", *cells, *PER_CELL])
    for name, method in found["methods"].items():
        columns = [*cells.values(), *(method[key] for key in PER_CELL)]
        for values in zip(*columns):
            writer.writerow([data, name, *("" if value is None else value for value in values)])
    return text.getvalue()


def _mean(at_zero):
    """Mean slope with its error."""
    return f"{at_zero['mean']:+.3f} ± {at_zero['mean_error']:.3f}"


def _within(at_zero):
    """Cells within some errors of zero, of all."""
    return f"{at_zero['n_within']} of {at_zero['n_cells']} ({100 * at_zero['share']:.0f} %)"
