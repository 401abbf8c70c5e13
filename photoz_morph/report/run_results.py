"""What a finished run folder says, read for the report: predictions, scores, loss histories and provenance.

`scores.json` stays the only truth about numbers: it is read where it is newer than the predictions, and written anew
where it is not.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.table import Table

from photoz_morph.evaluation import compare, evaluate, read_scores, write_scores
from photoz_morph.photoz_config import PhotozConfig
from photoz_morph.predictions import ORIGINS, read_predictions
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.run_folder import finished_members, read_history, read_json, read_run, read_sessions
from photoz_morph.surveys import get_survey
from photoz_morph.trials import SUSPECT_ZONE, in_region, name_of_trial


Z_MAX_STEP = 0.1  # redshift axes end at the next multiple of it
BASELINES = ("knn", "boosting")  # files of the run folder, without suffix, that stand beside its predictions


@dataclass(frozen=True)
class RunResults:
    """A run as the report needs it.

    Attributes
    ----------
    run_dir : Path
    config_text : str
        The file `config.yaml`.
    dataset, environment : dict
    table : Table
        Predictions of the galaxies that are scored: not flagged, with a z_spec.
    grid : RedshiftGrid
    scores : dict
        From `evaluation.evaluate`, with `comparison` where there is another method's table.
    histories : dict of (fold, member) to dict of str to ndarray, shape (n_epochs,)
    sessions : list of dict
        What each `photoz train` of the run took.
    config : PhotozConfig
    trials : list of Trial
    region : str
        The zone that a trial leaves out; see `trials.in_region`.
    baseline : (Table, RedshiftGrid) or None
        k-NN on the same galaxies.
    baseline_note : str
        Why there is none.
    """

    run_dir: Path
    config_text: str
    dataset: dict
    environment: dict
    table: Table
    grid: RedshiftGrid
    scores: dict
    histories: dict
    sessions: list
    config: PhotozConfig
    trials: list = field(default_factory=list)
    region: str = SUSPECT_ZONE
    baseline: tuple | None = None
    baseline_note: str = ""

    @property
    def is_real(self):
        """Whether the galaxies are of the sky."""
        return ORIGINS[self.table.meta["origin"]] == "real"

    @property
    def survey(self):
        """Survey of the pixels."""
        return get_survey(self.table.meta["survey"])

    @property
    def galaxies(self):
        """What the galaxies are, as it stands beside every number."""
        return f"{'real' if self.is_real else 'simulated'} {self.survey.name.upper()} galaxies"

    @property
    def title(self):
        """The same with a capital, for figures."""
        return self.galaxies[0].upper() + self.galaxies[1:]

    @property
    def n_members(self):
        """Networks averaged for each galaxy."""
        return self.table.meta.get("n_members", 1)

    @property
    def z_max(self):
        """End of the redshift axes: the grid, or less where no galaxy is beyond."""
        highest = max(np.max(self.table["z_spec"]), np.max(self.table["z_phot"]))
        return min(self.grid.z_max, Z_MAX_STEP * np.ceil(highest / Z_MAX_STEP))

    @property
    def n_training(self):
        """Galaxies each network was trained on; None for runs of an earlier version."""
        return n_training(self.sessions)

    @property
    def folds(self):
        """Test folds of the run, in order."""
        return sorted({fold for fold, _ in self.histories})


@dataclass(frozen=True)
class Trial:
    """Another run on the same dataset that differs in one choice: its `trials.name_of_trial` and predictions."""

    name: str
    table: Table
    grid: RedshiftGrid
    n_training: int | None


def n_training(sessions):
    """Galaxies that each network of a run was trained on, from its sessions; None where they do not say."""
    return sessions[-1].get("n_training") if sessions else None


def read_results(run_dir, trials=(), region=SUSPECT_ZONE):
    """Everything the report says of a run.

    Parameters
    ----------
    run_dir : path-like
        With `predictions.fits` from `photoz predict`; `knn.fits` and `scores.json` where made.
    trials : list of path-like
        Run folders trained on the same dataset, with predictions.
    region : str
        A zone of the sky that one trial leaves out.

    Returns
    -------
    RunResults

    Raises
    ------
    FileNotFoundError
        If the folder is no run folder, has no finished network or no predictions.
    ValueError
        If a file in it is broken, or a trial is of another dataset or changes nothing.
    """
    run_dir = Path(run_dir)
    config, dataset = read_run(run_dir)
    in_region([0.0], [0.0], region)  # raises here, not after the work
    finished = finished_members(run_dir)
    table, grid = read_predictions(run_dir / "predictions.fits")
    scores = _current_scores(run_dir, table, grid)
    scored = (np.asarray(table["flag"]) == 0) & np.isfinite(np.asarray(table["z_spec"], float))
    environment = run_dir / "environment.json"
    return RunResults(
        run_dir=run_dir,
        config_text=(run_dir / "config.yaml").read_text(),
        dataset=dataset,
        environment=read_json(environment) if environment.exists() else {},
        table=table[scored],
        grid=grid,
        scores=scores,
        histories={
            (fold, int(path.parent.name.removeprefix("member_"))): _history(path.parent)
            for fold, paths in finished.items()
            for path in paths
        },
        sessions=read_sessions(run_dir),
        config=config,
        trials=[_read_trial(Path(trial), run_dir, dataset) for trial in trials],
        region=region,
        baseline=read_predictions(run_dir / "knn.fits") if (run_dir / "knn.fits").exists() else None,
    )


def _read_trial(trial_dir, run_dir, dataset):
    """Predictions of a trial, which must be of the dataset of the run."""
    config, trial_dataset = read_run(trial_dir)
    if {**trial_dataset, "path": None} != {**dataset, "path": None}:
        raise ValueError(
            f"{trial_dir}: was trained on another dataset than {run_dir} ({trial_dataset['path']}, not "
            f"{dataset['path']}); a trial differs in one choice"
        )
    name = name_of_trial(config)
    if name == "80 %":
        raise ValueError(f"{trial_dir}: trains on all that it can, like {run_dir}; it is no trial of it")
    table, grid = read_predictions(trial_dir / "predictions.fits")
    good = (np.asarray(table["flag"]) == 0) & np.isfinite(np.asarray(table["z_spec"], float))
    return Trial(name, table[good], grid, n_training(read_sessions(trial_dir)))


def _history(member):
    """Columns of the `history.csv` of a finished network, an entry per epoch."""
    rows = read_history(member)
    if not rows:
        raise ValueError(
            f"{member / 'history.csv'}: missing, or it has no epoch; remove {member} and run the same `photoz train` "
            "again"
        )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _current_scores(run_dir, table, grid):
    """Scores of the predictions, beside those of the baselines there are; written where they were missing or old."""
    path, baselines = run_dir / "scores.json", [run_dir / f"{name}.fits" for name in BASELINES]
    baselines = [file for file in baselines if file.exists()]
    inputs = [run_dir / "predictions.fits", *baselines]
    is_current = path.exists() and path.stat().st_mtime >= max(file.stat().st_mtime for file in inputs)
    scores = read_scores(path) if is_current else evaluate(table, grid)
    n_compared = len(scores.get("comparison", {}).get("differences", {}))
    if is_current and {"folds", "coverage"} <= set(scores) and n_compared == len(baselines):
        return scores
    if "coverage" not in scores:  # of an earlier version
        scores = evaluate(table, grid)
    if baselines:
        methods = {table.meta.get("model") or "predictions": (table, grid)}
        for file in baselines:
            other, other_grid = read_predictions(file)
            methods[other.meta.get("model") or file.stem] = (other, other_grid)
        scores["comparison"] = compare(
            {name: method[0] for name, method in methods.items()}, {name: method[1] for name, method in methods.items()}
        )
    write_scores(scores, path)
    return scores
