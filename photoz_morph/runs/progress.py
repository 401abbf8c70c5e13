"""Training progress of a run folder: lock, sessions, history, status, complete folds."""

import csv
import json
from pathlib import Path

from photoz_morph.runs.folder import finished_members, member_dir, read_run
from photoz_morph.system.json_files import read_json, write_atomically
from photoz_morph.system.locks import is_locked
from photoz_morph.system.locks import locked as own


def locked(run_dir):
    """Context manager that holds the lock of a run folder; see `system.locks.locked`."""
    return own(run_dir, "give another --run-dir")


def read_sessions(run_dir):
    """Read the sessions of a run, a list of dictionaries: the options and resources of each `train` command."""
    path = Path(run_dir) / "sessions.json"
    return read_json(path) if path.exists() else []


def write_sessions(run_dir, sessions):
    """Replace the sessions of a run."""
    write_atomically(Path(run_dir) / "sessions.json", json.dumps(sessions, indent=1))


def read_history(member):
    """Read the epochs of one network: a list of dictionaries of numbers, empty before the first epoch has ended.

    Parameters
    ----------
    member : path-like
        Folder of the network.

    Raises
    ------
    ValueError
        If `history.csv` is truncated or damaged.
    """
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
    """Finished and unfinished members of a run, and the time left at the mean pace of the epochs so far.

    Parameters
    ----------
    run_dir : path-like
    config_class : type
        Config class of the chain.

    Returns
    -------
    dict
        `is_running`; `n_members`, `n_folds` and `n_epochs` asked for last; `members`, one dictionary per network with
        `fold`, `member`, `epochs`, `is_finished` and the last losses and scores;
        `seconds_left`, NaN before the first epoch has ended.

    Raises
    ------
    FileNotFoundError
        If the folder is not a run folder, or no training was started.
    """
    read_run(run_dir, config_class)
    sessions = read_sessions(run_dir)
    if not sessions:
        raise FileNotFoundError(f"{run_dir}: no training has been started; run `{config_class.task} train`")
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


def members_of_complete_fold(run_dir, config_class, fold=0):
    """Networks of a fold, all of which must be finished.

    Parameters
    ----------
    run_dir : path-like
    config_class : type
        Config class of the chain.
    fold : int

    Returns
    -------
    list of Path
        The `model.keras` of each member, in order.

    Raises
    ------
    FileNotFoundError
        If the folder is not a run folder, or no network in it is finished.
    ValueError
        If the fold has no finished network, or fewer than the last `train` asked for.
    """
    members = finished_members(run_dir, config_class)
    if fold not in members:
        raise ValueError(f"{run_dir}: fold {fold} has no finished network; finished are folds {sorted(members)}")
    asked = [session["n_members"] for session in read_sessions(run_dir)[-1:]]
    if asked and len(members[fold]) < asked[0]:
        raise ValueError(
            f"{run_dir}: fold {fold} has {len(members[fold])} finished networks of {asked[0]}; finish it with the same "
            f"`{config_class.task} train`"
        )
    return members[fold]
