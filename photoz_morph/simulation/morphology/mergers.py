"""Views of merging galaxies: a snapshot of an encounter, from a random side, as maps of stellar populations.

Particles of the disks carry old, intermediate and young light, the young more where the disks are dense; bulges sit
on the nuclei; star-forming clumps are drawn from the young light and patchy dust follows it. A fifth of the mergers
are dry. Distances scale with luminosity as the sizes of disks do: with M ~ r^3 an encounter keeps its times.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.special import gammaincinv

from photoz_morph.simulation.morphology.encounter_orbit import SCALE_LENGTH, SIZE_EXPONENT
from photoz_morph.simulation.morphology.encounters import OWNERS, SAMPLING_LENGTH
from photoz_morph.simulation.morphology.particle_maps import MARGIN, WIDTHS, adaptive_widths, smooth_field, splat
from photoz_morph.simulation.morphology.populations import DUST_CURVE, FIELD_PIXELS, PIXEL_KPC, StellarMaps, r_flux

__all__ = ["MergerLight", "draw_light", "draw_merger", "draw_view", "merger_populations"]

MAX_SEPARATION = 25.0  # [kpc] of the nuclei on the sky, half the way to the edge of the field
DRY_FRACTION = 0.2
LATENESS = 0.35  # snapshots are drawn as time^0.35, though they are closer together early
LIGHT_EXPONENT = 1.3  # light ratio ~ mass ratio^1.3: small haloes have fewer stars for their mass
CENTRE_SCATTER = 2.5  # [pixel] half a stamp pixel: the stamps' grid falls anywhere on the nucleus
MIN_BULGE_RADIUS = 0.74  # [kpc] softening of the stars of TNG100 (Nelson et al. 2019, Table 1)
CLUMP_SLOPE, CLUMP_RANGE = 1.7, 100.0  # dN/dL ~ L^-1.7 over a factor of 100 (Kennicutt et al. 1989: -2 +- 0.5)
MAX_CLUMP_WIDTH = 4.0  # [pixels] of the smoothing; no clumps where the disks are thinner than that
OLD_WIDTH = 3.0  # [pixels] 0.6 kpc; the disks of old stars are hotter than the particles'
N_NUCLEAR_CLUMPS = 6  # of a nuclear starburst, of equal light


@dataclass(frozen=True)
class MergerLight:
    """Light of an encounter; tuples are for primary and companion.

    Attributes
    ----------
    abs_mag_r : float
        AB, after dust, of all light in and outside the field.
    is_dry : bool
        Old stars in large bulges, without gas.
    size : float
        Lengths in the view over those in the simulated encounter.
    bulge_to_total, bulge_radius, bulge_slope, bulge_ratio : tuple of float
        Fraction of its galaxy's light; half-light radius [scale lengths]; beta of (1 + r^2/a^2)^-beta; axis ratio.
    disk_n : tuple of float
        Sersic index of the disks before the encounter.
    old_fraction, young_fraction : float
        Of the disks' light; the rest is of intermediate age.
    clump_fraction, nuclear_fraction : float
        Of the young light in clumps among the disks and at the nuclei.
    n_clumps : int
    dust_depth : float
        Optical depth in r where the typical young star is.
    """

    abs_mag_r: float
    is_dry: bool
    size: float
    bulge_to_total: tuple
    bulge_radius: tuple
    bulge_slope: tuple
    bulge_ratio: tuple
    disk_n: tuple
    old_fraction: float
    young_fraction: float
    clump_fraction: float
    nuclear_fraction: float
    n_clumps: int
    dust_depth: float


def draw_merger(encounter, rng):
    """View of an encounter.

    Parameters
    ----------
    encounter : Encounter
    rng : numpy.random.Generator

    Returns
    -------
    StellarMaps
        Its truth has `abs_mag_r` (after dust, of all light), `is_dry`, `mass_ratio`, `pericentre` [kpc],
        `time_myr` since the first pericentre, `separation` of the nuclei on the sky and `separation_3d` [kpc], and
        `fraction_outside`, the part of the light beyond the field.
    """
    light = draw_light(rng)
    snapshot, turn = draw_view(encounter, light, rng)
    maps, dust, fraction_outside = merger_populations(encounter, snapshot, turn, light, rng)
    nuclei = light.size * turn.apply(encounter.centres[snapshot].astype(float))
    truth = {
        "abs_mag_r": light.abs_mag_r,
        "is_dry": light.is_dry,
        "mass_ratio": encounter.mass_ratio,
        "pericentre": light.size * encounter.pericentre,
        "time_myr": float(encounter.times[snapshot]),
        "separation": float(np.hypot(*(nuclei[1] - nuclei[0])[:2])),
        "separation_3d": float(np.linalg.norm(nuclei[1] - nuclei[0])),
        "fraction_outside": fraction_outside,
    }
    return StellarMaps(maps, dust, truth)


def draw_light(rng):
    """Random luminosity, stellar populations, bulges and dust of a pair."""
    is_dry = bool(rng.random() < DRY_FRACTION)
    # Mergers of galaxies above 10^9.5 Msun: as the spirals, slightly brighter.
    abs_mag_r = float(-18.9 - rng.gamma(2.0, 0.55))
    # r ~ L^0.3 for late types, 0.2 dex of scatter (Shen et al. 2003, Fig. 4), halved as it acts on orbits, too.
    size = 10 ** (-0.12 * (abs_mag_r + 20.4) + rng.normal(0, 0.1))
    bulges = rng.uniform(0.4, 0.75, 2) if is_dry else rng.uniform(0.05, 0.4, 2)
    young = 0.0 if is_dry else rng.uniform(0.15, 0.45)
    return MergerLight(
        abs_mag_r=abs_mag_r,
        is_dry=is_dry,
        size=float(size),
        bulge_to_total=tuple(bulges),
        bulge_radius=tuple(rng.uniform(0.15, 0.45, 2) if is_dry else rng.uniform(0.12, 0.35, 2)),
        bulge_slope=tuple(rng.uniform(1.5, 2.5, 2)),
        bulge_ratio=tuple(rng.uniform(0.55, 1.0, 2)),
        disk_n=tuple(rng.uniform(0.5, 1.0, 2)),
        old_fraction=float(rng.uniform(0.7, 0.95) if is_dry else rng.uniform(0.2, 0.45)),
        young_fraction=float(young),
        clump_fraction=float(rng.uniform(0.05, 0.4)),
        nuclear_fraction=float(rng.uniform(0.0, 0.2)),
        n_clumps=int(10 ** rng.uniform(1.0, 2.2)),
        dust_depth=0.0 if is_dry else float(rng.uniform(0.1, 0.5)),
    )


def draw_view(encounter, light, rng):
    """Index of a snapshot and a rotation that puts the nuclei within 25 kpc on the sky.

    Late snapshots are preferred: most mergers of TNG100 have one nucleus left.
    """
    probabilities = encounter.times.astype(float) ** LATENESS
    probabilities /= probabilities.sum()
    while True:
        snapshot = int(rng.choice(len(probabilities), p=probabilities))
        turn = Rotation.random(rng=rng)
        across = turn.apply(encounter.centres[snapshot, 1].astype(float))[:2]
        if light.size * np.hypot(*across) < MAX_SEPARATION:
            return snapshot, turn


def merger_populations(encounter, snapshot, turn, light, rng):
    """Population maps and dust of a view centred on the primary's nucleus.

    Parameters
    ----------
    encounter : Encounter
    snapshot : int
    turn : scipy.spatial.transform.Rotation
        From the encounter to (right, up, towards the observer).
    light : MergerLight
    rng : numpy.random.Generator
        Draws clumps and patches of dust.

    Returns
    -------
    maps : dict of str to ndarray, shape (500, 500), float32
        As in StellarMaps, [nJy per pixel].
    dust : ndarray, shape (500, 500), float32, or None
        As in StellarMaps.
    fraction_outside : float
        Part of the light that is beyond the field; the wings of bulges do not count.
    """
    scale = light.size / PIXEL_KPC
    centre = (FIELD_PIXELS - 1) / 2 + rng.uniform(-CENTRE_SCATTER, CENTRE_SCATTER, 2)
    sky = turn.as_matrix()[:2] * scale
    nuclei = encounter.centres[snapshot] @ sky.T + centre
    x, y = sky.astype(np.float32) @ encounter.snapshot(snapshot).T + centre[:, None].astype(np.float32)
    disks, bulges = light_fractions(encounter, light)
    near = _near(x, y, MARGIN)
    x, y, disks = x[near], y[near], disks[:, near]
    widths = adaptive_widths(x, y)
    if light.is_dry:
        widths = np.hypot(widths, OLD_WIDTH).clip(max=WIDTHS[-1])
    else:
        x, y, disks, widths = form_stars(x, y, disks, widths, nuclei, bulges, light, rng)
    maps = dict(zip(("old", "intermediate", "young"), splat(x, y, disks, widths)))
    lengths = scale * SCALE_LENGTH * np.array([1.0, encounter.mass_ratio**SIZE_EXPONENT])
    for i in range(2):
        maps["old"] += draw_bulge(nuclei[i], bulges[i], lengths[i], i, light, rng)
    inside = bulges[_near(*nuclei.T)].sum() + disks[:, _near(x, y)].sum(dtype=np.float64)
    fraction_outside = max(1 - inside, 0.0)  # rounding makes it negative
    if light.is_dry:
        dust = None
        del maps["young"]
    else:
        dust = draw_dust(maps["young"], light.dust_depth, rng)
    # The stated luminosity is what leaves the galaxy, in the field and outside.
    total = sum(maps.values())
    seen = total.sum() if dust is None else np.vdot(total, np.exp(np.float32(-DUST_CURVE[1]) * dust))
    flux = np.float32(r_flux(light.abs_mag_r) * (1 - fraction_outside) / seen)
    return {name: flux * image for name, image in maps.items()}, dust, float(fraction_outside)


def light_fractions(encounter, light):
    """Parts of the total light: of the particles as (old, intermediate, young), shape (3, n); of the bulges (2,)."""
    galaxies = np.array([1.0, encounter.mass_ratio**LIGHT_EXPONENT])
    galaxies /= galaxies.sum()
    bulges = galaxies * light.bulge_to_total
    disks = np.empty((3, len(encounter.radii)), np.float32)
    for own, disk, n in zip(OWNERS, galaxies - bulges, light.disk_n):
        radii = encounter.radii[own]
        # A Sersic profile of the half-light radius of an exponential, 1.678 scale lengths, over the sampling's.
        length = 1.678 / gammaincinv(2 * n, 0.5) ** n
        density = np.exp(radii / SAMPLING_LENGTH - (radii / length) ** (1 / n))
        inner, outer = np.exp(-radii / 3) * density, np.minimum(radii, 2) * density
        middle = 1 - light.old_fraction - light.young_fraction
        populations = ((light.old_fraction, inner), (middle, density), (light.young_fraction, outer))
        for k, (fraction, profile) in enumerate(populations):
            disks[k, own] = disk * fraction * profile / profile.sum()
    return disks, bulges


def form_stars(x, y, disks, widths, nuclei, bulges, light, rng):
    """Particles with the young light moved to dense places, and with clumps as further particles."""
    young = disks[2].sum()
    # Schmidt's law: star formation per gas ~ density^0.4 ~ width^-0.8 (Kennicutt 1998).
    disks[2] *= widths**-0.8
    disks[2] *= young / disks[2].sum()
    birth = disks[2] * (widths < MAX_CLUMP_WIDTH)
    picked = rng.choice(len(x), light.n_clumps, p=birth / birth.sum(dtype=np.float64))
    steep = CLUMP_SLOPE - 1
    clumps = (1 - rng.random(light.n_clumps) * (1 - CLUMP_RANGE**-steep)) ** (-1 / steep)
    nuclear = rng.choice(2, N_NUCLEAR_CLUMPS, p=bulges / bulges.sum())
    spots = nuclei[nuclear] + rng.normal(0, 0.3 / PIXEL_KPC, (N_NUCLEAR_CLUMPS, 2))
    clumps = np.concatenate([
        young * light.clump_fraction * clumps / clumps.sum(),
        np.full(N_NUCLEAR_CLUMPS, young * light.nuclear_fraction / N_NUCLEAR_CLUMPS),
    ])
    disks[2] *= 1 - light.clump_fraction - light.nuclear_fraction
    x = np.concatenate([x, x[picked], spots[:, 0]])
    y = np.concatenate([y, y[picked], spots[:, 1]])
    widths = np.concatenate([widths, rng.uniform(*WIDTHS[:2], len(clumps))])
    return x, y, np.concatenate([disks, clumps * np.array([[0], [0], [1]])], axis=1), widths


def draw_bulge(nucleus, flux, scale_length, i, light, rng):
    """Bulge number i, shape (500, 500), float32: flux (1 + r^2/a^2)^-beta, round to flattened at a random angle."""
    beta, axis_ratio, angle = light.bulge_slope[i], light.bulge_ratio[i], rng.uniform(0, np.pi)
    half_light = max(light.bulge_radius[i] * scale_length, MIN_BULGE_RADIUS / PIXEL_KPC)
    a2 = half_light**2 / (2 ** (1 / (beta - 1)) - 1)
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = (np.arange(FIELD_PIXELS) - nucleus[:, None]).astype(np.float32)
    along, across = x * cos + y[:, None] * sin, (y[:, None] * cos - x * sin) / axis_ratio
    profile = (1 + (along**2 + across**2) / np.float32(a2)) ** np.float32(-beta)
    return profile * np.float32(flux * (beta - 1) / (np.pi * a2 * axis_ratio))


def draw_dust(young, depth, rng):
    """Optical depth in r, shape (500, 500), float32: patchy, higher where young stars are, `depth` at the typical."""
    typical = np.vdot(young, young) / young.sum()
    patches = np.exp(np.float32(0.6) * smooth_field(WIDTHS[2], rng))
    # Grows as the root of the light and levels off at twice `depth`: a screen would hide the nuclei altogether.
    ratio = young / typical
    return np.float32(depth) * patches * 2 * np.sqrt(ratio) / (1 + np.sqrt(ratio))


def _near(x, y, margin=0):
    """Mask of points [pixels] in the field, or within a margin of its edge."""
    half, middle = FIELD_PIXELS / 2, (FIELD_PIXELS - 1) / 2
    return (np.abs(x - middle) < half + margin) & (np.abs(y - middle) < half + margin)
