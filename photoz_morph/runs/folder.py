"""The files of a run folder.

`config.yaml` (all choices), `dataset.json` (the training data), `environment.json` (versions and devices),
`sessions.json` (options and resources of each training session) and `fold_K/member_M/{model.keras, history.csv}`. A
member with a `model.keras` is finished and is not trained again. While a process trains, it holds a lock on `lock`.
"""

import json
import platform
from importlib.metadata import version
from pathlib import Path

from photoz_morph.config import differing_keys, load_config, save_config
from photoz_morph.system.json_files import read_json, write_atomically
from photoz_morph.system.provenance import code_version, file_hash, joint_hash

# Keys of dataset.json that do not tell datasets apart, or that only some versions write.
NOT_COMPARED = ("path", "content_hash", "images", "transfer")


def start_run(run_dir, config, dataset, devices):
    """Write the description of a new run, or check that the folder holds a run of the same config and dataset.

    Parameters
    ----------
    run_dir : path-like
    config : PhotozConfig or MorphConfig
    dataset : dict
        "path", and what identifies a dataset: "name", "origin", the number of galaxies of each split and
        "content_hash", None where unknown; "images", how they were made, for the record.
    devices : list of str

    Raises
    ------
    ValueError
        If the folder holds a run of another config or dataset.
    """
    run_dir = Path(run_dir)
    # A run that stopped before it trained anything, say for a batch too large, may be described again.
    if (run_dir / "config.yaml").exists() and any(run_dir.glob("fold_*/member_*/*")):
        saved_config, saved_dataset = read_run(run_dir, type(config))
        keys = differing_keys(saved_config, config)
        if keys:
            raise ValueError(
                f"{run_dir}: was trained with another {', '.join(keys)}; give another --run-dir, or the same values"
            )
        if saved_dataset.get("target") != dataset.get("target"):
            raise ValueError(
                f"{run_dir}: was adapted to other galaxies than those in the target dataset; give the dataset that it "
                "was adapted to, or another --run-dir"
            )
        if saved_dataset.get("transfer") != dataset.get("transfer"):
            raise ValueError(
                f"{run_dir}: its networks started from others than those that are now in the run that "
                "transfer.source names; give another --run-dir, or the run as it was"
            )
        hashes = [saved_dataset.get("content_hash"), dataset.get("content_hash")]
        if not is_same_dataset(saved_dataset, dataset):
            raise ValueError(
                f"{run_dir}: was trained on {saved_dataset[config.DATASET_SIZES]} {saved_dataset['origin']} galaxies, "
                f"{dataset['path']} has {dataset[config.DATASET_SIZES]} {dataset['origin']}; give another --run-dir"
            )
        if None not in hashes and hashes[0] != hashes[1]:  # runs and datasets of earlier versions have none
            raise ValueError(
                f"{run_dir}: was trained on galaxies of content {hashes[0][:8]}, {dataset['path']} has as many of "
                f"content {hashes[1][:8]}; give another --run-dir, or the dataset it was trained on with --data-dir"
            )
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    environment = {name: version(name) for name in ("photoz-morph", "tensorflow", "keras", "numpy")}
    environment |= {"code": code_version(), "python": platform.python_version(), "platform": platform.platform()}
    environment["devices"] = devices
    write_atomically(run_dir / "dataset.json", json.dumps(dataset, indent=1))
    write_atomically(run_dir / "environment.json", json.dumps(environment, indent=1))
    save_config(config, run_dir / "config.yaml")  # last: with it the folder is a run


def read_run(run_dir, config_class):
    """Config and dataset description of a run folder.

    Parameters
    ----------
    run_dir : path-like
    config_class : type
        Config class of the chain: PhotozConfig or MorphConfig.

    Raises
    ------
    FileNotFoundError
        If the folder is not a run folder.
    ValueError
        If it is a run of the other chain.
    """
    run_dir = Path(run_dir)
    if not (run_dir / "config.yaml").exists():
        raise FileNotFoundError(
            f"{run_dir}: not a run folder (config.yaml is missing); create one with `{config_class.task} train`"
        )
    config = load_config(run_dir / "config.yaml", config_class)
    return config, read_json(run_dir / "dataset.json", ("path", "name", "origin", config_class.DATASET_SIZES))


def check_source(run_dir, task):
    """Raise a one-line error if there is no run folder of a chain to start from, with the remedy.

    Parameters
    ----------
    run_dir : path-like
    task : {"photoz", "morph"}

    Raises
    ------
    FileNotFoundError
        If there is nothing, or no run.
    ValueError
        If it is an exported model, which holds the graph of its functions and no layers that could learn on.
    """
    run_dir = Path(run_dir)
    if (run_dir / "saved_model.pb").exists() or (run_dir / "estimator.json").exists():
        raise ValueError(
            f"{run_dir}: is an exported model, whose layers cannot learn on; give the run folder that it was exported "
            f"from, in which `{task} export` found fold_K/member_M/model.keras"
        )
    if not (run_dir / "config.yaml").exists():
        raise FileNotFoundError(f"{run_dir}: no run folder of `{task} train` to start from; give another one")


def weights_hash(path):
    """First 16 hexadecimal digits of the SHA-256 of a `model.keras`; they identify a trained network."""
    return file_hash(path)


def run_provenance(dataset, paths):
    """Provenance of what networks of a run give: its keys `model_id` and `data_id`, and those of the training images.

    Parameters
    ----------
    dataset : dict
        From `dataset.json`.
    paths : iterable of Path
        The `model.keras` of the networks, in order.

    Returns
    -------
    dict
        For a meta; `data_id` is "" for datasets of earlier versions, which have no hash.
    """
    images = dataset.get("images", {})
    return {
        "model_id": joint_hash(weights_hash(path) for path in paths),
        "data_id": dataset.get("content_hash") or "",
        **{key: images[key] for key in ("engine", "combine") if images.get(key)},
    }


def is_same_dataset(one, other):
    """True if two descriptions are of datasets of the same kind and size; their content hashes are not compared."""
    return all(one.get(key) == other.get(key) for key in one.keys() | other.keys() if key not in NOT_COMPARED)


def member_dir(run_dir, fold, member):
    """Folder of one network."""
    return Path(run_dir) / f"fold_{fold}" / f"member_{member}"


def finished_members(run_dir, config_class):
    """Finished networks of a run.

    Parameters
    ----------
    run_dir : path-like
    config_class : type
        Config class of the chain: PhotozConfig or MorphConfig.

    Returns
    -------
    dict of int to list of Path
        Fold to the `model.keras` of its members, in order.

    Raises
    ------
    FileNotFoundError
        If the folder is not a run folder, or no network in it is finished.
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


def _fold_and_member(path):
    return int(path.parts[-3].removeprefix("fold_")), int(path.parts[-2].removeprefix("member_"))
