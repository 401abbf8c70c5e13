"""Scores of runs on training sets of several sizes, with those of baselines and bounds of each: a learning curve.

Differences between methods are paired on the test galaxies of a run, those between sizes on the test galaxies that the
runs have in common; both are resampled by parent galaxy.
"""

from dataclasses import dataclass
from pathlib import Path

from photoz_morph.photoz.evaluation.comparison import compare
from photoz_morph.photoz.evaluation.run_scores import BASELINES, BOUNDS, method_names
from photoz_morph.photoz.predictions import read_predictions
from photoz_morph.system.provenance import code_version

CURVE_SCORES = ("sigma_mad", "eta", "crps")  # that a learning curve shows
NETWORK = "network"  # name of the run's own method
RESAMPLED = (
    "parent galaxies (group_id) of the test galaxies, together for all methods or sizes that are compared; networks "
    "and training sets are not resampled, so the scatter between seeds is not in the errors"
)


@dataclass(frozen=True)
class SizedRun:
    """A run folder with predictions, and the size of its training sets.

    `n_training` is the mean over folds, `networks` says how many there are, `changes` lists the keys of the config in
    which it differs from the first run beyond size and length of the training.
    """

    run_dir: Path
    n_training: int
    networks: str = ""
    changes: tuple = ()


def learning_curve(runs, n_bootstrap=200):
    """Scores of every method at every size, and paired differences.

    Parameters
    ----------
    runs : list of SizedRun
        Two or more, of two sizes or more, in any order.
    n_bootstrap : int

    Returns
    -------
    dict
        `data`, `resampled` (what the errors resample), `n_bootstrap`, `code`; `sizes`, a list from the smallest
        training set on: `run`, `n_training`, `networks`, `changes`, `n_galaxies`, `n_groups`, `methods` (method ->
        score -> value, error) of the galaxies good in all, `kinds` (method -> "run", "baseline" or "bound"), and
        `differences` of each method from the network; and `shared`, of the test galaxies that the runs have in common:
        `n_galaxies`, `n_groups`, `methods` (method -> list of score -> value, error by size) and `differences` (method
        -> list by size, from the smallest), for methods that all runs have. `shared` is None without such galaxies.

    Raises
    ------
    ValueError
        If there are fewer than two runs or sizes, a run is given twice, or simulated and real galaxies are mixed.
    """
    names = check_sizes(runs)
    ordered = sorted(zip(names, runs), key=lambda pair: pair[1].n_training)
    tables = {name: run_tables(run.run_dir) for name, run in ordered}
    sizes = []
    for name, run in ordered:
        kinds = {method: kind for method, (kind, _, _) in tables[name].items()}
        if len(kinds) < 2:
            raise ValueError(
                f"{run.run_dir}: has no baseline beside its predictions; make them with `photoz baseline {run.run_dir}`"
            )
        scores = _compare({method: pair[1:] for method, pair in tables[name].items()}, n_bootstrap, run.run_dir)
        facts = {"run": str(run.run_dir), "name": name, "n_training": run.n_training, "networks": run.networks}
        kept = {key: scores[key] for key in ("n_galaxies", "n_groups", "methods", "differences")}
        sizes.append(facts | {"changes": list(run.changes), "kinds": kinds, "data": scores["data"]} | kept)
    kinds_of_data = {size["data"] for size in sizes}
    if len(kinds_of_data) > 1:
        raise ValueError("simulated and real galaxies cannot be shown in one learning curve; give runs of one kind")
    return {
        "data": kinds_of_data.pop(),
        "resampled": RESAMPLED,
        "n_bootstrap": n_bootstrap,
        "code": code_version(),
        "sizes": sizes,
        "shared": _shared(tables, n_bootstrap),
    }


def check_sizes(runs):
    """Names of the runs of a learning curve; raises a ValueError if one is given twice or all are of one size."""
    names = method_names([run.run_dir for run in runs])
    if len({run.n_training for run in runs}) < 2:
        sizes = ", ".join(f"{run.n_training:,}" for run in runs) or "none"
        raise ValueError(f"a learning curve needs runs on two sizes of training sets or more, got {sizes}")
    return names


def run_tables(run_dir):
    """Predictions in a run folder: method -> (kind, table, grid), the network first, then baselines and bounds."""
    found = {NETWORK: ("run", *read_predictions(Path(run_dir) / "predictions.fits"))}
    for kind, names in (("baseline", BASELINES), ("bound", BOUNDS)):
        for name in names:
            path = Path(run_dir) / f"{name}.fits"
            if path.exists():
                table, grid = read_predictions(path)
                found[table.meta.get("model") or name] = (kind, table, grid)
    return found


def _compare(pairs, n_bootstrap, source):
    """`compare` of (table, grid) pairs by name; errors name the source."""
    try:
        tables, grids = ({name: pair[i] for name, pair in pairs.items()} for i in (0, 1))
        return compare(tables, grids, n_bootstrap)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def _shared(tables, n_bootstrap):
    """Scores of each method at all sizes on the galaxies in common; None if there are fewer than two."""
    first = next(iter(tables.values()))
    common_methods = [method for method in first if all(method in found for found in tables.values())]
    ids = [set(table["obj_id"][table["flag"] == 0]) for found in tables.values()
           for _, table, _ in (found[method] for method in common_methods)]  # fmt: skip
    common = set.intersection(*ids)
    if len(common) < 2:
        return None
    methods, differences, scores = {}, {}, {}
    for method in common_methods:
        pairs = {}
        for name, found in tables.items():
            _, table, grid = found[method]
            pairs[name] = (table[[obj_id in common for obj_id in table["obj_id"]]], grid)
        try:
            scores = _compare(pairs, n_bootstrap, method)
        except ValueError:  # one parent only, or other redshifts under the same numbers
            return None
        methods[method] = list(scores["methods"].values())
        differences[method] = list(scores["differences"].values())
    return {"n_galaxies": scores["n_galaxies"], "n_groups": scores["n_groups"], "methods": methods,
            "differences": differences}  # fmt: skip
