"""The commands of `morph` for a depth without labels: select, calibrate."""

from pathlib import Path

import click

from photoz_morph.cli.morph.options import run_data_option, runs_argument
from photoz_morph.cli.morph.prediction import predictions_of
from photoz_morph.cli.options import echo, own_output, quiet_option
from photoz_morph.cli.runs import is_stale
from photoz_morph.training.quiet import quiet_tensorflow


@click.command()
@runs_argument
@run_data_option
@quiet_option
def select(runs, data_dir, quiet):
    """Rank RUNS for Y1 without its labels, by ten scores, beside the choice by the labels.

    The scores are source accuracy, importance weighting, DEV, entropy, information maximisation, SND, circular
    validation, MixVal, AUC and A-distance of a domain classifier. They are computed on the validation galaxies, for
    each run as the mean over its seeds and for each network alone. What a choice costs in accuracy on the test galaxies
    is its regret. The table is printed and written to RUN/selection.json of each run, for `report`.
    """
    from photoz_morph.morph.report.tables.selection import selection_markdown
    from photoz_morph.morph.selection.outputs import read_answers
    from photoz_morph.morph.selection.ranking import FILE, rank_runs
    from photoz_morph.runs.scores import write_scores

    runs = _owned(runs, FILE)
    tables = {name: (read_answers(_answers_of(run, data_dir, quiet)), _predictions(run, data_dir, quiet))
              for name, run in runs.items()}  # fmt: skip
    selection = rank_runs(tables, progress=not quiet)
    for run in runs.values():
        write_scores(selection, run / FILE)
    echo(selection_markdown(selection), quiet)
    echo(f"Results in {FILE} of each run. Next: morph report {' --against '.join(map(str, runs.values()))}", quiet)


@click.command()
@runs_argument
@click.option("--target", default="weighted", show_default=True, type=click.Choice(["source", "weighted", "transcal"]),
              help="Temperature of Y1 in predictions_calibrated.fits: that of Y10, that of Y10 galaxies weighted to "
              "resemble Y1, or TransCal.")  # fmt: skip
@run_data_option
@quiet_option
def calibrate(runs, target, data_dir, quiet):
    """Fit temperatures to the class probabilities of RUNS, and score the test galaxies with each.

    They are fitted on the validation galaxies. For Y1 there are three that do without its labels and, for comparison,
    one that uses them. Calibration error, Brier score and negative log-likelihood of single networks and of the
    ensemble are printed and written to RUN/calibration.json, for `report`; the calibrated predictions to
    RUN/predictions_calibrated.fits, for `evaluate`.
    """
    from photoz_morph.morph.predictions import write_morph_predictions
    from photoz_morph.morph.report.tables.calibration import calibration_markdown
    from photoz_morph.morph.selection.calibration import FILE, calibrate_run, calibrated_predictions
    from photoz_morph.morph.selection.outputs import read_answers
    from photoz_morph.runs.scores import write_scores

    runs = _owned(runs, FILE)
    for name, run in runs.items():
        predictions = _predictions(run, data_dir, quiet)
        calibration = calibrate_run(read_answers(_answers_of(run, data_dir, quiet)), predictions)
        table = calibrated_predictions(predictions, calibration["temperatures"], target)
        write_morph_predictions(table, run / "predictions_calibrated.fits")
        write_scores(calibration, run / FILE)
        echo(calibration_markdown(name, calibration), quiet)
        echo(f"Calibrated predictions in {run / 'predictions_calibrated.fits'}, results in {run / FILE}. Next: morph "
             f"report {run}", quiet)  # fmt: skip


def _owned(runs, name):
    """Run folders by their names, whose results of that name this command owns; those of composites are refused."""
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.runs.folder import read_run

    if not runs:
        raise click.UsageError("give one RUN or more, such as runs/morph_regular runs/morph_mmd")
    named = {Path(run).resolve().name: Path(run) for run in runs}
    if len(named) < len(runs):
        raise ValueError(f"two of the runs {', '.join(runs)} have the same name; give each once, or rename a folder")
    for run in named.values():
        if not (run / "config.yaml").exists():
            raise FileNotFoundError(f"{run}: not a run folder (config.yaml is missing); create one with `morph train`")
        if read_run(run, MorphConfig)[1]["origin"] == "composites":
            raise ValueError(
                f"{run}: choice and calibration without labels need each galaxy at both depths, and its galaxies are "
                "simulated or real ones; give a run on mocks of `morph mock`"
            )
    for run in named.values():
        own_output(run / name, "give other RUNS")
    return named


def _predictions(run, data_dir, quiet):
    """Predictions of the test galaxies of a run, made first if they are missing or stale."""
    from photoz_morph.morph.predictions import read_morph_predictions

    return read_morph_predictions(predictions_of(run, quiet, data_dir))


def _answers_of(run, data_dir, quiet):
    """File of the validation answers of a run, made first if it is missing or stale."""
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.morph.selection.outputs import FILE
    from photoz_morph.runs.folder import finished_members

    path = run / FILE
    if is_stale(path, finished_members(run, MorphConfig)):
        own_output(path, "give other RUNS")
        quiet_tensorflow()
        from photoz_morph.morph.predictions import write_morph_predictions
        from photoz_morph.morph.selection.answers import validation_answers

        write_morph_predictions(validation_answers(run, data_dir, progress=not quiet), path)
    return path
