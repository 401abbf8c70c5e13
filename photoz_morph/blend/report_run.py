"""Report of a dataset or a run in one call: reads the predictions, scores them, chooses images, and calls `report`.

`report` itself takes scores and images and never loads TensorFlow, which the dataset needs; this module joins the two.
"""

from pathlib import Path

import numpy as np

from photoz_morph.blend.baselines.of_maps import MODELS
from photoz_morph.blend.baselines.tuning import METRICS
from photoz_morph.blend.config import BlendConfig
from photoz_morph.blend.dataset import open_dataset, open_run_dataset, read_scenes, sky_sigma_of
from photoz_morph.blend.deblended import is_deblended_file, middle_source, read_deblended
from photoz_morph.blend.deblending_scores import evaluate_deblended, middle_detections
from photoz_morph.blend.evaluation import evaluate_blend
from photoz_morph.blend.maps.predictions import answer_of, read_map_predictions
from photoz_morph.blend.maps.scores import evaluate_answers, joined_rows
from photoz_morph.blend.maps.truth import answers_of, read_truth
from photoz_morph.blend.predict import load_networks
from photoz_morph.blend.predict_galaxies import Deblender
from photoz_morph.blend.predictions import read_blend_predictions
from photoz_morph.blend.report.deblending_page import DeblendingResults, choose_blends, deblending_report
from photoz_morph.blend.report.map_page import map_report
from photoz_morph.blend.report.map_results import MapResults
from photoz_morph.blend.report.page import blend_report
from photoz_morph.blend.report.results import BlendResults, choose_examples, sep_name
from photoz_morph.datasets.reading import content_hash
from photoz_morph.runs.folder import read_run
from photoz_morph.system.json_files import read_json

PREDICTIONS = "predictions.fits"
BASELINE = "baseline_sep"
EXAMPLES_OF = "source_iou"  # metric of the sep whose images are shown if there is no network
FLUXES = "flux_error"  # metric of the sep beside deblenders


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
            return _report_deblender(Path(source), against, baseline, out_dir, data_dir, progress)
        if answer_of(own):
            return report_maps(source, against, baseline, out_dir, data_dir, progress)
    if not is_run:
        _refuse_maps(source)
    paths = [Path(path) for path in ((source, *against) if is_run else against)]
    files = _named([path / PREDICTIONS if path.is_dir() else path for path in paths])
    found, note = _baselines(Path(baseline or BASELINE), is_needed=bool(baseline) or not files)
    predictions = {name: read_blend_predictions(_there(path)) for name, path in files.items()}
    if is_run and not data_dir:
        data_dir = read_json(Path(source) / "dataset.json", ["path"])["path"]
    builder = open_dataset(data_dir or source)
    everything = predictions | {sep_name(metric): part for metric, part in found.items()}
    for name, part in everything.items():
        _check_dataset(name, part.table.meta, builder)
    scenes = list(read_scenes(builder, "test"))
    scores = {name: _scored(name, part, scenes) for name, part in everything.items()}
    shown = next(iter(predictions), None) or sep_name(EXAMPLES_OF if EXAMPLES_OF in found else next(iter(found)))
    of_shown = scores[shown]
    examples = choose_examples(everything[shown], scenes, of_shown["score_threshold"], of_shown["radius"])
    configs = {name: path.with_name("config.yaml") for name, path in files.items()}
    results = BlendResults(
        {name: scores[name] for name in predictions},
        {metric: scores[sep_name(metric)] for metric in found},
        [{**example, "method": shown} for example in examples],
        {name: dict(part.table.meta) for name, part in everything.items()},
        {name: path.read_text() for name, path in configs.items() if path.exists()},
        note,
    )
    out_dir = out_dir or (Path(source) if is_run else Path(baseline or BASELINE)) / "report"
    return blend_report(results, out_dir, progress)


def _report_deblender(run, against, baseline, out_dir, data_dir, progress):
    """Report of a run that takes blends apart, with what others, and `sep`, make of the same galaxies."""
    paths = [Path(path) for path in (run, *against)]
    files = _named([path / PREDICTIONS if path.is_dir() else path for path in paths])
    found, note = _baselines(Path(baseline or BASELINE), is_needed=bool(baseline))
    builder = open_run_dataset(read_run(run, BlendConfig)[1], data_dir)
    tables = {name: read_deblended(_there(path)) for name, path in files.items()}
    scenes = None
    if found:
        metric = FLUXES if FLUXES in found else next(iter(found))
        _check_dataset(sep_name(metric), found[metric].table.meta, builder)
        scenes = list(read_scenes(builder, "test"))
        tables[sep_name(metric)] = middle_detections(found[metric], scenes)
    for name, table in tables.items():
        _check_dataset(name, table.meta, builder)
    first = next(iter(tables))
    results = DeblendingResults(
        {name: evaluate_deblended(table) for name, table in tables.items()},
        _example_blends(run, builder, tables[first]),
        {name: dict(table.meta) for name, table in tables.items()},
        {name: path.with_name("config.yaml").read_text() for name, path in files.items()
         if path.with_name("config.yaml").exists()},
        note,
    )  # fmt: skip
    return deblending_report(results, out_dir or run / "report", progress)


def _example_blends(run, builder, table):
    """Chosen blends with their images, and what the networks of the run make of them."""
    chosen = choose_blends(table)
    wanted = {int(table["obj_id"][one["row"]]): one for one in chosen}
    split = table.meta.get("split", "test")
    images = {scene.obj_id: scene for scene in read_scenes(builder, split, True) if scene.obj_id in wanted}
    scenes = [images[obj_id] for obj_id in wanted]
    if not scenes:
        return []
    galaxies, samples = Deblender(load_networks(run))(np.stack([scene.image for scene in scenes]), list(wanted))
    examples = []
    for number, (one, scene) in enumerate(zip(chosen, scenes)):
        truth = scene.source_images[middle_source(scene.truth, len(scene.image))]
        examples.append({
            **one, "bands": scene.bands, "sigma": scene.sigma, "image": scene.image, "truth": truth,
            "galaxy": galaxies[number], "samples": None if samples is None else samples[number],
        })  # fmt: skip
    return examples


def report_maps(run_dir, against=(), baseline=None, out_dir=None, data_dir=None, progress=True):
    """Write the report of a run that gives maps, fields or parameters, from its predictions.

    Parameters
    ----------
    run_dir : path-like
        With predictions.
    against, out_dir, data_dir, progress
        As of `report_blend`.
    baseline : path-like, optional
        Folder of `blend baseline`, by default baseline_maps or baseline_fields if it is there.

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
    paths = [Path(path) for path in (run_dir, *against)]
    files = _named([path / PREDICTIONS if path.is_dir() else path for path in paths])
    found = {name: read_map_predictions(_there(path)) for name, path in files.items()}
    first = next(iter(found.values()))
    folder = Path(baseline or f"baseline_{first.table.meta['dataset'].rpartition('_')[2]}")
    path, note = folder / f"{MODELS[first.answer]}.fits", ""
    if path.exists():
        found[path.stem] = read_map_predictions(path)
    else:
        note = f"{path}: no such file, `blend baseline` of the dataset writes it"
        if baseline:
            raise FileNotFoundError(f"{note}; give its folder with --baseline")
    builder = open_dataset(data_dir or read_json(Path(run_dir) / "dataset.json", ["path"])["path"])
    for name, part in found.items():
        _check_dataset(name, part.table.meta, builder)
    truth = read_truth(builder, first.answer, "test")
    scores, values = {}, {}
    for name, part in found.items():
        try:
            scores[name] = evaluate_answers(part, truth)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        rows = joined_rows(part, truth)
        values[name] = part.posterior[rows] if part.maps is None else part.maps[rows]
    configs = {name: path.with_name("config.yaml") for name, path in files.items()}
    results = MapResults(
        scores, values, truth, {name: dict(part.table.meta) for name, part in found.items()},
        sky_sigma_of(builder) if first.answer == "maps" else None,
        {name: path.read_text() for name, path in configs.items() if path.exists()}, note,
    )  # fmt: skip
    return map_report(results, out_dir or Path(run_dir) / "report", progress)


def _refuse_maps(folder):
    """Raise a ValueError if a folder holds a dataset whose baselines have no page of their own."""
    try:
        builder = open_dataset(folder)
    except (FileNotFoundError, ValueError):
        return  # what is wrong is said where it is read
    if answers_of(builder):
        raise ValueError(
            f"{builder.data_dir}: is asked for {' and '.join(answers_of(builder))}, of which a run is reported; give "
            "the folder of one"
        )


def _named(paths):
    """Files by their names: that of the folder of a run, or that of another file."""
    names = [path.parent.name if path.name == PREDICTIONS else path.stem for path in paths]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two predictions of a report are named {', '.join(twice)}; rename the folder or file of one")
    return dict(zip(names, paths))


def _there(path):
    """The path of predictions that are there."""
    if path.name == PREDICTIONS and not path.exists():
        raise FileNotFoundError(f"{path}: no such file; predict the test images of {path.parent} first")
    return path


def _baselines(folder, is_needed):
    """Predictions of `sep` by metric, and the reason why there are none."""
    found = {metric: read_blend_predictions(path) for metric in METRICS if (path := folder / f"{metric}.fits").exists()}
    if found:
        return found, ""
    reason = f"{folder}: no predictions of sep in it, `blend baseline` of the dataset writes them"
    if is_needed:
        raise FileNotFoundError(f"{reason}; give their folder with --baseline")
    return {}, reason


def _check_dataset(name, meta, builder):
    """Refuse predictions of another dataset."""
    data_id, own = meta.get("data_id"), content_hash(builder)
    if data_id and own and data_id != own:
        raise ValueError(f"{name}: predictions of dataset {data_id}, {builder.data_dir} is {own}; predict its images")


def _scored(name, predictions, scenes):
    """Scores, whose errors name the predictions."""
    try:
        return evaluate_blend(predictions, scenes)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
