"""The parts of the photo-z report that test a run as science: trials, trends, the sky, PDF widths and coverage.

Each function takes the `RunResults` of a run and returns entries of the report's plan: section, file name, caption, and
a function that draws, or None for a paragraph. A ready piece of HTML stands in place of that function.
"""

from functools import partial

import numpy as np

from photoz_morph.metrics.pdf_scores import crps, pit
from photoz_morph.metrics.photoz import residuals
from photoz_morph.metrics.pit_tests import COVERAGE_LEVELS, coverage
from photoz_morph.metrics.sky_cells import sky_cells
from photoz_morph.metrics.trends import judge, trend
from photoz_morph.report import html
from photoz_morph.report.mean_pdf_figures import mean_pdfs
from photoz_morph.report.photoz_figures import EUCLID_BIAS, bias_trends
from photoz_morph.report.photoz_figures import MIN_GALAXIES as BIN_GALAXIES
from photoz_morph.report.sky_figures import bias_map, sky_text, width_map
from photoz_morph.report.trend_figures import trend_figure, trend_grid
from photoz_morph.report.trend_tables import catalogue_trends, trend_rows, trends_csv
from photoz_morph.report.trial_tables import missing_trials, table_1, table_2, table_2_csv
from photoz_morph.report.width_figures import coverage_figure, width_cut_figure, width_histogram
from photoz_morph.trial_scores import score_trials
from photoz_morph.trials import MIN_GALAXIES, at_depth, in_region

# What a trend can be drawn against: a key of `catalogue_trends` that is there if the quantity is known, and its name.
PROPERTIES = {
    "ebv": "E(B-V)", "axis_ratio": "inclination", "n_neighbours": "neighbours", "snr_r": "signal to noise",
    "psf_fwhm_r": "PSF FWHM",
}  # fmt: skip
HOW_TO_READ = (
    "Bins hold equal numbers of galaxies, the error bar is the standard error of the mean; the line is a straight line "
    "through all galaxies. The verdict counts all trends of this page as one family (Holm 1979)."
)


def trials(results, out_files):
    """Tables 1 and 2 of the paper, and the tables as files.

    Parameters
    ----------
    results : RunResults
    out_files : dict of str to str
        Gets the text of each file written beside the page.
    """
    title, kind = "The paper's trials", results.galaxies.removesuffix(" galaxies")
    others = [(trial.name, trial.table, trial.grid, trial.n_training) for trial in results.trials]
    reference = (results.table, results.grid, results.n_training)
    rows = score_trials(reference, others, results.baseline, results.region)
    out_files["table2.csv"] = table_2_csv(rows, "real" if results.is_real else "simulated")
    plan = [
        (title, "", "", table_1(results.scores, kind)),
        (title, "", "", table_2(rows, kind, results.region)),
    ]
    missing = missing_trials(rows)
    return plan + ([(title, "", missing, None)] if missing else [])


def trends(results, out_files):
    """Figures 11 and C.1 of the paper and a table of all trends with their verdicts."""
    residual = _residual(results.table)
    found = catalogue_trends(results.table, residual, results.survey.bands)
    out_files["trends.csv"] = trends_csv(found)
    title, run, n = "Trends", results.title, f"n = {len(residual):,}"
    z_spec, z_phot = np.asarray(results.table["z_spec"], float), np.asarray(results.table["z_phot"], float)
    plan = [
        (title, "bias_trends",
         f"Mean residual in bins of z_spec and z_phot with its standard error, {n}; bins of fewer than {BIN_GALAXIES} "
         "galaxies are left out. Grey: galaxies per bin. Against z_phot it should be flat, and here it is: "
         f"{found['z_phot'].bias.verdict}. Against z_spec the mean of a PDF leans towards the redshifts where most "
         f"galaxies are, for any method. The band is the {EUCLID_BIAS} that Euclid requires of the mean redshift of a "
         "tomographic bin. As Pasquet et al. (2019), Fig. 8.",
         lambda: bias_trends(z_spec, z_phot, run, results.z_max)),
    ]  # fmt: skip
    if "ebv" in found:
        lines, note = _reddening(results, found)
        plan.append((title, "trend_ebv", f"Mean residual against Galactic E(B-V), {n}.{note} {HOW_TO_READ} As Pasquet "
                     "et al. (2019), Fig. 11, left.", lambda: trend_figure(lines, run)))  # fmt: skip
    inclination = {name: found[key] for name, key in (("all", "axis_ratio"), ("disks", "axis_ratio_disks"))
                   if key in found}  # fmt: skip
    if inclination:
        plan.append((title, "trend_inclination", f"Mean residual against the axis ratio b/a, {n}; a disk seen edge-on "
                     "is on the left. As Pasquet et al. (2019), Fig. 11, right.",
                     lambda: trend_figure(inclination, run)))  # fmt: skip
    if "n_neighbours" in found:
        plan.append((title, "trend_neighbours", f"Mean residual and sigma_MAD against the number of neighbours in or "
                     f"at the edge of the stamp, {n}.",
                     lambda: trend_figure({"": found["n_neighbours"]}, run, ("bias", "sigma_mad"))))  # fmt: skip
    if any(key.startswith(("snr_", "psf_fwhm_")) for key in found):
        for statistic, name in (("bias", "Mean residual"), ("sigma_mad", "sigma_MAD")):
            caption = (
                f"{name} against signal to noise, PSF FWHM and its difference between bands, {n}. As Pasquet et al. "
                "(2019), Fig. C.1."
            )
            draw = partial(trend_grid, found, results.survey.bands, run, statistic)
            plan.append((title, f"trends_observing_{statistic}", caption, draw))
    missing = [name for key, name in PROPERTIES.items() if key not in found]
    if missing:
        plan.append((title, "", f"The dataset does not know {', '.join(missing)} of its galaxies.", None))
    for statistic, name in (("bias", "the mean residual"), ("sigma_mad", "sigma_MAD")):
        caption = f"Trends of {name}, {results.galaxies}: slope with its error, and the verdict."
        plan.append((title, "", "", html.table(*trend_rows(found, statistic), caption)))
    return plan


def _reddening(results, found):
    """Trends with E(B-V) of this run and of a trial that was not told it, and a note on the latter."""
    without = [trial for trial in results.trials if trial.name == "without E(B-V)"]
    has_ebv = results.config.model.with_ebv
    lines = {"with E(B-V)" if has_ebv else "without E(B-V)": found["ebv"]}
    if without and has_ebv:
        table = without[0].table
        other = trend(table["ebv"], _residual(table), "E(B-V)", "mag")
        lines["without E(B-V)"] = judge([*found.values(), other])[-1]
        return lines, " The second network is not told E(B-V)."
    return lines, " Give the run of photoz_trial_no_ebv.yaml to see it beside a network that is not told E(B-V)."


def sky(results, out_files):
    """Maps of bias and width (Figure 12), and mean PDFs of two regions (Figure 13)."""
    table, title, run = results.table, "Sky", results.title
    if not {"ra", "dec"} <= set(table.colnames):
        return [(title, "", "The predictions have no positions.", None)]
    ra, dec = np.asarray(table["ra"]), np.asarray(table["dec"])
    residual, width = _residual(table), _width(table)
    cells = {"bias": sky_cells(ra, dec, residual), "width": sky_cells(ra, dec, width)}
    plan = [
        (title, "sky_bias", f"Mean residual in HEALPix cells. {sky_text(cells['bias'], 'the mean residual')} As "
         "Pasquet et al. (2019), Fig. 12.", lambda: bias_map(ra, dec, residual, run, cells=cells["bias"])),
        (title, "sky_width", f"Mean width of the PDFs, q84 - q16, in HEALPix cells. "
         f"{sky_text(cells['width'], 'the mean width')}", lambda: width_map(ra, dec, width, run, cells=cells["width"])),
    ]  # fmt: skip
    regions = _two_regions(results)
    if regions:
        z_spec, pdf = np.asarray(table["z_spec"], float), np.asarray(table["pdf"])
        caption = f"Mean PDF and histogram of z_spec of {' and of '.join(regions)}. As Pasquet et al. (2019), Fig. 13."
        plan.append((title, "mean_pdfs", caption, lambda: mean_pdfs(regions, z_spec, pdf, results.grid, run)))
    return plan


def _two_regions(results):
    """Names and masks of two parts of the sample whose mean PDFs are shown: the zone and the rest, else by depth."""
    table = results.table
    zone = in_region(table["ra"], table["dec"], results.region)
    if min(zone.sum(), (~zone).sum()) >= MIN_GALAXIES:
        return {f"the zone ({results.region})": zone, "the rest": ~zone}
    if "n_frames" not in table.colnames:
        return {}
    depths = {f"{depth} stacks": at_depth(table["n_frames"], depth) for depth in ("deep", "shallow")}
    return depths if min(mask.sum() for mask in depths.values()) >= MIN_GALAXIES else {}


def widths(results, out_files):
    """What leaving out the widest PDFs does, their widths, and how often intervals hold z_spec."""
    table, title, run = results.table, "Widths and coverage", results.title
    z_spec, pdf, n = np.asarray(table["z_spec"], float), np.asarray(table["pdf"]), f"n = {len(table):,}"
    width = _width(table)

    def draw_cuts():
        return width_cut_figure(width, _residual(table), run, crps(z_spec, pdf, results.grid))

    def draw_coverage():
        observed, error = coverage(pit(z_spec, pdf, results.grid))
        return coverage_figure(COVERAGE_LEVELS, observed, error, run)

    return [
        (title, "width_cuts", f"Scores against the share of the widest PDFs left out, {n}, with standard errors; the "
         "paper leaves out 10 and 20 %.", draw_cuts),
        (title, "width_histogram", f"Widths q84 - q16 of the PDFs, {n}.", lambda: width_histogram(width, run)),
        (title, "coverage", f"Share of the galaxies whose z_spec lies in the central interval of each level, {n}: on "
         "the diagonal if the PDFs are calibrated, above it if they are too wide.", draw_coverage),
    ]  # fmt: skip


def _residual(table):
    return residuals(table["z_phot"], table["z_spec"])


def _width(table):
    return np.asarray(table["z_upper"], float) - np.asarray(table["z_lower"], float)
