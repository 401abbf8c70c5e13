"""Ages and metallicities of the stars of a simulated galaxy, with gradients and with scatter from place to place.

The simulator of shapes knows where the old, the intermediate and the young stars of a galaxy are. Here each of the
three gets an age and a metallicity in each pixel: a value of the galaxy, a gradient along the logarithm of the radius,
and a smooth random field. Galaxies of the same shape and light so have different ages, metallicities and masses; only
their colours and structure tell which.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from photoz_morph.simulation.populations.stellar_table import ranges

POPULATIONS = ("old", "intermediate", "young")
SOLAR_R = 4.65  # [mag] absolute AB magnitude of the Sun in r (Willmer 2018, Table 3)
TYPICAL_RATIO = 2.0  # mass over light in r, in solar units, from which the metallicity of a galaxy is drawn; our choice
# Median metallicity of stars against log10 of their mass (after Gallazzi et al. 2005, Table 2, rounded to 0.05 dex).
MASS_NODES, METALLICITY_NODES = (9.0, 9.5, 10.0, 10.5, 11.0, 11.5), (-0.60, -0.60, -0.35, 0.0, 0.10, 0.15)
METALLICITY_SCATTER = 0.15  # [dex] among galaxies of a mass; Gallazzi et al. have 0.15 to 0.5, errors included
# log10 age [yr] and its scatter among galaxies. Chosen such that the colours are near those of the simulator of shapes:
# a red sequence, and a young population that stands for some hundred Myr of star formation.
AGES = {"old": (9.92, 0.10), "intermediate": (9.40, 0.15), "young": (8.60, 0.20)}
ENRICHMENT = {"old": -0.05, "intermediate": 0.0, "young": 0.05}  # [dex] against the galaxy; our choice
# Gradients [dex per decade of radius]: mean and scatter among galaxies. Metallicity falls by about 0.1 dex per
# half-light radius in most galaxies and age hardly changes (Gonzalez Delgado et al. 2015; Goddard et al. 2017).
AGE_GRADIENT, METALLICITY_GRADIENT = (-0.05, 0.08), (-0.18, 0.10)
AGE_PATCHES, METALLICITY_PATCHES = 0.07, 0.07  # [dex] rms from place to place; our choice
PATCH_WIDTH = 5.0  # [pixel] standard deviation of the smoothing of the patches: 1 kpc
INNERMOST, OUTERMOST = 0.1, 4.0  # [half-light radii] beyond which gradients do not go on
OLDEST = 10.13  # [log10 yr] of the universe at z = 0.05 in the cosmology of Planck: 13.1 Gyr, to 3 %


@dataclass(frozen=True)
class Stars:
    """Ages and metallicities of the populations of a galaxy.

    Attributes
    ----------
    log_age, metallicity : dict of str to ndarray, shape (side, side)
        Of each population that the galaxy has: log10 of years, and [M/H].
    """

    log_age: dict
    metallicity: dict


def assign_stars(light, abs_mag_r, rng):
    """Draw ages and metallicities.

    Parameters
    ----------
    light : dict of str to ndarray, shape (side, side)
        Light of each population in r, as of `StellarMaps.maps`.
    abs_mag_r : float
        Of the galaxy [mag].
    rng : numpy.random.Generator
        A galaxy takes as many numbers of it whatever its populations are.

    Returns
    -------
    Stars
        Within the ranges of the table, none older than the universe.
    """
    total = sum(light.values())
    decades = np.log10(np.clip(elliptical_radius(total), INNERMOST, OUTERMOST))
    log_mass = -0.4 * (abs_mag_r - SOLAR_R) + np.log10(TYPICAL_RATIO)
    central = np.interp(log_mass, MASS_NODES, METALLICITY_NODES) + rng.normal(0, METALLICITY_SCATTER)
    age_gradient, metallicity_gradient = rng.normal(*AGE_GRADIENT), rng.normal(*METALLICITY_GRADIENT)
    (youngest, _), (poorest, richest) = ranges()
    log_age, metallicity = {}, {}
    for name in POPULATIONS:
        age = rng.normal(*AGES[name])
        patches = [amplitude * _patches(total.shape, rng) for amplitude in (AGE_PATCHES, METALLICITY_PATCHES)]
        if name in light:
            log_age[name] = np.clip(age + age_gradient * decades + patches[0], youngest, OLDEST)
            metals = central + ENRICHMENT[name] + metallicity_gradient * decades + patches[1]
            metallicity[name] = np.clip(metals, poorest, richest)
    return Stars(log_age, metallicity)


def elliptical_radius(image):
    """Semi-major axis of the ellipse through each pixel about the centre of light, in units of the half-light radius.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        Light without negative pixels.

    Returns
    -------
    ndarray, shape (rows, columns)
        The ellipses have the axis ratio, at least 0.1, and angle of the second moments of the light.
    """
    image = np.asarray(image, float)
    y, x = np.indices(image.shape, float)
    total = image.sum()
    x, y = (values - (image * values).sum() / total for values in (x, y))
    xx, yy, xy = ((image * product).sum() / total for product in (x * x, y * y, x * y))
    values, vectors = np.linalg.eigh([[xx, xy], [xy, yy]])
    along, across = x * vectors[0, 1] + y * vectors[1, 1], x * vectors[0, 0] + y * vectors[1, 0]
    radius = np.hypot(along, across / np.sqrt(max(values[0] / values[1], 0.01)))
    order = np.argsort(radius, axis=None)
    growth = np.cumsum(image.ravel()[order])
    return radius / radius.ravel()[order][np.searchsorted(growth, growth[-1] / 2)]


def _patches(shape, rng):
    """Smooth Gaussian random field of zero mean and unit variance."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape), PATCH_WIDTH, mode="wrap")
    return field * (2 * np.sqrt(np.pi) * PATCH_WIDTH)  # the variance of white noise falls by 4 pi sigma^2
