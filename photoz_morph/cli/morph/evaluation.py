"""The evaluation commands of `morph`: evaluate, report."""

from pathlib import Path

import click

from photoz_morph.cli.morph.options import run_data_option
from photoz_morph.cli.morph.prediction import predictions_of
from photoz_morph.cli.options import UserPath, echo, output_file, quiet_option, run_argument
from photoz_morph.system.files import check_writable
from photoz_morph.training.quiet import quiet_tensorflow


@click.command()
@click.argument("predictions", metavar="RUN_OR_FILE", type=UserPath())
@click.option("--against", type=UserPath(),
              help="Run folder or predictions of the other arm, for the same galaxies.")  # fmt: skip
@click.option("--out", type=UserPath(), callback=output_file(),
              help="JSON file; by default scores.json beside the predictions.")  # fmt: skip
@quiet_option
def evaluate(predictions, against, out, quiet):
    """Score predictions at both depths, in the layout of the paper's Table 1.

    RUN_OR_FILE is a run folder, whose test galaxies are predicted first if necessary, or a table of predictions. With
    --against the two arms are also compared galaxy by galaxy. The scores are printed and saved as JSON.
    """
    from photoz_morph.config import differing_keys
    from photoz_morph.morph.config import MorphConfig
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
    out = out or paths[0].with_name("scores.json")
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

    The test galaxies are predicted first if necessary. The results of attack, latent and perturb are included if these
    commands have been run.
    """
    check_writable(out or Path(run) / "report")
    for path in (run, *against):
        predictions_of(Path(path), quiet, data_dir)
    quiet_tensorflow()
    from photoz_morph.morph.report_run import report_morph_run

    arm = against[0] if against else None
    page = report_morph_run(run, arm, out, data_dir, defences=against[1:], progress=not quiet)
    echo(f"Report in {page}.", quiet)
