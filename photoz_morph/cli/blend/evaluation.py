"""The evaluation commands of `blend`: baseline, evaluate, report."""

from pathlib import Path

import click

from photoz_morph.cli.blend.prediction import predictions_of
from photoz_morph.cli.options import UserPath, echo, output_file, quiet_option
from photoz_morph.system.files import check_writable
from photoz_morph.training.quiet import quiet_tensorflow

METRICS = ("completeness", "ap50", "source_iou", "flux_error")  # of blend.baselines.tuning
SCORES = "sep_scores.json"
MAP_SCORES = "baseline_scores.json"

purity_option = click.option(
    "--purity", default=0.95, show_default=True, type=click.FloatRange(0, 1, min_open=True),
    help="Purity at which the completeness is asked for.",
)  # fmt: skip
radius_option = click.option(
    "--radius", default=4.0, show_default=True, type=click.FloatRange(min=0, min_open=True),
    help="Largest distance of a detection from its source [pixel].",
)  # fmt: skip


@click.command()
@click.argument("dataset", default="blend_data", type=UserPath())
@click.option("--metric", default="all", show_default=True, type=click.Choice(["all", *METRICS]),
              help="Score for which the settings of sep are chosen: each in turn, or one.")  # fmt: skip
@click.option("--trials", default=60, show_default=True, type=click.IntRange(min=0),
              help="Random settings that are tried before the search one by one.")  # fmt: skip
@click.option("--tune-on", default=100, show_default=True, type=click.IntRange(min=1),
              help="Number of validation images on which settings are tried.")  # fmt: skip
@purity_option
@radius_option
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0),
              help="Seed of the settings, the boosting and the intervals.")  # fmt: skip
@click.option("--out", type=UserPath(),
              help="Output folder; by default baseline_sep, baseline_maps, or baseline_fields of fields of matter.")
@click.option("--processes", type=click.IntRange(min=1),
              help="Processes that detect; all cores by default. The output does not depend on it.")  # fmt: skip
@quiet_option
def baseline(dataset, metric, trials, tune_on, purity, radius, seed, out, processes, quiet):
    """Detect, classify and measure the sources of the test images without a network, by the rules of SExtractor.

    DATASET is the folder of a prepared dataset. The settings of sep are chosen on its validation images, for each score
    anew, and gradient boosting on the measurements learns classes from its training images. The sources found are
    written to OUT/METRIC.fits, the scores to OUT/sep_scores.json, and printed. Files of the same dataset and options
    are kept.

    Of a dataset of galaxies with maps, these are learnt from each pixel alone; of fields of matter, parameters are
    learnt from power spectra, and fields restored by the Wiener filter. Only --seed and --out then count.
    """
    folder = Path(out or "baseline_sep")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: is a file; give the name of a folder as --out")
    check_writable(folder)
    quiet_tensorflow()
    from photoz_morph.blend.dataset import open_dataset
    from photoz_morph.blend.maps.truth import answers_of

    builder = open_dataset(dataset)
    if answers_of(builder):
        _baseline_of_maps(builder, out, seed, quiet)
        return
    from photoz_morph.blend.baselines.of_dataset import update_sep
    from photoz_morph.blend.dataset import read_scenes
    from photoz_morph.blend.evaluation import evaluate_blend
    from photoz_morph.blend.scores_table import scores_markdown
    from photoz_morph.runs.scores import write_scores

    metrics = METRICS if metric == "all" else (metric,)
    found = update_sep(builder, folder, metrics, trials, tune_on, purity, radius, seed, processes, not quiet)
    scores = {name: evaluate_blend(predictions, read_scenes(builder, "test"), purity, radius, seed=seed)
              for name, predictions in found.items()}  # fmt: skip
    write_scores({"data": scores[metrics[0]]["data"], "tuned_for": scores}, folder / SCORES)
    echo("Columns are the scores for which the settings were chosen.", quiet)
    echo(scores_markdown(scores), quiet)
    echo(f"Sources in {', '.join(str(folder / f'{name}.fits') for name in found)}, scores in {folder / SCORES}.", quiet)


def _baseline_of_maps(builder, out, seed, quiet):
    """Baselines of maps, fields and parameters, with their scores."""
    _refuse_options("sources", "metric", "trials", "tune_on", "purity", "radius", "processes")
    from photoz_morph.blend.baselines.of_maps import update_map_baselines
    from photoz_morph.blend.maps.scores import answers_markdown, evaluate_answers
    from photoz_morph.blend.maps.truth import read_truth
    from photoz_morph.runs.scores import write_scores

    folder = Path(out or f"baseline_{builder.name.rpartition('_')[2]}")
    check_writable(folder)
    found = update_map_baselines(builder, folder, seed, progress=not quiet)
    scores = {name: evaluate_answers(predictions, read_truth(builder, predictions.answer, "test"), seed=seed)
              for name, predictions in found.items()}  # fmt: skip
    write_scores({"data": next(iter(scores.values()))["data"], "baselines": scores}, folder / MAP_SCORES)
    for name, part in scores.items():
        echo(answers_markdown({name: part}), quiet)
    files = ", ".join(str(folder / f"{name}.fits") for name in found)
    echo(f"Predictions in {files}, scores in {folder / MAP_SCORES}.", quiet)


def _refuse_options(what, *names):
    """Raise a UsageError if one of these options was given, which are for images of another kind."""
    given = click.get_current_context().get_parameter_source
    for name in names:
        if given(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} is for {what}; leave it out for maps and fields")


@click.command()
@click.argument("predictions", metavar="RUN_OR_FILE", type=UserPath())
@click.option("--against", multiple=True, type=UserPath(),
              help="Run folder, predictions, or folder of `blend baseline`, of the same images; may be repeated.")
@click.option("--data-dir", type=UserPath(),
              help="Prepared dataset with the truth; by default the one the run was trained on, or blend_data.")
@purity_option
@radius_option
@click.option("--out", type=UserPath(), callback=output_file(),
              help="JSON file; by default scores.json beside the predictions, or FILE_scores.json of a further FILE "
              "in a run folder.")
@quiet_option
def evaluate(predictions, against, data_dir, purity, radius, out, quiet):
    """Score sources found in images, galaxies taken out of blends, maps or parameters, with the truth of the images.

    RUN_OR_FILE is a run folder, whose test images are predicted first if necessary, or a file of predictions, of
    `blend predict` or `blend baseline`. The scores, and those of --against beside them, are printed and saved as JSON.
    """
    quiet_tensorflow()
    from photoz_morph.blend.maps.predictions import answer_of
    from photoz_morph.blend.maps.scores import answers_markdown
    from photoz_morph.blend.score_files import evaluate_files
    from photoz_morph.blend.scores_table import deblending_markdown, scores_markdown
    from photoz_morph.runs.scores import write_scores

    path = predictions_of(Path(predictions), quiet, data_dir)
    answer = answer_of(path)
    if answer:
        _refuse_options("sources", "purity", "radius")
    others = {name: predictions_of(file, quiet, data_dir)
              for one in against for name, file in _files_of(Path(one), answer)}  # fmt: skip
    scores = evaluate_files(path, others, data_dir, purity, radius)
    columns = {_title(Path(predictions)): {key: value for key, value in scores.items() if key != "against"}}
    columns |= {name if name not in columns else f"{name} (2)": of for name, of in scores.get("against", {}).items()}
    table = answers_markdown if answer else scores_markdown if "completeness" in scores else deblending_markdown
    echo(table(columns), quiet)
    is_other = path.name != "predictions.fits" and path.with_name("config.yaml").exists()
    out = out or path.with_name(f"{path.stem}_scores.json" if is_other else "scores.json")
    write_scores(scores, out)
    echo(f"Scores in {out}.", quiet)


def _files_of(path, answer=None):
    """Names and paths of the predictions of an answer in a folder of `blend baseline`; others are themselves."""
    if path.is_dir() and not (path / "config.yaml").exists():
        from photoz_morph.blend.maps.predictions import answer_of

        files = sorted(path.glob("*.fits"))
        files = [file for file in files if answer_of(file) == answer] or files
        if not files:
            raise FileNotFoundError(f"{path}: neither a run folder nor one of `blend baseline`, it holds no .fits file")
        return [(_title(file), file) for file in files]
    return [(_title(path), path)]


def _title(path):
    """Name of a run or of a file of predictions, for the head of a column."""
    folder = path.resolve().parent.name
    if path.suffix != ".fits":
        return path.resolve().name
    return folder if path.name == "predictions.fits" else f"{folder} {path.stem}"


@click.command()
@click.argument("source", metavar="DATASET_OR_RUN", default="blend_data", type=UserPath())
@click.option("--against", multiple=True, type=UserPath(),
              help="Run folder or file of predictions of the same images; may be repeated.")  # fmt: skip
@click.option("--baseline", "folder", type=UserPath(),
              help="Folder of `blend baseline`; by default baseline_sep, baseline_maps or baseline_fields, if it is "
              "there.")  # fmt: skip
@click.option("--data-dir", type=UserPath(), help="Prepared dataset of a RUN; by default the one it was trained on.")
@click.option("--out", type=UserPath(),
              help="Folder of the report; by default `report` in RUN, or in the folder of the baseline.")  # fmt: skip
@quiet_option
def report(source, against, folder, data_dir, out, quiet):
    """Write an HTML report on the sources found in the test images, with each figure also as PNG and PDF.

    Of a DATASET it shows what `blend baseline` found; of a RUN its predictions, with sep beside them: all scores,
    curves against magnitude and blendedness, confused classes, and the best, median and worst image. Of a RUN that
    takes blends apart it shows errors of flux, colour and shape against blendedness, how often the truth lies within
    the intervals of samples, and blends with their samples; of one that gives maps, fields or parameters these beside
    the truth and the baseline, their pixels or errors, and power spectra.
    """
    is_run = (Path(source) / "config.yaml").exists()
    if data_dir and not is_run:
        raise click.UsageError("--data-dir is for a RUN; give the folder of a dataset alone")
    check_writable(out or (Path(source) if is_run else Path(folder or "baseline_sep")) / "report")
    quiet_tensorflow()
    from photoz_morph.blend.report_run.of_any import report_blend

    page = report_blend(source, against, folder, out, data_dir, progress=not quiet)
    echo(f"Report in {page}.", quiet)
