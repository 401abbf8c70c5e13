"""Scores of a run and its baselines, computed anew where they are out of date."""

from photoz_morph.photoz.evaluation.comparison import compare
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.predictions import read_predictions
from photoz_morph.runs.scores import read_scores, write_scores

BASELINES = ("knn", "boosting")  # files of the run folder, without suffix, that stand beside its predictions


def current_scores(run_dir, table, grid):
    """Scores of the predictions, beside those of the baselines there are; written where they were missing or old."""
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
