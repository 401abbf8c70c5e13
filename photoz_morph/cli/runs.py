"""Training, status and up-to-date predictions of runs, for the commands of both chains."""

from pathlib import Path

import click

from photoz_morph.cli.options import echo, one_line, user_errors


def read_config(config, config_class, seed, overrides):
    """Config of a file or of the package, with the values of --set and, last, the --seed."""
    from photoz_morph.config import load_config

    return load_config(config, config_class, [*overrides, *([] if seed is None else [f"seed={seed}"])])


def dataset_or_default(n_simulated, data_dir, open_dataset, describe, make, quiet):
    """Make the embedded default if `data_dir` holds no dataset and the config asks for one.

    Parameters
    ----------
    n_simulated : int or None
        Galaxies or images that the config has simulated; None where a dataset must be given.
    data_dir : path-like
    open_dataset : callable
        Builder of the dataset in a folder; raises FileNotFoundError if there is none.
    describe : callable
        One line about a builder, or None.
    make : callable, optional
        Simulates and builds the dataset; None where nothing can be simulated.
    quiet : bool
    """
    try:
        builder = open_dataset(data_dir)
    except FileNotFoundError:
        if n_simulated is None or make is None:
            raise
        make()
        return
    line = describe(builder)
    if line:
        echo(line, quiet)


def train_run(
    experiment_class, config, run_dir, data_dir, n_members, n_folds, strategy, jobs, quiet, next_command=None
):
    """Train the missing networks of a run and print how long it took, and what comes next: by default `evaluate`."""
    from photoz_morph.runs.progress import read_sessions
    from photoz_morph.training.ensemble import train_ensemble

    n_trained = train_ensemble(
        experiment_class, config, run_dir, data_dir, n_members, n_folds, strategy, jobs, progress=not quiet
    )
    took = read_sessions(run_dir)[-1]
    echo(f"{n_trained} networks trained in {took['seconds'] / 60:.1f} minutes, peak memory {took['peak_memory_gb']} "
         f"GB; {n_members * n_folds - n_trained} were finished before. Run folder {run_dir}. "
         f"Next: {next_command or f'{config.task} evaluate {run_dir}'}", quiet)  # fmt: skip


def echo_status(found, name, score):
    """Print the result of `run_status`: each network, called name(entry), with its last `score`; then the time left."""
    for entry in found["members"]:
        scores = f"  {score.replace('_', ' ')} {entry[score]:.4f}" if score in entry else ""
        state = "finished" if entry["is_finished"] else f"epoch {entry['epochs']} of {found['n_epochs']}"
        click.echo(f"{name(entry)}: {state}{scores}")
    n_finished = sum(entry["is_finished"] for entry in found["members"])
    click.echo(f"{n_finished} of {len(found['members'])} networks finished, "
               f"{'running' if found['is_running'] else 'not running'}; "
               f"about {found['seconds_left'] / 60:.0f} minutes of training left on one core.")  # fmt: skip


def is_stale(predictions, members):
    """True if a predictions file is missing or older than a network or calibration; as from `finished_members`."""
    networks = [path for paths in members.values() for path in paths]
    calibrations = {path.parents[1] / "calibration.json" for path in networks}
    newest = max(path.stat().st_mtime for path in [*networks, *filter(Path.exists, calibrations)])
    return not predictions.exists() or predictions.stat().st_mtime < newest


def current_predictions(path, config_class, predict, quiet, data_dir=None):
    """Predictions file of a run folder, made by the command `predict` if it is stale; a file is itself."""
    if not path.is_dir():
        return path
    from photoz_morph.runs.folder import finished_members

    predictions = path / "predictions.fits"
    if is_stale(predictions, finished_members(path, config_class)):
        click.get_current_context().invoke(predict, run=str(path), data_dir=data_dir, quiet=quiet)
    return predictions


def build_in_subprocess(build, *arguments):
    """Build a dataset in a process of its own, which gives back the gigabyte that TFDS takes."""
    from photoz_morph.training.workers import run_workers

    remedy = "free some, and run it again"
    run_workers([(build, arguments)], 1, _build_in_worker, lambda *message: None, remedy)


def _build_in_worker(task, send):
    """A build as a task of a worker process."""
    build, arguments = task
    try:
        build(*arguments)
    except user_errors() as error:
        raise RuntimeError(one_line(error)) from error
