"""The commands of `morph` that score predictions: evaluate, report."""

from pathlib import Path

import click

from photoz_morph.cli.morph.options import run_data_option
from photoz_morph.cli.morph.prediction import predictions_of
from photoz_morph.cli.options import echo, quiet_option, run_argument
from photoz_morph.training.quiet import quiet_tensorflow


@click.command()
@click.argument("predictions", metavar="RUN_OR_FILE", type=click.Path())
@click.option("--against", type=click.Path(), help="Run or predictions of the other arm, for the same galaxies.")
@click.option("--out", type=click.Path(), help="JSON file; by default scores.json beside the predictions.")
@quiet_option
def evaluate(predictions, against, out, quiet):
    """Scores at both depths in the layout of the paper's Table 1, printed and saved as JSON.

    RUN_OR_FILE is a run folder, whose test galaxies are predicted first if need be, or a table of predictions. With
    --against the two are also compared galaxy by galaxy.
    """
    from photoz_morph.config import differing_keys
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.morph.evaluation.comparison import compare_morph
    from photoz_morph.morph.evaluation.scores import evaluate_morph
    from photoz_morph.morph.predictions import read_morph_predictions
    from photoz_morph.morph.report.tables.scores import comparison_markdown, table1_markdown
    from photoz_morph.runs.folder import read_run
    from photoz_morph.runs.scores import write_scores

    paths = [predictions_of(Path(path), quiet) for path in (predictions, against) if path]
    tables = [read_morph_predictions(path) for path in paths]
    scores = [evaluate_morph(table) for table in tables]
    echo(table1_markdown(scores), quiet)
    if against:
        scores[0]["comparison"] = compare_morph(*tables) | {"against": str(against), "scores_against": scores[1]}
        echo(comparison_markdown(scores[0]["comparison"]), quiet)
        if all(Path(path).is_dir() for path in (predictions, against)):
            configs = [read_run(path, MorphConfig)[0] for path in (predictions, against)]
            echo(f"Their configs differ in {', '.join(differing_keys(*configs)) or 'nothing'}.", quiet)
    out = out or paths[0].with_name("scores.json")
    write_scores(scores[0], out)
    echo(f"Scores in {out}.", quiet)


@click.command()
@run_argument
@click.option("--against", multiple=True, type=click.Path(),
              help="Run of the other arm; any further ones stand in the table of defences only.")  # fmt: skip
@run_data_option
@click.option("--out", type=click.Path(), help="Folder of the report; by default RUN/report.")
@quiet_option
def report(run, against, data_dir, out, quiet):
    """One HTML page about RUN, and about the other arm beside it, with every figure also as PNG and PDF.

    The test galaxies are predicted first if need be. What attack, latent and perturb have found of the runs is in it.
    """
    for path in (run, *against):
        predictions_of(Path(path), quiet, data_dir)
    quiet_tensorflow()
    from photoz_morph.morph.report_run import report_morph_run

    arm = against[0] if against else None
    page = report_morph_run(run, arm, out, data_dir, defences=against[1:], progress=not quiet)
    echo(f"Report in {page}.", quiet)
