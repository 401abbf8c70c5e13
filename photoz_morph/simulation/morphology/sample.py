"""A simulated morphology sample on disk: shards of noiseless scenes of spirals, ellipticals and mergers.

Every object is a function of (seed, index) alone, whatever the number of processes, the order of shards or the size
of the sample: a sample enlarged later keeps its first objects, and an interrupted run resumes where it stopped.
Mergers are views of encounters, which are simulated first and kept in the folder `encounters` beside the shards.
"""

from collections import Counter
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.shards.folders import check_folder, incomplete_shards
from photoz_morph.shards.scenes import read_scene_catalog, scene_shard_path, write_scene_shard
from photoz_morph.simulation.morphology.candidates import REASONS, draw_accepted, draw_type
from photoz_morph.simulation.morphology.encounters import encounter_path, load_encounter
from photoz_morph.simulation.morphology.populations import BANDS, FIELD_PIXELS
from photoz_morph.simulation.seeds import BEYOND, INDICES_PER_SEED, check_seed
from photoz_morph.system.locks import one_owner
from photoz_morph.system.pool import process_count, run_all
from photoz_morph.system.threads import one_thread

RECIPE = "G1"  # changes whenever the same seed gives other objects
SHARD_SIZE = 50  # scenes of 3 MB each, all of a shard in memory at once
ENCOUNTER_GROUPS = 9 * 10**9  # group_id of encounter e is that of an index no sample reaches: 9e9 + e
CARDS = {"empty": "NEMPTY", "not_measured": "NFAILED", "resampled": "NRESAMP"}
# Columns of truth; NaN where they do not apply. Spirals and ellipticals have the first five, mergers the others.
TRUTH = {
    "abs_mag_r": "mag",
    "r_e": "kpc",
    "sersic_n": "",
    "axis_ratio": "",
    "bulge_to_total": "",
    "mass_ratio": "",
    "pericentre": "kpc",
    "time_myr": "Myr",
    "separation": "kpc",
    "separation_3d": "kpc",
    "fraction_outside": "",
}


@one_owner("out_dir")
def simulate_morphology(out_dir, n_galaxies, seed=1, n_processes=None, progress=True):
    """Write a simulated morphology sample as shards of scenes; complete shards are kept.

    Parameters
    ----------
    out_dir : path-like
        Made if missing.
    n_galaxies : int
    seed : int
        0 to 900,000,000. Another seed is another sample, with other encounters.
    n_processes : int, optional
        By default one per core.
    progress : bool
        Whether to show bars.

    Returns
    -------
    dict of str to int
        Of the whole folder: `galaxies`; `candidates` drawn for them; and of these, rejected, `empty` (no light, or a
        pixel that is not finite), `not_measured` (no Gini and M20, or a Gini below 0.3) and `resampled` (by chance, so
        that Gini and M20 are distributed as in TNG100).

    Raises
    ------
    ValueError
        If a number is out of range, or the folder holds shards of another seed or recipe, or more than `n_galaxies`.

    Notes
    -----
    With several processes a script must call this under `if __name__ == "__main__":`, as multiprocessing asks.
    """
    if n_galaxies <= 0:
        raise ValueError(f"n_galaxies is {n_galaxies}; ask for at least one galaxy")
    n_processes = process_count(n_processes)
    check_seed(seed)
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    encounter_dir = out_dir / "encounters"
    sizes = [min(SHARD_SIZE, n_galaxies - first) for first in range(0, n_galaxies, SHARD_SIZE)]
    shards = [(scene_shard_path(out_dir, i), i * SHARD_SIZE, size) for i, size in enumerate(sizes)]
    paths = [path for path, _, _ in shards]
    wanted = {"ORIGIN": "simulated", "SEED": seed, "RECIPE": RECIPE}
    check_folder(out_dir.glob("scenes-*.fits"), wanted, paths, BEYOND)
    todo = incomplete_shards(shards, read_scene_catalog, "scenes")
    missing = missing_encounters(todo, seed, encounter_dir)
    if missing:
        with tqdm(total=len(missing), disable=not progress, desc="encounters") as bar:
            run_all(simulate_encounter, [(encounter_dir, seed, index) for index in missing], n_processes, bar)
    with tqdm(total=n_galaxies, unit=" galaxies", disable=not progress, desc=str(out_dir)) as bar:
        bar.update(n_galaxies - sum(size for _, _, size in todo))
        run_all(simulate_shard, [(*shard, seed, encounter_dir) for shard in todo], n_processes, bar)
    return count_rejected(paths)


def missing_encounters(shards, seed, encounter_dir):
    """Sorted indices of the encounters that the objects of some shards need and the cache lacks."""
    needed = {draw_type(seed, index)[1] for _, first, size in shards for index in range(first, first + size)}
    return sorted(index for index in needed - {-1} if not encounter_path(encounter_dir, seed, index).exists())


def simulate_encounter(encounter_dir, seed, index):
    """Put one encounter in the cache; returns 1."""
    with one_thread():
        load_encounter(encounter_dir, seed, index)
    return 1


def simulate_shard(path, first, n_galaxies, seed, encounter_dir):
    """Write the shard of the objects from index `first` on; returns their number."""
    images = np.empty((n_galaxies, FIELD_PIXELS, FIELD_PIXELS, len(BANDS)), np.float32)
    rows, rejected = [], Counter()
    for i in range(n_galaxies):
        images[i], row, rejected_here = simulate_galaxy(seed, first + i, encounter_dir)
        rows.append(row)
        rejected += rejected_here
    table = Table({name: np.array([row[name] for row in rows]) for name in rows[0]})
    for name, unit in TRUTH.items():
        table[name].unit = unit or None
    header = [("SEED", seed, "objects are a function of (SEED, index)"), ("RECIPE", RECIPE, "of simulation")]
    header += [("FIRST", first, "index of the first galaxy"), ("NGAL", n_galaxies, "galaxies in this shard")]
    header += [("NCAND", n_galaxies + sum(rejected.values()), "candidates drawn for them")]
    header += [(CARDS[reason], rejected[reason], f"of these, rejected as {reason}") for reason in REASONS]
    write_scene_shard(path, images, table, header)
    return n_galaxies


def simulate_galaxy(seed, index, encounter_dir):
    """Scene and table row of one object.

    Returns
    -------
    image : ndarray, shape (500, 500, 3), float32
        Noiseless g, r, i [nJy per pixel], as seen from z = 0.05.
    row : dict
        `obj_id`; `group_id`, the same for all views of one encounter; `intended_type`; `encounter`, -1 unless a
        merger; `n_candidates` drawn until this one was accepted; `is_dry`, a merger without gas; and `TRUTH`.
    rejected : Counter
        Number of rejected candidates, by reason.
    """
    galaxy, intended_type, encounter, rejected = draw_accepted(seed, index, encounter_dir)
    obj_id = seed * INDICES_PER_SEED + index
    row = {
        "obj_id": np.int64(obj_id),
        "group_id": np.int64(seed * INDICES_PER_SEED + ENCOUNTER_GROUPS + encounter) if encounter >= 0 else obj_id,
        "intended_type": np.int16(intended_type),
        "encounter": np.int16(encounter),
        "n_candidates": np.int16(1 + sum(rejected.values())),
        "is_dry": bool(galaxy.truth.get("is_dry", False)),
        **{name: np.float32(galaxy.truth.get(name, np.nan)) for name in TRUTH},
    }
    return galaxy.image(), row, rejected


def count_rejected(paths):
    """Galaxies, candidates and rejected candidates by reason, summed over shards."""
    headers = [fits.getheader(path) for path in paths]
    keywords = {"galaxies": "NGAL", "candidates": "NCAND", **CARDS}
    return {name: sum(header[keyword] for header in headers) for name, keyword in keywords.items()}
