"""The pool of galaxies of which the sources of blended fields are made: small maps of noiseless simulated galaxies.

A parent is a spheroid, disk or merger of `simulation.morphology`, cut to 128 x 128 pixels so that its half-light radius
along the major axis is 10 of them and its centre of light is in the middle. The pool of a seed is made once and kept
beside the shards. Each of its galaxies belongs to training, validation or test, and so do all views of an encounter.
"""

import os
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from photoz_morph.catalogs.folds import SPLITS
from photoz_morph.shards.blends import DISK, MERGER, SPHEROID
from photoz_morph.simulation.morphology.encounters import simulate_encounter
from photoz_morph.simulation.morphology.galaxies import draw_elliptical, draw_spiral
from photoz_morph.simulation.morphology.mergers import draw_merger
from photoz_morph.simulation.morphology.populations import DUST_CURVE
from photoz_morph.system.files import write_whole
from photoz_morph.system.sizes import check_npz

RECIPE = 1  # of the pool; a file of another recipe is refused
STREAM = 7  # keeps the draws of parent i apart from those of other objects
N_PARENTS, MIN_PARENTS = 400, 40
FRACTIONS = {SPHEROID: 0.35, DISK: 0.40, MERGER: 0.25}
VIEWS = 5  # of an encounter
PARTS = 10  # parents 0 to 6 of ten train, 7 validates, 8 and 9 test: the fractions of `catalogs.folds`
SPLIT_OF_PART = (*[0] * 7, 1, 2, 2)  # indices of SPLITS
POPULATIONS = ("old", "intermediate", "young")
SIDE = 128  # [pixel] of the finest map
HALF_LIGHT = 10.0  # [pixel] of the finest map
FADE = 0.75  # of the half side, from which on the light fades to nothing at the edge: a corner would show
FINER = 8  # steps of the radius in a pixel, in the growth curve of a galaxy
BEYOND_REACH = 2e-3  # of the light
COARSEST = 1.0  # a map is used as long as its pixels are smaller than so many of the image


@dataclass(frozen=True)
class Parents:
    """Pool of noiseless galaxies.

    Attributes
    ----------
    seed : int
    kinds : ndarray of int, shape (n,)
        Indices of `shards.blends.CLASS_NAMES`.
    is_dry : ndarray of bool, shape (n,)
        Mergers without gas; False for all others.
    parts : ndarray of int, shape (n,)
        Place among ten, which decides the split.
    reaches : ndarray of int, shape (n,)
        Half side of the square, in pixels of the finest map, beyond which a parent has hardly any light.
    levels : tuple of ndarray, shape (n, 3, side, side)
        Light of the old, intermediate and young stars, on 128, 64 and 32 pixels.
    """

    seed: int
    kinds: np.ndarray
    is_dry: np.ndarray
    parts: np.ndarray
    reaches: np.ndarray
    levels: tuple

    def of_split(self, split):
        """Rows of each kind of galaxy that images of a split may show, and `is_dry` of all rows, in a dict."""
        mine = np.array(SPLIT_OF_PART)[self.parts] == SPLITS.index(split)
        rows = {kind: np.flatnonzero(mine & (self.kinds == kind)) for kind in FRACTIONS}
        return rows | {"is_dry": self.is_dry}

    def maps(self, row, half_light):
        """Maps of a parent for an image in which its half-light radius is so many pixels.

        Returns
        -------
        maps : ndarray, shape (3, side, side), float32
            With the sum 1; only as many pixels as have light.
        pixel : float
            Side of their pixels in pixels of the image.
        """
        level = len(self.levels) - 1
        while level > 0 and 2**level * half_light / HALF_LIGHT > COARSEST:
            level -= 1
        middle, reach = SIDE // 2**level // 2, self.reaches[row] // 2**level
        inside = slice(middle - reach, middle + reach)
        maps = self.levels[level][row, :, inside, inside].astype(np.float32)
        return maps / maps.sum(dtype=np.float64).astype(np.float32), 2**level * half_light / HALF_LIGHT


def parents_path(folder, seed, n_parents):
    """Path of the pool of a seed in a folder."""
    return Path(folder) / f"parents-{seed}-{n_parents}.npz"


def make_parents(folder, seed, n_parents=N_PARENTS, progress=lambda: None):
    """Write the pool of a seed, unless it is there.

    Parameters
    ----------
    folder : path-like
        Made if missing.
    seed, n_parents : int
    progress : callable
        Called once a parent.

    Raises
    ------
    ValueError
        If there are too few parents for every split to have some of every kind.
    """
    check_n_parents(n_parents)
    path = parents_path(folder, seed, n_parents)
    if path.exists():
        return
    maps, kinds, is_dry, parts = [], [], [], []
    for kind, number in numbers(n_parents).items():
        for galaxy, part in _galaxies(kind, number, seed):
            maps.append(parent_maps(galaxy))
            kinds.append(kind)
            is_dry.append(bool(galaxy.truth.get("is_dry", False)))
            parts.append(part)
            progress()
    path.parent.mkdir(parents=True, exist_ok=True)
    own = path.with_name(f"{path.stem}.{os.getpid()}.npz")
    with write_whole(own, keep_suffix=True) as file:
        # Relative to the brightest pixel, half precision holds what a 27 mag fainter pixel has.
        stored = np.array([galaxy / galaxy.max() for galaxy in maps]).astype(np.float16)
        np.savez_compressed(file, recipe=RECIPE, seed=seed, kinds=np.array(kinds, np.int16), is_dry=np.array(is_dry),
                            parts=np.array(parts, np.int16), maps=stored)  # fmt: skip
    own.replace(path)


@lru_cache(maxsize=1)
def load_parents(folder, seed, n_parents=N_PARENTS):
    """Pool of a seed from the file that `make_parents` wrote; a process keeps the last.

    Raises
    ------
    ValueError
        If the file cannot be read, or is of another recipe or seed.
    """
    path = parents_path(folder, seed, n_parents)
    try:
        check_npz(path)
        with np.load(path) as file:
            stored = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: cannot be read as a pool of galaxies ({error}); remove it") from error
    found = tuple(int(stored.get(name, -1)) for name in ("recipe", "seed"))
    if found != (RECIPE, seed):
        raise ValueError(f"{path}: recipe {found[0]} of seed {found[1]}, not {RECIPE} of {seed}; remove it")
    levels = [stored["maps"]]
    while levels[-1].shape[-1] > SIDE // 4:
        side = levels[-1].shape[-1] // 2
        blocks = levels[-1].reshape(n_parents, len(POPULATIONS), side, 2, side, 2)
        levels.append(blocks.mean(axis=(3, 5), dtype=np.float32).astype(np.float16))
    reaches = np.array([_reach(maps.sum(axis=0, dtype=np.float32)) for maps in stored["maps"]])
    return Parents(seed, stored["kinds"], stored["is_dry"], stored["parts"], reaches, tuple(levels))


def check_n_parents(n_parents):
    """Raise a ValueError for a pool with which a split would lack a kind of galaxy."""
    if n_parents < MIN_PARENTS:
        raise ValueError(f"n_parents is {n_parents}; ask for at least {MIN_PARENTS}, so that every split has some")


def numbers(n_parents):
    """Spheroids, disks and mergers of a pool."""
    counts = {kind: round(fraction * n_parents) for kind, fraction in FRACTIONS.items()}
    return counts | {DISK: n_parents - counts[SPHEROID] - counts[MERGER]}


def parent_maps(galaxy):
    """Maps of a parent from those of a simulated galaxy.

    Parameters
    ----------
    galaxy : StellarMaps
        Its dust dims all bands as r; the reddening is in the spectrum of the source.

    Returns
    -------
    ndarray, shape (3, 128, 128), float32
        With the sum 1, centred on the centre of light.
    """
    through = 1.0 if galaxy.dust is None else np.exp(np.float32(-DUST_CURVE[1]) * galaxy.dust)
    light = {name: image * through for name, image in galaxy.maps.items()}
    total = sum(light.values()).astype(float)
    dark = np.zeros(total.shape, np.float32)
    seen = np.stack([light.get(name, dark) for name in POPULATIONS])
    centre, radius = centre_of_light(total), half_light_radius(total)
    maps = _cut(seen, centre, radius / HALF_LIGHT)
    shift = centre_of_light(maps.sum(axis=0)) - (SIDE - 1) / 2  # fading towards the edge moves the centre a little
    maps = _cut(seen, centre + shift * radius / HALF_LIGHT, radius / HALF_LIGHT)
    return (maps / maps.sum()).astype(np.float32)


def centre_of_light(image):
    """Centre (x, y) of the light of an image without negative pixels [pixel]."""
    along_x, along_y = image.sum(axis=0), image.sum(axis=1)
    return np.array([along_x @ np.arange(len(along_x)), along_y @ np.arange(len(along_y))]) / image.sum()


def half_light_radius(image):
    """Semi-major axis of the ellipse about the centre of light that holds half of it [pixel].

    The axis ratio and angle are those of the second moments of the light.
    """
    x0, y0 = centre_of_light(image)
    y, x = np.indices(image.shape, float)
    x, y = x - x0, y - y0
    total = image.sum()
    xx, yy, xy = ((image * product).sum() / total for product in (x * x, y * y, x * y))
    values, vectors = np.linalg.eigh([[xx, xy], [xy, yy]])
    along = x * vectors[0, 1] + y * vectors[1, 1]
    across = x * vectors[0, 0] + y * vectors[1, 0]
    radius = np.hypot(along, across / np.sqrt(max(values[0] / values[1], 0.01)))
    light = np.cumsum(np.bincount((FINER * radius).astype(int).ravel(), weights=image.ravel()))
    return float(np.interp(light[-1] / 2, light, (np.arange(len(light)) + 1) / FINER))


def _reach(image):
    """Half side of the centred square that holds all light but a part of 0.002, a multiple of 4 [pixel]."""
    total = image.sum()
    for reach in range(4, SIDE // 2, 4):
        inside = slice(SIDE // 2 - reach, SIDE // 2 + reach)
        if image[inside, inside].sum() > (1 - BEYOND_REACH) * total:
            return reach
    return SIDE // 2


def _galaxies(kind, number, seed):
    """Simulated galaxies of a kind and their parts."""
    if kind != MERGER:
        draw = {SPHEROID: draw_elliptical, DISK: draw_spiral}[kind]
        for k in range(number):
            yield draw(np.random.default_rng([seed, k, STREAM, kind])), k % PARTS
        return
    n_encounters = max(number // VIEWS, PARTS)
    for index in range(n_encounters):
        encounter = simulate_encounter(seed, index)
        for k in range(index, number, n_encounters):
            yield draw_merger(encounter, np.random.default_rng([seed, k, STREAM, kind])), index % PARTS


def _cut(maps, centre, pixel):
    """Light of maps in square pixels of a side about a centre, faded towards the edge, shape (3, 128, 128)."""
    rows, columns = (_overlaps(centre[axis], pixel, maps.shape[-1]) for axis in (1, 0))
    cut = rows @ maps @ columns.T
    offset = (np.arange(SIDE) - (SIDE - 1) / 2) / (SIDE / 2)
    radius = np.hypot(offset, offset[:, None])
    return cut * np.cos(np.pi / 2 * np.clip((radius - FADE) / (1 - FADE), 0, 1)) ** 2


def _overlaps(centre, pixel, length):
    """Part of each of `length` pixels that lies in each pixel of a cut, shape (128, length)."""
    low = centre + (np.arange(SIDE) - SIDE / 2)[:, None] * pixel
    edges = np.arange(length) - 0.5
    return np.clip(np.minimum(low + pixel, edges + 1) - np.maximum(low, edges), 0, None).astype(np.float32)
