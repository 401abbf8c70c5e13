"""Orbits of two galaxies that meet on a parabola and sink by dynamical friction.

A galaxy is a Plummer halo and a Plummer body of stars, both rigid. `orbit` takes masses and a pericentre and returns
the paths of both nuclei from a separation of 45 kpc to 790 Myr after the first pericentre.
"""

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["PRIMARY_MASS", "Body", "Orbit", "orbit"]

G = 4.4985e-12  # [kpc^3 Msun^-1 Myr^-2], 4.3009e-6 kpc (km/s)^2 Msun^-1
HALO_MASS = 4e11  # [Msun] of the primary, at the luminosity for which its disk has SCALE_LENGTH
STELLAR_FRACTION = 0.1  # body over halo mass; the primary turns with 210 km/s at 5 kpc, 250 km/s from 10 to 20 kpc
HALO_CORE, STELLAR_CORE = 12.0, 2.5  # [kpc] Plummer lengths of the primary
SCALE_LENGTH = 3.1  # [kpc] of the primary's disk; M_r = -20.4 on the size-luminosity relation of the spirals
SIZE_EXPONENT = 1 / 3  # size against mass of the companion, constant mean density
START_KPC, STEP_MYR = 45.0, 2.5
DURATION_MYR = 790.0  # after the first pericentre
FRICTION = 1.3  # over Chandrasekhar's, as real haloes reach further out than Plummer's; pairs merge in the time shown
VELOCITY_DISPERSION = 0.15  # [kpc Myr^-1] of the haloes' particles, 150 km/s
PRIMARY_MASS = HALO_MASS * (1 + STELLAR_FRACTION)


@dataclass(frozen=True)
class Body:
    """Rigid galaxy: mass [Msun] of halo and stars together, Plummer lengths and disk scale length [kpc]."""

    mass: float

    @property
    def size(self):
        """Lengths relative to those of a primary."""
        return (self.mass / PRIMARY_MASS) ** SIZE_EXPONENT

    @property
    def scale_length(self):
        """Of the disk [kpc]."""
        return SCALE_LENGTH * self.size

    @property
    def components(self):
        """(G times mass, squared Plummer length) of halo and stars."""
        halo = self.mass / (1 + STELLAR_FRACTION)
        return (
            (G * halo, (HALO_CORE * self.size) ** 2),
            (G * halo * STELLAR_FRACTION, (STELLAR_CORE * self.size) ** 2),
        )

    def potential(self, radius):
        """Potential at a distance [kpc^2 Myr^-2]."""
        return -sum(gm / np.sqrt(radius**2 + a2) for gm, a2 in self.components)

    def pull(self, radius2):
        """Acceleration towards the centre over distance [Myr^-2], from the squared distance."""
        return sum(gm / ((radius2 + a2) * np.sqrt(radius2 + a2)) for gm, a2 in self.components)

    def mass_inside(self, radius2):
        """Mass inside a squared distance [Msun], taken as the mass that tides leave at that separation."""
        return sum(gm / G * (radius2 / (radius2 + a2)) ** 1.5 for gm, a2 in self.components)

    def halo_density(self, radius2):
        """G times the halo's density [Myr^-2]."""
        gm, a2 = self.components[0]
        return 3 * gm * a2 / (4 * math.pi * (radius2 + a2) ** 2.5)


@dataclass(frozen=True)
class Orbit:
    """Paths of two nuclei, every 2.5 Myr.

    Attributes
    ----------
    centres : ndarray, shape (n_steps + 1, 2, 3)
        [kpc]
    drags : ndarray, shape (n_steps + 1, 2, 3)
        Part of each nucleus' acceleration that is friction [kpc Myr^-2].
    start_velocities : ndarray, shape (2, 3)
        [kpc Myr^-1]
    first_pericentre : int
        Its step.
    """

    centres: np.ndarray
    drags: np.ndarray
    start_velocities: np.ndarray
    first_pericentre: int


def orbit(bodies, pericentre, friction=FRICTION):
    """Paths of two galaxies on a parabola, with friction.

    Parameters
    ----------
    bodies : pair of Body
    pericentre : float
        Of the parabola without friction [kpc].
    friction : float
        Over Chandrasekhar's; 0 switches it off.

    Returns
    -------
    Orbit
    """

    def potential(radius):
        return bodies[0].potential(radius) + bodies[1].potential(radius)

    momentum2 = -2 * potential(pericentre) * pericentre**2
    tangential = math.sqrt(momentum2) / START_KPC
    radial = math.sqrt(-2 * potential(START_KPC) - tangential**2)
    x = np.array([[0.0, 0.0, 0.0], [START_KPC, 0.0, 0.0]])
    v = np.array([[0.0, 0.0, 0.0], [-radial, tangential, 0.0]])
    acceleration, drag = accelerate(bodies, x, v, friction)
    start_velocities, centres, drags, first = v, [x], [drag], None
    while first is None or len(centres) <= first + round(DURATION_MYR / STEP_MYR):
        half = v + 0.5 * STEP_MYR * acceleration
        x = x + STEP_MYR * half
        acceleration, drag = accelerate(bodies, x, half, friction)
        v = half + 0.5 * STEP_MYR * acceleration
        centres.append(x)
        drags.append(drag)
        if first is None and np.dot(x[1] - x[0], v[1] - v[0]) > 0:
            first = len(centres) - 1
    return Orbit(np.array(centres), np.array(drags), start_velocities, first)


def accelerate(bodies, x, v, friction):
    """Accelerations of two galaxies and the part that is friction, both of shape (2, 3) [kpc Myr^-2].

    Each galaxy falls in the field of the other as its particles do, so that disks stay on their nuclei. Friction is
    Chandrasekhar's (Binney & Tremaine 2008, Eq. 8.6), of what tides leave of each galaxy in the halo of the other.
    """
    between, motion = x[1] - x[0], v[1] - v[0]
    r2, speed = between @ between, math.sqrt(motion @ motion)
    chi = speed / (math.sqrt(2) * VELOCITY_DISPERSION)
    # F(chi) / speed^3, whose limit at rest is finite.
    slow = 4 / (3 * math.sqrt(math.pi) * (math.sqrt(2) * VELOCITY_DISPERSION) ** 3)
    factor = (math.erf(chi) - 2 * chi / math.sqrt(math.pi) * math.exp(-(chi**2))) / speed**3 if chi > 0.01 else slow
    masses = np.array([body.mass_inside(r2) for body in bodies])
    logarithm = math.log(1 + bodies[0].mass / bodies[1].mass)  # Boylan-Kolchin et al. (2008), Eq. 5
    densities = np.array([bodies[1].halo_density(r2), bodies[0].halo_density(r2)])
    rate = friction * 4 * math.pi * logarithm * G * factor * masses * densities
    drag = rate[:, None] * np.array([motion, -motion])
    pull = np.array([bodies[1].pull(r2) * between, -bodies[0].pull(r2) * between])
    return pull + drag, drag
