"""Scores of run folders and files of predictions: for `photoz evaluate`, `photoz compare` and reports."""

from pathlib import Path

from photoz_morph.photoz.evaluation.comparison import compare
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.evaluation.trials import select
from photoz_morph.photoz.predictions import predictions_file, read_predictions
from photoz_morph.runs.scores import read_scores, write_scores

BASELINES = ("knn", "boosting")  # files of the run folder, without suffix, that stand beside its predictions


def evaluate_file(source, against=None, depth="all", without_region=None, widest_removed=0.0):
    """Scores of a run folder or a file of predictions, and their comparison with another one.

    Parameters
    ----------
    source : path-like
        Run folder with its predictions.fits, or a file for `read_predictions`.
    against : path-like, optional
        Likewise, of the same galaxies.
    depth, without_region, widest_removed
        Galaxies to score; see `trials.select`. All by default.

    Returns
    -------
    dict
        As from `evaluate`; with `against` also `comparison`, as from `compare`.

    Raises
    ------
    FileNotFoundError
    ValueError
        If a file cannot be read, or its galaxies cannot be chosen, scored or compared.
    """
    path = predictions_file(source)
    table, grid = read_predictions(path)
    other, other_grid = read_predictions(predictions_file(against)) if against else (None, None)
    choice = [depth] * (depth != "all") + [f"without {without_region}"] * (without_region is not None)
    choice = ", ".join(choice + [f"without the widest {100 * widest_removed:g} %"] * (widest_removed > 0))
    try:
        table = table[select(table, depth, without_region, widest_removed)]
        scores = evaluate(table, grid, choice=choice)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if against:
        names = [table.meta.get("model") or "predictions", other.meta.get("model") or "other"]
        if names[0] == names[1]:  # two runs of one network
            names = [str(path), str(against)]
        grids = dict(zip(names, (grid, other_grid)))
        scores["comparison"] = compare(dict(zip(names, (table, other))), grids, choice=choice)
    return scores


def compare_files(sources, n_bootstrap=200):
    """Scores of several run folders or files of predictions on the galaxies in common; see `compare`.

    Parameters
    ----------
    sources : sequence of path-like
        Run folders with their predictions.fits, or files for `read_predictions`.
    n_bootstrap : int

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
    for name, source in zip(method_names(sources), sources):
        tables[name], grids[name] = read_predictions(predictions_file(source))
    return compare(tables, grids, n_bootstrap)


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
    """Scores of a run's predictions beside those of its baselines; computed and written if missing or out of date."""
    path, methods = run_dir / "scores.json", {table.meta.get("model") or "predictions": (table, grid)}
    inputs = [run_dir / "predictions.fits"]
    for file in (run_dir / f"{name}.fits" for name in BASELINES):
        if file.exists():
            inputs.append(file)
            other, other_grid = read_predictions(file)
            methods[other.meta.get("model") or file.stem] = (other, other_grid)
    is_current = path.exists() and path.stat().st_mtime >= max(file.stat().st_mtime for file in inputs)
    saved = read_scores(path) if is_current else {}
    # `photoz evaluate` may have written what is there, of another method or of a choice of galaxies.
    is_of_table = saved.get("model") == table.meta.get("model", "") and not saved.get("choice")
    scores = dict(saved) if is_of_table and {"folds", "coverage", "n_groups"} <= set(saved) else evaluate(table, grid)
    comparison = scores.pop("comparison", None)
    if len(methods) > 1:
        if list((comparison or {}).get("methods", {})) != list(methods) or "n_groups" not in comparison:
            comparison = compare(*({name: pair[i] for name, pair in methods.items()} for i in (0, 1)))
        scores["comparison"] = comparison
    if scores != saved:
        write_scores(scores, path)
    return scores
