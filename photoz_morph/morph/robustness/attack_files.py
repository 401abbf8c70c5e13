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

import numpy as np

from photoz_morph.morph.config import MorphConfig
from photoz_morph.runs.attacks import AttackFormat, write_shard
from photoz_morph.runs.folder import read_run

SHARD_SIZE = 50  # galaxies; half a minute of work and 12 MB
COLUMNS = (
    "obj_id", "group_id", "copy", "label", "flipped", "row", "column", "old_value", "new_value", "attacked_class",
    "queries", "unconfirmed", "margin_before", "margin_after", "random_flipped", "random_queries", "latent_y10",
    "latent_y1", "latent_attacked", "logits_y10", "logits_y1", "logits_attacked",
)  # fmt: skip


def attack_shards(folder, n_galaxies):
    """Path, first galaxy and end (exclusive) of each shard of an attack on `n_galaxies` galaxies."""
    return _format().shards(folder, n_galaxies)


def start_attack(folder, settings):
    """Write the settings of a new attack, or check that they equal those in the folder; see `AttackFormat.start`."""
    _format().start(folder, settings)


def write_attack_shard(path, table, original, attacked):
    """Write one shard with checksums, to a temporary name that is then renamed.

    Parameters
    ----------
    path : path-like
    table : Table
        With the columns of `COLUMNS`; its meta goes into the header.
    original, attacked : ndarray, shape (n, rows, columns, n_bands)
    """
    write_shard(path, table, {"original": original, "attacked": attacked}, table["new_value"].unit)


def is_finished(path):
    """True if a shard exists and is intact; a truncated one is written again."""
    return _format().is_finished(path)


def read_attack_shard(path):
    """Read the table and images of one shard; see `AttackFormat.read_shard`."""
    return _format().read_shard(path)


def _fault_of_pixels(table):
    """What is wrong with positions and values: they are numbers, of one pixel a galaxy or of as many in all columns."""
    places, values = ([table[name] for name in names] for names in (("row", "column"), ("old_value", "new_value")))
    shape = places[0].shape
    is_right = (
        len(shape) in (1, 2) and all(part.shape == shape and part.dtype.kind == "i" for part in places)
        and all(part.shape[:-1] == shape and part.ndim > 1 and part.dtype.kind == "f" for part in values)
    )  # fmt: skip
    return None if is_right else "row, column, old_value and new_value are not of the same pixels"


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
    return _format().find(run_dir)


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
    return _format().read(folder)


def read_attack_settings(folder):
    """Read the settings of an attack as a dict."""
    return _format().settings(folder)


def _format():
    return AttackFormat("morph attack", COLUMNS, ("galaxies", "member"), SHARD_SIZE, _fault_of_pixels)


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
