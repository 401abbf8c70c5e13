"""Scientific tests of the photo-z report: trials, trends, the sky, PDF widths and coverage.

Each function takes the `RunResults` of a run and returns the `Entry`s of a section.
"""

from functools import partial

import numpy as np

from photoz_morph.catalogs.depth import at_depth
from photoz_morph.metrics.checks import parent_id, scored_rows
from photoz_morph.metrics.redshifts.pdf_scores import crps, pit
from photoz_morph.metrics.redshifts.pit_tests import COVERAGE_LEVELS, coverage
from photoz_morph.metrics.redshifts.point_scores import residuals
from photoz_morph.metrics.redshifts.sky_cells import sky_cells
from photoz_morph.metrics.redshifts.trends import LEVEL, holm_verdicts, trend
from photoz_morph.metrics.redshifts.width_cuts import MIN_GALAXIES as WIDTH_GALAXIES
from photoz_morph.photoz.evaluation.trial_scores import score_trials
from photoz_morph.photoz.evaluation.trials import MIN_GALAXIES, in_region
from photoz_morph.photoz.report.figures.mean_pdfs import mean_pdfs
from photoz_morph.photoz.report.figures.point_estimates import EUCLID_BIAS, bias_trends
from photoz_morph.photoz.report.figures.point_estimates import MIN_GALAXIES as BIN_GALAXIES
from photoz_morph.photoz.report.figures.sky import bias_map, sky_text, width_map
from photoz_morph.photoz.report.figures.trends import trend_figure, trend_grid
from photoz_morph.photoz.report.figures.widths import coverage_figure, width_cut_figure, width_histogram
from photoz_morph.photoz.report.tables.trends import catalogue_trends, trend_rows, trends_csv, verdict
from photoz_morph.photoz.report.tables.trials import missing_trials, table_1, table_2, table_2_csv
from photoz_morph.report import html
from photoz_morph.report.page import Entry

# What a trend can be drawn against: how a key of `catalogue_trends` begins that is there if the quantity is known, and
# its name.
PROPERTIES = {
    "ebv": "E(B-V)", "axis_ratio": "inclination", "n_neighbours": "neighbours", "snr_": "signal to noise",
    "psf_fwhm_": "PSF FWHM",
}  # fmt: skip
DIFFERENCE = "z_phot of "  # names of trends of differences begin so
HOW_TO_READ = (
    "Bins hold equal numbers of galaxies and error bars are standard errors of the mean; the line is a linear fit to "
    "all galaxies. Copies of one parent galaxy count as one group in all errors."
)


def trials(results, out_files):
    """Tables 1 and 2 of the paper, and the tables as files.

    Parameters
    ----------
    results : RunResults
    out_files : dict of str to str
        Gets the text of each file written beside the page.
    """
    title, kind = "The paper's trials", "real" if results.is_real else "simulated"
    if results.trial_name != "80 %":
        text = f"This run is itself a trial: {results.trial_name}. Its row is in the report of the run on 80 %"
        return [Entry(title, caption=f"{text}: photoz report RUN TRIAL.")]
    others = [(trial.name, trial.table, trial.grid, trial.n_training) for trial in results.trials]
    reference = (results.table, results.grid, results.n_training)
    rows = score_trials(reference, others, results.baseline, results.region)
    out_files["table2.csv"] = table_2_csv(rows, kind)
    tables = table_1(results.scores, kind), table_2(rows, kind, results.region)
    entries = [Entry(title, html=table) for table in tables]
    if results.trials:
        networks = [["80 %", results.run_dir, results.networks, ""]]
        networks += [[trial.name, trial.run_dir, trial.networks, ", ".join(trial.changes)] for trial in results.trials]
        caption = "Runs behind the rows. The mean of more networks scores better, whatever they were trained on."
        table = html.table(["trial", "run folder", "networks", "other keys"], networks, caption)
        entries.append(Entry(title, html=table))
    missing = missing_trials(rows)
    return entries + ([Entry(title, caption=missing)] if missing else [])


def trends(results, out_files):
    """Figures 8, 11 and C.1 of the paper and a table of all trends with their verdicts."""
    table, residual = results.table, _residual(results.table)
    found = catalogue_trends(table, residual, results.survey.bands, results.magnitudes)
    reddening = _reddening(results)
    judged = dict(zip([*found, *reddening], holm_verdicts([*found.values(), *reddening.values()])))
    found = {key: judged[key] for key in found}
    out_files["trends.csv"] = trends_csv(judged, "real" if results.is_real else "simulated")
    title, run, n = "Trends", results.title, f"n = {len(residual):,}"
    z_spec, z_phot = np.asarray(table["z_spec"], float), np.asarray(table["z_phot"], float)
    entries = [
        Entry(title, "bias_trends",
              f"Mean residual in bins of z_spec and z_phot with its standard error, {n}; bins of fewer than "
              f"{BIN_GALAXIES} galaxies are left out. Grey: galaxies per bin. Against z_phot it should be flat; "
              f"verdict: {verdict(found['z_phot'].bias)}. Against z_spec, the mean of a PDF is biased towards the "
              f"redshifts at which most galaxies lie, for any method. The band is the {EUCLID_BIAS} that Euclid "
              "requires of the mean redshift of a tomographic bin. As Pasquet et al. (2019), Fig. 8.",
              lambda: bias_trends(z_spec, z_phot, run, results.z_max)),
    ]  # fmt: skip
    if "ebv" in found:
        lines = {_reddening_input(results): found["ebv"]}
        lines |= {name: judged[name] for name in reddening if not name.startswith(DIFFERENCE)}
        differences = "".join(f" {name}: {verdict(judged[name].bias)}." for name in reddening if name not in lines)
        caption = (
            f"Mean residual against Galactic E(B-V), {n}; points are shifted sideways where they would overlap. k-NN "
            "has E(B-V) as input: a slope that both have is a property of the sample, in which E(B-V) and z_spec are "
            f"correlated. On the same galaxies:{differences or ' no other method to compare with.'} {HOW_TO_READ} As "
            "Pasquet et al. (2019), Fig. 11, left."
        )
        entries.append(Entry(title, "trend_ebv", caption, lambda: trend_figure(lines, run)))
    inclination = {name: found[key] for name, key in (("all", "axis_ratio"), ("disks", "axis_ratio_disks"))
                   if key in found}  # fmt: skip
    if inclination:
        caption = (
            f"Mean residual against the axis ratio b/a, {n}; edge-on disks are on the left. As Pasquet et al. (2019), "
            "Fig. 11, right."
        )
        entries.append(Entry(title, "trend_inclination", caption, lambda: trend_figure(inclination, run)))
    if "n_neighbours" in found:
        caption = (
            f"Mean residual and sigma_MAD against the number of neighbours within or at the edge of the stamp, {n}. "
            "The last bin holds all galaxies with more."
        )
        draw = partial(trend_figure, {"": found["n_neighbours"]}, run, ("bias", "sigma_mad"))
        entries.append(Entry(title, "trend_neighbours", caption, draw))
    if any(key.startswith(("snr_", "psf_fwhm_")) for key in found):
        for statistic, name in (("bias", "Mean residual"), ("sigma_mad", "sigma_MAD")):
            caption = (
                f"{name} against signal-to-noise ratio, PSF FWHM and its difference between bands, {n}. Orange marks "
                "significant trends; the band is the error of the line. As Pasquet et al. (2019), Fig. C.1."
            )
            draw = partial(trend_grid, found, results.survey.bands, run, statistic)
            entries.append(Entry(title, f"trends_observing_{statistic}", caption, draw))
    missing = [name for start, name in PROPERTIES.items() if not any(key.startswith(start) for key in found)]
    if missing:
        entries.append(Entry(title, caption=f"Not in the dataset: {', '.join(missing)}."))
    for statistic, name in (("bias", "the mean residual"), ("sigma_mad", "sigma_MAD")):
        caption = (
            f"Trends of {name}, {results.galaxies}: slope with its error, and the verdict. The verdicts of this page "
            f"hold jointly at {100 * LEVEL:g} %: {2 * len(judged)} tests, Holm (1979). A hint would be significant as "
            "a single test, but is expected by chance among so many."
        )
        entries.append(Entry(title, html=html.table(*trend_rows(found, statistic), caption)))
    return entries


def _reddening_input(results):
    """Input of the networks: "with E(B-V)" or "without E(B-V)", by the input of the networks."""
    return "with E(B-V)" if results.config.model.with_ebv else "without E(B-V)"


def _reddening(results):
    """Trends with E(B-V) of a trial without it as input and of k-NN, and of their differences from the run."""
    run, tables, found = _reddening_input(results), {}, {}
    if "ebv" not in results.table.colnames:
        return {}
    tables = {trial.name: trial.table for trial in results.trials if trial.name == "without E(B-V)" != run}
    if results.baseline:
        tables["k-NN"] = results.baseline[0]
    for name, table in tables.items():
        table = table[scored_rows(table)]
        found[name] = trend(table["ebv"], _residual(table), "E(B-V)", "mag", group_id=parent_id(table))
        _, mine, theirs = np.intersect1d(results.table["obj_id"], table["obj_id"], return_indices=True)
        both, difference = table[theirs], _residual(table[theirs]) - _residual(results.table[mine])
        name = f"{DIFFERENCE}{name} minus z_phot {run}"
        found[name] = trend(both["ebv"], difference, "E(B-V)", "mag", group_id=parent_id(both))
    return found


def sky(results, out_files):
    """Maps of bias and width (Figure 12), and mean PDFs of two regions (Figure 13)."""
    table, title, run = results.table, "Sky", results.title
    if not {"ra", "dec"} <= set(table.colnames):
        return [Entry(title, caption="The predictions have no positions.")]
    ra, dec = np.asarray(table["ra"]), np.asarray(table["dec"])
    residual, width = _residual(table), _width(table)
    groups = parent_id(table)
    cells = {name: sky_cells(ra, dec, values, group_id=groups) for name, values in
             (("bias", residual), ("width", width))}  # fmt: skip
    entries = [
        Entry(title, "sky_bias",
              f"Mean residual in HEALPix cells. {sky_text(cells['bias'], 'the mean residual')} As Pasquet et al. "
              "(2019), Fig. 12.",
              lambda: bias_map(ra, dec, residual, run, cells=cells["bias"])),
        Entry(title, "sky_width",
              f"Mean width of the PDFs, q84 - q16, in HEALPix cells. {sky_text(cells['width'], 'the mean width')}",
              lambda: width_map(ra, dec, width, run, cells=cells["width"])),
    ]  # fmt: skip
    regions = _two_regions(results)
    if regions:
        z_spec, pdf = np.asarray(table["z_spec"], float), np.asarray(table["pdf"])
        caption = (
            f"Mean PDF and histogram of z_spec of {' and of '.join(regions)}. Chi-square compares the two in the bins "
            "of the histogram, with the noise that the PDFs themselves predict; a small p means that the two differ. "
            "This test is not among those of the trends. As Pasquet et al. (2019), Fig. 13."
        )
        draw = partial(mean_pdfs, regions, z_spec, pdf, results.grid, run, group_id=groups)
        entries.append(Entry(title, "mean_pdfs", caption, draw))
    return entries


def _two_regions(results):
    """Masks of the two parts of the sample whose mean PDFs are shown, by name: the zone and the rest, else by depth."""
    table = results.table
    zone = in_region(table["ra"], table["dec"], results.region)
    if min(zone.sum(), (~zone).sum()) >= MIN_GALAXIES:
        return {f"the zone ({results.region})": zone, "the rest": ~zone}
    if "n_frames" not in table.colnames:
        return {}
    depths = {f"{depth} stacks": at_depth(table["n_frames"], depth) for depth in ("deep", "shallow")}
    return depths if min(mask.sum() for mask in depths.values()) >= MIN_GALAXIES else {}


def widths(results, out_files):
    """Effect of leaving out the widest PDFs, the widths of the PDFs, and the coverage of their central intervals."""
    table, title, run = results.table, "Widths and coverage", results.title
    z_spec, pdf, n = np.asarray(table["z_spec"], float), np.asarray(table["pdf"]), f"n = {len(table):,}"
    width, groups = _width(table), parent_id(table)

    def draw_cuts():
        return width_cut_figure(width, _residual(table), run, crps(z_spec, pdf, results.grid), groups)

    def draw_coverage():
        observed, error = coverage(pit(z_spec, pdf, results.grid), group_id=groups)
        return coverage_figure(COVERAGE_LEVELS, observed, error, len(table), run)

    if len(table) < WIDTH_GALAXIES:
        return [Entry(title, caption=f"{len(table)} galaxies are too few; {WIDTH_GALAXIES} are needed.")]
    return [
        Entry(title, "width_cuts",
              f"Scores against the fraction of the widest PDFs left out, {n}, with standard errors; the paper leaves "
              "out 10 and 20 %.", draw_cuts),
        Entry(title, "width_histogram", f"Widths q84 - q16 of the PDFs, {n}.", lambda: width_histogram(width, run)),
        Entry(title, "coverage",
              f"Fraction of galaxies with z_spec inside the central interval of each level, {n}. It lies on the "
              "diagonal if the PDFs are calibrated and above it if they are too wide.", draw_coverage),
    ]  # fmt: skip


def _residual(table):
    """Normalised residuals of predictions."""
    return residuals(table["z_phot"], table["z_spec"])


def _width(table):
    """Widths q84 - q16 of the PDFs."""
    return np.asarray(table["z_upper"], float) - np.asarray(table["z_lower"], float)
