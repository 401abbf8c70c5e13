"""Structure of simulated galaxies: bulge, disk, bar, spiral arms and star-forming clumps, from published statistics.

Lengths are in units of the half-light radius R_e of the galaxy, or of the scale length h of its disk; positions and
angles lie in the plane of the disk until `projected_bar` and `draw_clumps` put them on the sky.
"""

from dataclasses import dataclass
from math import atan2, cos, exp, radians, sin, sqrt, tan

import numpy as np

DISK_RADIUS, BULGE_RADIUS = 1.15, 0.28  # half-light radii of late types / R_e
THICKNESS, BULGE_THICKNESS = 0.2, 0.6  # intrinsic axis ratios
# R_e ~ (1 + z)^-1.48 for early and ^-0.75 for late types (van der Wel et al. 2014); Shen et al. (2003) hold at z = 0.1.
SIZE_EVOLUTION_EARLY, SIZE_EVOLUTION_LATE, SIZE_REDSHIFT = 1.48, 0.75, 0.1

# 29 % of the disks in Galaxy Zoo 2 have a strong bar (Masters et al. 2011). Light, index and axis ratio: Gadotti
# (2011), means; length 1.2 h lies between early and late spirals of Erwin (2005).
BAR_FRACTION, BAR_LIGHT, BAR_INDEX, BAR_AXIS_RATIO, BAR_LENGTH = 0.29, 0.10, 0.7, 0.35, 1.2
BAR_LIGHT_SCATTER, BAR_LENGTH_SCATTER = 0.4, 0.3  # of the logarithms; our choice

# Amplitude of arms relative to the disk: 0.15 to 0.6 in the near infrared (Rix & Zaritsky 1995), a little more in r.
# Young stars are bluer than the disk: ratios to r are our choice.
ARM_AMPLITUDE = 0.165, 0.55
ARM_COLOUR = np.array([1.45, 1.27, 1.0, 0.91, 0.82])
TWO_ARMS = 0.6  # of spirals, the others have more, here 4 (Hart et al. 2016)
ARM_PITCH = 12, 28  # degrees; Kennicutt (1981), Sa to Sc
LEAST_AXIS_RATIO = 0.3  # of a disk with visible arms
# Scale length of a disk with arms and clumps [arcsec]: half the width of the seeing, which blurs those of smaller ones.
LEAST_SCALE_LENGTH = 0.6

# HII regions and young associations: luminosity function ~ L^-2 over two decades (Kennicutt, Edgar & Hodge 1989), on
# the arms. Their share of the light of a blue disk in r and their colours are our choice: H alpha of 20 to 30 Angstrom
# equivalent width, half of it in discrete regions, is 1 % of the r band, and their continuum about as much again.
CLUMP_NUMBER, CLUMP_RANGE, CLUMP_SHARE = 12, 100.0, 0.03
CLUMP_COLOUR = np.array([3.0, 1.6, 1.0, 0.7, 0.6])
CLUMP_DEVIATION = 0.35  # rad, scatter of their azimuth about an arm


@dataclass(frozen=True)
class SpiralArms:
    """Logarithmic arms on a disk: amplitude per band relative to the disk, pitch angle and phase [rad], number."""

    amplitude: np.ndarray
    pitch: float
    phase: float
    number: int = 2


@dataclass(frozen=True)
class Clumps:
    """Points of light on a disk: flux per band of all of them [image unit], share of each, offsets (x, y) [arcsec]."""

    flux: np.ndarray
    share: np.ndarray
    positions: np.ndarray


@dataclass(frozen=True)
class Shape:
    """Where the light lies: Sersic parts and what they share.

    `parts` are tuples (n, half-light radius / R_e, axis ratio, position angle relative to the major axis [rad]) of
    bulge and halo of an early type, or bulge, bar (if any) and disk of a late one, and `light` their shares.
    """

    size_residual: float
    r_e: float
    axis_ratio: float
    light: tuple
    parts: tuple


def draw_late_type(log_mass, z, rng):
    """Bulge, bar and exponential disk of a stellar mass [log10 M_sun] at a redshift; r_e in kpc."""
    mass = 10**log_mass
    size_residual = rng.normal()
    ln_scatter = 0.34 + 0.13 / (1 + (mass / 3.98e10) ** 2)  # Shen et al. (2003), Eq. 19 and Table 1
    r_e = 0.1 * mass**0.14 * (1 + mass / 3.98e10) ** 0.25 * exp(ln_scatter * size_residual)  # their Eq. 18
    r_e *= ((1 + z) / (1 + SIZE_REDSHIFT)) ** -SIZE_EVOLUTION_LATE
    # Mean 0.21 at 10^10.5 M_sun, growing with mass: our choice.
    bulge = min(0.8, rng.beta(1.2, 4.5) * (1 + 0.4 * (log_mass - 10.5))) if log_mass > 8.5 else 0.0
    cos2 = rng.random() ** 2
    q = sqrt((1 - THICKNESS**2) * cos2 + THICKNESS**2)
    q_bulge = sqrt((1 - BULGE_THICKNESS**2) * cos2 + BULGE_THICKNESS**2)
    n_bulge = min(5.0, max(0.8, rng.normal(2.2, 0.7)))
    parts = [(n_bulge, BULGE_RADIUS, q_bulge, 0.0), (1.0, DISK_RADIUS, q, 0.0)]
    light = [bulge, 1 - bulge]
    if rng.random() < BAR_FRACTION:
        bar = min(0.5 * light[1], BAR_LIGHT * exp(rng.normal(0, BAR_LIGHT_SCATTER)))
        # Half the light of a profile as flat as n = 0.7 lies within half the length.
        scale_length = DISK_RADIUS / 1.678
        radius = 0.5 * BAR_LENGTH * scale_length * exp(rng.normal(0, BAR_LENGTH_SCATTER))
        parts.insert(1, (BAR_INDEX, *projected_bar(radius, rng.uniform(0, np.pi), q)))
        light = [bulge, bar, light[1] - bar]
    return Shape(size_residual, r_e, q, tuple(light), tuple(parts))


def draw_early_type(log_mass, z, rng):
    """Spheroid and flatter halo of a stellar mass [log10 M_sun] at a redshift; r_e in kpc."""
    size_residual = rng.normal()
    r_e = 2.88e-6 * 10 ** (0.56 * log_mass) * exp(0.30 * size_residual)  # Shen et al. (2003), Eq. 17 and erratum
    r_e *= ((1 + z) / (1 + SIZE_REDSHIFT)) ** -SIZE_EVOLUTION_EARLY
    spheroid = rng.beta(5, 1.5)
    q = min(1.0, max(0.25, rng.normal(0.74, 0.16)))
    n = min(6.0, max(2.5, rng.normal(4, 0.7)))
    parts = ((n, 1.0, q, 0.0), (1.2, 1.5, 0.85 * q, 0.0))
    return Shape(size_residual, r_e, q, (spheroid, 1 - spheroid), parts)


def projected_bar(radius, azimuth, axis_ratio):
    """Half-light radius, axis ratio and position angle of a bar on the sky.

    Parameters
    ----------
    radius : float
        Along the bar, in the plane of the disk.
    azimuth : float
        Of the bar from the line of nodes, in that plane [rad].
    axis_ratio : float
        By which the projection shortens the other direction.

    Returns
    -------
    float, float, float
        Position angle from the line of nodes, which is the major axis of the disk [rad].
    """
    # Second moments of the ellipse, projected, and their principal axes.
    along, across = radius**2, (radius * BAR_AXIS_RATIO) ** 2
    xx = along * cos(azimuth) ** 2 + across * sin(azimuth) ** 2
    yy = (along * sin(azimuth) ** 2 + across * cos(azimuth) ** 2) * axis_ratio**2
    xy = (along - across) * sin(azimuth) * cos(azimuth) * axis_ratio
    middle, spread = (xx + yy) / 2, sqrt(((xx - yy) / 2) ** 2 + xy**2)
    major, minor = sqrt(middle + spread), sqrt(max(middle - spread, 0))
    return major, minor / major, 0.5 * atan2(2 * xy, xx - yy)


def draw_arms(axis_ratio, rng):
    """Arms of a late type, or None where its inclination hides them."""
    if axis_ratio < LEAST_AXIS_RATIO:
        return None
    amplitude = rng.uniform(*ARM_AMPLITUDE) * ARM_COLOUR
    number = 2 if rng.random() < TWO_ARMS else 4
    pitch = (1 if rng.random() < 0.5 else -1) * radians(rng.uniform(*ARM_PITCH))
    return SpiralArms(amplitude, pitch, rng.uniform(0, 2 * np.pi), number)


def draw_clumps(disk_flux, young_fraction, scale_length, axis_ratio, angle, arms, rng):
    """Clumps of a disk, on its arms where it has any.

    Parameters
    ----------
    disk_flux : ndarray, shape (n_bands,)
        [image unit]
    young_fraction : float
        Of the light of the disk in r, from the templates with young stars.
    scale_length : float
        Of the disk [arcsec].
    axis_ratio, angle : float
        Of the disk; position angle of the major axis [rad].
    arms : SpiralArms or None
    rng : numpy.random.Generator

    Returns
    -------
    Clumps
    """
    flux = CLUMP_SHARE * min(1.0, young_fraction / 0.3) * rng.uniform(0.3, 1.7) * CLUMP_COLOUR * disk_flux
    share = 1 / (1 - rng.random(CLUMP_NUMBER) * (1 - 1 / CLUMP_RANGE))  # of a luminosity function L^-2
    radius = np.clip(rng.gamma(2, 1, CLUMP_NUMBER), 0.5, 4)  # of an exponential disk; the centre is the bulge's
    azimuth = rng.uniform(0, 2 * np.pi, CLUMP_NUMBER)
    if arms is not None:
        arm = np.floor(azimuth / (2 * np.pi) * arms.number) * 2 * np.pi / arms.number
        azimuth = arm + np.log(radius) / tan(arms.pitch) + arms.phase / arms.number
        azimuth = azimuth + rng.normal(0, CLUMP_DEVIATION, CLUMP_NUMBER)
    along = radius * np.cos(azimuth) * scale_length
    across = radius * np.sin(azimuth) * scale_length * axis_ratio
    x, y = along * cos(angle) - across * sin(angle), along * sin(angle) + across * cos(angle)
    return Clumps(flux, share / share.sum(), np.column_stack([x, y]))
