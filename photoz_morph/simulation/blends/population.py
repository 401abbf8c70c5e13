"""The galaxies and stars of a field: numbers, magnitudes, spectral types, redshifts, sizes and places.

Published laws say what is drawn:

- counts of galaxies: N(< i) = 46 * 10^(0.31 (i - 25)) per square arcminute, fitted at 20.5 < i < 25.5 (LSST Science
  Collaboration 2009, Eq. 3.7). Brighter than 20.5 they fall with the slope 0.55, our choice, with which the 92 galaxies
  per square degree of the SDSS Main Galaxy Sample (r < 17.77; Strauss et al. 2002) are met to a third;
- spectral types and redshifts at a magnitude: the prior of Benitez (2000), Table 1, from the Hubble Deep Field North,
  on the same templates as the colours;
- sizes: the median scale length of disks falls as ln(r_d / arcsec) = -1.145 - 0.269 (i - 23), at 18.5 < i < 25.5
  (Miller et al. 2013, Eq. B1, from Simard et al. 2002), around which p(r) ~ r exp(-(r / a)^(4/3)) (the same, Sec. B1);
- spheroids: all galaxies with the spectrum of E/S0, and so many others that at least one galaxy in ten is dominated by
  its bulge (Miller et al. 2013, Sec. B1);
- mergers: one galaxy in ten, as Lotz et al. (2008) find by G and M20 at 0.2 < z < 1.2;
- stars: the counts of a real SDSS field at high Galactic latitude (`simulation.sdss.images`).

Sources lie anywhere, without clustering: real galaxies blend somewhat more often.
"""

from dataclasses import dataclass

import numpy as np

from photoz_morph.shards.blends import DISK, MERGER, SPHEROID, STAR
from photoz_morph.simulation.blends.colours import (
    ELLIPTICAL,
    IRREGULAR,
    MAX_REDSHIFT,
    SBC,
    SCD,
    galaxy_fluxes,
    star_magnitudes,
)
from photoz_morph.simulation.sdss.images import STAR_DENSITY, STAR_SLOPE

GALAXIES_AT_25, GALAXY_SLOPE = 46.0, 0.31  # [arcmin^-2] with i < 25; LSST Science Collaboration (2009), Eq. 3.7
BRIGHT_BREAK, BRIGHT_SLOPE = 20.5, 0.55
BRIGHTEST_GALAXY = 18.0  # i
BRIGHTEST_STAR = 18.0  # r; stars brighter than 16 saturate in visits of LSST, and those just fainter fill a scene
# Benitez (2000), Table 1, for E/S0, Sbc and Scd together, Irr: p(type | m) = f exp(-k (m - 20)), the last the rest;
# p(z | type, m) ~ z^alpha exp(-(z / z_m)^alpha) with z_m = z_0 + k_m (m - 20), m in F814W.
TYPE_FRACTION, TYPE_DECLINE = (0.35, 0.50), (0.450, 0.147)
ALPHA, Z_0, K_M = (2.465, 1.806, 0.906), (0.431, 0.390, 0.0626), (0.0913, 0.0636, 0.123)
TYPE_RANGE = ((ELLIPTICAL, 0.3), (SBC - 0.3, SCD + 0.3), (SCD + 0.3, IRREGULAR))  # templates of the types; our choice
MIN_SPHEROIDS = 0.10  # of the galaxies; Miller et al. (2013), Sec. B1
MERGER_FRACTION = 0.10  # +- 0.02; Lotz et al. (2008)
EXPONENTIAL_HALF_LIGHT = 1.678  # half-light radius of an exponential disk in scale lengths
# Half-light radius of a spheroid over that of a disk of the same magnitude; our choice, after the sizes at fixed mass
# of van der Wel et al. (2014).
SPHEROID_SIZE = 0.6
LARGEST_SIZE = 4.0  # [arcsec] half-light radius; larger ones would show the pixels of the parents
MEDIAN_SPREAD = 1.134  # median of p(r) ~ r exp(-r^(4/3)): that of a gamma(3/2) deviate to the power 3/4
COLOUR_SCATTER = 0.05  # [mag] of g - i and r - i about a template; our choice
PAIR_MAG_DIFFERENCE = 2.0  # [mag] at most, as in Boucaud et al. (2020)
PAIR_SEPARATION = (0.5, 3.2)  # [arcsec] well below the width of the point-spread function to well apart; our choice


@dataclass(frozen=True)
class Source:
    """A galaxy or star as drawn.

    Attributes
    ----------
    kind : int
        Index of `shards.blends.CLASS_NAMES`.
    x, y : float
        Column and row of the centre of light [pixel]; 0 is the centre of the first pixel.
    mags : ndarray, shape (3,)
        AB in g, r, i, of all its light.
    redshift, template, size_arcsec : float
        Spectrum (see `colours`); half-light radius along the major axis. NaN for a star.
    parent : int
        Row of the pool of parents; -1 for a star.
    angle : float
        By which the parent is turned [rad].
    is_mirrored : bool
    """

    kind: int
    x: float
    y: float
    mags: np.ndarray
    redshift: float = np.nan
    template: float = np.nan
    size_arcsec: float = np.nan
    parent: int = -1
    angle: float = 0.0
    is_mirrored: bool = False


def galaxy_density(mag_i):
    """Galaxies per square arcminute brighter than a magnitude in i."""
    faint = GALAXIES_AT_25 * 10 ** (GALAXY_SLOPE * (np.maximum(mag_i, BRIGHT_BREAK) - 25))
    return faint * 10 ** (BRIGHT_SLOPE * np.minimum(np.asarray(mag_i) - BRIGHT_BREAK, 0))


def star_density(mag_r):
    """Stars per square arcminute brighter than a magnitude in r."""
    return STAR_DENSITY * 10 ** (STAR_SLOPE * (np.asarray(mag_r) - 22))


def draw_field(size, margin, pixel_scale, survey, pool, faintest, rng):
    """Sources of a field and of a margin around it.

    Parameters
    ----------
    size, margin : int
        Side of the field, and width of the margin [pixel].
    pixel_scale : float
        [arcsec]
    survey : {"lsst", "sdss"}
    pool : dict of int to ndarray of int, with `is_dry`
        See `Parents.of_split`.
    faintest : float
        Magnitude in i of the faintest galaxies and in r of the faintest stars.
    rng : numpy.random.Generator

    Returns
    -------
    list of Source
    """
    area = ((size + 2 * margin) * pixel_scale / 60) ** 2  # [arcmin^2]
    n_galaxies = rng.poisson(area * (galaxy_density(faintest) - galaxy_density(BRIGHTEST_GALAXY)))
    n_stars = rng.poisson(area * (star_density(faintest) - star_density(BRIGHTEST_STAR)))
    places = rng.uniform(-0.5 - margin, size - 0.5 + margin, (n_galaxies + n_stars, 2))
    sources = [draw_galaxy(mag_i, place, survey, pool, rng)
               for mag_i, place in zip(draw_galaxy_mags(n_galaxies, faintest, rng), places)]  # fmt: skip
    return sources + [draw_star(faintest, place, rng) for place in places[n_galaxies:]]


def draw_pair(size, pixel_scale, survey, pool, faintest, rng):
    """Two galaxies that are no mergers, one within a pixel of the middle of the stamp and a companion.

    Parameters are those of `draw_field`; `faintest` is the limit of the galaxy in the middle. The magnitudes differ by
    up to 2 (Boucaud et al. 2020), the distances are even from 0.5 to 3.2 arcsec.

    Returns
    -------
    list of Source
    """
    mag_i = draw_galaxy_mags(1, faintest, rng)[0]
    middle = (size - 1) / 2 + rng.uniform(-1, 1, 2)
    distance, angle = rng.uniform(*PAIR_SEPARATION) / pixel_scale, rng.uniform(0, 2 * np.pi)
    companion = middle + distance * np.array([np.cos(angle), np.sin(angle)])
    difference = rng.uniform(-PAIR_MAG_DIFFERENCE, PAIR_MAG_DIFFERENCE)
    return [
        draw_galaxy(mag, place, survey, pool, rng, merger_fraction=0.0)
        for mag, place in ((mag_i, middle), (mag_i + difference, companion))
    ]


def draw_galaxy_mags(number, faintest, rng):
    """Magnitudes in i of galaxies that follow the counts, shape (number,)."""
    limits = np.log10(galaxy_density(np.array([BRIGHTEST_GALAXY, BRIGHT_BREAK, max(faintest, BRIGHT_BREAK)])))
    bright, faint = galaxy_density(BRIGHTEST_GALAXY), galaxy_density(faintest)
    counts = np.log10(rng.uniform(bright, faint, number))
    return np.interp(counts, limits, [BRIGHTEST_GALAXY, BRIGHT_BREAK, max(faintest, BRIGHT_BREAK)])


def type_fractions(mag_i):
    """Fractions of E/S0, Sbc to Scd, and irregular galaxies at a magnitude in i, shape (3,).

    Brighter than 20, where Benitez (2000) has no galaxies, they are those at 20.
    """
    beyond = max(mag_i - 20, 0)
    early, spiral = (f * np.exp(-k * beyond) for f, k in zip(TYPE_FRACTION, TYPE_DECLINE))
    return np.array([early, spiral, 1 - early - spiral])


def draw_redshift(mag_i, spectral_type, rng):
    """Redshift of a galaxy of a magnitude and of type 0 (E/S0), 1 (spiral) or 2 (irregular), up to 3.

    Brighter than 20 the scale of the prior falls as the distance at which a galaxy has the magnitude, 10^(0.2 m).
    """
    alpha = ALPHA[spectral_type]
    scale = Z_0[spectral_type] + K_M[spectral_type] * max(mag_i - 20, 0)
    scale *= 10 ** (0.2 * min(mag_i - 20, 0))
    while True:  # z^alpha exp(-(z / z_m)^alpha) dz is a gamma density of (z / z_m)^alpha
        redshift = scale * rng.gamma(1 + 1 / alpha) ** (1 / alpha)
        if redshift < MAX_REDSHIFT:
            return redshift


def draw_galaxy(mag_i, place, survey, pool, rng, merger_fraction=MERGER_FRACTION):
    """A galaxy of a magnitude in i at (x, y)."""
    fractions = type_fractions(mag_i)
    is_merger = rng.random() < merger_fraction
    spectral_type = int(rng.choice(3, p=fractions))
    early = fractions[0]
    is_spheroid = spectral_type == 0 or rng.random() < (MIN_SPHEROIDS - early) / (1 - early)
    kind = MERGER if is_merger else SPHEROID if is_spheroid else DISK
    rows = pool[kind]
    parent = int(rows[rng.integers(len(rows))])
    if is_merger:  # without gas it is as red as an elliptical, with gas it is none
        late = fractions[1:] / fractions[1:].sum()
        spectral_type = 0 if pool["is_dry"][parent] else 1 + int(rng.choice(2, p=late))
    redshift, template = draw_redshift(mag_i, spectral_type, rng), rng.uniform(*TYPE_RANGE[spectral_type])
    mags = mag_i - 2.5 * np.log10(galaxy_fluxes(redshift, template, survey))
    mags[:2] += rng.normal(0, COLOUR_SCATTER, 2)
    return Source(
        kind=kind,
        x=float(place[0]),
        y=float(place[1]),
        mags=mags,
        redshift=float(redshift),
        template=float(template),
        size_arcsec=draw_size(mag_i, kind, rng),
        parent=parent,
        angle=float(rng.uniform(0, 2 * np.pi)),
        is_mirrored=bool(rng.random() < 0.5),
    )


def draw_size(mag_i, kind, rng):
    """Half-light radius along the major axis [arcsec], at most 4."""
    median = EXPONENTIAL_HALF_LIGHT * np.exp(-1.145 - 0.269 * (mag_i - 23)) * (SPHEROID_SIZE if kind == SPHEROID else 1)
    while True:
        size = median * rng.gamma(1.5) ** 0.75 / MEDIAN_SPREAD  # p(r) ~ r exp(-(r / a)^(4/3))
        if size < LARGEST_SIZE:
            return float(size)


def draw_star(faintest, place, rng):
    """A star at (x, y)."""
    counts = rng.uniform(star_density(BRIGHTEST_STAR), star_density(faintest))
    mag_r = 22 + np.log10(counts / STAR_DENSITY) / STAR_SLOPE
    return Source(STAR, float(place[0]), float(place[1]), star_magnitudes(mag_r, rng.random()))
