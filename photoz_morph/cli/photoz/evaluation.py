"""The commands of `photoz` that score predictions: baseline, evaluate, compare, report."""

from pathlib import Path

import click

from photoz_morph.cli.options import FORMATS, echo, output_file, quiet_option, run_argument
from photoz_morph.cli.photoz.prediction import predictions_of
from photoz_morph.training.quiet import quiet_tensorflow

REGION_HELP = "SDSS stripes, such as stripes=38-39, or 'ra=350-10 dec=-1.25-1.25' [deg]."


@click.command()
@click.argument("source", metavar="[CATALOGUE_OR_RUN]", required=False, type=click.Path())
@click.option("--method", default="all", show_default=True, type=click.Choice(["all", "knn", "boosting"]))
@click.option("--out", type=click.Path(), callback=output_file(*FORMATS),
              help="With one --method: a file, by default baseline_METHOD.fits or RUN/METHOD.fits.")  # fmt: skip
@click.option("--simulated", is_flag=True, help="Of a CATALOGUE: its magnitudes are simulated, not of the sky.")
@click.option("--z-max", type=click.FloatRange(0.0, 20.0, min_open=True),
              help="Of a CATALOGUE: end of the redshift grid, 0.4 by default.")  # fmt: skip
@click.option("--data-dir", type=click.Path(), help="Of a RUN: instead of the dataset it was trained on.")
@quiet_option
def baseline(source, method, out, simulated, z_max, data_dir, quiet):
    """Redshift PDFs from magnitudes alone: local-linear k-NN (Beck et al. 2016) and gradient boosting.

    Without argument: 9,811 real galaxies of the SDSS Main Galaxy Sample, which ship with the package. CATALOGUE is
    FITS, CSV or Parquet with obj_id, ra, dec [deg], z_spec, optionally ebv and group_id, and magnitudes not corrected
    for Galactic dust: mag_u ... mag_z, or modelMag_, cModelMag_, psfMag_, petroMag_ in the same way, or one column
    mags; petroMag_r serves as r magnitude where it is there. A folder of stacks serves too, such as simulated ones.
    RUN is a run folder, whose test galaxies are predicted for `evaluate` and `report` to compare. Each galaxy is
    predicted from the other folds; one without z_spec from all.
    """
    methods = ["knn", "boosting"] if method == "all" else [method]
    if out and method == "all":
        raise click.UsageError("--out is one file; give --method knn or --method boosting with it")
    is_run = source is not None and not _is_catalog(Path(source))
    if (simulated or z_max) and (is_run or source is None):
        raise click.UsageError("--simulated and --z-max are for a CATALOGUE")
    if data_dir and not is_run:
        raise click.UsageError("--data-dir is for a RUN")
    if is_run:
        _baseline_of_run(source, methods, out, data_dir, quiet)
    else:
        _baseline_of_catalog(source, methods, out, simulated, z_max, quiet)


@click.command()
@click.argument("predictions", metavar="RUN_OR_FILE", type=click.Path())
@click.option("--against", metavar="RUN_OR_FILE", type=click.Path(),
              help="Predictions of another method for the same galaxies.")  # fmt: skip
@click.option("--depth", default="all", show_default=True, type=click.Choice(["all", "deep", "shallow"]),
              help="Galaxies of ten frames or more in every band, or of fewer.")  # fmt: skip
@click.option("--without", metavar="REGION", help=f"Leave a zone out: {REGION_HELP}")
@click.option("--widest-removed", default=0.0, show_default=True, type=click.FloatRange(0, 1, max_open=True),
              help="Share of the galaxies with the widest PDFs to leave out.")  # fmt: skip
@click.option("--out", type=click.Path(),
              help="JSON file; by default RUN/scores.json or FILE_scores.json, none for a choice.")  # fmt: skip
@quiet_option
def evaluate(predictions, against, depth, without, widest_removed, out, quiet):
    """Scores per fold and their mean: the paper's Table 1, then those of RAIL and qp; printed and saved as JSON.

    RUN_OR_FILE is a run folder, whose test galaxies are predicted first if need be, or a table of predictions. The
    options that choose galaxies are the trials of the paper's Table 2.
    """
    from photoz_morph.photoz.evaluation.comparison import compare
    from photoz_morph.photoz.evaluation.scores import evaluate as evaluate_table
    from photoz_morph.photoz.evaluation.trials import select
    from photoz_morph.photoz.predictions import read_predictions
    from photoz_morph.photoz.report.tables.comparison import comparison_markdown
    from photoz_morph.photoz.report.tables.scores import rail_markdown, scores_markdown
    from photoz_morph.runs.scores import write_scores

    path = predictions_of(Path(predictions), quiet)
    table, grid = read_predictions(path)
    other, other_grid = read_predictions(predictions_of(Path(against), quiet)) if against else (None, None)
    parts = [depth] * (depth != "all") + [f"without {without}"] * (without is not None)
    parts += [f"without the widest {100 * widest_removed:g} %"] * (widest_removed > 0)
    choice = ", ".join(parts)
    try:
        chosen = select(table, depth, without, widest_removed)
        table = table[chosen]
        scores = evaluate_table(table, grid, choice=choice)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    echo(scores_markdown(scores), quiet)
    echo(rail_markdown(scores), quiet)
    if against:
        names = [table.meta.get("model") or "predictions", other.meta.get("model") or "other"]
        if names[0] == names[1]:  # of two runs of one network
            names = [str(path), str(against)]
        grids = dict(zip(names, (grid, other_grid)))
        scores["comparison"] = compare(dict(zip(names, (table, other))), grids, choice=choice)
        echo(comparison_markdown(scores["comparison"]), quiet)
    if out is None and not choice:  # scores.json is that of the run
        out = path.with_name("scores.json" if path.stem == "predictions" else f"{path.stem}_scores.json")
    if out:
        write_scores(scores, out)
        echo(f"Scores in {out}.", quiet)


@click.command()
@click.argument("methods", metavar="RUN_OR_FILE...", nargs=-1, required=True, type=click.Path())
@click.option("--n-bootstrap", default=200, show_default=True, type=click.IntRange(min=2),
              help="Samples redrawn from the galaxies for the errors.")  # fmt: skip
@click.option("--out", type=click.Path(), callback=output_file(".json"), help="JSON file of the same numbers.")
@quiet_option
def compare(methods, n_bootstrap, out, quiet):
    """Two runs or more on the galaxies they share: scores side by side, paired differences from the first, verdicts.

    Each RUN_OR_FILE is a run folder, whose test galaxies are predicted first if need be, or a table of predictions.
    """
    from photoz_morph.photoz.evaluation.comparison import compare as compare_tables
    from photoz_morph.photoz.predictions import read_predictions
    from photoz_morph.photoz.report.tables.comparison import comparison_markdown
    from photoz_morph.runs.scores import write_scores

    names = _method_names(methods)
    if len(names) < 2:
        raise click.UsageError("give two run folders or tables of predictions, or more")
    tables, grids = {}, {}
    for name, path in zip(names, methods):
        tables[name], grids[name] = read_predictions(predictions_of(Path(path), quiet))
    comparison = compare_tables(tables, grids, n_bootstrap)
    echo(comparison_markdown(comparison), quiet)
    if out:
        write_scores(comparison, out)
        echo(f"Comparison in {out}.", quiet)


@click.command()
@run_argument
@click.argument("trials", nargs=-1, type=click.Path(), metavar="[TRIAL]...")
@click.option("--region", default="stripes=38-39", show_default=True,
              help=f"A zone that one trial leaves out: {REGION_HELP}")  # fmt: skip
@click.option("--data-dir", type=click.Path(), help="Instead of the dataset the run was trained on.")
@click.option("--out", type=click.Path(), help="Folder of the report; by default RUN/report.")
@quiet_option
def report(run, trials, region, data_dir, out, quiet):
    """One HTML page about RUN, with every figure also as PNG and PDF.

    Each TRIAL is the run folder of a photoz_trial_*.yaml, trained on the same dataset; together they give Table 2 of
    the paper.

    The test galaxies are predicted and scored first if need be, by the baselines too.
    """
    for folder in (run, *trials):
        predictions_of(Path(folder), quiet, data_dir)
    quiet_tensorflow()
    from photoz_morph.photoz.report_run import report_run

    echo(f"Report in {report_run(run, out, data_dir, not quiet, trials, region)}.", quiet)


def _is_catalog(path):
    """Whether `baseline` is to read a file or a folder of stacks, and not a run."""
    from photoz_morph.catalogs.galaxies import CATALOG_SUFFIXES

    is_stacks = not (path / "config.yaml").exists() and any(path.glob("stacks-*.fits"))
    return path.is_file() or path.name.lower().endswith(CATALOG_SUFFIXES) or is_stacks


def _baseline_of_run(run, methods, out, data_dir, quiet):
    """Baselines of the test galaxies of a run."""
    quiet_tensorflow()
    from photoz_morph.photoz.baselines.of_run import predict_baselines
    from photoz_morph.photoz.predictions import write_predictions

    for method, table in predict_baselines(run, methods, data_dir, progress=not quiet).items():
        path = out or Path(run) / f"{method}.fits"
        write_predictions(table, path)
        echo(f"{len(table)} galaxies in {path}. Next: photoz evaluate {run} --against {path}", quiet)


def _baseline_of_catalog(catalog, methods, out, simulated, z_max, quiet):
    """Baselines of a catalogue, or of the real galaxies shipped with the package, and their scores."""
    from photoz_morph.photoz.baselines.photometry import predict_catalog, read_photometry, real_galaxies
    from photoz_morph.photoz.evaluation.scores import evaluate as evaluate_table
    from photoz_morph.photoz.predictions import write_predictions
    from photoz_morph.photoz.report.tables.scores import scores_markdown
    from photoz_morph.redshift_grid import RedshiftGrid

    table, origin = (real_galaxies(), "catalogue") if catalog is None else read_photometry(catalog)
    origin, grid = "simulated" if simulated else origin, RedshiftGrid()
    if z_max:  # in bins of the same width
        grid = RedshiftGrid(0.0, z_max, max(1, round(z_max / grid.width)))
    if catalog is None:
        echo(f"{len(table)} real galaxies of the SDSS Main Galaxy Sample (r < 17.8, z_spec <= 0.4).", quiet)
    for method in methods:
        path = out or f"baseline_{method}.fits"
        predicted = predict_catalog(table, method, grid, origin, source=catalog or "shipped", progress=not quiet)
        write_predictions(predicted, path)
        n_flagged = (predicted["flag"] != 0).sum()
        echo(f"{len(predicted)} galaxies in {path}, {n_flagged} of them flagged without a PDF.\n", quiet)
        echo(scores_markdown(evaluate_table(predicted, grid)), quiet)


def _method_names(paths):
    """Run folders or tables of predictions by name, with as many of the folders above as tell them apart."""
    whole = [Path(path).resolve() for path in paths]
    is_run = [path.is_dir() and path.suffix not in FORMATS for path in whole]
    tables = [path / "predictions.fits" if run else path for path, run in zip(whole, is_run)]
    for table, given in zip(tables, paths):
        if tables.count(table) > 1:
            raise ValueError(f"{given}: given twice; compare different runs")
    parts = [path.parts if run else path.with_suffix("").parts for path, run in zip(whole, is_run)]
    for depth in range(1, max(map(len, parts))):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in tables]
