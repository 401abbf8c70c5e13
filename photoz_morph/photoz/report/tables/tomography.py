"""Tomographic bins as text, beside what surveys require of them.

In goes `tomography` of the scores, from `evaluation.diagnostics.tomography`.
"""

import csv
import io
from dataclasses import dataclass, fields

from photoz_morph.metrics.redshifts.tomography import WIDE_OUTLIER, Bin
from photoz_morph.photoz.report.tables.columns import galaxies_of
from photoz_morph.report.text import markdown_table

TITLES = (
    "bin of z_phot", "n", "mean z_spec", "stacked PDFs: shift", "z_phot: shift", "width", "of PDFs",
    f"beyond {WIDE_OUTLIER} [%]", "overlap [%]", "Wasserstein (noise)", "KL (noise)", "CvM (noise)",
)  # fmt: skip
NOTE = (
    "Bins hold equally many galaxies. Shift: mean redshift of the stacked PDFs, or mean z_phot, less mean z_spec, over "
    "1 + mean z_spec; ± is its error over parent galaxies. Width: standard deviation of z_spec, and of the stacked "
    "PDFs. Overlap: galaxies whose z_spec lies in the range of another bin. Wasserstein: mean shift between the "
    "stacked PDFs and the true redshifts; KL: their divergence [nat]; CvM: their Cramer-von Mises statistic over n; in "
    "brackets those of redshifts drawn from the PDFs."
)


@dataclass(frozen=True)
class Requirement:
    """What a survey requires of its photometric redshifts."""

    survey: str
    quantity: str
    limit: str
    source: str


MEAN = "mean redshift of a bin known to"
# Of samples far deeper than the Main Galaxy Sample, to which they are not addressed.
REQUIREMENTS = (
    Requirement("Euclid", MEAN, "0.002 (1 + z)", "Euclid Collaboration: Ilbert et al. (2021)"),
    Requirement("Euclid", "scatter; outliers beyond 0.15 (1 + z)", "0.05 (1 + z); 10 %", "Laureijs et al. (2011)"),
    Requirement("LSST Y1, weak lensing", MEAN, "0.002 (1 + z)", "DESC SRD v1, 1809.01669"),
    Requirement("LSST Y10, weak lensing", MEAN, "0.001 (1 + z)", "DESC SRD v1, 1809.01669"),
    Requirement("LSST Y1, Y10, clustering", MEAN, "0.005, 0.003 (1 + z)", "DESC SRD v1, 1809.01669"),
    Requirement("LSST", "rms scatter; bias", "0.02 (1 + z); 0.003 (1 + z)", "LSST Science Book (2009)"),
)  # fmt: skip
MEAN_LIMITS = {"Euclid": 0.002, "LSST Y10": 0.001}  # (1 + z), compared with the bins in words


def bin_rows(found):
    """Rows of the bins and of all galaxies together, as text in the order of `TITLES`.

    Parameters
    ----------
    found : dict
        From `evaluation.diagnostics.tomography`.

    Returns
    -------
    list of list of str
    """
    rows = [[f"{one['low']:.4f} to {one['high']:.4f}", *_cells(one)] for one in found["bins"]]
    return rows + [["all", *_cells(found["all"])]] * (len(rows) > 1)


def requirement_rows():
    """Titles and rows of what surveys require, as text."""
    return ("survey", "quantity", "requirement", "source"), [
        [one.survey, one.quantity, one.limit, one.source] for one in REQUIREMENTS
    ]


def verdict(found):
    """Sentence on the largest shift of a mean redshift, and the requirements that all bins keep."""
    key = "shift" if found["all"]["shift"] is not None else "z_phot_shift"
    worst = max(found["bins"], key=lambda one: abs(one[key]))
    number = found["bins"].index(worst) + 1
    kept = [f"the {limit} of {survey}" for survey, limit in MEAN_LIMITS.items() if abs(worst[key]) <= limit]
    what = "stacked PDFs" if key == "shift" else "point estimates"
    every = [f"the {limit} of {survey}" for survey, limit in MEAN_LIMITS.items()]
    within = f"within {' and '.join(kept)}" if kept else f"beyond {' and '.join(every)}"
    return (
        f"The mean redshift of the {what} is off by at most {worst[key]:+.5f} ± {worst[f'{key}_error']:.5f} (1 + z), "
        f"in bin {number}: {within}, required of other samples than this."
    )


def bins_markdown(scores):
    """The table, its verdict and the requirements in Markdown, "" without bins.

    Parameters
    ----------
    scores : dict
        From `evaluation.scores.evaluate`.
    """
    found = scores["tomography"]
    if not found:
        return ""
    lines = [f"**Tomographic bins, {galaxies_of(scores)}**", "", *markdown_table(TITLES, bin_rows(found)), ""]
    lines += [f"{verdict(found)} {NOTE}", "", *markdown_table(*requirement_rows())]
    return "\n".join(lines) + "\n"


def bins_csv(found, data):
    """A line per bin and one of all galaxies; `data` is "simulated" or "real"."""
    text, names = io.StringIO(), [field.name for field in fields(Bin)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["data", "bin", *names])
    for label, one in [*enumerate(found["bins"], 1), ("all", found["all"])]:
        writer.writerow([data, label, *("" if one[name] is None else one[name] for name in names)])
    return text.getvalue()


def _cells(one):
    """Numbers of a bin as text."""
    per_cent = [f"{100 * one[name]:.2f} ± {100 * one[f'{name}_error']:.2f}" for name in ("outliers", "overlap")]
    shifts = [_with_error(one, name) for name in ("shift", "z_phot_shift")]
    distances = [f"{one[name]:{form}} ({one[f'{name}_noise']:{form}})" if one[name] is not None else "-"
                 for name, form in (("wasserstein", ".5f"), ("kl", ".4f"), ("cvm", ".1e"))]  # fmt: skip
    return [
        f"{one['n']:,}", f"{one['z_spec']:.4f}", *shifts, f"{one['width']:.4f}", _or_dash(one["width_pdf"], ".4f"),
        *per_cent, *distances,
    ]  # fmt: skip


def _with_error(one, name):
    """A shift and its error."""
    return f"{one[name]:+.5f} ± {one[f'{name}_error']:.5f}" if one[name] is not None else "-"


def _or_dash(value, form):
    """A number, or a dash for point estimates."""
    return "-" if value is None else format(value, form)
