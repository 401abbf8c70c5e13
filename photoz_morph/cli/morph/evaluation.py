"""The evaluation commands of `morph`: baseline, evaluate, report."""

from pathlib import Path

import click

from photoz_morph.cli.morph.options import run_data_option
from photoz_morph.cli.morph.prediction import predictions_of
from photoz_morph.cli.options import UserPath, echo, output_file, quiet_option, run_argument
from photoz_morph.morph.config import MorphConfig
from photoz_morph.system.files import check_writable
from photoz_morph.training.quiet import quiet_tensorflow


@click.command()
@click.argument("source", metavar="[DATASET_OR_RUN]", default="morph_data", type=UserPath())
@click.option("--train-on", default="all", show_default=True, type=click.Choice(["all", "Y10", "both"]),
              help="Training images: of Y10, as for the networks, of both depths, or each in turn.")  # fmt: skip
@click.option("--classes", type=click.Choice(MorphConfig.CHOICES["data.classes"]),
              help="Classes, for a DATASET; spiral_elliptical_merger by default.")  # fmt: skip
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(min=1), help="Number of boosters.")
@click.option("--out", type=UserPath(), callback=output_file(".fits"),
              help="Output file of one method; by default baseline_METHOD.fits or RUN/METHOD.fits.")  # fmt: skip
@click.option("--processes", type=click.IntRange(min=1),
              help="Number of processes; all cores by default. The output does not depend on it.")  # fmt: skip
@click.option("--data-dir", type=UserPath(), help="Prepared dataset of RUN; by default the one it was trained on.")
@quiet_option
def baseline(source, train_on, classes, seeds, out, processes, data_dir, quiet):
    """Classify the test galaxies without a network, by gradient boosting on 53 measurements of their stamps.

    The measurements are two colours, flux, concentration, and Gini, M20, asymmetry and area above three thresholds in
    two bands, after two smoothings. DATASET is the folder of a prepared dataset, whose scores are printed. RUN is a run
    folder, whose test galaxies are classified for `evaluate` and `report` to compare. Methods are boosting, trained on
    the labelled Y10 images, and boosting_both, trained on the Y1 images as well, whose labels no network sees.
    """
    methods = {"all": ("boosting", "boosting_both"), "Y10": ("boosting",), "both": ("boosting_both",)}[train_on]
    if out and len(methods) > 1:
        raise click.UsageError("--out names one file; give --train-on Y10 or --train-on both with it")
    is_run = (Path(source) / "config.yaml").exists()
    if is_run and classes:
        raise click.UsageError("--classes is for a DATASET; a RUN has its own")
    if data_dir and not is_run:
        raise click.UsageError("--data-dir is for a RUN; give the folder of a dataset alone")
    quiet_tensorflow()
    from photoz_morph.morph.baselines.of_run import predict_baselines, predict_run_baselines
    from photoz_morph.morph.dataset import open_dataset
    from photoz_morph.morph.evaluation.scores import evaluate_morph
    from photoz_morph.morph.predictions import write_morph_predictions
    from photoz_morph.morph.report.tables.scores import table1_markdown

    options = {"methods": methods, "n_seeds": seeds, "n_processes": processes, "progress": not quiet}
    if is_run:
        tables = predict_run_baselines(source, data_dir=data_dir, **options)
    else:
        tables = predict_baselines(open_dataset(source), classes or MorphConfig().data.classes, **options)
    for method, table in tables.items():
        path = out or (Path(source) / f"{method}.fits" if is_run else f"baseline_{method}.fits")
        write_morph_predictions(table, path)
        following = f" Next: morph evaluate {source} --against {path}" if is_run else ""
        echo(f"{len(table)} galaxies in {path}.{following}", quiet)
    if not is_run:
        echo(table1_markdown([evaluate_morph(table) for table in tables.values()]), quiet)


@click.command()
@click.argument("predictions", metavar="RUN_OR_FILE", type=UserPath())
@click.option("--against", type=UserPath(),
              help="Run folder or predictions of the other arm, for the same galaxies.")  # fmt: skip
@click.option("--out", type=UserPath(), callback=output_file(),
              help="JSON file; by default scores.json beside the predictions, or FILE_scores.json of a further FILE "
              "in a run folder.")  # fmt: skip
@quiet_option
def evaluate(predictions, against, out, quiet):
    """Score predictions at both depths, in the layout of the paper's Table 1.

    RUN_OR_FILE is a run folder, whose test galaxies are predicted first if necessary, or a table of predictions. With
    --against the two arms are also compared galaxy by galaxy. The scores are printed and saved as JSON.
    """
    from photoz_morph.config import differing_keys
    from photoz_morph.morph.evaluation.comparison import evaluate_file
    from photoz_morph.morph.report.tables.scores import comparison_markdown, table1_markdown
    from photoz_morph.runs.folder import read_run
    from photoz_morph.runs.scores import write_scores

    paths = [predictions_of(Path(path), quiet) for path in (predictions, against) if path]
    scores = evaluate_file(predictions, against)
    comparison = scores.get("comparison")
    echo(table1_markdown([scores, comparison["scores_against"]] if comparison else [scores]), quiet)
    if comparison:
        echo(comparison_markdown(comparison), quiet)
        if all(Path(path).is_dir() for path in (predictions, against)):
            configs = [read_run(path, MorphConfig)[0] for path in (predictions, against)]
            echo(f"Their configs differ in {', '.join(differing_keys(*configs)) or 'nothing'}.", quiet)
    is_other = paths[0].name != "predictions.fits" and paths[0].with_name("config.yaml").exists()
    out = out or paths[0].with_name(f"{paths[0].stem}_scores.json" if is_other else "scores.json")
    write_scores(scores, out)
    echo(f"Scores in {out}.", quiet)


@click.command()
@run_argument
@click.option("--against", multiple=True, type=UserPath(),
              help="Run folder of the other arm; further ones appear in the table of defences only.")  # fmt: skip
@run_data_option
@click.option("--out", type=UserPath(), help="Folder of the report; by default RUN/report.")
@quiet_option
def report(run, against, data_dir, out, quiet):
    """Write an HTML report on RUN and the other arm, with each figure also as PNG and PDF.

    The test galaxies are predicted first if necessary, also with the baselines. The results of attack, latent and
    perturb are included if these commands have been run.
    """
    check_writable(out or Path(run) / "report")
    for path in (run, *against):
        predictions_of(Path(path), quiet, data_dir)
    quiet_tensorflow()
    from photoz_morph.morph.report_run import report_morph_run

    arm = against[0] if against else None
    page = report_morph_run(run, arm, out, data_dir, defences=against[1:], progress=not quiet)
    echo(f"Report in {page}.", quiet)
