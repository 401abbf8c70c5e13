"""The light of a simulated merger by its parts: primary, companion, and what the tides have pulled out of both.

The view of an object is drawn once more from its stream, its particles are sorted by the galaxy that they come from
and by how far they are from both nuclei, and each part's share of the light is mapped. Shares are of the light before
stars form in dense gas and before dust, which all parts have alike in a pixel.
"""

from dataclasses import dataclass

import numpy as np

from photoz_morph.simulation.morphology.candidates import STREAM, draw_accepted
from photoz_morph.simulation.morphology.encounter_orbit import SCALE_LENGTH, SIZE_EXPONENT
from photoz_morph.simulation.morphology.encounters import DISK_EDGE, OWNERS, load_encounter
from photoz_morph.simulation.morphology.mergers import (
    CENTRE_SCATTER,
    draw_bulge,
    draw_light,
    draw_view,
    light_fractions,
)
from photoz_morph.simulation.morphology.particle_maps import MARGIN, adaptive_widths, splat
from photoz_morph.simulation.morphology.populations import FIELD_PIXELS, PIXEL_KPC
from photoz_morph.system.threads import one_thread

PARTS = ("primary", "companion", "tails")


@dataclass(frozen=True)
class MergerParts:
    """One merger.

    Attributes
    ----------
    image : ndarray, shape (500, 500, 3), float32
        The noiseless scene, g, r, i [nJy per pixel].
    shares : ndarray, shape (3, 500, 500), float32
        Of its light in each pixel, from each of `PARTS`; they sum to one where there is light.
    nuclei : ndarray, shape (2, 2)
        Of primary and companion (column, row) [pixel].
    """

    image: np.ndarray
    shares: np.ndarray
    nuclei: np.ndarray


def merger_parts(seed, index, encounter_dir):
    """Parts of the light of an object of the simulated sample.

    Parameters
    ----------
    seed, index : int
        Of the object, a merger.
    encounter_dir : path-like
        Cache of encounters.

    Returns
    -------
    MergerParts

    Raises
    ------
    ValueError
        If the object is no merger.
    """
    galaxy, _, number, rejected = draw_accepted(seed, index, encounter_dir)
    if number < 0:
        raise ValueError(f"galaxy {index} of seed {seed} is no merger; it has no parts")
    encounter = load_encounter(encounter_dir, seed, number)
    # The accepted candidate's stream, from its beginning: light, view, and where the nucleus lies in its pixel.
    rng = np.random.default_rng([seed, index, STREAM, sum(rejected.values())])
    with one_thread():
        light = draw_light(rng)
        snapshot, turn = draw_view(encounter, light, rng)
        scale = light.size / PIXEL_KPC
        centre = (FIELD_PIXELS - 1) / 2 + rng.uniform(-CENTRE_SCATTER, CENTRE_SCATTER, 2)
        sky = turn.as_matrix()[:2] * scale
        nuclei = encounter.centres[snapshot] @ sky.T + centre
        particles = encounter.snapshot(snapshot)
        maps = _maps_of_parts(encounter, particles, particles @ sky.T + centre, snapshot, light)
        lengths = scale * SCALE_LENGTH * np.array([1.0, encounter.mass_ratio**SIZE_EXPONENT])
        _, bulges = light_fractions(encounter, light)
        for i in range(2):
            maps[i] += draw_bulge(nuclei[i], bulges[i], lengths[i], i, light, rng)
    total = maps.sum(axis=0)
    shares = np.divide(maps, total, out=np.zeros_like(maps), where=total > 0)
    return MergerParts(galaxy.image(), shares.astype(np.float32), nuclei)


def _maps_of_parts(encounter, particles, places, snapshot, light):
    """Light of the particles of each part, shape (3, 500, 500)."""
    lengths = SCALE_LENGTH * np.array([1.0, encounter.mass_ratio**SIZE_EXPONENT])
    distances = [np.linalg.norm(particles - centre, axis=1) for centre in encounter.centres[snapshot]]
    # Beyond the edge that either disk had before they met.
    is_tail = (distances[0] > DISK_EDGE * lengths[0]) & (distances[1] > DISK_EDGE * lengths[1])
    weights = np.zeros((len(PARTS), len(particles)), np.float32)
    of_disks = light_fractions(encounter, light)[0].sum(axis=0)
    for number, own in enumerate(OWNERS):
        weights[number, own] = np.where(is_tail[own], 0, of_disks[own])
    weights[2] = np.where(is_tail, of_disks, 0)
    x, y = places.T.astype(np.float32)
    middle, half = (FIELD_PIXELS - 1) / 2, FIELD_PIXELS / 2 + MARGIN
    near = (np.abs(x - middle) < half) & (np.abs(y - middle) < half)
    x, y = x[near], y[near]
    return splat(x, y, weights[:, near], adaptive_widths(x, y))
