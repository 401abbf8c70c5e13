"""What the pixels of a simulated galaxy hold: the Fisher information of its stamp, and one efficient measurement.

Of each galaxy the flux in every band, the share of its inner parts in it, size, axis ratio and Sersic index are taken
as unknown, and so are its centre in each band, the position angle and the sky. The Fisher matrix of the pixels says how
well any unbiased measurement can do (Cramer-Rao): its inverse is the covariance of an efficient one. One such
measurement is drawn for each galaxy, so that a regression on it shows what redshifts the pixels allow.

Like the stamps, a measurement is a function of the galaxy's `obj_id` alone.
"""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.simulation.sdss.images import (
    BAND_POSITION_SCATTER,
    DEEP_FRACTION,
    POSITION_SCATTER,
    SKY_RESIDUAL,
    draw_observation,
    noiseless_images,
    survey_flux,
)
from photoz_morph.simulation.sdss.noise import median_variance, resampled_variance
from photoz_morph.simulation.sdss.population import Parents, draw_galaxy
from photoz_morph.simulation.sdss.sample import RECIPE
from photoz_morph.simulation.seeds import INDICES_PER_SEED
from photoz_morph.system.files import write_whole
from photoz_morph.system.locks import one_owner
from photoz_morph.system.pool import process_count, run_all
from photoz_morph.system.tables import read_fits, write_fits
from photoz_morph.system.threads import one_thread

STREAM = 1  # of the measurement's noise, apart from that of the pixels
GLOBAL = ("ln_size", "ln_axis_ratio", "sersic_index", "angle")
STEPS = (0.02, -0.02, 0.05, 0.02)  # of the finite differences; a round galaxy can only become flatter
ANGLE_PRIOR = np.pi / np.sqrt(12)  # standard deviation of an angle of which nothing is known [rad]
LARGEST_INDEX = 6.0  # Sersic index of the tabulated profiles
N_CHECKED = 3  # galaxies that are drawn again before the work, and compared with the dataset
HDU = "INFORMATION"
MAX_DIFFERENCE = 2e-3  # between magnitudes of the dataset, in single precision, and of the same object drawn again


def parameter_names(bands):
    """Names of the measured parameters, in order: magnitudes, inner shares, ln size, ln axis ratio, Sersic index."""
    return (*(f"mag_{band}" for band in bands), *(f"inner_{band}" for band in bands), *GLOBAL[:-1])


def pixel_information(galaxy, observation, survey):
    """True parameters of a galaxy and the Fisher matrix of its pixels, with all that is not measured marginalised.

    Parameters
    ----------
    galaxy : SdssGalaxy
    observation : Observation
    survey : Survey

    Returns
    -------
    parameters : ndarray, shape (n_parameters,)
        See `parameter_names`: total magnitudes as calibrated, with the error of the zero point; the share of all Sersic
        parts but the last; logarithms of the half-light radius [arcsec] and axis ratio of the last part, with which
        those of the others change; the index of the first part.
    fisher : ndarray, shape (n_parameters, n_parameters)

    Notes
    -----
    The noise is that of the frames, white, with the photons of galaxy and neighbours. Known are the point-spread
    function, the neighbours, bars, arms and clumps: the bound is below what can be reached. The sky, the centre in each
    band and the position angle have the priors of the simulation.
    """
    n_bands = survey.n_bands
    alone = replace(observation, neighbours=())
    flux = survey_flux(galaxy.true_mags, survey)
    inner_flux = np.sum([component.flux for component in galaxy.components[:-1]], axis=0)
    share = inner_flux / flux

    def image(changed):
        return noiseless_images(changed, alone, survey)[0].astype(float)

    inner = image(_inner_parts(galaxy, flux, inner_flux))
    outer = image(_outer_part(galaxy, flux))
    target = share[:, None, None] * inner + (1 - share)[:, None, None] * outer
    changes = [(image(_changed(galaxy, name, step)) - target) / step for name, step in zip(GLOBAL, _steps(galaxy))]
    scene = target
    if observation.neighbours:
        scene = target + noiseless_images(galaxy, observation, survey)[1]
    photons_per_unit = np.asarray(survey.gain) / median_variance(observation.n_frames)
    variance = (observation.sky_sigma**2 / resampled_variance())[:, None, None]
    variance = variance + np.maximum(scene, 0) / photons_per_unit[:, None, None]

    moved_y, moved_x = np.gradient(target, axis=(1, 2))
    own = np.stack([-0.4 * np.log(10) * target, inner - outer, np.ones_like(target), moved_x, moved_y], axis=1)
    derivatives = np.concatenate([own, np.stack(changes, axis=1)], axis=1).reshape(n_bands, 9, -1)
    weighted = derivatives / variance.reshape(n_bands, 1, -1)
    of_band = derivatives @ np.swapaxes(weighted, 1, 2)

    # All parameters: those of each band (magnitude, share, sky, x, y) in blocks of n_bands, then the common ones.
    whole = np.zeros((5 * n_bands + 4, 5 * n_bands + 4))
    common = 5 * n_bands + np.arange(4)
    for band in range(n_bands):
        rows = np.concatenate([np.arange(5) * n_bands + band, common])
        whole[np.ix_(rows, rows)] += of_band[band]
    frame_sigma = observation.sky_sigma / np.sqrt(median_variance(observation.n_frames) * resampled_variance())
    position = np.hypot(POSITION_SCATTER, BAND_POSITION_SCATTER) / survey.pixel_scale
    prior = np.concatenate([SKY_RESIDUAL * frame_sigma, np.full(2 * n_bands, position), [ANGLE_PRIOR]]) ** -2.0
    kept = np.concatenate([np.arange(2 * n_bands), common[:3]])
    other = np.concatenate([np.arange(2 * n_bands, 5 * n_bands), common[3:]])
    nuisance = whole[np.ix_(other, other)] + np.diag(prior)
    crossed = whole[np.ix_(kept, other)]
    fisher = whole[np.ix_(kept, kept)] - crossed @ np.linalg.solve(nuisance, crossed.T)

    magnitudes = galaxy.true_mags - 2.5 * np.log10(observation.flux_scale)
    last = galaxy.components[-1]
    structure = [np.log(last.half_light_radius), np.log(last.axis_ratio), galaxy.components[0].n]
    return np.concatenate([magnitudes, share, structure]), (fisher + fisher.T) / 2


def efficient_measurement(parameters, fisher, rng):
    """One efficient measurement, as the Fisher matrix times an estimate of which its inverse is the covariance.

    Unlike the estimate this is finite where a parameter cannot be measured.

    Parameters
    ----------
    parameters : ndarray, shape (n_parameters,)
    fisher : ndarray, shape (n_parameters, n_parameters)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n_parameters,)
    """
    values, vectors = np.linalg.eigh(fisher)
    noise = vectors @ (np.sqrt(np.maximum(values, 0)) * rng.standard_normal(len(values)))
    return fisher @ parameters + noise


@one_owner("folder")
def measure_sample(folder, parts, survey, n_processes=None, progress=True):
    """Efficient measurements of simulated galaxies, kept in a folder; files that are there are not made again.

    Parameters
    ----------
    folder : path-like
        Made if missing.
    parts : dict of str to dict of str to ndarray, first axis n
        Columns `obj_id`, `n_frames`, `true_mags` and, where the seeing is not that of the survey, `psf_fwhm` of the
        dataset for each file; its key is the name of the file without suffix. A galaxy costs 0.015 s.
    survey : Survey
    n_processes : int, optional
        By default one per core.
    progress : bool

    Returns
    -------
    dict of str to ndarray, first axis n
        Of all parts, one after the other: `obj_id`; `parameters`, the true ones; `measured`, from
        `efficient_measurement`; `fisher`, shape (n, n_parameters, n_parameters).

    Raises
    ------
    ValueError
        If the galaxies are not those that this version draws for their `obj_id`.
    """
    folder = Path(folder)
    paths = {stem: folder / f"{stem}.fits" for stem in parts}
    missing = {stem: part for stem, part in parts.items() if not _is_finished(paths[stem], part["obj_id"])}
    todo = [(paths[stem], part, survey) for stem, part in missing.items()]
    for _, part, _ in todo[:1]:
        check_objects({name: values[:N_CHECKED] for name, values in part.items()}, survey)
    n_galaxies = sum(len(part["obj_id"]) for part in parts.values())
    with tqdm(total=n_galaxies, unit=" galaxies", disable=not progress, desc="information") as bar:
        bar.update(n_galaxies - sum(len(part["obj_id"]) for _, part, _ in todo))
        run_all(measure_part, todo, process_count(n_processes), bar)
    tables = [read_fits(path, HDU) for path in paths.values()]
    return {name: np.concatenate([np.asarray(table[name]) for table in tables]) for name in tables[0].colnames}


def measure_part(path, columns, survey):
    """Write the measurements of some galaxies; returns their number."""
    rows = []
    with one_thread():
        for obj_id, galaxy, observation in _scenes(columns, survey):
            parameters, fisher = pixel_information(galaxy, observation, survey)
            rng = np.random.default_rng([*divmod(int(obj_id), INDICES_PER_SEED), STREAM])
            rows.append((obj_id, parameters, efficient_measurement(parameters, fisher, rng), fisher))
    names = ("obj_id", "parameters", "measured", "fisher")
    table = Table({name: np.stack(values) for name, values in zip(names, zip(*rows))})
    table.meta["recipe"] = RECIPE
    with write_whole(path) as part:
        write_fits(table, part, HDU)
    return len(table)


def check_objects(columns, survey):
    """Raise a ValueError if galaxies are not those that this version draws for their `obj_id`.

    Parameters are those of `measure_sample`.
    """
    for _ in _scenes(columns, survey):
        pass


def _scenes(columns, survey):
    """(obj_id, galaxy, observation) of each row, drawn again and compared with it."""
    for row, (obj_id, n_frames, true_mags) in enumerate(
        zip(*(columns[name] for name in ("obj_id", "n_frames", "true_mags")))
    ):
        wanted = int(np.max(n_frames)) if np.isfinite(n_frames).all() else 0
        # Which share of the sample is deep is not written in a dataset; the number of frames tells it apart.
        for deep_fraction in (DEEP_FRACTION, *np.linspace(0, 1, 21)):
            rng = np.random.default_rng(divmod(int(obj_id), INDICES_PER_SEED))
            galaxy = draw_galaxy(_parents(), rng)
            observation = draw_observation(galaxy, _parents(), survey, rng, deep_fraction)
            if observation.n_frames == wanted:
                break
        different = np.abs(galaxy.true_mags - true_mags)
        if observation.n_frames != wanted or not np.all(different < MAX_DIFFERENCE):
            raise ValueError(
                f"galaxy {obj_id} is not the one that this version simulates for its number (recipe {RECIPE}): it is "
                "of another recipe or no simulation of this package; simulate and build the dataset again"
            )
        psf_fwhm = np.asarray(columns["psf_fwhm"][row], float) if "psf_fwhm" in columns else observation.psf_fwhm
        # A sample of another seeing has the same galaxies; the single precision of a dataset changes none.
        if np.isfinite(psf_fwhm).all() and not np.allclose(psf_fwhm, observation.psf_fwhm, rtol=1e-3):
            observation = replace(observation, psf_fwhm=psf_fwhm)
        yield obj_id, galaxy, observation


def _is_finished(path, obj_id):
    """True if a file holds the measurements of these galaxies by this recipe."""
    try:
        table = read_fits(path, HDU)
        return table.meta.get("recipe") == RECIPE and np.array_equal(table["obj_id"], obj_id)
    except (OSError, ValueError, KeyError, Warning):
        return False


def _inner_parts(galaxy, flux, inner_flux):
    """The galaxy without its last part, whose light the others have."""
    *inner, last = galaxy.components
    parts = []
    for number, component in enumerate(inner):
        shape = component.flux / np.where(inner_flux > 0, inner_flux, 1)
        parts.append(replace(component, flux=flux * np.where(inner_flux > 0, shape, number == 0)))
    return replace(galaxy, components=(*parts, replace(last, flux=0 * flux)), clumps=None)


def _outer_part(galaxy, flux):
    """The galaxy of its last part, with its clumps, alone."""
    *inner, last = galaxy.components
    clumps = galaxy.clumps
    total = last.flux + (0 if clumps is None else clumps.flux)
    factor = flux / np.where(total > 0, total, 1)
    parts = [replace(component, flux=0 * flux) for component in inner]
    if clumps is not None:
        clumps = replace(clumps, flux=clumps.flux * factor)
    outer = replace(last, flux=np.where(total > 0, last.flux * factor, flux))
    return replace(galaxy, components=(*parts, outer), clumps=clumps)


def _steps(galaxy):
    """Steps of the finite differences."""
    steps = list(STEPS)
    if galaxy.components[0].n + steps[2] > LARGEST_INDEX:
        steps[2] = -steps[2]
    return steps


def _changed(galaxy, name, step):
    """The galaxy with one of the common parameters changed."""
    components = list(galaxy.components)
    if name == "sersic_index":
        components[0] = replace(components[0], n=components[0].n + step)
    elif name == "ln_size":
        components = [replace(part, half_light_radius=part.half_light_radius * np.exp(step)) for part in components]
    elif name == "ln_axis_ratio":
        components = [replace(part, axis_ratio=part.axis_ratio * np.exp(step)) for part in components]
    else:
        components = [replace(part, angle=part.angle + step) for part in components]
    return replace(galaxy, components=tuple(components))


@lru_cache(maxsize=1)
def _parents():
    return Parents()
