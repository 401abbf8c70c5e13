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
from photoz_morph.simulation.sdss.renderer import EXPONENTIAL_HALF_LIGHT
from photoz_morph.simulation.sdss.structure import (
    DISK_RADIUS,
    LEAST_SCALE_LENGTH,
    Clumps,
    SpiralArms,
    draw_arms,
    draw_clumps,
    draw_early_type,
    draw_late_type,
)
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
# 0.23, 0.09, 0.05 mag in rest-frame u-g, g-r, r-i, which that of the fractions changes by 0.004, 0.003, 0.002 mag.
KERNEL_LN_Z, KERNEL_ABS_MAG, KERNEL_LN_FRACTION = 0.04, 0.10, 0.03
# The parents' fractions were fitted to noisy magnitudes. Noise added to those once more widens the fractions about
# their mean at a colour and luminosity by 13 to 18 % of the variance; as much is taken out: 1 - sqrt(1 - 0.16).
SHRINKING = 0.085

# Spectra outside the span of five templates [mag]: its run with the bands and its tail are like those of what a fit of
# the templates leaves of the magnitudes of the parents. Its amplitude is bounded from above by what images can do:
# Pasquet et al. (2019) reached sigma_MAD 0.0091 on real stacks, which more scatter would not allow.
SED_SCATTER = 0.2 * np.array([0.030, 0.003, 0.002, 0.003, 0.010])
SED_TAIL, LARGEST_TAIL = 1.5, 30.0  # degrees of freedom of its Student t distribution, which is cut there
# A_r of a disk per log10(1/q). Maller et al. (2009): edge-on minus face-on 0.7, 0.6, 0.5, 0.5, 0.4 mag in ugriz, over
# 0.7 in log10(1/q) of a disk of thickness 0.2; and their run with wavelength.
INCLINATION_DUST, DUST_WAVELENGTH_INDEX = 0.7, -0.6
DUST_SCATTER = 0.3  # of ln dust between disks; our choice
# Colour change per sigma of ln R_e at fixed mass: compact galaxies are redder (sign of Barone et al. 2018) [mag].
SIZE_COLOUR = 0.8 * np.array([-0.055, -0.020, 0.0, 0.008, 0.014])
# How far the inner light is that of the old templates, 0 for no gradient and 1 for as far as the fractions allow: mean
# and scatter, for bulges redder than disks by 0.1 mag in g-r.
GRADIENT, GRADIENT_SCATTER = 0.6, 0.25
# Old light has one metallicity in the templates. Magnitudes of the halo of an early type relative to its spheroid that
# bring the gradients to those of Peletier et al. (1990), d(B-R) / d log r = -0.09 and d(U-R) / d log r = -0.20. Their
# scatter between galaxies is our choice.
METALLICITY_COLOUR, METALLICITY_SCATTER = np.array([-0.38, -0.12, 0.0, 0.03, 0.05]), 0.4
# Schlegel et al. (1998) give their map an accuracy of 16 %. Its beam of 6.1 arcmin hides 4 %: cirrus has a power
# spectrum k^-3 (Gautier et al. 1992), and between 55 and 6 arcmin it varies by 11 % (the shipped map against SDSS).
EBV_SCATTER = 0.165  # of ln E(B-V)


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
class SdssGalaxy:
    """True properties of one simulated galaxy; see the column units in `sample`."""

    parent_id: int
    ra: float
    dec: float
    z: float
    ebv: float
    true_ebv: float
    abs_mag_r: float
    petro_r: float
    true_mags: np.ndarray
    is_early: bool
    r_e: float
    axis_ratio: float
    bulge_to_total: float
    components: tuple
    arms: SpiralArms | None
    clumps: Clumps | None


class Parents:
    """Real galaxies of `mgs_parents.npz`, one entry per galaxy, and the templates of `sed_table.npz`.

    Attributes
    ----------
    parent_id, ra, dec, z, abs_mag_r, ebv : ndarray, shape (n,)
        Row in the kcorrect test sample; degrees and magnitudes.
    fraction : ndarray, shape (n, n_templates)
        Fractions of the templates in the r light at z = 0, without the width that photometric noise gives them.
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
        noisy = self.fraction
        self.fraction = (1 - SHRINKING) * noisy + SHRINKING * self._mean_fraction()
        # The apparent magnitudes stay the real ones: the k-correction changes.
        r_flux = np.einsum("gnk,nk->gn", np.stack([self.fraction, noisy]), self.template_flux(self.z)[:, :, R])
        self.abs_mag_r = self.abs_mag_r + 2.5 * np.log10(r_flux[0] / r_flux[1])
        z_grid = np.linspace(0.001, 0.45, 2000)
        self._distance = CubicSpline(z_grid, np.stack(distances(z_grid), axis=-1))
        self.fold = assign_fold(self.parent_id)
        self._members = [np.flatnonzero(self.fold == fold) for fold in range(N_FOLDS)]

    def _mean_fraction(self):
        """Mean fractions at the rest-frame g-r and the absolute magnitude of each parent, shape (n, n_templates)."""
        rest = self.fraction @ self.rest_template_flux
        g_r = np.clip(-2.5 * np.log10(rest[:, G] / rest[:, R]), 0.1, 1.0)
        magnitude = self.abs_mag_r + 21
        terms = np.column_stack([g_r**power for power in range(4)] + [magnitude, magnitude**2, g_r * magnitude])
        mean = np.maximum(terms @ np.linalg.lstsq(terms, self.fraction)[0], 0)
        return mean / mean.sum(axis=1, keepdims=True)

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
    shape = (draw_early_type if is_early else draw_late_type)(log_mass, z, rng)

    light = _light_of_parts(fraction, shape.light, rng)
    flux = light @ templates
    flux *= 10 ** (-0.4 * _colour_terms(z, shape, is_early, rng))
    total = flux.sum(axis=0)
    if is_early:
        flux[-1] *= 10 ** (-0.4 * rng.normal(1, METALLICITY_SCATTER) * METALLICITY_COLOUR)
        flux *= total / flux.sum(axis=0)

    # What the survey knows is the map: it dims the galaxy by the true dust and corrects for the map's.
    extinction = np.asarray(SDSS.extinction_per_ebv)
    ebv = float(parents.ebv[parent])
    true_ebv = ebv * exp(rng.normal(0, EBV_SCATTER))
    petro_r = SDSS.zero_point - 2.5 * log10(total[R]) + extinction[R] * (true_ebv - ebv)
    if petro_r > R_LIMIT:
        return None

    flux *= 10 ** (-0.4 * true_ebv * extinction)
    r_e = float(shape.r_e * arcsec_per_kpc)
    angle = rng.uniform(0, np.pi)
    arms = clumps = None
    if not is_early:
        scale_length = DISK_RADIUS * r_e / EXPONENTIAL_HALF_LIGHT
        if scale_length >= LEAST_SCALE_LENGTH:
            arms = draw_arms(shape.axis_ratio, rng)
            young = 1 - light[-1, OLD_TEMPLATES].sum() / light[-1].sum()
            clumps = draw_clumps(flux[-1], young, scale_length, shape.axis_ratio, angle, arms, rng)
            flux[-1] -= clumps.flux
    return SdssGalaxy(
        parent_id=int(parents.parent_id[parent]),
        ra=float(parents.ra[parent]),
        dec=float(parents.dec[parent]),
        z=z,
        ebv=ebv,
        true_ebv=true_ebv,
        abs_mag_r=abs_mag_r,
        petro_r=petro_r,
        true_mags=SDSS.zero_point - 2.5 * np.log10(total) + extinction * true_ebv,
        is_early=is_early,
        r_e=r_e,
        axis_ratio=shape.axis_ratio,
        bulge_to_total=shape.light[0],
        components=tuple(
            Component(light, n, r_e * radius, axis_ratio, angle + turn)
            for light, (n, radius, axis_ratio, turn) in zip(flux, shape.parts)
        ),
        arms=arms,
        clumps=clumps,
    )


def _colour_terms(z, shape, is_early, rng):
    """Magnitudes added to the templates of each part, shape (n_parts, n_bands) [mag]; each term is zero on average."""
    # The root of a chi squared makes a normal deviate a Student t, here the same in all bands of a galaxy.
    tail = min(LARGEST_TAIL, sqrt(SED_TAIL / (2 * rng.standard_gamma(SED_TAIL / 2))))
    terms = rng.normal(0, SED_SCATTER) * tail + SIZE_COLOUR * shape.size_residual
    terms = np.tile(terms, (len(shape.parts), 1))
    if not is_early:
        # Dust seen at an inclination, less its mean: the real colours hold the average already.
        dust = INCLINATION_DUST * exp(rng.normal(0, DUST_SCATTER) - DUST_SCATTER**2 / 2)
        dust *= log10(1 / shape.axis_ratio) - 0.30
        dust = dust * (EFFECTIVE_WAVELENGTH / (1 + z) / EFFECTIVE_WAVELENGTH[R]) ** DUST_WAVELENGTH_INDEX
        terms += dust
        terms[0] -= 0.5 * dust  # a bulge sits half behind
    return terms


def _light_of_parts(fraction, light, rng):
    """Template fractions of the parts, shape (n_parts, n_templates), with the total of `fraction`.

    The inner parts, all but the last, take the old templates first, and so differ in colour while the total is kept.
    """
    inner = sum(light[:-1])
    old = fraction * OLD_TEMPLATES
    old_sum = old.sum()
    if old_sum >= inner:
        reddest = old * (inner / old_sum)
    else:
        reddest = old + (fraction - old) * ((inner - old_sum) / (1 - old_sum))
    strength = min(1.0, max(0.0, rng.normal(GRADIENT, GRADIENT_SCATTER)))
    core = strength * reddest + (1 - strength) * inner * fraction
    return np.stack([*(core * (part / inner if inner else 0.0) for part in light[:-1]), fraction - core])
