"""What a finished run folder says, read for the report: predictions, scores, loss histories and provenance.

`scores.json` stays the only truth about numbers: it is read where it is newer than the predictions, and written anew
where it is not.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from photoz_morph.evaluation import compare, evaluate, read_scores, write_scores
from photoz_morph.predictions import ORIGINS, read_predictions
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.run_folder import finished_members, read_history, read_json, read_run, read_sessions
from photoz_morph.surveys import get_survey


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
    def folds(self):
        """Test folds of the run, in order."""
        return sorted({fold for fold, _ in self.histories})


def read_results(run_dir):
    """Everything the report says of a run.

    Parameters
    ----------
    run_dir : path-like
        With `predictions.fits` from `photoz predict`; `knn.fits` and `scores.json` where made.

    Returns
    -------
    RunResults

    Raises
    ------
    FileNotFoundError
        If the folder is no run folder, has no finished network or no predictions.
    ValueError
        If a file in it is broken.
    """
    run_dir = Path(run_dir)
    _, dataset = read_run(run_dir)
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
    )


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
    """Scores of the predictions, with the k-NN beside them if it is there; written where they were missing or old."""
    path, knn = run_dir / "scores.json", run_dir / "knn.fits"
    inputs = [file for file in (run_dir / "predictions.fits", knn) if file.exists()]
    is_current = path.exists() and path.stat().st_mtime >= max(file.stat().st_mtime for file in inputs)
    scores = read_scores(path) if is_current else evaluate(table, grid)
    is_complete = is_current and "folds" in scores and ("comparison" in scores or not knn.exists())
    if is_complete:
        return scores
    if knn.exists():
        other, other_grid = read_predictions(knn)
        names = [table.meta.get("model") or "predictions", other.meta.get("model") or "other"]
        scores["comparison"] = compare(dict(zip(names, (table, other))), dict(zip(names, (grid, other_grid))))
    write_scores(scores, path)
    return scores
