"""SDSS stack of a simulated galaxy: seeing, neighbours, depth, calibration errors and noise.

Input is an `SdssGalaxy` of `population`; out come the (64, 64, 5) stack in nanomaggies per pixel and the photometry of
the same exposures. The galaxy's centre is the stamp's centre, FITS pixel 32.5, but for the errors of its position. All
random choices but the pixel noise are made by `draw_observation`, so the image without noise of the same object costs
nothing more.
"""

from dataclasses import dataclass

import numpy as np

from photoz_morph.simulation.sdss.noise import (
    MARGIN,
    N_ANGLES,
    add_artefacts,
    correlate,
    draw_artefacts,
    median_variance,
    resampled_variance,
)
from photoz_morph.simulation.sdss.population import Component
from photoz_morph.simulation.sdss.renderer import draw_components

# Of ln FWHM, common to the bands and per band: r quartiles of SDSS DR7 are 1.30, 1.43, 1.58 arcsec (effective width);
# the bands of a field at hand differ by 4 % after the medians are taken out.
SEEING_SCATTER, BAND_SEEING_SCATTER = 0.14, 0.04
# Of each component of the ellipticity of the point-spread function: stars of 18 frames have a median of 0.09.
PSF_ELLIPTICITY = 0.076
# Noise of a pixel of a frame in units of what the depth of the catalogue implies (`sky_sigma` of the survey), ugriz.
# The 18 frames at hand have 0.88, 0.82, 0.73, 0.67, 0.82, but darker skies than the survey's median; with the photons
# of that they would have:
FRAME_NOISE = np.array([0.90, 0.83, 0.85, 0.82, 0.86])
# Of ln sky brightness: r quartiles of SDSS DR7 are 21.03, 20.86, 20.70 mag / arcsec^2.
SKY_SCATTER, BAND_SKY_SCATTER = 0.20, 0.10
# Background left in the frames, scatter between empty patches of 64 x 64 pixels beyond their noise, in units of the
# noise of a pixel: median of 18 frames, 0.007 to 0.056.
SKY_RESIDUAL = 0.016
# Finkbeiner et al. (2016): SDSS differs from Pan-STARRS1 by 9, 7, 7, 8 mmag in griz; in u, run to run, 15.
# (Padmanabhan et al. 2008 state 1 %, and 2 % in u; with these no network could do what one did on real stacks, see
# the data card.) It is mostly the atmosphere's. Half the variance is therefore taken to be common to the bands,
# which are exposed within five minutes: our choice.
ZERO_POINT_SCATTER = np.array([0.015, 0.009, 0.007, 0.007, 0.008])  # [mag]
COMMON_ZERO_POINT = 0.5
# Of a coordinate [arcsec]: astrometry of a field, and of a band relative to r (Pier et al. 2003).
POSITION_SCATTER, BAND_POSITION_SCATTER = 0.045, 0.030
# Model magnitudes are noisier than a filter of the true profile would be, by this factor in ugriz: medians of the
# signal-to-noise ratio of 9,799 real galaxies are 17.9, 153, 209, 206, 93.
MODEL_NOISE = np.array([1.16, 1.19, 1.26, 1.34, 1.22])
# Scatter of the catalogue's magnitudes in units of the errors it states: repeated observations give 1.2 to more than 2
# (Scranton et al. 2005). With 1.2 a k-NN on them has the sigma_MAD of the real sample, 0.0130 +- 0.0005.
UNDERSTATED_ERROR = 1.2
# Our choice: the share of a neighbour's light that the deblender leaves in the photometry or takes too much, and the
# fraction of the galaxies that it takes for one with their neighbours.
DEBLENDING_SCATTER, BLEND_FRACTION = 0.1, 0.005
# Of the galaxies, redshifts of another object. Fewer than one in a thousand of the real ones lies more than 0.1 from
# its k-NN redshift.
WRONG_REDSHIFT_FRACTION = 0.0005
BLENDED, ARTEFACT, WRONG_REDSHIFT = 1, 2, 4  # bits of `defects`
# Neighbours per arcmin^2 brighter than r = 22 in SDSS run 3900, camcol 6, field 269, and slopes of log10 N(<r).
GALAXY_DENSITY, GALAXY_SLOPE = 2.3, 0.38
STAR_DENSITY, STAR_SLOPE = 0.95, 0.18
FAINTEST_NEIGHBOUR = 23.0  # r magnitude; fainter ones drown in the noise of one frame
BRIGHTEST_NEIGHBOUR = 14.0  # brighter stars saturate, and SDSS masks the galaxies around them
DEEP_FRACTION = 0.03  # of galaxies; our choice, Pasquet et al. (2019) have 3.8 % in Stripe 82
SINGLE_FRACTION = 0.70 / 0.97  # of the others: in one frame, the rest in two
FIELD_MARGIN = 8  # neighbours are centred up to so many pixels outside the stamp
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

    `sky_sigma` is the noise of a background pixel of the stack, `sky_residual` the background left in it [image unit],
    `flux_scale` the calibration error as a factor, `positions` the offsets (x, y) of the neighbours from the stamp
    centre and `offsets` those of the image in each band [pixel], `frame_angle` the rotation of the frames as in
    `noise`, `leak` the share of the neighbours' light that the photometry takes for the galaxy's, `z_spec` the redshift
    of the catalogue and `defects` a sum of `BLENDED`, `ARTEFACT` and `WRONG_REDSHIFT`.
    """

    n_frames: int
    psf_fwhm: np.ndarray
    psf_ellipticity: tuple
    sky_sigma: np.ndarray
    sky_residual: np.ndarray
    flux_scale: np.ndarray
    neighbours: tuple
    positions: np.ndarray
    offsets: np.ndarray
    frame_angle: int
    leak: float
    artefacts: tuple
    z_spec: float
    defects: int


def draw_observation(galaxy, parents, survey, rng, deep_fraction=DEEP_FRACTION, seeing=1.0):
    """Seeing, in units of that of the survey, depth, calibration errors and neighbours of one stamp."""
    chance = rng.random()
    # One exposure, two where strips overlap, or the repeats of Stripe 82 (Pasquet et al. 2019, Sec. 2).
    shallow = 1 - deep_fraction
    n_frames = int(rng.integers(10, 65)) if chance >= shallow else 1 if chance < shallow * SINGLE_FRACTION else 2
    n_bands = survey.n_bands
    ln_seeing = rng.normal(0, SEEING_SCATTER) + rng.normal(0, BAND_SEEING_SCATTER, n_bands)
    psf_ellipticity = rng.normal(0, PSF_ELLIPTICITY, 2)
    ln_sky = rng.normal(0, SKY_SCATTER) + rng.normal(0, BAND_SKY_SCATTER, n_bands)
    grey, colour = np.sqrt(COMMON_ZERO_POINT), np.sqrt(1 - COMMON_ZERO_POINT)
    zero_point_error = ZERO_POINT_SCATTER * (grey * rng.normal() + colour * rng.normal(size=n_bands))
    shift = rng.normal(0, POSITION_SCATTER, 2) + rng.normal(0, BAND_POSITION_SCATTER, (n_bands, 2))
    frame_sigma = FRAME_NOISE * np.asarray(survey.sky_sigma) * np.exp(ln_sky / 2)
    sky_residual = rng.normal(0, SKY_RESIDUAL * frame_sigma)
    frame_angle = int(rng.integers(N_ANGLES))
    artefacts = draw_artefacts(n_frames, n_bands, survey.stamp_size, rng)
    is_blend, leak = rng.random() < BLEND_FRACTION, rng.normal(0, DEBLENDING_SCATTER)
    z_spec = galaxy.z
    pool = parents.in_fold(galaxy.parent_id)  # no spectrum or redshift of another fold
    is_wrong, other = rng.random() < WRONG_REDSHIFT_FRACTION, int(pool[rng.integers(len(pool))])
    if is_wrong:
        z_spec = float(parents.z[other])
    neighbours, positions = _draw_neighbours(galaxy, parents, pool, survey, rng)
    is_blend = is_blend and bool(neighbours)
    return Observation(
        n_frames=n_frames,
        psf_fwhm=seeing * np.asarray(survey.psf_fwhm) * np.exp(ln_seeing),
        psf_ellipticity=tuple(float(e) for e in psf_ellipticity),
        sky_sigma=frame_sigma * np.sqrt(median_variance(n_frames) * resampled_variance()),
        sky_residual=sky_residual,
        flux_scale=10 ** (-0.4 * zero_point_error),
        neighbours=neighbours,
        positions=positions,
        offsets=shift / survey.pixel_scale,
        frame_angle=frame_angle,
        leak=1.0 if is_blend else leak,
        artefacts=artefacts,
        z_spec=z_spec,
        defects=BLENDED * is_blend + ARTEFACT * bool(artefacts) + WRONG_REDSHIFT * is_wrong,
    )


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
    target = draw_components(
        galaxy.components,
        observation.psf_fwhm,
        size,
        scale,
        arms=galaxy.arms,
        clumps=galaxy.clumps,
        offsets=observation.offsets,
        psf_ellipticity=observation.psf_ellipticity,
    )
    target *= calibration
    if not observation.neighbours:
        return target, None
    # Small sources: a grid with half a stamp to spare keeps what wraps around out of the image.
    neighbours = draw_components(
        observation.neighbours,
        observation.psf_fwhm,
        size,
        scale,
        size + size // 2,
        observation.positions,
        offsets=observation.offsets,
        psf_ellipticity=observation.psf_ellipticity,
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
    variance = (observation.sky_sigma**2 / resampled_variance()).astype(np.float32)[:, None, None]
    variance = variance + np.maximum(scene, 0) / photons_per_unit[:, None, None]
    size = survey.stamp_size
    noise = rng.standard_normal((survey.n_bands, size + MARGIN, size + MARGIN), dtype=np.float32)
    noise[:, :size, :size] *= np.sqrt(variance)
    noise[:, size:] *= np.sqrt(variance[:, -1:, :1])
    noise[:, :size, size:] *= np.sqrt(variance[:, :1, -1:])
    flux, flux_error = _photometry(noise[:, :size, :size], variance, target, neighbours, galaxy, observation, survey)
    image = scene + correlate(noise, observation.frame_angle)
    image += observation.sky_residual.astype(np.float32)[:, None, None]
    if observation.artefacts:
        add_artefacts(image, observation.artefacts, observation.sky_sigma)
    return np.ascontiguousarray(np.moveaxis(image, 0, -1)), flux, flux_error


def _photometry(noise, variance, target, neighbours, galaxy, observation, survey):
    """Fluxes and errors as in the catalogue: measured in the frames, whose noise is white.

    The filter is the galaxy's true profile, with the same weight in every pixel, as suits a background-limited source;
    the errors count the photons too, and are those of model magnitudes. Neighbours are deblended but for a share.
    """
    true_flux = survey_flux(galaxy.true_mags, survey) * observation.flux_scale
    profile = target / true_flux.astype(np.float32)[:, None, None]
    norm = np.einsum("byx,byx->b", profile, profile)
    flux = true_flux + UNDERSTATED_ERROR * MODEL_NOISE * np.einsum("byx,byx->b", profile, noise) / norm
    flux += observation.sky_residual * profile.sum(axis=(1, 2)) / norm
    if neighbours is not None:
        flux += observation.leak * np.einsum("byx,byx->b", profile, neighbours) / norm
    error = MODEL_NOISE * np.sqrt(np.einsum("byx,byx,byx->b", profile, profile, variance)) / norm
    return flux.astype(float), error.astype(float)


def survey_flux(magnitude, survey):
    """Flux of a magnitude [image unit]."""
    return 10 ** (0.4 * (survey.zero_point - np.asarray(magnitude)))


def _draw_neighbours(galaxy, parents, pool, survey, rng):
    """Stars and galaxies of the field around: components and positions."""
    side = survey.stamp_size + 2 * FIELD_MARGIN
    area = (side * survey.pixel_scale / 60) ** 2  # [arcmin^2]
    galactic = 10 ** (-0.4 * galaxy.true_ebv * np.asarray(survey.extinction_per_ebv))
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
