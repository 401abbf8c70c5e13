"""Restricted N-body encounters of two disk galaxies, from which views of mergers are drawn.

Massless particles in two tilted disks follow the pull of two rigid galaxies (Toomre & Toomre 1972; the galaxies'
paths are those of `encounter_orbit`): tails, bridges and shells form by themselves.
An encounter is a function of a seed and an index, and holds the particles at twelve times after the first pericentre.
"""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from photoz_morph.simulation.morphology.encounter_orbit import DURATION_MYR, PRIMARY_MASS, STEP_MYR, Body, orbit
from photoz_morph.system.files import write_whole
from photoz_morph.system.sizes import check_npz

__all__ = ["Encounter", "encounter_path", "load_encounter", "simulate_encounter"]

RECIPE = 1  # of encounters; a cached file of another recipe is refused
STREAM = 4  # keeps the draws of encounter i apart from those of galaxy i
SNAPSHOTS_MYR = np.geomspace(40.0, DURATION_MYR, 12)  # after the first pericentre
N_PARTICLES = (14_000, 10_000)  # in the primary's disk and the companion's
OWNERS = (slice(0, N_PARTICLES[0]), slice(N_PARTICLES[0], None))  # which particles those are
SAMPLING_LENGTH = 1.5  # [scale lengths] of the drawn disks: more particles than light outside, where tails come from
DISK_EDGE = 5.0  # [scale lengths] where disks are truncated (van der Kruit & Searle 1982: 4.2 +- 0.6)
DISPERSION = 0.1  # of the disks' velocities, over the circular one
POSITION_UNIT = 0.02  # [kpc] of the stored positions, a tenth of a pixel


@dataclass(frozen=True)
class Encounter:
    """Two galaxies at twelve times after their first pericentre.

    Attributes
    ----------
    seed, index : int
    mass_ratio : float
        Companion over primary.
    pericentre : float
        Of the frictionless parabola [kpc].
    times : ndarray, shape (n_snapshots,), float32
        Since the first pericentre [Myr].
    centres : ndarray, shape (n_snapshots, 2, 3), float32
        Nuclei of primary and companion relative to the primary's [kpc].
    positions : ndarray, shape (n_snapshots, n_particles, 3), int16
        Particles relative to the primary's nucleus [0.02 kpc]; those of the primary first.
    radii : ndarray, shape (n_particles,), float32
        Initial radius of each particle in its disk [scale lengths of that disk].
    """

    seed: int
    index: int
    mass_ratio: float
    pericentre: float
    times: np.ndarray
    centres: np.ndarray
    positions: np.ndarray
    radii: np.ndarray

    def snapshot(self, i):
        """Positions of the particles at time i, shape (n_particles, 3), float32 [kpc]."""
        return self.positions[i] * np.float32(POSITION_UNIT)


@dataclass(frozen=True)
class Disk:
    """Particles about their nucleus: x [kpc] and v [kpc Myr^-1], shape (n, 3); radii (n,) [scale lengths]."""

    x: np.ndarray
    v: np.ndarray
    radii: np.ndarray


def encounter_path(cache_dir, seed, index):
    """Path of an encounter in the cache of `load_encounter`."""
    return Path(cache_dir) / f"encounter-{seed}-{index:05d}.npz"


def load_encounter(cache_dir, seed, index):
    """Encounter number `index` of a seed, from the cache, or simulated and cached.

    Parameters
    ----------
    cache_dir : path-like
        Made if missing. Several processes may use it at once.
    seed, index : int

    Returns
    -------
    Encounter

    Raises
    ------
    ValueError
        If the cached file cannot be read or is of another recipe.
    """
    path = encounter_path(cache_dir, seed, index)
    if not path.exists():
        encounter = simulate_encounter(seed, index)
        path.parent.mkdir(parents=True, exist_ok=True)
        own = path.with_name(f"{path.stem}.{os.getpid()}.npz")  # two processes may make the same encounter
        with write_whole(own, keep_suffix=True) as part:
            np.savez_compressed(part, recipe=RECIPE, **vars(encounter))
        own.replace(path)
        return encounter
    try:
        check_npz(path)
        with np.load(path) as stored:
            columns = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: cannot be read as an encounter ({error}); remove it") from error
    recipe = columns.pop("recipe", None)
    if recipe != RECIPE:
        raise ValueError(f"{path}: is of recipe {recipe}, this version makes {RECIPE}; remove the cache folder")
    return Encounter(**{name: value[()] if value.ndim == 0 else value for name, value in columns.items()})


def simulate_encounter(seed, index):
    """Encounter number `index` of a seed; the same on every call.

    Returns
    -------
    Encounter
        Of mass ratio 10^U(-1.1, 0), pericentre 3 to 12 kpc and random tilts of both disks.
    """
    rng = np.random.default_rng([seed, index, STREAM])
    mass_ratio, pericentre = 10 ** rng.uniform(-1.1, 0), rng.uniform(3.0, 12.0)
    bodies = (Body(PRIMARY_MASS), Body(PRIMARY_MASS * mass_ratio))
    disks = [draw_disk(body, n, Rotation.random(rng=rng), rng) for body, n in zip(bodies, N_PARTICLES)]
    path = orbit(bodies, pericentre)
    steps = path.first_pericentre + np.rint(SNAPSHOTS_MYR / STEP_MYR).astype(int)
    x = np.concatenate([disk.x + path.centres[0, i] for i, disk in enumerate(disks)])
    v = np.concatenate([disk.v + path.start_velocities[i] for i, disk in enumerate(disks)])
    positions = follow(bodies, path, x, v, steps)
    centres = path.centres[steps]
    relative = (positions - centres[:, :1]) / POSITION_UNIT
    limit = np.iinfo(np.int16).max  # 655 kpc, where no view looks
    return Encounter(
        seed=seed,
        index=index,
        mass_ratio=float(mass_ratio),
        pericentre=float(pericentre),
        times=((steps - path.first_pericentre) * STEP_MYR).astype(np.float32),
        centres=(centres - centres[:, :1]).astype(np.float32),
        positions=np.rint(relative.clip(-limit, limit)).astype(np.int16),
        radii=np.concatenate([disk.radii for disk in disks]).astype(np.float32),
    )


def draw_disk(body, n_particles, tilt, rng):
    """Particles of a nearly cold disk about its nucleus.

    Parameters
    ----------
    body : Body
        Whose disk it is.
    n_particles : int
    tilt : scipy.spatial.transform.Rotation
        From a disk that turns about +z, as the orbit does, to the wanted one.
    rng : numpy.random.Generator

    Returns
    -------
    Disk
        In circular motion plus a dispersion of a tenth of it in each direction. The surface density falls with 1.5
        scale lengths, so the light of a particle must be weighted by where it began.
    """
    quantiles = rng.uniform(0.0, 1.0, n_particles)
    grid = np.linspace(0.0, DISK_EDGE, 1001)
    mass_inside = 1 - (1 + grid / SAMPLING_LENGTH) * np.exp(-grid / SAMPLING_LENGTH)
    radii = np.interp(quantiles * mass_inside[-1], mass_inside, grid)
    distance, phase = radii * body.scale_length, rng.uniform(0, 2 * np.pi, n_particles)
    cos, sin, zero = np.cos(phase), np.sin(phase), np.zeros(n_particles)
    speed = np.sqrt(body.pull(distance**2)) * distance
    height = DISPERSION * distance * rng.standard_normal(n_particles)
    x = np.stack([distance * cos, distance * sin, height], axis=1)
    v = np.stack([-speed * sin, speed * cos, zero], axis=1)
    v += DISPERSION * speed[:, None] * rng.standard_normal((n_particles, 3))
    return Disk(tilt.apply(x), tilt.apply(v), radii)


def follow(bodies, path, x, v, steps):
    """Positions of massless particles at some steps of the nuclei's orbit, by kick-drift-kick leapfrog.

    Parameters
    ----------
    bodies : pair of Body
    path : Orbit
    x, v : ndarray, shape (n, 3)
        At the start of the orbit, those of the first body first, N_PARTICLES each [kpc], [kpc Myr^-1].
    steps : ndarray of int, ascending

    Returns
    -------
    ndarray, shape (len(steps), n, 3), float32
        [kpc]
    """
    x, v = np.ascontiguousarray(x.T, np.float32), np.ascontiguousarray(v.T, np.float32)
    centres, drags = path.centres.astype(np.float32)[..., None], path.drags.astype(np.float32)[..., None]
    half = np.float32(0.5 * STEP_MYR)
    v += half * field_of(bodies, centres[0], drags[0], x)
    snapshots = []
    for step in range(1, steps[-1] + 1):
        x += np.float32(STEP_MYR) * v
        acceleration = field_of(bodies, centres[step], drags[step], x)
        v += np.float32(STEP_MYR) * acceleration  # two half kicks; positions alone are kept
        if step in steps:
            snapshots.append(x.T.copy())
    return np.array(snapshots)


def field_of(bodies, centres, drags, x):
    """Acceleration of particles, shape (3, n) [kpc Myr^-2].

    A galaxy's friction acts on its bound particles as well, in proportion to the pull of its stars, or the nucleus
    would be dragged out of its disk.
    """
    acceleration = np.zeros_like(x)
    for body, centre, drag, own in zip(bodies, centres, drags, OWNERS):
        offset = centre - x
        r2 = np.einsum("in,in->n", offset, offset)
        (gm_halo, a2_halo), (gm_stars, a2_stars) = ((np.float32(gm), np.float32(a2)) for gm, a2 in body.components)
        softened = r2 + a2_stars
        stars = 1 / (softened * np.sqrt(softened))
        acceleration[:, own] += drag * (a2_stars**1.5 * stars[own])
        r2 += a2_halo
        stars *= gm_stars
        stars += gm_halo / (r2 * np.sqrt(r2))
        offset *= stars
        acceleration += offset
    return acceleration
