"""Sessions, history, lock and status of a run folder."""

import csv
import fcntl
import json
import os
import platform
from contextlib import contextmanager
from pathlib import Path

from photoz_morph.runs.folder import member_dir, read_run
from photoz_morph.system.json_files import read_json, write_atomically


@contextmanager
def locked(run_dir):
    """Hold the run folder's lock; the system frees it however the process ends.

    Raises
    ------
    ValueError
        If another process trains there.
    """
    path = Path(run_dir) / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip()
            raise ValueError(f"{run_dir}: process {holder} trains there; wait, or give another --run-dir") from error
        file.truncate(0)
        file.write(f"{os.getpid()} on {platform.node()}")
        file.flush()
        yield


def is_locked(run_dir):
    """Whether a process trains in the run folder now."""
    try:
        with (Path(run_dir) / "lock").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def read_sessions(run_dir):
    """What each `photoz train` of the run was asked for and took: a list of dictionaries."""
    path = Path(run_dir) / "sessions.json"
    return read_json(path) if path.exists() else []


def write_sessions(run_dir, sessions):
    """Replace the list of `read_sessions`."""
    write_atomically(Path(run_dir) / "sessions.json", json.dumps(sessions, indent=1))


def read_history(member):
    """Epochs of one network: a list of dictionaries of numbers, empty before the first epoch has ended."""
    path = Path(member) / "history.csv"
    if not path.exists():
        return []
    try:
        with path.open(newline="") as file:
            rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
        return [{**row, "epoch": int(row["epoch"]), "iterations": int(row["iterations"])} for row in rows]
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise ValueError(
            f"{path}: not a history of losses, or truncated ({error}); remove {path.parent} and run the same "
            "`train` again"
        ) from error


def run_status(run_dir, config_class):
    """What is done, what is left, and how long it will take at the pace of the epochs so far.

    Parameters
    ----------
    run_dir : path-like
    config_class : type
        PhotozConfig or MorphConfig: of which chain it must be a run.

    Returns
    -------
    dict
        `is_running`; `n_members`, `n_folds` and `n_epochs` asked for last; `members`, one dictionary per network with
        `fold`, `member`, `epochs`, `is_finished` and the last losses and scores;
        `seconds_left`, NaN before the first epoch has ended.
    """
    read_run(run_dir, config_class)
    sessions = read_sessions(run_dir)
    if not sessions:
        raise FileNotFoundError(f"{run_dir}: no training was started there; run `{config_class.task} train`")
    asked = sessions[-1]
    members, seconds = [], []
    for fold in range(asked["n_folds"]):
        for member in range(asked["n_members"]):
            folder = member_dir(run_dir, fold, member)
            history = read_history(folder)
            seconds += [row["seconds"] for row in history]
            finished = (folder / "model.keras").exists()
            members.append({"fold": fold, "member": member, "epochs": len(history), "is_finished": finished})
            if history:
                members[-1] |= {name: history[-1][name] for name in history[-1] if name not in members[-1]}
    epochs_left = sum(asked["n_epochs"] - entry["epochs"] for entry in members if not entry["is_finished"])
    pace = sum(seconds) / len(seconds) if seconds else float("nan")
    return {
        "is_running": is_locked(run_dir),
        **{key: asked[key] for key in ("n_members", "n_folds", "n_epochs")},
        "members": members,
        "seconds_left": epochs_left * pace if epochs_left else 0.0,
    }
