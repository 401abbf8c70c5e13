"""Report of a run that gives maps, fields or parameters; see `of_any`."""

from pathlib import Path

from photoz_morph.blend.baselines.of_maps import MODELS
from photoz_morph.blend.dataset import open_dataset, sky_sigma_of
from photoz_morph.blend.maps.predictions import read_map_predictions
from photoz_morph.blend.maps.scores import evaluate_answers, joined_rows
from photoz_morph.blend.maps.truth import answers_of, read_truth
from photoz_morph.blend.report.map_page import map_report
from photoz_morph.blend.report.map_results import MapResults
from photoz_morph.blend.report_run.files import check_dataset, configs_of, files_of
from photoz_morph.system.json_files import read_json


def report_maps(run_dir, against=(), baseline=None, out_dir=None, data_dir=None, progress=True):
    """Write the report of a run that gives maps, fields or parameters, from its predictions.

    Parameters
    ----------
    run_dir : path-like
        With predictions.
    against, out_dir, data_dir, progress
        As of `of_any.report_blend`.
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
    files = files_of([Path(run_dir), *map(Path, against)])
    found = {name: read_map_predictions(path) for name, path in files.items()}
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
        check_dataset(name, part.table.meta, builder)
    truth = read_truth(builder, first.answer, "test")
    scores, values = {}, {}
    for name, part in found.items():
        try:
            scores[name] = evaluate_answers(part, truth)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        rows = joined_rows(part, truth)
        values[name] = part.posterior[rows] if part.maps is None else part.maps[rows]
    results = MapResults(
        scores, values, truth, {name: dict(part.table.meta) for name, part in found.items()},
        sky_sigma_of(builder) if first.answer == "maps" else None,
        configs_of(files), note,
    )  # fmt: skip
    return map_report(results, out_dir or Path(run_dir) / "report", progress)


def refuse_maps(folder):
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
