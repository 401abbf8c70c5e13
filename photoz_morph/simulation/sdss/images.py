"""SDSS stack of a simulated galaxy: seeing, neighbours, depth, calibration errors and noise.

Input is an `SdssGalaxy` of `population`; out come the (64, 64, 5) stack in nanomaggies per pixel and the photometry
measured in it. The galaxy's centre is the stamp's centre, FITS pixel 32.5: real stamps are centred on the position
measured in the same frames. All random choices but the pixel noise are made by `draw_observation`, so the image
without noise of the same object costs nothing more.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import gammaln, log_ndtr

from photoz_morph.simulation.sdss.population import Component
from photoz_morph.simulation.sdss.renderer import draw_components

SEEING_SCATTER, BAND_SEEING_SCATTER = 0.12, 0.04  # of ln FWHM, common to the bands and per band; SDSS r quartiles
SKY_SCATTER = 0.10  # of ln sky brightness; r quartiles 21.03, 20.86, 20.70 mag / arcsec^2
# Photometric calibration: Padmanabhan et al. (2008) give 1 %, 2 % in u; tuned within that, see mgs_population.
ZERO_POINT_SCATTER = np.array([0.015, 0.006, 0.006, 0.006, 0.008])  # [mag]
# Neighbours per arcmin^2 brighter than r = 22 in SDSS run 3900, camcol 6, field 269, and slopes of log10 N(<r).
GALAXY_DENSITY, GALAXY_SLOPE = 2.3, 0.38
STAR_DENSITY, STAR_SLOPE = 0.95, 0.18
FAINTEST_NEIGHBOUR = 23.0  # r magnitude; fainter ones drown in the noise of one frame
BRIGHTEST_NEIGHBOUR = 14.0  # brighter stars saturate, and SDSS masks the galaxies around them
DEEP_FRACTION = 0.03  # of galaxies; our choice, Pasquet et al. (2019) have 3.8 % in Stripe 82
SINGLE_FRACTION = 0.70 / 0.97  # of the others: in one frame, the rest in two
MARGIN = 8  # neighbours are centred up to so many pixels outside the stamp
# Stellar locus against g - i: colours u-g, g-r, r-i, i-z, medians of the same field (Covey et al. 2007 agree to 0.1).
STAR_G_I = np.array([0.43, 0.62, 0.96, 1.55, 2.21, 2.74])
STAR_COLOURS = np.array(
    [
        [1.00, 0.32, 0.12, 0.01],
        [1.25, 0.46, 0.16, 0.06],
        [1.79, 0.68, 0.27, 0.10],
        [2.16, 1.13, 0.42, 0.24],
        [2.53, 1.39, 0.85, 0.45],
        [2.64, 1.42, 1.36, 0.72],
    ]
)


# Quantiles of g - i among the field's stars with r < 22.
STAR_QUANTILE = np.array([0, 0.1, 0.3, 0.5, 0.7, 0.9, 1])
STAR_QUANTILE_G_I = np.array([0.43, 0.49, 0.76, 1.35, 2.15, 2.60, 2.74])


@dataclass(frozen=True)
class Observation:
    """Observing conditions of one galaxy; per band where an array.

    `sky_sigma` is the noise of a background pixel of the stack, `flux_scale` the calibration error as a factor,
    `positions` the offsets (x, y) of the neighbours from the stamp centre [pixel].
    """

    n_frames: int
    psf_fwhm: np.ndarray
    sky_sigma: np.ndarray
    flux_scale: np.ndarray
    neighbours: tuple
    positions: np.ndarray


def draw_observation(galaxy, parents, survey, rng, deep_fraction=DEEP_FRACTION):
    """Seeing, depth, calibration errors and neighbours of one stamp."""
    chance = rng.random()
    # One exposure, two where strips overlap, or the repeats of Stripe 82 (Pasquet et al. 2019, Sec. 2).
    shallow = 1 - deep_fraction
    n_frames = int(rng.integers(10, 65)) if chance >= shallow else 1 if chance < shallow * SINGLE_FRACTION else 2
    ln_seeing = rng.normal(0, SEEING_SCATTER) + rng.normal(0, BAND_SEEING_SCATTER, survey.n_bands)
    sky = np.exp(rng.normal(0, SKY_SCATTER, survey.n_bands))
    zero_point_error = rng.normal(0, ZERO_POINT_SCATTER)
    neighbours, positions = _draw_neighbours(galaxy, parents, survey, rng)
    return Observation(
        n_frames=n_frames,
        psf_fwhm=np.asarray(survey.psf_fwhm) * np.exp(ln_seeing),
        sky_sigma=np.asarray(survey.sky_sigma) * np.sqrt(sky * median_variance(n_frames)),
        flux_scale=10 ** (-0.4 * zero_point_error),
        neighbours=neighbours,
        positions=positions,
    )


@cache
def median_variance(n_frames):
    """Variance of a pixel of a median stack relative to that of one frame.

    Stacks are medians by default. From three frames on a median is noisier than the mean, whose value is 1 / n_frames:
    by 22 % in standard deviation at 30 frames and by sqrt(pi / 2) - 1 = 25 % in the limit.

    Parameters
    ----------
    n_frames : int
        Frames of normal noise, all of one variance.

    Returns
    -------
    float
        1 / n_frames up to two frames; pi / (2 n_frames) for many.

    Notes
    -----
    Of an even number, the median is the mean of the two central values, as in SWarp. Arnold, Balakrishnan & Nagaraja
    (1992), A First Course in Order Statistics, Sec. 2.2 and 2.3, have the densities integrated here.
    """
    if n_frames <= 2:
        return 1 / n_frames  # the mean itself
    nodes, weights = np.polynomial.legendre.leggauss(200)
    x, weights = 4 * (nodes + 1), 4 * weights  # the positive half of a symmetric density, to 8 sigma
    below = (n_frames - 1) // 2  # and as many above
    arrangements = gammaln(n_frames + 1) - 2 * gammaln(below + 1)
    if n_frames % 2:
        log_density = arrangements + below * (log_ndtr(x) + log_ndtr(-x)) - x**2 / 2 - np.log(2 * np.pi) / 2
        density = np.exp(log_density)
    else:
        # The central values are x - y and x + y, with y > 0; their Jacobian is 2.
        y, w = x[:, None], weights[:, None]
        log_joint = arrangements + below * (log_ndtr(x - y) + log_ndtr(-x - y)) - x**2 - y**2 - np.log(np.pi)
        density = (w * np.exp(log_joint)).sum(axis=0)
    return float(2 * np.sum(weights * x**2 * density))


def noiseless_images(galaxy, observation, survey):
    """The galaxy alone and its neighbours alone, without noise.

    Returns
    -------
    target : ndarray, shape (n_bands, size, size), float32
        [image unit], calibration errors included.
    neighbours : ndarray of the same shape, or None
        None where there are none.
    """
    size, scale = survey.stamp_size, survey.pixel_scale
    calibration = observation.flux_scale.astype(np.float32)[:, None, None]
    target = draw_components(galaxy.components, observation.psf_fwhm, size, scale, arms=galaxy.arms) * calibration
    if not observation.neighbours:
        return target, None
    # Small sources: a grid with half a stamp to spare keeps what wraps around out of the image.
    neighbours = draw_components(
        observation.neighbours, observation.psf_fwhm, size, scale, size + size // 2, observation.positions
    )
    return target, neighbours * calibration


def observe(galaxy, observation, survey, rng):
    """The noisy stack of a galaxy and its matched-filter photometry.

    Parameters
    ----------
    galaxy : SdssGalaxy
    observation : Observation
    survey : Survey
    rng : numpy.random.Generator

    Returns
    -------
    image : ndarray, shape (size, size, n_bands), float32
        [image unit]
    flux, flux_error : ndarray, shape (n_bands,)
        Measured total fluxes and standard errors [image unit].
    """
    target, neighbours = noiseless_images(galaxy, observation, survey)
    scene = target if neighbours is None else target + neighbours
    # Sky, and the photons of the sources: gain electrons per unit in each exposure, of which the stack is the median.
    # At these counts a Poisson deviate is a normal one.
    photons_per_unit = np.asarray(survey.gain, np.float32) / median_variance(observation.n_frames)
    variance = (observation.sky_sigma**2).astype(np.float32)[:, None, None]
    variance = variance + np.maximum(scene, 0) / photons_per_unit[:, None, None]
    noise = rng.standard_normal(scene.shape, dtype=np.float32)
    noise *= np.sqrt(variance)
    flux, flux_error = matched_filter(target + noise, variance, target, galaxy, observation, survey)
    return np.ascontiguousarray(np.moveaxis(scene + noise, 0, -1)), flux, flux_error


def matched_filter(image, variance, target, galaxy, observation, survey):
    """Fluxes and errors from a fit of the galaxy's true profile, all neighbours deblended.

    The weight is the same in every pixel, as suits a background-limited source; the errors count the photons too.
    """
    true_flux = survey_flux(galaxy.true_mags, survey) * observation.flux_scale
    profile = target / true_flux.astype(np.float32)[:, None, None]
    norm = np.einsum("byx,byx->b", profile, profile)
    flux = np.einsum("byx,byx->b", profile, image) / norm
    error = np.sqrt(np.einsum("byx,byx,byx->b", profile, profile, variance)) / norm
    return flux.astype(float), error.astype(float)


def survey_flux(magnitude, survey):
    """Flux of a magnitude [image unit]."""
    return 10 ** (0.4 * (survey.zero_point - np.asarray(magnitude)))


def _draw_neighbours(galaxy, parents, survey, rng):
    """Stars and galaxies of the field around: components and positions."""
    side = survey.stamp_size + 2 * MARGIN
    area = (side * survey.pixel_scale / 60) ** 2  # [arcmin^2]
    pool = parents.in_fold(galaxy.parent_ids[0])  # no spectrum of another fold in the corner of a stamp
    galactic = 10 ** (-0.4 * galaxy.ebv * np.asarray(survey.extinction_per_ebv))
    components = []
    for magnitude_r in _magnitudes(GALAXY_DENSITY * area, GALAXY_SLOPE, rng):
        # The spectrum of a real galaxy moved to the redshifts of r = 19 to 23.
        light = parents.fraction[pool[rng.integers(len(pool))]] @ parents.template_flux(rng.uniform(0.05, 0.45))
        flux = survey_flux(magnitude_r, survey) * light / light[survey.bands.index("r")]
        # Exponential; median 0.9 arcsec at r = 20, 0.8 at 22, scatter 0.4 in ln: theta_exp of the same SDSS field.
        radius = 0.9 * 10 ** (-0.026 * (magnitude_r - 20)) * np.exp(rng.normal(0, 0.4))
        components.append(Component(flux * galactic, 1, radius, rng.uniform(0.25, 1), rng.uniform(0, np.pi)))
    for magnitude_r in _magnitudes(STAR_DENSITY * area, STAR_SLOPE, rng):
        g_i = np.interp(rng.random(), STAR_QUANTILE, STAR_QUANTILE_G_I)
        u_g, g_r, r_i, i_z = (np.interp(g_i, STAR_G_I, column) for column in STAR_COLOURS.T)
        flux = survey_flux(magnitude_r + np.array([u_g + g_r, g_r, 0, -r_i, -r_i - i_z]), survey)
        components.append(Component(flux * galactic, 1, 0.0, 1.0, 0.0))
    positions = rng.uniform(-side / 2, side / 2, (len(components), 2))
    return tuple(components), positions


def _magnitudes(n_at_22, slope, rng):
    """r magnitudes of a Poisson draw from counts N(<r) ~ 10^(slope r), of which n_at_22 are expected at r < 22."""
    number = rng.poisson(n_at_22 * 10 ** (slope * (FAINTEST_NEIGHBOUR - 22)))
    magnitudes = FAINTEST_NEIGHBOUR + np.log10(1 - rng.random(number)) / slope
    return np.maximum(magnitudes, BRIGHTEST_NEIGHBOUR)
