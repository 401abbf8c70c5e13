"""A sample of log-normal fields on disk, in the layout of CAMELS (`shards.multifields`)."""

from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from photoz_morph.shards.multifields import write_multifield
from photoz_morph.simulation.cosmology.lognormal import PARAMETERS, FieldSettings, simulate_fields
from photoz_morph.simulation.seeds import check_seed
from photoz_morph.system.locks import one_owner
from photoz_morph.system.pool import map_in_order, process_count

CHUNK = 100  # fields of a task of a process


@one_owner("out_dir")
def write_fields(out_dir, n_fields, settings=FieldSettings(), n_processes=None, progress=True):
    """Write maps of 1 + delta and the parameters of each.

    Parameters
    ----------
    out_dir : path-like
        Made if missing; a file of such maps in it is replaced.
    n_fields : int
        All are held in memory: 16 kB for 64 x 64 pixels.
    settings : FieldSettings
    n_processes : int, optional
        By default one per core; the output does not depend on it.
    progress : bool

    Returns
    -------
    Path
        Of the maps.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    n_processes, out_dir = process_count(n_processes), Path(out_dir)
    check_seed(settings.seed)
    if n_fields <= 0 or n_fields % settings.maps_per_simulation:
        raise ValueError(
            f"n_fields is {n_fields}; ask for a multiple of the {settings.maps_per_simulation} maps of a simulation"
        )
    chunks = [range(first, min(first + CHUNK, n_fields)) for first in range(0, n_fields, CHUNK)]
    fields, parameters = [], []
    with tqdm(total=n_fields, unit=" fields", disable=not progress, desc=str(out_dir)) as bar:
        for part, of_part in map_in_order(partial(simulate_fields, settings), chunks, min(n_processes, len(chunks))):
            fields.append(1 + part)
            parameters.append(of_part)
            bar.update(len(part))
    of_simulations = np.concatenate(parameters)[:: settings.maps_per_simulation]
    return write_multifield(out_dir, np.concatenate(fields), of_simulations, names=PARAMETERS)
