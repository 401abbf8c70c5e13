"""Scores of run folders and files of predictions: for `photoz evaluate`, `photoz compare` and reports."""

from pathlib import Path

from photoz_morph.metrics.redshifts.tomography import N_BINS
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.evaluation.comparison import compare
from photoz_morph.photoz.evaluation.score_parts import evaluate_parts
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.evaluation.trials import select
from photoz_morph.photoz.prediction_parts import PredictionParts, rows_of, sample_predictions
from photoz_morph.photoz.predictions import predictions_file, read_predictions
from photoz_morph.runs.folder import read_run
from photoz_morph.runs.scores import read_scores, write_scores

IN_MEMORY_BYTES = 2**30  # of PDFs that are scored in memory: 1.5 million galaxies on 180 bins
COMPARED_ROWS = 200_000  # galaxies of a sample on which methods are compared, or that a report shows
# Files of the run folder, without suffix, that stand beside its predictions.
BASELINES = ("knn", "boosting", "mlp", "mlp_shapes")
BOUNDS = ("bound_guess", "bound_structure", "bound_pixels", "bound_truth")  # of simulated galaxies


def evaluate_file(
    source, against=None, depth="all", without_region=None, widest_removed=0.0, progress=True, n_bins=N_BINS
):
    """Scores of a run folder or a file of predictions, and their comparison with another one.

    Parameters
    ----------
    source : path-like
        Run folder with its predictions.fits, or a file for `read_predictions`.
    against : path-like, optional
        Likewise, of the same galaxies.
    depth, without_region, widest_removed
        Galaxies to score; see `trials.select`. All by default.
    progress : bool
        Whether to show a progress bar for a file that is too large for memory.
    n_bins : int
        Tomographic bins.

    Returns
    -------
    dict
        As from `evaluate`, or `evaluate_parts` of a file whose PDFs take more than `IN_MEMORY_BYTES`; with `against`
        also `comparison`, as from `compare`, of a sample if either file is so large.

    Raises
    ------
    FileNotFoundError
    ValueError
        If a file cannot be read, or its galaxies cannot be chosen, scored or compared.
    """
    path = predictions_file(source)
    choice = [depth] * (depth != "all") + [f"without {without_region}"] * (without_region is not None)
    choice = ", ".join(choice + [f"without the widest {100 * widest_removed:g} %"] * (widest_removed > 0))
    survey = survey_of(source)
    parts, selection = PredictionParts(path), (depth, without_region, widest_removed)
    if is_large(parts):
        try:
            scores = evaluate_parts(
                parts, choice=choice, selection=selection, progress=progress, survey=survey, n_bins=n_bins
            )
        except ValueError as error:
            raise ValueError(str(error) if str(error).startswith(f"{path}: ") else f"{path}: {error}") from error
        if not against:
            return scores
    tables = read_together([path, *([predictions_file(against)] if against else [])])
    (table, grid), (other, other_grid) = tables if against else (tables[0], (None, None))
    try:
        if not is_large(parts):  # the other file may be, and this table a sample
            whole = read_predictions(path)[0] if "sampled" in table.meta else table
            scores = evaluate(whole[select(whole, *selection)], grid, choice=choice, survey=survey, n_bins=n_bins)
        table = table[select(table, *selection)]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if against:
        names = [table.meta.get("model") or "predictions", other.meta.get("model") or "other"]
        if names[0] == names[1]:  # two runs of one network
            names = [str(path), str(against)]
        grids = dict(zip(names, (grid, other_grid)))
        scores["comparison"] = compare(dict(zip(names, (table, other))), grids, choice=choice, survey=survey)
    return scores


def compare_files(sources, n_bootstrap=200, depth="all"):
    """Scores of several run folders or files of predictions on the galaxies in common; see `compare`.

    Parameters
    ----------
    sources : sequence of path-like
        Run folders with their predictions.fits, or files for `read_predictions`.
    n_bootstrap : int
    depth : {"all", "deep", "shallow"}
        Galaxies to compare on, by the frames that the first of the sources has of them.

    Returns
    -------
    dict
        As from `compare`, with methods named after the runs and files.

    Raises
    ------
    FileNotFoundError
    ValueError
        If a file cannot be read or is given twice, or `compare` refuses the tables.
    """
    tables, grids = {}, {}
    found = read_together([predictions_file(source) for source in sources])
    for name, (table, grid) in zip(method_names(sources), found):
        tables[name], grids[name] = table, grid
    if depth != "all":
        first = next(iter(tables))
        tables[first] = tables[first][select(tables[first], depth)]
    return compare(tables, grids, n_bootstrap, choice="" if depth == "all" else depth, survey=survey_of(sources[0]))


def is_large(parts):
    """True if the PDFs of a file take more than `IN_MEMORY_BYTES` of memory."""
    return parts.n_rows * parts.grid.n_bins * 4 > IN_MEMORY_BYTES


def read_together(paths, n_rows=COMPARED_ROWS):
    """Predictions of several files for the same galaxies: whole, or if one is large a random sample of whole groups.

    Parameters
    ----------
    paths : sequence of path-like
    n_rows : int
        Galaxies of a sample. They are those of the first file, and the same in the others.

    Returns
    -------
    list of (Table, RedshiftGrid)
        The meta of a sample has `sampled`, the fraction of the groups.
    """
    parts = [PredictionParts(path) for path in paths]
    if not any(map(is_large, parts)):
        return [read_predictions(path) for path in paths]
    first = sample_predictions(parts[0], n_rows)
    others = [rows_of(one, first["obj_id"]) for one in parts[1:]]
    for table in others:
        table.meta |= {key: value for key, value in first.meta.items() if key == "sampled"}
    return [(table, one.grid) for table, one in zip((first, *others), parts)]


def read_like(path, table):
    """Predictions of a file, or where a table is a sample those of its galaxies: (Table, RedshiftGrid)."""
    if "sampled" not in table.meta:
        return read_predictions(path)
    parts = PredictionParts(path)
    found = rows_of(parts, table["obj_id"])
    found.meta["sampled"] = table.meta["sampled"]
    return found, parts.grid


def _scores_of_run(run_dir, table, grid):
    """Scores of the predictions of a run, of which the table may be a sample."""
    survey = survey_of(run_dir)
    if "sampled" in table.meta:
        return evaluate_parts(PredictionParts(run_dir / "predictions.fits"), survey=survey)
    return evaluate(table, grid, survey=survey)


def survey_of(source):
    """Survey in the config of a run folder; None of a file of predictions, whose header names one."""
    is_run = (Path(source) / "config.yaml").is_file()
    return read_run(source, PhotozConfig)[0].survey if is_run else None


def method_names(sources):
    """Names of run folders or files of predictions, with as many parent folders as are needed to tell them apart.

    Raises
    ------
    ValueError
        If two of them are the same.
    """
    whole = [Path(source).resolve() for source in sources]
    files = [predictions_file(path) for path in whole]
    for file, given in zip(files, sources):
        if files.count(file) > 1:
            raise ValueError(f"{given}: given twice; compare different runs")
    parts = [path.with_suffix("").parts if path == file else path.parts for path, file in zip(whole, files)]
    for depth in range(1, max(map(len, parts))):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [str(file) for file in files]


def current_scores(run_dir, table, grid):
    """Scores of a run's predictions beside those of its baselines; computed and written if missing or out of date.

    `comparison` is with the baselines, `bounds` with the bounds of simulated galaxies; each is there if its files are.
    Of a sample (its meta has `sampled`) the scores are those of all predictions of the run, in one pass over the file.
    """
    path, inputs = run_dir / "scores.json", [run_dir / "predictions.fits"]
    groups = {}
    for group, names in (("comparison", BASELINES), ("bounds", BOUNDS)):
        methods = {table.meta.get("model") or "predictions": (table, grid)}
        for file in (run_dir / f"{name}.fits" for name in names):
            if file.exists():
                inputs.append(file)
                other, other_grid = read_like(file, table)
                methods[other.meta.get("model") or file.stem] = (other, other_grid)
        groups[group] = methods
    is_current = path.exists() and path.stat().st_mtime >= max(file.stat().st_mtime for file in inputs)
    saved = read_scores(path) if is_current else {}
    # `photoz evaluate` may have written what is there, of another method or of a choice of galaxies.
    is_of_table = saved.get("model") == table.meta.get("model", "") and not saved.get("choice")
    is_whole = is_of_table and {"folds", "coverage", "n_groups", "tomography"} <= set(saved)
    scores = dict(saved) if is_whole else _scores_of_run(run_dir, table, grid)
    for group, methods in groups.items():
        comparison = scores.pop(group, None)
        if len(methods) > 1:
            if list((comparison or {}).get("methods", {})) != list(methods) or "colour_cells" not in comparison:
                tables, grids = ({name: pair[i] for name, pair in methods.items()} for i in (0, 1))
                comparison = compare(tables, grids, survey=survey_of(run_dir))
            scores[group] = comparison
    if scores != saved:
        write_scores(scores, path)
    return scores
