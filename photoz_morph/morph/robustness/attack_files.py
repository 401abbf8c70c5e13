"""Attacks on disk: a folder for each attack of a run, with shards of 50 galaxies.

`morph attack` writes RUN/attacks/NAME/; `morph latent` and `morph report` read it. The settings are in
`settings.json`, and each `attack-00000.fits` holds

- HDU `ATTACK`, one row per galaxy: `obj_id`, `group_id`, `copy`, `label` (also the class predicted before the attack);
  `flipped`, `row`, `column` (array indices, -1 if not flipped), `old_value`, `new_value` [image unit], of k pixels with
  an axis of that length after the galaxies,
  `attacked_class`, `queries`, `unconfirmed` flips; `margin_before`, `margin_after`, the logit of the label minus the
  largest other; `random_flipped`, `random_queries`, the same for random pixels of extreme colour at the same budget;
  and `latent_*`, `logits_*` of `y10`, `y1`, `attacked`;
- HDUs `ORIGINAL` and `ATTACKED`: float32 images, shape (n, rows, columns, n_bands) [image unit: nJy, or unknown for
  released arrays]. They differ in one pixel, or up to k, if flipped and are equal otherwise.

An interrupted attack keeps its finished shards and resumes after them.
"""

import json
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import vstack

from photoz_morph.morph.config import MorphConfig
from photoz_morph.runs.folder import read_run
from photoz_morph.system.files import write_whole
from photoz_morph.system.fits import open_fits
from photoz_morph.system.json_files import read_json, write_atomically
from photoz_morph.system.tables import table_of, write_fits

SHARD_SIZE = 50  # galaxies; half a minute of work and 12 MB
COLUMNS = (
    "obj_id", "group_id", "copy", "label", "flipped", "row", "column", "old_value", "new_value", "attacked_class",
    "queries", "unconfirmed", "margin_before", "margin_after", "random_flipped", "random_queries", "latent_y10",
    "latent_y1", "latent_attacked", "logits_y10", "logits_y1", "logits_attacked",
)  # fmt: skip
IMAGES = ("original", "attacked")


def attack_shards(folder, n_galaxies):
    """Path, first galaxy and end (exclusive) of each shard of an attack on `n_galaxies` galaxies."""
    starts = range(0, n_galaxies, SHARD_SIZE)
    return [
        (Path(folder) / f"attack-{number:05d}.fits", start, min(start + SHARD_SIZE, n_galaxies))
        for number, start in enumerate(starts)
    ]


def start_attack(folder, settings):
    """Write the settings of a new attack, or check that they equal those of the attack in the folder.

    Parameters
    ----------
    folder : path-like
    settings : dict
        Values that JSON can hold; `galaxies` is a list with one entry per galaxy.

    Raises
    ------
    ValueError
        If the folder holds shards made with other settings.
    """
    path = Path(folder) / "settings.json"
    settings = json.loads(json.dumps(settings))
    if path.exists() and any(Path(folder).glob("attack-*.fits")):
        there = read_attack_settings(folder)
        different = sorted(key for key in settings.keys() | there.keys() if settings.get(key) != there.get(key))
        if different:
            values = f" ({there.get(different[0])})" if different[0] != "galaxies" else ""
            raise ValueError(
                f"{folder}: holds an attack with other {', '.join(different)}{values}; give another --name, or remove "
                "the folder"
            )
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(settings, indent=1))


def write_attack_shard(path, table, original, attacked):
    """Write one shard with checksums, to a temporary name that is then renamed.

    Parameters
    ----------
    path : path-like
    table : Table
        With the columns of `COLUMNS`; its meta goes into the header.
    original, attacked : ndarray, shape (n, rows, columns, n_bands)
    """
    hdus = []
    for name, images in zip(IMAGES, (original, attacked)):
        hdus.append(fits.ImageHDU(np.ascontiguousarray(images, np.float32), name=name.upper()))
        if table["new_value"].unit:
            hdus[-1].header["BUNIT"] = str(table["new_value"].unit)
    with write_whole(path) as part:
        write_fits(table, part, "ATTACK", hdus, with_checksum=True)


def is_finished(path):
    """True if a shard exists and is intact; a truncated one is written again."""
    if not Path(path).exists():
        return False
    try:
        read_attack_shard(path)
    except ValueError:
        return False
    return True


def read_attack_shard(path):
    """Read the table and images of one shard.

    Returns
    -------
    table : Table
    images : dict of ndarray
        `original` and `attacked`.

    Raises
    ------
    ValueError
        If the file is damaged or is not a shard of an attack.
    """
    with open_fits(path, "a shard of attacks", "remove it and attack again", with_checksum=True) as hdus:
        table = table_of(hdus["ATTACK"])
        images = {name: np.asarray(hdus[name.upper()].data, np.float32) for name in IMAGES}
        missing = [name for name in COLUMNS if name not in table.colnames]
        if missing:
            raise ValueError(f"{path}: attacks lack column {', '.join(missing)}; remove it and attack again")
        if not _is_of_pixels(table):
            raise ValueError(
                f"{path}: row, column, old_value and new_value are not of the same pixels; remove it and attack again"
            )
    return table, images


def _is_of_pixels(table):
    """True if positions and values are numbers, of one pixel a galaxy or of as many in all four columns."""
    places, values = ([table[name] for name in names] for names in (("row", "column"), ("old_value", "new_value")))
    shape = places[0].shape
    return (
        len(shape) in (1, 2) and all(part.shape == shape and part.dtype.kind == "i" for part in places)
        and all(part.shape[:-1] == shape and part.ndim > 1 and part.dtype.kind == "f" for part in values)
    )  # fmt: skip


def attacked_pixels(table):
    """Positions and values of the attacked pixels, with an axis for the pixels of a galaxy, also where it is one.

    Parameters
    ----------
    table : Table
        From `read_attack`, or some of its rows.

    Returns
    -------
    rows, columns : ndarray of int, shape (n, k)
        -1 where the galaxy was not flipped.
    old, new : ndarray of float, shape (n, k, n_bands)
        [image unit]
    """
    places = [np.asarray(table[name]).reshape(len(table), -1) for name in ("row", "column")]
    values = [np.asarray(table[name], float) for name in ("old_value", "new_value")]
    return *places, *(part.reshape(*places[0].shape, part.shape[-1]) for part in values)


def find_attacks(run_dir):
    """Folders of the finished attacks of a run, in the order of their names."""
    folders = [path.parent for path in sorted(Path(run_dir).glob("attacks/*/settings.json"))]
    return [folder for folder in folders if not _unfinished(folder)]


def read_attack(folder):
    """Read all galaxies of an attack.

    Parameters
    ----------
    folder : path-like
        RUN/attacks/NAME.

    Returns
    -------
    table : Table
        Meta: survey, origin, classes, adaptation, config, run, search, bounds, domain, max_queries and the other
        settings; of `n_looked_at` test galaxies `n_wrong` were left out because a network misclassified them.
    images : dict of ndarray, shape (n, rows, columns, n_bands), float32
        `original` and `attacked` [image unit].

    Raises
    ------
    FileNotFoundError
        If the folder holds no attack.
    ValueError
        If the attack is not finished, or a shard is damaged.
    """
    folder = Path(folder)
    if not (folder / "settings.json").exists():
        raise FileNotFoundError(f"{folder}: no attack in this folder; make one with `morph attack`")
    unfinished = _unfinished(folder)
    if unfinished:
        raise ValueError(f"{unfinished[0]}: missing; run the same `morph attack` again, it resumes with this shard")
    parts = [read_attack_shard(path) for path in _shards(folder)]
    table = vstack([table for table, _ in parts], metadata_conflicts="silent")
    table.meta = dict(parts[0][0].meta)
    return table, {name: np.concatenate([images[name] for _, images in parts]) for name in IMAGES}


def read_attack_settings(folder):
    """Read the settings of an attack as a dict."""
    return read_json(Path(folder) / "settings.json", ("galaxies", "member"), "remove the folder and attack again")


def _shards(folder):
    return [path for path, _, _ in attack_shards(folder, len(read_attack_settings(folder)["galaxies"]))]


def _unfinished(folder):
    return [path for path in _shards(folder) if not path.exists()]


def common_attack(run_dirs, defence=None):
    """Name of the first one-pixel attack on the first seed's Y10 images that all runs have, behind that defence.

    Parameters
    ----------
    run_dirs : sequence of path-like
    defence : str, optional
        By default that of each run's config.

    Returns
    -------
    str or None
    """
    names = []
    for run in run_dirs:
        wanted = {"member": 0, "domain": "Y10", "defence": defence or read_run(run, MorphConfig)[0].defence.test_time}
        found = {path.name: read_attack_settings(path) for path in find_attacks(run)}
        names.append([name for name, settings in found.items() if wanted.items() <= settings.items()
                      and settings.get("options", {}).get("pixels", 1) == 1])  # fmt: skip
    return next((name for name in names[0] if all(name in others for others in names)), None)
