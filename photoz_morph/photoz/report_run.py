"""Report of a photo-z run in one call: brings its scores up to date, reads a few stacks, and calls `report`.

`report` itself takes files and arrays and never loads TensorFlow, which the dataset needs; this module joins the two.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from photoz_morph.config import differing_keys
from photoz_morph.datasets import reading
from photoz_morph.photoz import dataset
from photoz_morph.photoz.baselines.of_run import update_baselines, update_bounds
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.evaluation.few_labels import few_label_scores
from photoz_morph.photoz.evaluation.learning_curve import CURVE_SCORES, SizedRun, check_sizes, learning_curve
from photoz_morph.photoz.evaluation.run_scores import current_scores, read_together
from photoz_morph.photoz.evaluation.trials import SUSPECT_ZONE, in_region
from photoz_morph.photoz.report.learning_curve import write_learning_curve
from photoz_morph.photoz.report.page import write_report
from photoz_morph.photoz.report.results import n_training, networks_of, read_results
from photoz_morph.photoz.report.tables.columns import COLUMNS
from photoz_morph.photoz.report.text import BANNERS
from photoz_morph.report.few_labels import write_few_labels
from photoz_morph.runs.folder import finished_members, read_run
from photoz_morph.runs.progress import read_sessions
from photoz_morph.runs.scores import write_scores

N_STACKS = 30
# Keys in which runs on training sets of different sizes may differ without being named: data, and length of training.
SIZE_KEYS = (
    "seed", "simulation.n_galaxies", "simulation.seed", "simulation.deep_fraction", "data.train_fraction",
    "data.n_validation", "data.n_labels", "data.labels_part", "train.epochs", "train.iterations",
    "train.warmup_iterations",
)  # fmt: skip


def report_run(run_dir, out_dir=None, data_dir=None, progress=True, trials=(), region=SUSPECT_ZONE):
    """Write the report of a run that has predictions.

    Parameters
    ----------
    run_dir : path-like
    out_dir : path-like, optional
        By default `report` in the run folder.
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on. If that is missing, the report says so and shows no
        stamps.
    progress : bool
    trials : list of path-like
        Run folders of trials, with predictions.
    region : str
        Zone of the sky that one trial leaves out; see `trials.in_region`.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    FileNotFoundError
        If the folder is not a run folder, has no finished network or no predictions.
    """
    _check(run_dir, trials, region)
    baseline_note = update_baselines(run_dir, data_dir, progress=progress)
    notes = {"baseline_note": baseline_note, "bounds_note": update_bounds(run_dir, data_dir, progress)}
    results = replace(current_results(run_dir, trials, region), **notes)
    config, facts = read_run(run_dir, PhotozConfig)
    folds, note, stacks = sorted(finished_members(run_dir, PhotozConfig)), "", None
    try:
        builder = reading.open_dataset(data_dir or facts["path"], config.survey.dataset_name)
        stacks = random_stacks(builder, folds, N_STACKS)
    except FileNotFoundError:
        if data_dir:
            raise
        note = f"the dataset is missing in {facts['path']}; give its folder with --data-dir"
    return write_report(results, out_dir, stacks, note, progress)


def sized_runs(run_dirs):
    """Runs as points of a learning curve.

    Parameters
    ----------
    run_dirs : sequence of path-like
        Run folders with finished networks.

    Returns
    -------
    list of SizedRun

    Raises
    ------
    FileNotFoundError, ValueError
        If one is no run folder or does not say how many galaxies it was trained on, they are of different surveys, or
        `check_sizes` refuses them.
    """
    runs, configs = [], []
    for run_dir in map(Path, run_dirs):
        finished = finished_members(run_dir, PhotozConfig)
        configs.append(read_run(run_dir, PhotozConfig)[0])
        size = n_training(read_sessions(run_dir))
        if size is None:
            raise ValueError(f"{run_dir}: sessions.json does not say how many galaxies its networks were trained on; "
                             "`photoz train` writes it")  # fmt: skip
        if configs[-1].survey != configs[0].survey:
            raise ValueError(
                f"{run_dir}: is of survey {configs[-1].survey.name}, {run_dirs[0]} of {configs[0].survey.name}; a "
                "learning curve is of one survey"
            )
        changes = [key for key in differing_keys(configs[0], configs[-1]) if key not in SIZE_KEYS]
        runs.append(SizedRun(run_dir, size, networks_of(finished), tuple(changes)))
    check_sizes(runs)
    return runs


def report_learning_curve(run_dirs, out_dir, n_bootstrap=200, progress=True):
    """Write the page of a learning curve; baselines and bounds of the runs are made where they are missing.

    Parameters
    ----------
    run_dirs : sequence of path-like
        Run folders with predictions.
    out_dir : path-like
        Made if missing.
    n_bootstrap : int
    progress : bool

    Returns
    -------
    page : Path
    notes : list of str
        Why baselines or bounds of a run are missing.

    Raises
    ------
    FileNotFoundError, ValueError
        As from `sized_runs` and `learning_curve`.
    """
    runs, notes = sized_runs(run_dirs), []
    for run in runs:
        for update in (update_baselines, update_bounds):
            note = update(run.run_dir, progress=progress)
            notes += [f"{run.run_dir}: {note}"] * bool(note)
    curve = learning_curve(runs, n_bootstrap)
    survey = read_run(runs[0].run_dir, PhotozConfig)[0].survey
    return write_learning_curve(curve, out_dir, survey.name.upper(), progress), notes


def report_few_labels(run_dirs, source, out_dir, reason="", progress=True):
    """Write `few_labels.json` and the page of a few-label curve.

    Parameters
    ----------
    run_dirs : dict of (str, int, int) to path-like
        Run folders with predictions, by method, number of labels and repeat; those of "source" have 0 labels.
    source : path-like
        Run that the transfers started from.
    out_dir : path-like
        Made if missing.
    reason : str
        Why the source itself is not among them, as the end of a sentence.
    progress : bool

    Returns
    -------
    Path
        The page.
    """
    survey = read_run(next(iter(run_dirs.values())), PhotozConfig)[0].survey.name.upper()
    curve = few_label_scores(run_dirs)
    curve |= {"galaxies": f"{curve['data']} {survey} galaxies", "source": str(source), "no_source": reason}
    Path(out_dir).mkdir(parents=True, exist_ok=True)
    write_scores(curve, Path(out_dir) / "few_labels.json")
    is_real, columns = curve["data"] == "real", {name: COLUMNS[name] for name in CURVE_SCORES}
    return write_few_labels(curve, out_dir, columns, BANNERS[is_real].format(survey=survey), is_real, progress)


def current_results(run_dir, trials=(), region=SUSPECT_ZONE):
    """Read the results of a run after its `scores.json` is brought up to date.

    Parameters and errors are those of `read_results`, and a FileNotFoundError if there are no predictions.
    """
    run_dir = Path(run_dir)
    predictions = _check(run_dir, trials, region)
    return read_results(run_dir, predictions, current_scores(run_dir, *predictions), trials, region)


def _check(run_dir, trials, region):
    """Read all files of a run once, so that a broken one is named before the work; returns the predictions."""
    finished_members(run_dir, PhotozConfig)
    in_region([0.0], [0.0], region)
    predictions = read_together([Path(run_dir) / "predictions.fits"])[0]
    read_results(run_dir, predictions, {}, trials, region)
    return predictions


def random_stacks(builder, folds, n_stacks):
    """Read stacks of some galaxies of the test folds.

    Parameters
    ----------
    builder : tfds builder
    folds : list of int
    n_stacks : int
        In all; the same number from each fold, up to rounding.

    Returns
    -------
    images : ndarray, shape (n, size, size, n_bands)
    obj_id : ndarray, shape (n,)
        The first galaxies of each fold, one of each `group_id`. They are a random choice: groups are stored in the
        order of a hash.
    """
    images, ids = [], []
    for index, fold in enumerate(folds):
        wanted = n_stacks // len(folds) + (index < n_stacks % len(folds))
        wanted = min(wanted, reading.n_galaxies(builder, f"fold_{fold}"))
        if wanted == 0:
            continue
        split = f"fold_{fold}[:{min(4 * wanted, reading.n_galaxies(builder, f'fold_{fold}'))}]"  # some are copies
        columns = reading.read_columns(builder, split)
        rows = np.sort(np.unique(columns["group_id"], return_index=True)[1])[:wanted]
        batch = next(dataset.image_batches(builder, split, len(columns["obj_id"])).as_numpy_iterator())
        images.append(batch["image"][rows])
        ids.append(columns["obj_id"][rows])
    return np.concatenate(images), np.concatenate(ids)
