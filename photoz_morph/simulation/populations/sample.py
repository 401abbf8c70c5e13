"""A simulated sample of galaxies with maps of their stars and dust on disk.

Every galaxy is a function of the settings and its index alone, whatever the number of processes, the order of shards or
the size of the sample. Mergers are views of encounters, which are simulated first and kept in the folder `encounters`
beside the shards; all views of an encounter have one `group_id`.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.mocks.observe import observe
from photoz_morph.shards.blends import DISK, MERGER, SPHEROID
from photoz_morph.shards.folders import check_folder, incomplete_shards
from photoz_morph.shards.galaxy_maps import map_shard_path, read_map_catalog, write_map_shard
from photoz_morph.shards.scenes import NATIVE_PIXEL_KPC, NJY_ZERO_POINT
from photoz_morph.simulation.blends.cameras import Camera
from photoz_morph.simulation.morphology.encounters import encounter_path, load_encounter
from photoz_morph.simulation.morphology.galaxies import draw_elliptical, draw_spiral
from photoz_morph.simulation.morphology.mergers import draw_merger
from photoz_morph.simulation.morphology.populations import FIELD_PIXELS
from photoz_morph.simulation.morphology.sample import ENCOUNTER_GROUPS, simulate_encounter
from photoz_morph.simulation.populations.maps import BINNING, MAPS, MARGIN, galaxy_maps
from photoz_morph.simulation.seeds import INDICES_PER_SEED, check_seed
from photoz_morph.surveys import LSST
from photoz_morph.system.locks import one_owner
from photoz_morph.system.pool import process_count, run_all
from photoz_morph.system.threads import one_thread

RECIPE = "P1"  # changes whenever the same seed gives other galaxies
SHARD_SIZE = 200
BEYOND = "the n_galaxies asked for; remove it or ask for more"
FRACTIONS = {SPHEROID: 0.35, DISK: 0.40, MERGER: 0.25}  # as of the parents of blended fields
N_ENCOUNTERS = 40  # of a seed
STREAM = 15  # keeps the draws of galaxy i apart from those of other objects
TRUTH = {"abs_mag_r": "mag", "log_mass": None, "log_age": None, "metallicity": None, "a_v": "mag"}  # FITS has no dex
SMALLEST, LARGEST = 32, (FIELD_PIXELS - 2 * MARGIN) // BINNING


@dataclass(frozen=True)
class MapSettings:
    """What is simulated.

    Attributes
    ----------
    years : float
        Of LSST.
    size : int
        Side of a stamp [pixel], even.
    seed : int
    """

    years: float = 10.0
    size: int = 64
    seed: int = 1

    def __post_init__(self):
        if not 0 < self.years <= LSST.n_years:
            raise ValueError(f"years is {self.years}; give a number above 0, at most {LSST.n_years}")
        if not SMALLEST <= self.size <= LARGEST or self.size % 2:
            raise ValueError(f"size is {self.size}; give an even number from {SMALLEST} to {LARGEST} pixels")
        check_seed(self.seed)


@one_owner("out_dir")
def simulate_maps(out_dir, n_galaxies, settings=MapSettings(), n_processes=None, progress=True):
    """Write a simulated sample of galaxies with their maps as shards; complete shards are kept.

    Parameters
    ----------
    out_dir : path-like
        Made if missing.
    n_galaxies : int
    settings : MapSettings
    n_processes : int, optional
        By default one per core.
    progress : bool
        Whether to show bars.

    Returns
    -------
    dict of str to int
        Number of `galaxies` of the folder, and of `mergers` among them.

    Raises
    ------
    ValueError
        If a number is out of range, or the folder holds shards of other settings or recipe, or more than `n_galaxies`.

    Notes
    -----
    With several processes a script must call this under `if __name__ == "__main__":`, as multiprocessing asks.
    """
    if n_galaxies <= 0:
        raise ValueError(f"n_galaxies is {n_galaxies}; ask for at least one galaxy")
    n_processes, out_dir = process_count(n_processes), Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    sizes = [min(SHARD_SIZE, n_galaxies - first) for first in range(0, n_galaxies, SHARD_SIZE)]
    shards = [(map_shard_path(out_dir, i), i * SHARD_SIZE, size) for i, size in enumerate(sizes)]
    paths = [path for path, _, _ in shards]
    check_folder(out_dir.glob("maps-*.fits"), {key: value for key, value, _ in cards(settings)}, paths, BEYOND)
    todo = incomplete_shards(shards, read_map_catalog, "galaxies")
    encounter_dir = out_dir / "encounters"
    needed = {draw_kind(settings.seed, index)[1] for _, first, n in todo for index in range(first, first + n)} - {-1}
    missing = sorted(i for i in needed if not encounter_path(encounter_dir, settings.seed, i).exists())
    if missing:
        with tqdm(total=len(missing), disable=not progress, desc="encounters") as bar:
            run_all(simulate_encounter, [(encounter_dir, settings.seed, i) for i in missing], n_processes, bar)
    with tqdm(total=n_galaxies, unit=" galaxies", disable=not progress, desc=str(out_dir)) as bar:
        bar.update(n_galaxies - sum(size for _, _, size in todo))
        run_all(simulate_shard, [(*shard, settings, encounter_dir) for shard in todo], n_processes, bar)
    kinds = np.concatenate([read_map_catalog(path)[0]["kind"] for path in paths])
    return {"galaxies": len(kinds), "mergers": int(np.sum(kinds == MERGER))}


def simulate_shard(path, first, n_galaxies, settings, encounter_dir):
    """Write the shard of the galaxies from index `first` on; returns their number."""
    with one_thread():
        galaxies = [simulate_galaxy(settings, first + i, encounter_dir) for i in range(n_galaxies)]
    rows = [row for *_, row in galaxies]
    table = Table({name: np.array([row[name] for row in rows]) for name in rows[0]})
    for name, unit in TRUTH.items():
        table[name].unit = unit
    header = [*cards(settings), ("FIRST", first, "index of the first galaxy")]
    cubes = (np.stack([galaxy[part] for galaxy in galaxies]) for part in range(3))
    write_map_shard(path, *cubes, table, header)
    return n_galaxies


def simulate_galaxy(settings, index, encounter_dir):
    """One galaxy.

    Parameters
    ----------
    settings : MapSettings
    index : int
    encounter_dir : path-like
        Cache of encounters.

    Returns
    -------
    image : ndarray, shape (size, size, 3), float32
        Of LSST in g, r, i, sky subtracted [nJy per pixel].
    maps : ndarray, shape (size, size, 4), float32
        `maps.MAPS`.
    brightness : ndarray, shape (size, size), float32
        In r without noise [nJy per pixel].
    row : dict
        `obj_id`, `group_id`, `kind` (of `shards.blends.CLASS_NAMES`), `encounter` (-1 unless a merger) and `TRUTH`.
    """
    seed = settings.seed
    kind, number = draw_kind(seed, index)
    rng, stars, noise = (np.random.default_rng([seed, index, STREAM, use]) for use in (1, 2, 3))
    if kind == MERGER:
        galaxy = draw_merger(_encounter(str(encounter_dir), seed, number), rng)
    else:
        galaxy = {SPHEROID: draw_elliptical, DISK: draw_spiral}[kind](rng)
    found = galaxy_maps(galaxy, settings.size, stars)
    survey = replace(LSST, stamp_size=settings.size)
    field_kpc = settings.size * BINNING * NATIVE_PIXEL_KPC
    image = observe(found.expected, survey, (settings.years,), noise, "sum", field_kpc=field_kpc)[settings.years]
    obj_id = seed * INDICES_PER_SEED + index
    truth = {"abs_mag_r": galaxy.truth["abs_mag_r"], **found.truth}
    row = {
        "obj_id": np.int64(obj_id),
        "group_id": np.int64(obj_id if number < 0 else seed * INDICES_PER_SEED + ENCOUNTER_GROUPS + number),
        "kind": np.int16(kind),
        "encounter": np.int16(number),
        **{name: np.float32(truth[name]) for name in TRUTH},
    }
    return image, found.maps, found.brightness, row


def draw_kind(seed, index):
    """Kind of a galaxy, and the encounter of which it is a view, -1 unless it is a merger."""
    rng = np.random.default_rng([seed, index, STREAM])
    kind = int(rng.choice(list(FRACTIONS), p=list(FRACTIONS.values())))
    return kind, int(rng.integers(N_ENCOUNTERS)) if kind == MERGER else -1


def cards(settings):
    """Cards of the primary header that all shards of a sample share."""
    sigma = _sky_sigma(settings)
    return [
        ("SURVEY", "lsst", "whose images"),
        ("BANDS", ",".join(LSST.bands), "order of the last image axis"),
        ("MAPS", ",".join(MAPS), "order of the last axis of the maps"),
        ("SIZE", settings.size, "[pixel] side of an image"),
        ("PIXSCALE", BINNING * LSST.pixel_scale, "[arcsec] side of a pixel"),
        ("PIXKPC", round(BINNING * NATIVE_PIXEL_KPC, 6), "[kpc] side of a pixel"),
        ("BUNIT", "nJy", "unit of an image's pixel value"),
        ("ZEROPT", NJY_ZERO_POINT, "[mag] AB of one unit"),
        ("YEARS", float(settings.years), "of LSST"),
        ("SIGMA", ",".join(f"{value:.6g}" for value in sigma), "noise of an empty pixel in each band"),
        ("ORIGIN", "simulated", "where the images come from"),
        ("SEED", settings.seed, "galaxies are a function of (SEED, index)"),
        ("RECIPE", RECIPE, "of simulation"),
    ]


def _sky_sigma(settings):
    """Noise of an empty pixel of a stamp, shape (3,) [nJy]."""
    return BINNING * Camera("lsst", settings.years).sky_sigma


@lru_cache(maxsize=32)
def _encounter(encounter_dir, seed, index):
    """Encounter from the cache; a process keeps the last 32."""
    return load_encounter(encounter_dir, seed, index)
