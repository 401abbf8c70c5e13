"""New Main Galaxy Sample members from real ones: redshift, luminosity, spectrum, structure and dust with known truth.

A simulated galaxy is drawn from one real SDSS galaxy, its parent, whose redshift, luminosity and template fractions are
changed by a narrow kernel (a smoothed bootstrap: Silverman & Young 1987). The joint distribution is the real one, no
object is a copy, and galaxies of different parents are independent: `group_id` is the parent. Mass, type, sizes and
bulge-to-total ratio follow from published relations. The real parents are assigned to the cross-validation folds.

`draw_galaxy` returns an `SdssGalaxy`: true quantities and the Sersic components to render.
"""

from dataclasses import dataclass
from math import exp, log10, sqrt

import numpy as np
from astropy.cosmology import FlatLambdaCDM
from scipy.interpolate import CubicSpline

from photoz_morph.catalogs.folds import N_FOLDS, assign_fold
from photoz_morph.simulation.sdss.tables import load_table
from photoz_morph.surveys import SDSS

R_LIMIT = 17.8  # dereddened r magnitude; Pasquet et al. (2019), Sec. 2
Z_LIMIT = 0.4  # Pasquet et al. (2019), Sec. 2
FLUX_LIMIT = 10 ** (0.4 * (SDSS.zero_point - R_LIMIT))
COSMOLOGY = FlatLambdaCDM(H0=70, Om0=0.3)  # of Shen et al. (2003), and of abs_mag_r in mgs_parents.npz
EFFECTIVE_WAVELENGTH = np.array([3540.0, 4760.0, 6280.0, 7690.0, 9250.0])  # [Angstrom], SDSS ugriz
G, R = SDSS.bands.index("g"), SDSS.bands.index("r")
OLD_TEMPLATES = np.array([True, False, False, True, False])  # the two with a 4000 A break like ellipticals

# Standard deviations of the smoothing kernel, a tenth of those of the population or less: 0.56 in ln z, 0.94 mag, and
# 0.23, 0.09, 0.05 mag in rest-frame u-g, g-r, r-i, which that of the fractions changes by 0.008, 0.006, 0.004 mag.
KERNEL_LN_Z, KERNEL_ABS_MAG, KERNEL_LN_FRACTION = 0.04, 0.10, 0.06

# Intrinsic scatter of the photometric redshifts. Tuned so that a k-NN on the photometry measured in the images has
# the sigma_MAD of the real sample (0.0130 +- 0.0005), while part of the scatter can be seen in the pixels. The
# fractions of the parents were fitted to noisy magnitudes and carry a part of it too.
SED_SCATTER = np.array([0.005, 0.0015, 0.001, 0.0015, 0.002])  # spectra outside the span of five templates [mag]
PECULIAR_FRACTION, PECULIAR_FACTOR = 0.08, 5  # objects with five times that scatter
INCLINATION_DUST = 1.0  # A_r of a disk per log10(1/q); upper end of Maller et al. (2009) and Yip et al. (2010)
# Colour change per sigma of ln R_e at fixed mass: compact galaxies are redder (sign of Barone et al. 2018) [mag].
SIZE_COLOUR = 1.5 * np.array([-0.055, -0.020, 0.0, 0.008, 0.014])


@dataclass(frozen=True)
class Component:
    """One Sersic component: flux per band [image unit], index, half-light radius along the major axis [arcsec],
    axis ratio and position angle of the major axis [rad, from the x axis]."""

    flux: np.ndarray
    n: float
    half_light_radius: float
    axis_ratio: float
    angle: float


@dataclass(frozen=True)
class SpiralArms:
    """Two logarithmic arms on a disk: amplitude per band relative to the disk, pitch angle and phase [rad]."""

    amplitude: np.ndarray
    pitch: float
    phase: float


@dataclass(frozen=True)
class SdssGalaxy:
    """True properties of one simulated galaxy; see the column units in `sample`."""

    parent_id: int
    ra: float
    dec: float
    z: float
    ebv: float
    abs_mag_r: float
    petro_r: float
    true_mags: np.ndarray
    is_early: bool
    r_e: float
    axis_ratio: float
    bulge_to_total: float
    components: tuple
    arms: SpiralArms | None


class Parents:
    """Real galaxies of `mgs_parents.npz`, one entry per galaxy, and the templates of `sed_table.npz`.

    Attributes
    ----------
    parent_id, ra, dec, z, abs_mag_r, ebv : ndarray, shape (n,)
        Row in the kcorrect test sample; degrees and magnitudes.
    fraction : ndarray, shape (n, n_templates)
        Fractions of the templates in the r light at z = 0.
    fold : ndarray, shape (n,)
        Cross-validation fold of each.
    template_flux : callable
        Redshift -> fluxes on the SDSS system, shape (n_templates, n_bands).
    """

    def __init__(self):
        table = load_table("mgs_parents.npz")
        self.parent_id = table["parent_id"].astype(np.int64)
        self.ra, self.dec, self.z, self.abs_mag_r, self.ebv = (
            table[name].astype(float) for name in ("ra", "dec", "z", "abs_mag_r", "ebv")
        )
        self.fraction = table["fraction"] / table["fraction"].sum(axis=1, keepdims=True, dtype=float)
        sed = load_table("sed_table.npz")
        # On the SDSS magnitude system, m_SDSS = m_AB - ab_offset. The spline runs on fluxes: magnitudes of a
        # template with an emission line at a band edge swing between nodes.
        self.template_flux = CubicSpline(sed["z"], sed["maggies"] * 10 ** (0.4 * sed["ab_offset"].astype(float)))
        self.rest_template_flux = self.template_flux(0.0)
        z_grid = np.linspace(0.001, 0.45, 2000)
        self._distance = CubicSpline(z_grid, np.stack(distances(z_grid), axis=-1))
        self.fold = assign_fold(self.parent_id)
        self._members = [np.flatnonzero(self.fold == fold) for fold in range(N_FOLDS)]

    def in_fold(self, parent_id):
        """Rows of the parents in the fold of a parent."""
        return self._members[assign_fold(parent_id)[0]]

    def distance_modulus_and_scale(self, z):
        """Distance modulus [mag] and arcsec per kpc."""
        return self._distance(z)


def distances(z):
    """Distance modulus [mag] and angular scale [arcsec / kpc] at redshifts."""
    return COSMOLOGY.distmod(z).value, COSMOLOGY.arcsec_per_kpc_proper(z).value


def draw_galaxy(parents, rng):
    """Galaxy of the magnitude-limited sample.

    Parameters
    ----------
    parents : Parents
    rng : numpy.random.Generator
        The object's own stream. Galaxies are drawn one at a time, in scalar arithmetic, so that an object depends on
        nothing but its stream.

    Returns
    -------
    SdssGalaxy
        With petro_r <= R_LIMIT and z <= Z_LIMIT.
    """
    while True:
        galaxy = _draw_candidate(parents, rng)
        if galaxy is not None:
            return galaxy


def _draw_candidate(parents, rng):
    """Galaxy drawn about one parent, or None if it falls outside the limits of the sample."""
    parent = rng.integers(len(parents.z))
    z = float(parents.z[parent] * exp(rng.normal(0, KERNEL_LN_Z)))
    abs_mag_r = float(parents.abs_mag_r[parent] + rng.normal(0, KERNEL_ABS_MAG))
    fraction = parents.fraction[parent] * np.exp(rng.normal(0, KERNEL_LN_FRACTION, parents.fraction.shape[1]))
    fraction /= fraction.sum()
    distance_modulus, arcsec_per_kpc = parents.distance_modulus_and_scale(z)
    # abs_mag_r is k-corrected, and the fractions are of the r light at z = 0.
    templates = parents.template_flux(z) * 10 ** (0.4 * (SDSS.zero_point - abs_mag_r - distance_modulus))
    if z > Z_LIMIT or fraction @ templates[:, R] < 0.6 * FLUX_LIMIT:  # a face-on disk is brightened by less
        return None

    rest = fraction @ parents.rest_template_flux
    g_r = -2.5 * log10(rest[G] / rest[R])
    log_mass = -0.306 + 1.097 * g_r - 0.15 - 0.4 * (abs_mag_r - 4.65)  # Bell et al. (2003), Table 7; M_sun,r = 4.65
    is_early = bool(rng.random() < (0.70 + 0.25 * (abs_mag_r < -22)) / (1 + exp(-(g_r - 0.70) / 0.035)))  # 53 %
    shapes, size_residual, r_e, q, bulge_to_total = (_early_type if is_early else _late_type)(log_mass, rng)

    bulge = _bulge_fraction(fraction, bulge_to_total)
    flux = np.stack([bulge, fraction - bulge]) @ templates
    flux *= 10 ** (-0.4 * _colour_terms(z, q, is_early, size_residual, rng))
    total = flux.sum(axis=0)
    if total[R] < FLUX_LIMIT:
        return None

    ebv = float(parents.ebv[parent])
    galactic = 10 ** (-0.4 * ebv * np.asarray(SDSS.extinction_per_ebv))
    r_e_arcsec = float(r_e * arcsec_per_kpc)
    angle = rng.uniform(0, np.pi)
    return SdssGalaxy(
        parent_id=int(parents.parent_id[parent]),
        ra=float(parents.ra[parent]),
        dec=float(parents.dec[parent]),
        z=z,
        ebv=ebv,
        abs_mag_r=abs_mag_r,
        petro_r=SDSS.zero_point - 2.5 * log10(total[R]),
        true_mags=SDSS.zero_point - 2.5 * np.log10(total * galactic),
        is_early=is_early,
        r_e=r_e_arcsec,
        axis_ratio=q,
        bulge_to_total=bulge_to_total,
        components=tuple(
            Component(light * galactic, n, r_e_arcsec * radius, axis_ratio, angle)
            for light, (n, radius, axis_ratio) in zip(flux, shapes)
        ),
        arms=None if is_early else _spiral_arms(z, q, rng),
    )


def _colour_terms(z, q, is_early, size_residual, rng):
    """Magnitudes added to the templates of bulge and disk, shape (2, n_bands) [mag]; each term is zero on average."""
    scatter = SED_SCATTER * (PECULIAR_FACTOR if rng.random() < PECULIAR_FRACTION else 1)
    terms = rng.normal(0, scatter) + SIZE_COLOUR * size_residual
    if is_early:
        return np.stack([terms, terms])
    # Dust seen at an inclination, less its mean: the real colours hold the average already. A bulge sits half behind.
    dust = INCLINATION_DUST * (log10(1 / q) - 0.30) * (EFFECTIVE_WAVELENGTH / (1 + z) / 6165) ** -0.7
    return np.stack([terms + 0.5 * dust, terms + dust])


def _spiral_arms(z, q, rng):
    """Arms of a late type, or None where seeing or inclination would hide them: our choice, for looks."""
    if z > 0.08 or q < 0.3:
        return None
    amplitude = rng.uniform(0.3, 1) * np.array([0.8, 0.7, 0.55, 0.5, 0.45])  # young stars: bluer than the disk
    pitch = rng.choice((-1, 1)) * np.radians(rng.uniform(12, 28))
    return SpiralArms(amplitude, pitch, rng.uniform(0, 2 * np.pi))


def _late_type(log_mass, rng):
    """Bulge and exponential disk: (n, radius / R_e, q) of each, ln-size residual, R_e [kpc], q, B/T."""
    mass = 10**log_mass
    size_residual = rng.normal()
    ln_scatter = 0.34 + 0.13 / (1 + (mass / 3.98e10) ** 2)  # Shen et al. (2003), Eq. 19 and Table 1
    r_e = 0.1 * mass**0.14 * (1 + mass / 3.98e10) ** 0.25 * exp(ln_scatter * size_residual)  # their Eq. 18
    # Mean 0.21 at 10^10.5 M_sun, growing with mass: our choice.
    bulge_to_total = min(0.8, rng.beta(1.2, 4.5) * (1 + 0.4 * (log_mass - 10.5))) if log_mass > 8.5 else 0.0
    cos2 = rng.random() ** 2
    q = sqrt(0.96 * cos2 + 0.04)  # oblate disk of intrinsic thickness 0.2
    q_bulge = sqrt(0.64 * cos2 + 0.36)  # and bulge of 0.6
    n_bulge = min(5.0, max(0.8, rng.normal(2.2, 0.7)))
    return ((n_bulge, 0.28, q_bulge), (1.0, 1.15, q)), size_residual, r_e, q, bulge_to_total


def _early_type(log_mass, rng):
    """Spheroid and flatter halo: (n, radius / R_e, q) of each, ln-size residual, R_e [kpc], q, B/T."""
    size_residual = rng.normal()
    r_e = 2.88e-6 * 10 ** (0.56 * log_mass) * exp(0.30 * size_residual)  # Shen et al. (2003), Eq. 17 and erratum
    bulge_to_total = rng.beta(5, 1.5)
    q = min(1.0, max(0.25, rng.normal(0.74, 0.16)))
    n = min(6.0, max(2.5, rng.normal(4, 0.7)))
    return ((n, 1.0, q), (1.2, 1.5, 0.85 * q)), size_residual, r_e, q, bulge_to_total


def _bulge_fraction(fraction, bulge_to_total):
    """Template fractions of the bulge, summing to B/T: old light first, so colours differ while the total is kept."""
    old = fraction * OLD_TEMPLATES
    old_sum = old.sum()
    if old_sum >= bulge_to_total:
        return old * (bulge_to_total / old_sum)
    return old + (fraction - old) * ((bulge_to_total - old_sum) / (1 - old_sum))
