"""Text and tables of the photo-z report: first screen, data, Table 1, and provenance.

Each function takes the `RunResults` of a run; all but `overview` return pieces of HTML.
"""

import shlex

from photoz_morph.metrics.redshifts import point_scores
from photoz_morph.photoz.report.tables.columns import (
    COLUMNS,
    PDF_COLUMNS,
    PDF_NOTE,
    RAIL_COLUMNS,
    RAIL_NOTE,
    error_note,
    score_text,
)
from photoz_morph.photoz.report.tables.comparison import comparison_words, verdicts
from photoz_morph.photoz.report.tables.scores import fold_rows
from photoz_morph.report import html
from photoz_morph.report.page import Overview
from photoz_morph.report.text import count
from photoz_morph.system.provenance import provenance_of

FIRST_SCREEN = ("bias", "sigma_mad", "eta", "crps")  # scores of the first screen
BANNERS = {
    False: "Simulated galaxies with known truth. Nothing on this page is a measurement of the sky, and its scores are "
    "not comparable to published scores of real galaxies.",
    True: "Real {survey} galaxies. z_spec is the spectroscopic redshift of the catalogue.",
}


def overview(results, figures):
    """First screen: verdict on sigma_MAD, four scores of all test galaxies together, two figures.

    Parameters
    ----------
    results : RunResults
    figures : tuple of str
        Names of the entries shown.

    Returns
    -------
    Overview
    """
    scores, n_folds = results.scores, len(results.folds)
    networks = count(results.n_members, "network") + (" per fold" if n_folds > 1 else "")
    sigma = score_text(scores["all"]["sigma_mad"], COLUMNS["sigma_mad"])
    baselines = comparison_words(scores["comparison"]) if scores.get("comparison") else "not compared with a baseline"
    verdict = f"{networks}: sigma_MAD {sigma} on {scores['n_galaxies']:,} {results.galaxies}, {baselines}."
    numbers = {COLUMNS[name][0]: score_text(scores["all"][name], COLUMNS[name]) for name in FIRST_SCREEN}
    note = f"All {scores['n_galaxies']:,} {results.galaxies} of {count(n_folds, 'test fold')} together; ± is the "
    return Overview(verdict, numbers, f"{note}{error_note(scores)}. {results.sample_note}".rstrip(), figures)


def summary(results):
    """Networks, test galaxies and definition of the PDF in one paragraph."""
    scores, n_members, folds = results.scores, results.n_members, results.folds
    left_out = f"{scores['n_flagged']} flagged and {scores['n_without_z_spec']} without z_spec are left out"
    text = (
        f"{count(n_members, 'network')} of type {scores['model']} per fold, {count(len(folds), 'test fold')} of "
        f"{len(results.dataset['galaxies_per_fold'])}: {scores['n_galaxies']:,} {results.galaxies}, each tested once "
        f"by networks that were not trained on it ({left_out}). A galaxy's PDF is {_pdf_words(results)} on "
        f"{results.grid.n_bins} bins in {results.grid.z_min:g} < z < {results.grid.z_max:g}; z_phot is its mean."
    )
    return html.paragraph(text)


def _pdf_words(results):
    """What is on the grid: the plain mean, or what the calibration made of it."""
    is_calibrated = "pit_uncalibrated" in results.table.colnames
    return "that of the members, pooled and calibrated," if is_calibrated else "the mean over the members' PDFs"


def score_tables(results):
    """Scores in the dialects of the paper and of RAIL, and the comparison with the baselines."""
    scores = results.scores
    caption = (
        f"{results.title}, the scores of the paper. Residuals (z_phot - z_spec) / (1 + z_spec): bias is their mean, "
        "sigma_MAD 1.4826 times their median absolute deviation about the median, η the fraction beyond "
        f"{point_scores.ETA_THRESHOLD}. A flat PIT has sd {point_scores.FLAT_PIT_STD:.4f}. ± is the "
        f"{error_note(scores)} unless stated otherwise."
    )
    parts = [
        _fold_table(scores, COLUMNS, caption),
        _fold_table(scores, RAIL_COLUMNS, f"Point estimates of the same galaxies as in RAIL and qp. {RAIL_NOTE}"),
        _fold_table(scores, PDF_COLUMNS, f"PDFs of the same galaxies. {PDF_NOTE}"),
    ]
    comparison = scores.get("comparison")
    if comparison:
        first = next(iter(comparison["methods"]))
        differences = {f"{name} - {first}": part for name, part in comparison["differences"].items()}
        rows = [[name, *(score_text(part[score], column) for score, column in COLUMNS.items())]
                for name, part in (comparison["methods"] | differences).items()]  # fmt: skip
        caption = (
            f"Methods on the same {comparison['n_galaxies']:,} {results.galaxies}; the errors of differences are "
            "paired. k-NN is the local linear regression of Beck et al. (2016); k-NN, boosting and the MLP, a small "
            "network, use magnitudes and E(B-V), the MLP with shapes also six crude measurements of the stamps."
        )
        titles = [title for title, _, _ in COLUMNS.values()]
        parts += [html.table(["", *titles], rows, caption), *map(html.paragraph, verdicts(comparison))]
    if results.baseline_note or not comparison:
        reason = results.baseline_note or f"create it with photoz baseline {results.run_dir}"
        parts.append(html.paragraph(f"No {'other ' if comparison else ''}baseline is compared: {reason}."))
    return parts


def _fold_table(scores, columns, caption):
    """A row for each fold, then mean and sd over folds, and all galaxies together."""
    titles, rows = fold_rows(scores, columns)
    return html.table(titles, rows, caption, n_strong=2 if len(rows) > 1 else 0)


def provenance(results):
    """Origin of data and networks, environment, and the commands that repeat the run."""
    dataset, n_members, folds = results.dataset, results.n_members, results.folds
    seconds = [history["seconds"].sum() for history in results.histories.values() if "seconds" in history]
    rows = {
        "run": results.run_dir.resolve(),
        "dataset": f"{dataset['name']}, {dataset['path']}",
        "origin of the pixels": results.table.meta["origin"],
        **provenance_of(results.table.meta),
        "galaxies per fold of the dataset": ", ".join(map(str, dataset["galaxies_per_fold"])),
        "test folds": ", ".join(map(str, folds)),
        "networks": f"{n_members} in each fold, {len(results.histories)} in total",
        "epochs": _spread([len(history["epoch"]) for history in results.histories.values()], "{:d}"),
    }
    if results.trials:
        rows["trials"] = ", ".join(f"{trial.name}: {trial.run_dir.resolve()}" for trial in results.trials)
    if seconds:
        rows["training time"] = f"{sum(seconds) / 60:.1f} min in total, {_spread(seconds, '{:.0f}')} s per network"
    if results.sessions:
        rows["calls of photoz train"] = ", ".join(
            f"{session['started']}: {count(session['n_trained'], 'network')} in {session['seconds'] / 60:.1f} min"
            for session in results.sessions
        )
        rows["peak memory"] = f"{max(session['peak_memory_gb'] for session in results.sessions):.1f} GB"
    environment = {key: ", ".join(map(str, value)) if isinstance(value, list) else value
                   for key, value in results.environment.items()}  # fmt: skip
    config, again = results.run_dir / "config.yaml", f"{results.run_dir}_again"
    sized = ["--ensemble", str(n_members), "--cv", str(len(folds))]
    commands = [["photoz", "train", config, *sized, "--data-dir", dataset["path"], "--run-dir", again]]
    commands += [["photoz", "baseline", again], ["photoz", "evaluate", again, "--against", f"{again}/knn.fits"]]
    trials = [trial.run_dir for trial in results.trials]
    commands += [["photoz", "report", again, *trials, "--region", results.region]]
    return (
        html.facts(rows),
        html.paragraph("Training environment:"),
        html.facts(environment),
        html.paragraph("To repeat the run:"),
        html.code("\n".join(shlex.join(map(str, command)) for command in commands)),
        html.paragraph("Configuration:"),
        html.code(results.config_text),
    )


def _spread(values, form):
    """Smallest and largest of some numbers as text, or the only one."""
    texts = [form.format(value) for value in (min(values), max(values))]
    return texts[0] if texts[0] == texts[1] else f"{texts[0]} to {texts[1]}"
