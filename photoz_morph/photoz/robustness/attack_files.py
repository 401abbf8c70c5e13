"""Attacks on redshifts on disk: RUN/attacks/NAME, with shards of 25 galaxies; see `runs.attacks`.

`photoz attack` writes them, one folder for each attacked network or ensemble; `photoz report` reads them. HDU `ATTACK`
has one row per galaxy:

- `obj_id`, `group_id`, `fold`, `z_spec`; `moved`, whether the redshift was moved within the largest cost;
- `n_hits`, and of each hit `hit_row`, `hit_column`, `hit_band` (array indices, -1 if there are fewer) and `hit_change`
  [image unit, 0 if there are fewer]; ATTACKED is ORIGINAL with these changes added;
- `electrons`, of all hits together, and `sigma`, the largest hit in standard deviations of the sky, NaN if not moved or
  if the survey's description does not tell; `caught`, whether a mask as L.A.Cosmic's would have caught a hit;
- `z_phot`, `z_lower`, `z_upper` and `pdf` of the image as it is, `z_phot_attacked` and so on of the attacked one, as it
  is saved; they are equal if not moved;
- `queries` and `slopes`: images whose PDF, and whose gradient, was asked.
"""

import numpy as np

from photoz_morph.runs.attacks import AttackFormat
from photoz_morph.system.json_files import read_json

SHARD_SIZE = 25  # galaxies; a few minutes of work
COLUMNS = (
    "obj_id", "group_id", "fold", "z_spec", "moved", "n_hits", "hit_row", "hit_column", "hit_band", "hit_change",
    "electrons", "sigma", "caught", "z_phot", "z_lower", "z_upper", "pdf", "z_phot_attacked", "z_lower_attacked",
    "z_upper_attacked", "pdf_attacked", "queries", "slopes",
)  # fmt: skip
MAXIMASK = "maximask.json"  # what `maximask` writes into the folder of an attack
KEYS = ("galaxies", "victim", "criterion", "measure", "options")


def attack_format():
    """Format of the attacks of `photoz attack`."""
    return AttackFormat("photoz attack", COLUMNS, KEYS, SHARD_SIZE)


def read_attacks(run_dir):
    """Finished attacks of a run.

    Parameters
    ----------
    run_dir : path-like

    Returns
    -------
    dict of str to (Table, dict of ndarray)
        By name; see `AttackFormat.read`. The number of galaxies that MaxiMask catches is in the meta as `maximask`,
        where it was asked.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    return {folder.name: read_attack(folder) for folder in attack_format().find(run_dir)}


def read_attack(folder):
    """Table and images of one attack; see `read_attacks`."""
    table, images = attack_format().read(folder)
    path = folder / MAXIMASK
    if path.exists():
        found = read_json(path, ("caught", "obj_id"), "run the same `photoz attack --maximask` again")
        if found["obj_id"] == np.asarray(table["obj_id"]).tolist():
            table.meta["maximask"] = int(np.sum(found["caught"]))
    return table, images
