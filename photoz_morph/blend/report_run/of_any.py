"""Report of a dataset or a run in one call: reads the predictions, scores them, chooses images, and calls `report`.

`report` itself takes scores and images and never loads TensorFlow, which the dataset needs; this module joins the two.
"""

from pathlib import Path

from photoz_morph.blend.dataset import open_dataset, read_scenes
from photoz_morph.blend.deblended import is_deblended_file
from photoz_morph.blend.evaluation import evaluate_blend
from photoz_morph.blend.maps.predictions import answer_of
from photoz_morph.blend.predictions import read_blend_predictions
from photoz_morph.blend.report.page import blend_report
from photoz_morph.blend.report.results import BlendResults, choose_examples, sep_name
from photoz_morph.blend.report_run.files import BASELINE, PREDICTIONS, check_dataset, configs_of, files_of, read_sep
from photoz_morph.blend.report_run.of_deblender import report_deblender
from photoz_morph.blend.report_run.of_maps import refuse_maps, report_maps
from photoz_morph.system.json_files import read_json

EXAMPLES_OF = "source_iou"  # metric of the sep whose images are shown if there is no network


def report_blend(source, against=(), baseline=None, out_dir=None, data_dir=None, progress=True):
    """Write the report of a dataset with the predictions of its baseline, or of a run.

    Of a run that takes blends apart it shows the galaxies in the middle, with others and with the `sep` that was tuned
    for fluxes, in which detections at these galaxies count.

    Parameters
    ----------
    source : path-like
        Folder of a prepared dataset, or a run folder with predictions.
    against : sequence of path-like
        Further run folders or files of predictions of the same images.
    baseline : path-like, optional
        Folder of `blend baseline`, by default `baseline_sep`. Only if it is given, or there is nothing else to report,
        it has to be there.
    out_dir : path-like, optional
        By default `report` in the run folder, or in the folder of the baseline.
    data_dir : path-like, optional
        Dataset of a run, by default the one it was trained on.
    progress : bool

    Returns
    -------
    Path
        The page.

    Raises
    ------
    FileNotFoundError
        If there are no predictions, or no dataset.
    ValueError
        If predictions are of other images.
    """
    is_run = (Path(source) / "config.yaml").exists()
    own = Path(source) / PREDICTIONS
    if is_run and own.exists():
        if is_deblended_file(own):
            return report_deblender(source, against, baseline, out_dir, data_dir, progress)
        if answer_of(own):
            return report_maps(source, against, baseline, out_dir, data_dir, progress)
    if not is_run:
        refuse_maps(source)
    files = files_of([Path(path) for path in ((source, *against) if is_run else against)])
    found, note = read_sep(Path(baseline or BASELINE), is_needed=bool(baseline) or not files)
    predictions = {name: read_blend_predictions(path) for name, path in files.items()}
    if is_run and not data_dir:
        data_dir = read_json(Path(source) / "dataset.json", ["path"])["path"]
    builder = open_dataset(data_dir or source)
    everything = predictions | {sep_name(metric): part for metric, part in found.items()}
    for name, part in everything.items():
        check_dataset(name, part.table.meta, builder)
    scenes = list(read_scenes(builder, "test"))
    scores = {name: _scored(name, part, scenes) for name, part in everything.items()}
    shown = next(iter(predictions), None) or sep_name(EXAMPLES_OF if EXAMPLES_OF in found else next(iter(found)))
    of_shown = scores[shown]
    examples = choose_examples(everything[shown], scenes, of_shown["score_threshold"], of_shown["radius"])
    results = BlendResults(
        {name: scores[name] for name in predictions},
        {metric: scores[sep_name(metric)] for metric in found},
        [{**example, "method": shown} for example in examples],
        {name: dict(part.table.meta) for name, part in everything.items()},
        configs_of(files),
        note,
    )
    out_dir = out_dir or (Path(source) if is_run else Path(baseline or BASELINE)) / "report"
    return blend_report(results, out_dir, progress)


def _scored(name, predictions, scenes):
    """Scores, whose errors name the predictions."""
    try:
        return evaluate_blend(predictions, scenes)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
