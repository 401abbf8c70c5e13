"""What a run folder holds, and where.

`config.yaml` (all choices), `dataset.json` (what was trained on), `environment.json` (versions and devices),
`sessions.json` (what was asked for and what it took, each time) and `fold_K/member_M/{model.keras, history.csv}`. A
member with a `model.keras` is finished and is not trained again. While a process trains, it holds a lock on `lock`.
"""

import csv
import fcntl
import hashlib
import json
import os
import platform
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from photoz_morph.config import differing_keys, load_config, save_config
from photoz_morph.system.json_files import read_json, write_atomically


def start_run(run_dir, config, dataset, devices):
    """Describe a new run, or check that the folder holds one of the same config and dataset.

    Parameters
    ----------
    run_dir : path-like
    config : PhotozConfig or MorphConfig
    dataset : dict
        "path", and what makes two datasets the same: "name", "origin" and the number of galaxies of each split.
    devices : list of str

    Raises
    ------
    ValueError
        If the folder holds a run of another config or dataset.
    """
    run_dir = Path(run_dir)
    # A run that stopped before it trained anything, say for a batch too large, may be described anew.
    if (run_dir / "config.yaml").exists() and any(run_dir.glob("fold_*/member_*/*")):
        saved_config, saved_dataset = read_run(run_dir, type(config))
        keys = differing_keys(saved_config, config)
        if keys:
            raise ValueError(
                f"{run_dir}: was trained with another {', '.join(keys)}; give another --run-dir, or the same values"
            )
        if {**saved_dataset, "path": None} != {**dataset, "path": None}:
            raise ValueError(
                f"{run_dir}: was trained on {saved_dataset[config.DATASET_SIZES]} {saved_dataset['origin']} galaxies, "
                f"{dataset['path']} has {dataset[config.DATASET_SIZES]} {dataset['origin']}; give another --run-dir"
            )
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    environment = {name: version(name) for name in ("photoz-morph", "tensorflow", "keras", "numpy")}
    environment |= {"python": platform.python_version(), "platform": platform.platform(), "devices": devices}
    write_atomically(run_dir / "dataset.json", json.dumps(dataset, indent=1))
    write_atomically(run_dir / "environment.json", json.dumps(environment, indent=1))
    save_config(config, run_dir / "config.yaml")  # last: with it the folder is a run


def read_run(run_dir, config_class):
    """Config and dataset description of a run folder.

    Parameters
    ----------
    run_dir : path-like
    config_class : type
        PhotozConfig or MorphConfig: of which chain it must be a run.

    Raises
    ------
    FileNotFoundError
        If the folder is no run folder.
    ValueError
        If it is a run of the other chain.
    """
    run_dir = Path(run_dir)
    if not (run_dir / "config.yaml").exists():
        raise FileNotFoundError(
            f"{run_dir}: no run there (no config.yaml); make one with `{config_class.task} train`"
        )
    config = load_config(run_dir / "config.yaml", config_class)
    return config, read_json(run_dir / "dataset.json", ("path", "name", "origin", config_class.DATASET_SIZES))


def weights_hash(path):
    """The first digits of the SHA-256 of a `model.keras`: what tells a network from one trained in its place."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def member_dir(run_dir, fold, member):
    """Folder of one network."""
    return Path(run_dir) / f"fold_{fold}" / f"member_{member}"


def finished_members(run_dir, config_class):
    """Finished networks of a run.

    Parameters
    ----------
    run_dir : path-like
    config_class : type
        PhotozConfig or MorphConfig: of which chain it must be a run.

    Returns
    -------
    dict of int to list of Path
        Fold to the `model.keras` of its members, in order.

    Raises
    ------
    FileNotFoundError
        If the folder is no run folder, or no network in it is finished.
    """
    read_run(run_dir, config_class)
    found = {}
    for path in sorted(Path(run_dir).glob("fold_*/member_*/model.keras"), key=_fold_and_member):
        found.setdefault(_fold_and_member(path)[0], []).append(path)
    if not found:
        raise FileNotFoundError(
            f"{run_dir}: no network of this run is finished; run the same `{config_class.task} train` again"
        )
    return found


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


def _fold_and_member(path):
    return int(path.parts[-3].removeprefix("fold_")), int(path.parts[-2].removeprefix("member_"))
