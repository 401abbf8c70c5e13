"""Contents of a finished run folder that a report shows: predictions, scores, loss histories and provenance.

The scores are handed in, as the report evaluates nothing: `scores.json` holds the numbers of a run, and
`evaluation.run_scores` brings it up to date.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.table import Table

from photoz_morph.config import differing_keys
from photoz_morph.metrics.checks import scored_rows
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.evaluation.run_scores import read_like
from photoz_morph.photoz.evaluation.trials import SUSPECT_ZONE, name_of_trial
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.runs.folder import finished_members, is_same_dataset, read_run
from photoz_morph.runs.progress import read_history, read_sessions
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.json_files import read_json

# Keys a trial may change: its choice, and how long it then trains.
TRIAL_KEYS = ("data.train_fraction", "data.train_on", "model.with_ebv", "train.iterations", "train.epochs")
Z_MAX_STEP = 0.1  # redshift axes end at the next multiple of it


@dataclass(frozen=True)
class RunResults:
    """Contents of a run folder for its report.

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
        From `evaluation.scores.evaluate`, with `comparison` where there is another method's table.
    histories : dict of (fold, member) to dict of str to ndarray, shape (n_epochs,)
    sessions : list of dict
        Time and memory of each call of `photoz train`.
    config : PhotozConfig
    trials : list of Trial
    region : str
        Zone that a trial leaves out; see `trials.in_region`.
    baseline : (Table, RedshiftGrid) or None
        k-NN on the same galaxies.
    baseline_note, bounds_note : str
        Why there are no baselines, or no bounds of simulated galaxies.
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
    bounds_note: str = ""

    @property
    def is_real(self):
        """True if the galaxies are real, not simulated."""
        return ORIGINS[self.table.meta["origin"]] == "real"

    @property
    def survey(self):
        """Survey of the pixels."""
        return self.config.survey

    @property
    def magnitudes(self):
        """Dereddened magnitudes in the band that stands for brightness, NaN where unknown, shape (n,), and that band.

        `petro_r` of the dataset if it has any, else `mags` of the survey's reference band.
        """
        columns, survey = self.table.columns, self.survey
        if "petro_r" in columns and np.isfinite(self.table["petro_r"]).any():
            return np.asarray(self.table["petro_r"], float), "r"
        band = survey.bands.index(survey.reference_band)
        if not {"mags", "ebv"} <= set(columns) or np.shape(self.table["mags"])[1:] != (survey.n_bands,):
            return np.full(len(self.table), np.nan), survey.reference_band
        dust = survey.extinction_per_ebv[band] * np.asarray(self.table["ebv"], float)
        return np.asarray(self.table["mags"], float)[:, band] - dust, survey.reference_band

    @property
    def galaxies(self):
        """Name of the galaxies beside every number, such as "simulated SDSS galaxies"."""
        return f"{'real' if self.is_real else 'simulated'} {self.survey.name.upper()} galaxies"

    @property
    def sample_note(self):
        """Sentence that says of which sample figures and trends are, "" if they are of all galaxies."""
        share = self.table.meta.get("sampled", 1.0)
        if share == 1:
            return ""
        return (
            f"Scores are of all {self.scores['n_galaxies']:,} galaxies; figures, trends and comparisons are of a "
            f"random sample of {len(self.table):,} of them, whole groups, and their errors are those of the sample."
        )

    @property
    def title(self):
        """Name of the galaxies with a capital, for figures."""
        return self.galaxies[0].upper() + self.galaxies[1:]

    @property
    def n_members(self):
        """Networks averaged for each galaxy."""
        return self.table.meta.get("n_member", 1)

    @property
    def z_max(self):
        """End of the redshift axes: that of the grid, or less where no galaxy lies beyond."""
        highest = max(np.max(self.table["z_spec"]), np.max(self.table["z_phot"]))
        return min(self.grid.z_max, Z_MAX_STEP * np.ceil(highest / Z_MAX_STEP))

    @property
    def n_training(self):
        """Galaxies the networks were trained on, mean over folds; None for runs of an earlier version."""
        return n_training(self.sessions)

    @property
    def networks(self):
        """Number of trained networks, such as "6 x 5 folds"."""
        return f"{self.n_members} x {len(self.folds)} fold{'s' * (len(self.folds) > 1)}"

    @property
    def trial_name(self):
        """Name of the trial that this run is itself; "80 %" for one that trains on all galaxies it can."""
        return name_of_trial(self.config)

    @property
    def folds(self):
        """Test folds of the run, in order."""
        return sorted({fold for fold, _ in self.histories})


@dataclass(frozen=True)
class Trial:
    """Another run on the same dataset that differs in the choice `trials.name_of_trial`, and its predictions.

    `n_training` and `networks` are those of `RunResults`; `changes` lists the keys of the config that differ.
    """

    name: str
    run_dir: Path
    table: Table
    grid: RedshiftGrid
    n_training: int | None
    networks: str
    changes: list


def n_training(sessions):
    """Galaxies that the networks of a run were trained on, mean over folds, from its sessions; None if not said."""
    found = sessions[-1].get("n_training") if sessions else None
    return round(np.mean(found)) if found else None


def networks_of(finished):
    """Number of trained networks, such as "2 x 5 folds", from `runs.folder.finished_members`."""
    n_folds = len(finished)
    return f"{max(len(paths) for paths in finished.values())} x {n_folds} fold{'s' * (n_folds > 1)}"


def read_results(run_dir, predictions, scores, trials=(), region=SUSPECT_ZONE):
    """Read what the report shows of a run.

    Parameters
    ----------
    run_dir : path-like
        With `knn.fits` where made.
    predictions : (Table, RedshiftGrid)
        The run's own, from `read_predictions`.
    scores : dict
        Of all of them, from `evaluation.run_scores.current_scores`.
    trials : list of path-like
        Run folders trained on the same dataset, with predictions.
    region : str
        Zone of the sky that one trial leaves out.

    Returns
    -------
    RunResults

    Raises
    ------
    FileNotFoundError
        If the folder is not a run folder or has no finished network.
    ValueError
        If a file in it is broken, or a trial is of another dataset or changes nothing.
    """
    run_dir = Path(run_dir)
    config, dataset = read_run(run_dir, PhotozConfig)
    finished = finished_members(run_dir, PhotozConfig)
    table, grid = predictions
    environment = run_dir / "environment.json"
    return RunResults(
        run_dir=run_dir,
        config_text=(run_dir / "config.yaml").read_text(),
        dataset=dataset,
        environment=read_json(environment) if environment.exists() else {},
        table=table[scored_rows(table)],
        grid=grid,
        scores=scores,
        histories={
            (fold, int(path.parent.name.removeprefix("member_"))): _history(path.parent)
            for fold, paths in finished.items()
            for path in paths
        },
        sessions=read_sessions(run_dir),
        config=config,
        trials=_read_trials(trials, run_dir, config, dataset, table),
        region=region,
        baseline=read_like(run_dir / "knn.fits", table) if (run_dir / "knn.fits").exists() else None,
    )


def _read_trials(trial_dirs, run_dir, config, dataset, like):
    """Predictions of the trials of a run, no two of which are the same trial."""
    trials = {}
    for trial_dir in map(Path, trial_dirs):
        trial = _read_trial(trial_dir, run_dir, config, dataset, like)
        if trial.name in trials:
            raise ValueError(f"{trial_dir}: is the trial {trial.name!r} like {trials[trial.name].run_dir}; give one")
        trials[trial.name] = trial
    return list(trials.values())


def _read_trial(trial_dir, run_dir, run_config, dataset, like):
    """Predictions of a trial, which must be of the dataset of the run and differ from it in no other choice."""
    config, trial_dataset = read_run(trial_dir, PhotozConfig)
    is_same = trial_dataset.get("content_hash") == dataset.get("content_hash")
    if not (is_same and is_same_dataset(trial_dataset, dataset)):
        raise ValueError(
            f"{trial_dir}: was trained on another dataset than {run_dir} ({trial_dataset['path']}, not "
            f"{dataset['path']}); a trial differs in one choice"
        )
    name, changes = name_of_trial(config), differing_keys(run_config, config)
    if name == name_of_trial(run_config):
        raise ValueError(f"{trial_dir}: is trained as {run_dir} is ({name}); it is no trial of it")
    others = [key for key in changes if key not in TRIAL_KEYS]
    if others:
        raise ValueError(
            f"{trial_dir}: differs from {run_dir} in {', '.join(others)} too; a trial differs in one choice of "
            f"{', '.join(TRIAL_KEYS)}"
        )
    table, grid = read_like(trial_dir / "predictions.fits", like)
    networks = networks_of(finished_members(trial_dir, PhotozConfig))
    n_train = n_training(read_sessions(trial_dir))
    return Trial(name, trial_dir, table[scored_rows(table)], grid, n_train, networks, changes)


def _history(member):
    """Columns of the `history.csv` of a finished network, an entry per epoch."""
    rows = read_history(member)
    if not rows:
        raise ValueError(
            f"{member / 'history.csv'}: missing, or it has no epoch; remove {member} and run the same `photoz train` "
            "again"
        )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
