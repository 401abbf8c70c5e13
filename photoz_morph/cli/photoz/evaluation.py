"""The evaluation commands of `photoz`: baseline, evaluate, compare, report."""

from pathlib import Path

import click

from photoz_morph.cli.options import (
    FORMATS,
    UserPath,
    echo,
    output_file,
    own_output,
    quiet_option,
    remarks,
    run_argument,
)
from photoz_morph.cli.photoz.prediction import ONE_GALAXY, predictions_of
from photoz_morph.system.files import check_writable
from photoz_morph.training.quiet import quiet_tensorflow

BASELINES = ("knn", "boosting", "mlp", "mlp_shapes")
BOUNDS = "bounds"  # those of a run on simulated galaxies, all together
depth_option = click.option(
    "--depth", default="all", show_default=True, type=click.Choice(["all", "deep", "shallow"]),
    help="Galaxies with at least ten frames in every band (deep), or fewer (shallow).",
)  # fmt: skip
REGION_HELP = "SDSS stripes, such as stripes=38-39, or 'ra=350-10 dec=-1.25-1.25' [deg]."


@click.command()
@click.argument("source", metavar="[CATALOGUE_OR_RUN]", required=False, type=UserPath())
@click.option("--method", default="all", show_default=True, type=click.Choice(["all", *BASELINES, BOUNDS]),
              help="Baseline to compute.")  # fmt: skip
@click.option("--out", type=UserPath(), callback=output_file(*FORMATS),
              help="Output file of a single --method; by default baseline_METHOD.fits or RUN/METHOD.fits.")  # fmt: skip
@click.option("--simulated", is_flag=True, help="The magnitudes of CATALOGUE are simulated, not observed.")
@click.option("--survey", type=UserPath(),
              help="Survey of the magnitudes of a CATALOGUE, by name or file; sdss, or that of the stacks, by default.")
@click.option("--z-max", type=click.FloatRange(0.0, 20.0, min_open=True),
              help="End of the redshift grid for a CATALOGUE; 0.4 by default.")  # fmt: skip
@click.option("--data-dir", type=UserPath(), help="Prepared dataset of RUN; by default the one it was trained on.")
@quiet_option
def baseline(source, method, out, simulated, survey, z_max, data_dir, quiet):
    """Predict redshift PDFs from magnitudes, with k-NN, gradient boosting and small networks.

    The k-NN is the local linear regression of Beck et al. (2016); mlp is a network of three dense layers, and
    mlp_shapes the same on magnitudes and six crude shapes, measured on the stamps of a RUN or folder of stacks. bounds
    are the scores of the same network told what only a simulation knows of its galaxies, for the report of a RUN. By
    default the galaxies are the 9,811 real ones of
    the SDSS Main Galaxy Sample that ship with the package. CATALOGUE is a FITS, CSV or Parquet table with obj_id,
    z_spec, optionally ebv or ra, dec [deg], and group_id, and magnitudes not corrected for Galactic dust: columns mag_u
    ... mag_z (or modelMag_, cModelMag_, psfMag_, petroMag_; or u ... z), or one column mags; a column petroMag_r is
    used as the r magnitude. CATALOGUE may also be a folder of stacks. RUN is a run folder, whose test galaxies are
    predicted for `evaluate` and `report` to compare. Each galaxy is predicted from the other folds; one without z_spec
    from all.
    """
    has_stamps = source is not None and Path(source).is_dir()
    methods = [method] if method != "all" else BASELINES if has_stamps else BASELINES[:-1]
    if out and method in ("all", BOUNDS):
        raise click.UsageError(f"--out names one file; give --method {', '.join(BASELINES[:-1])} or {BASELINES[-1]}")
    is_run = source is not None and not _is_catalog(Path(source))
    if method == BOUNDS and not is_run:
        raise click.UsageError("--method bounds is for a RUN on simulated galaxies, whose truth is known")
    if (simulated or z_max or survey) and (is_run or source is None):
        raise click.UsageError("--simulated, --survey and --z-max are for a CATALOGUE")
    if data_dir and not is_run:
        raise click.UsageError("--data-dir is for a RUN")
    if is_run:
        if method != BOUNDS:
            _baseline_of_run(source, methods, out, data_dir, quiet)
        if method in ("all", BOUNDS):
            _bounds_of_run(source, data_dir, quiet, is_wanted=method == BOUNDS)
    else:
        _baseline_of_catalog(source, methods, out, simulated, survey, z_max, quiet)


@click.command()
@click.argument("predictions", metavar="RUN_OR_FILE", type=UserPath())
@click.option("--against", metavar="RUN_OR_FILE", type=UserPath(),
              help="Run folder or predictions of another method, for the same galaxies.")  # fmt: skip
@depth_option
@click.option("--without", metavar="REGION", help=f"Region to leave out: {REGION_HELP}")
@click.option("--widest-removed", default=0.0, show_default=True, type=click.FloatRange(0, 1, max_open=True),
              help="Fraction of the galaxies to leave out, those with the widest PDFs.")  # fmt: skip
@click.option("--bins", "n_bins", default=5, show_default=True, type=click.IntRange(1, 100),
              help="Tomographic bins of equally many galaxies.")  # fmt: skip
@click.option("--truth", metavar="CATALOGUE", type=UserPath(),
              help="Catalogue of true redshifts for predictions of any program: FITS, CSV, Parquet, HDF5.")  # fmt: skip
@click.option("--id", "id_name", metavar="COLUMN",
              help="Identifiers of the galaxies in the predictions; by default obj_id, object_id or id.")  # fmt: skip
@click.option("--truth-id", metavar="COLUMN", help="The same in CATALOGUE.")
@click.option("--point", metavar="COLUMN",
              help="Point estimates; by default the means of the PDFs, or a column such as z_phot.")  # fmt: skip
@click.option("--grid", metavar="KIND=Z_MIN,Z_MAX,N",
              help="Grid of PDFs in a file that does not say it: bins=0,0.4,180 or nodes=0,3,301.")  # fmt: skip
@click.option("--survey", type=UserPath(),
              help="Survey of the magnitudes of CATALOGUE, by name or file; sdss by default.")  # fmt: skip
@click.option("--simulated", is_flag=True, help="The galaxies of CATALOGUE are simulated, though no header says it.")
@click.option("--out", type=UserPath(), callback=output_file(),
              help="JSON file; by default RUN/scores.json or FILE_scores.json, and none for a selection.")  # fmt: skip
@quiet_option
def evaluate(
    predictions, against, depth, without, widest_removed, n_bins, truth, id_name, truth_id, point, grid, survey,
    simulated, out, quiet,
):  # fmt: skip
    """Score predictions per fold: the paper's Table 1, then the scores of RAIL and qp.

    RUN_OR_FILE is a run folder, whose test galaxies are predicted first if necessary, or a table of predictions. The
    scores are printed and saved as JSON. The options that select galaxies are the trials of the paper's Table 2.

    With --truth, RUN_OR_FILE may be of any program: a qp ensemble of any type, arrays of PDFs and their grid (HDF5,
    .npz), or a FITS, CSV or Parquet table of PDFs or point estimates. Its galaxies are matched to CATALOGUE by their
    identifiers, or by the order of rows if one has none; z_spec and, where there, magnitudes, ebv, group_id and the
    rest are those of CATALOGUE.
    """
    if truth:
        options = {"id_name": id_name, "point": point, "grid": grid, "simulated": simulated, "n_bins": n_bins}
        _evaluate_others(
            predictions, truth, against, (depth, without, widest_removed), survey, truth_id, options, out, quiet
        )
        return
    given = {"--id": id_name, "--truth-id": truth_id, "--point": point, "--grid": grid, "--survey": survey,
             "--simulated": simulated}  # fmt: skip
    if any(given.values()):
        raise click.UsageError(f"{next(name for name, value in given.items() if value)} goes with --truth")
    from photoz_morph.photoz.evaluation.run_scores import evaluate_file
    from photoz_morph.photoz.report.tables.colour_cells import cells_markdown
    from photoz_morph.photoz.report.tables.comparison import comparison_markdown
    from photoz_morph.photoz.report.tables.scores import rail_markdown, scores_markdown
    from photoz_morph.photoz.report.tables.tomography import bins_markdown
    from photoz_morph.runs.scores import write_scores

    path = predictions_of(Path(predictions), quiet)
    if against:
        predictions_of(Path(against), quiet)
    scores = evaluate_file(predictions, against, depth, without, widest_removed, not quiet, n_bins)
    echo(scores_markdown(scores), quiet)
    echo(rail_markdown(scores), quiet)
    echo(bins_markdown(scores), quiet)
    echo(cells_markdown(scores["colour_cells"]), quiet)
    if against:
        echo(comparison_markdown(scores["comparison"]), quiet)
        echo(cells_markdown(scores["comparison"]["colour_cells"]), quiet)
    if out is None and not scores["choice"]:  # scores.json is that of the run
        out = path.with_name("scores.json" if path.stem == "predictions" else f"{path.stem}_scores.json")
    if out:
        write_scores(scores, out)
        echo(f"Scores in {out}.", quiet)


@click.command()
@click.argument("methods", metavar="RUN_OR_FILE...", nargs=-1, required=True, type=UserPath())
@click.option("--n-bootstrap", default=200, show_default=True, type=click.IntRange(min=2),
              help="Number of bootstrap resamples behind the errors.")  # fmt: skip
@depth_option
@click.option("--out", type=UserPath(), callback=output_file(".json"), help="JSON file of the comparison.")
@quiet_option
def compare(methods, n_bootstrap, depth, out, quiet):
    """Compare two or more runs on the galaxies they have in common.

    Prints the scores side by side, the paired differences from the first run, and which of them are significant. Each
    RUN_OR_FILE is a run folder, whose test galaxies are predicted first if necessary, or a table of predictions.
    """
    from photoz_morph.photoz.evaluation.run_scores import compare_files, method_names
    from photoz_morph.photoz.report.tables.colour_cells import cells_markdown
    from photoz_morph.photoz.report.tables.comparison import comparison_markdown
    from photoz_morph.runs.scores import write_scores

    method_names(methods)  # refuses a run given twice before any is predicted
    if len(methods) < 2:
        raise click.UsageError("give two or more run folders or tables of predictions")
    for path in methods:
        predictions_of(Path(path), quiet)
    comparison = compare_files(methods, n_bootstrap, depth)
    echo(comparison_markdown(comparison), quiet)
    echo(cells_markdown(comparison["colour_cells"]), quiet)
    if out:
        write_scores(comparison, out)
        echo(f"Comparison in {out}.", quiet)


@click.command()
@run_argument
@click.argument("trials", nargs=-1, type=UserPath(), metavar="[TRIAL]...")
@click.option("--region", default="stripes=38-39", show_default=True,
              help=f"Region left out by one of the trials: {REGION_HELP}")  # fmt: skip
@click.option("--data-dir", type=UserPath(), help="Prepared dataset; by default the one the run was trained on.")
@click.option("--out", type=UserPath(), help="Folder of the report; by default RUN/report.")
@quiet_option
def report(run, trials, region, data_dir, out, quiet):
    """Write an HTML report on RUN, with each figure also as PNG and PDF.

    The test galaxies are predicted and scored first if necessary, also with the baselines. Each TRIAL is the run folder
    of a photoz_trial_*.yaml, trained on the same dataset; together they give the paper's Table 2.
    """
    check_writable(out or Path(run) / "report")
    for folder in (run, *trials):
        predictions_of(Path(folder), quiet, data_dir)
    quiet_tensorflow()
    from photoz_morph.photoz.report_run import report_run

    with remarks(quiet):
        page = report_run(run, out, data_dir, not quiet, trials, region)
    echo(f"Report in {page}.", quiet)


@click.command("learning-curve")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=UserPath())
@click.option("--out", default="learning_curve", show_default=True, type=UserPath(), help="Folder of the page.")
@click.option("--n-bootstrap", default=200, show_default=True, type=click.IntRange(min=2),
              help="Number of bootstrap resamples behind the errors.")  # fmt: skip
@quiet_option
def learning_curve(runs, out, n_bootstrap, quiet):
    """Show scores against the number of training galaxies, from runs on training sets of different sizes.

    Each RUN is a run folder: of datasets of different sizes, or of one dataset and different data.train_fraction.
    Beside the networks stand the baselines and, for simulated galaxies, the bounds, trained on as many galaxies and
    made first where they are missing. Differences between methods are paired on the test galaxies of a run, those
    between sizes on the test galaxies that all runs have in common. Writes a page, its figure and learning_curve.json.
    """
    check_writable(out)
    quiet_tensorflow()
    from photoz_morph.photoz.report_run import report_learning_curve, sized_runs

    sized_runs(runs)  # refuses what cannot be shown before any run is predicted
    for run in runs:
        predictions_of(Path(run), quiet)
    with remarks(quiet):
        page, notes = report_learning_curve(runs, out, n_bootstrap, not quiet)
    for note in notes:
        echo(f"Left out: {note}.", quiet)
    echo(f"Learning curve in {page}.", quiet)


def _evaluate_others(source, truth, against, selection, survey, truth_id, options, out, quiet):
    """Score predictions of any program against a catalogue of true redshifts."""
    from photoz_morph.photoz.evaluation.other_scores import evaluate_matched, for_trends, matched_parts, say_matched
    from photoz_morph.photoz.evaluation.truth import read_truth
    from photoz_morph.photoz.formats.binning import read_layout
    from photoz_morph.photoz.report.tables.colour_cells import cells_markdown
    from photoz_morph.photoz.report.tables.comparison import comparison_markdown
    from photoz_morph.photoz.report.tables.scores import rail_markdown, scores_markdown, truth_text
    from photoz_morph.photoz.report.tables.tomography import bins_markdown
    from photoz_morph.photoz.report.tables.trends import catalogue_trends, trend_numbers, trends_markdown
    from photoz_morph.runs.scores import write_scores
    from photoz_morph.surveys import SDSS, get_survey

    grid, n_bins = options.pop("grid"), options.pop("n_bins")
    options |= {"layout": read_layout(grid) if grid else None, "survey": get_survey(survey) if survey else SDSS}
    for path in filter(None, (source, against)):
        predictions_of(Path(path), quiet)
    with remarks(quiet):
        known = read_truth(truth, truth_id or options["id_name"], options["survey"])
        parts = matched_parts(source, known, **options)
        say_matched(parts)
        other = matched_parts(against, known, **options) if against else None
    if out is None and selection == ("all", None, 0.0):
        out = parts.path.with_name(f"{parts.path.stem}_scores.json")
        check_writable(out.parent)
    scores = evaluate_matched(parts, other, *selection, not quiet, n_bins)
    table, residual, magnitude = for_trends(parts, *selection)
    trends = catalogue_trends(table, residual, options["survey"].bands, magnitude)
    scores["trends"] = trend_numbers(trends)
    echo(truth_text(scores["truth"]), quiet)
    echo(scores_markdown(scores), quiet)
    echo(rail_markdown(scores), quiet)
    echo(bins_markdown(scores), quiet)
    echo(cells_markdown(scores["colour_cells"]), quiet)
    if against:
        echo(comparison_markdown(scores["comparison"]), quiet)
        echo(cells_markdown(scores["comparison"]["colour_cells"]), quiet)
    echo(trends_markdown(trends), quiet)
    if out:
        write_scores(scores, out)
        echo(f"Scores in {out}.", quiet)


def _is_catalog(path):
    """True for a catalogue file or a folder of stacks, False for a run folder."""
    from photoz_morph.catalogs.table_files import TABLE_SUFFIXES

    is_stacks = not (path / "config.yaml").exists() and any(path.glob("stacks-*.fits"))
    return path.is_file() or path.name.lower().endswith(TABLE_SUFFIXES) or is_stacks


def _baseline_of_run(run, methods, out, data_dir, quiet):
    """Write the baselines of the test galaxies of a run."""
    quiet_tensorflow()
    from photoz_morph.photoz.baselines.of_run import predict_baselines
    from photoz_morph.photoz.predictions import write_predictions

    paths = {method: out or Path(run) / f"{method}.fits" for method in methods}
    if Path(run).is_dir():  # else its absence is the error
        _own_and_rehearse(paths, ONE_GALAXY, run)
    with remarks(quiet):
        for method, table in predict_baselines(run, methods, data_dir, progress=not quiet):
            path = paths[method]
            write_predictions(table, path)
            echo(f"{len(table)} galaxies in {path}. Next: photoz evaluate {run} --against {path}", quiet)


def _bounds_of_run(run, data_dir, quiet, is_wanted):
    """Write the bounds of the test galaxies of a run, if it is of simulated galaxies, or say why not."""
    quiet_tensorflow()
    from photoz_morph.photoz.baselines.of_run import update_bounds
    from photoz_morph.photoz.config import PhotozConfig
    from photoz_morph.runs.folder import read_run

    is_simulated = read_run(run, PhotozConfig)[1].get("origin") == "simulated"
    reason = update_bounds(run, data_dir, not quiet) if is_simulated else f"{run}: its galaxies are real"
    if reason and is_wanted:
        raise ValueError(f"{reason}; bounds are for simulated galaxies, whose truth is known")
    if is_simulated:
        echo(f"No bounds: {reason}." if reason else f"Bounds in {run}/bound_*.fits. Next: photoz report {run}", quiet)


def _baseline_of_catalog(catalog, methods, out, simulated, survey, z_max, quiet):
    """Write and score the baselines of a catalogue, or of the real galaxies shipped with the package."""
    from photoz_morph.photoz.baselines.photometry import WRITTEN_COLUMNS, catalog_baselines
    from photoz_morph.photoz.evaluation.scores import evaluate as evaluate_table
    from photoz_morph.photoz.predictions import write_predictions
    from photoz_morph.photoz.report.tables.scores import scores_markdown
    from photoz_morph.surveys import get_survey

    survey = get_survey(survey) if survey else None
    paths = {method: out or f"baseline_{method}.fits" for method in methods}

    def check(table):
        # `predict_catalog` refuses its own columns before it computes, in better words.
        carried = table[[name for name in table.colnames if name not in WRITTEN_COLUMNS]]
        _own_and_rehearse(paths, carried, catalog or "shipped")

    with remarks(quiet):
        for method, table, grid in catalog_baselines(
            catalog, methods, simulated, z_max, not quiet, check, survey
        ):
            if catalog is None and method == methods[0]:
                echo(f"{len(table)} real galaxies of the SDSS Main Galaxy Sample (r < 17.8, z_spec <= 0.4).", quiet)
            path = paths[method]
            write_predictions(table, path)
            n_flagged = (table["flag"] != 0).sum()
            echo(f"{len(table)} galaxies in {path}, {n_flagged} of them flagged without a PDF.\n", quiet)
            echo(scores_markdown(evaluate_table(table, grid)), quiet)


def _own_and_rehearse(paths, columns, source):
    """Own the output files of the methods, and refuse before the work what they could not hold."""
    from photoz_morph.photoz.predictions import rehearse_predictions

    for path in paths.values():
        own_output(path)
        rehearse_predictions(columns, path, source)
