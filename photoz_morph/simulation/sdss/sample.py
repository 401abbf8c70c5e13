"""A simulated SDSS sample on disk: shards of stacks with known truth, the embedded default of the photo-z chain.

Every object is a function of (seed, index) alone, whatever the number of processes, the order of shards or the size
of the sample: a sample made larger later keeps its first objects, and an interrupted run resumes where it stopped.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.shards.folders import check_folder, incomplete_shards
from photoz_morph.shards.stacks import SHARD_SIZE, read_catalog, shard_path, write_shard
from photoz_morph.simulation.sdss.images import DEEP_FRACTION, draw_observation, noiseless_images, observe, survey_flux
from photoz_morph.simulation.sdss.population import Parents, draw_galaxy
from photoz_morph.simulation.seeds import BEYOND, INDICES_PER_SEED, check_seed
from photoz_morph.surveys import SDSS
from photoz_morph.system.locks import one_owner
from photoz_morph.system.pool import process_count, run_all

MIN_SEEING, MAX_SEEING = 0.5, 5.0  # a PSF of 0.6 arcsec is hardly sampled; one of 7 is as wide as a quarter of a stamp
RECIPE = "K3"  # changes whenever the same seed gives other objects
UNITS = {
    "ra": "deg",
    "dec": "deg",
    "ebv": "mag",
    "true_ebv": "mag",
    "petro_r": "mag",
    "mags": "mag",
    "mag_errs": "mag",
    "true_mags": "mag",
    "psf_fwhm": "arcsec",
    "r_e": "arcsec",
    "abs_mag_r": "mag",
}  # sky_sigma goes without: FITS knows no nanomaggy


@one_owner("out_dir")
def simulate_sample(
    out_dir, n_galaxies, seed, survey=SDSS, n_processes=None, progress=True, deep_fraction=DEEP_FRACTION, seeing=1.0,
    bands=None,
):  # fmt: skip
    """Write a simulated sample as shards; complete shards are kept.

    Parameters
    ----------
    out_dir : path-like
        Made if missing.
    n_galaxies : int
    seed : int
        0 to 900,000,000. Another seed is another sample.
    survey : Survey
    n_processes : int, optional
        By default one per core.
    progress : bool
        Whether to show a bar.
    deep_fraction : float
        Of the galaxies: stacks of 10 to 64 frames, like those of Stripe 82.
    seeing : float
        Width of the point-spread functions in units of that of the survey; nothing else of a galaxy depends on it.
    bands : sequence of str, optional
        Bands that are written, of those of the survey; the pixels of each do not depend on the others.

    Returns
    -------
    list of Path
        The shards, in order. `simulate_galaxy` describes the columns of their tables.

    Raises
    ------
    ValueError
        If a number is out of range, or the folder holds shards of another seed, recipe, survey, deep fraction or
        seeing, or more than `n_galaxies`.

    Notes
    -----
    With several processes a script must call this under `if __name__ == "__main__":`, as multiprocessing asks.
    """
    if n_galaxies <= 0:
        raise ValueError(f"n_galaxies is {n_galaxies}; ask for at least one galaxy")
    if not 0 <= deep_fraction <= 1:
        raise ValueError(f"deep_fraction is {deep_fraction}; it is a fraction of the galaxies, from 0 to 1")
    if not MIN_SEEING <= seeing <= MAX_SEEING:
        raise ValueError(f"seeing is {seeing}; it is in units of the survey's, from {MIN_SEEING:g} to {MAX_SEEING:g}")
    n_processes = process_count(n_processes)
    check_seed(seed)
    if survey.bands != SDSS.bands:
        raise ValueError(f"survey {survey.name} has bands {survey.bands}; the templates give SDSS {SDSS.bands}")
    written = survey.of_bands(tuple(bands or survey.bands))
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    sizes = [min(SHARD_SIZE, n_galaxies - first) for first in range(0, n_galaxies, SHARD_SIZE)]
    shards = [(shard_path(out_dir, i), i * SHARD_SIZE, size) for i, size in enumerate(sizes)]
    paths = [path for path, _, _ in shards]
    wanted = {"ORIGIN": "simulated", "SEED": seed, "RECIPE": RECIPE, "SURVEY": written.name, "DEEPFRAC": deep_fraction}
    wanted["SEEING"] = _seeing_card(seeing)
    check_folder(out_dir.glob("stacks-*.fits"), wanted, paths, BEYOND)
    todo = incomplete_shards(shards, read_catalog, "galaxies")
    with tqdm(total=n_galaxies, unit=" galaxies", disable=not progress, desc=str(out_dir)) as bar:
        bar.update(n_galaxies - sum(size for _, _, size in todo))
        # Each worker computes in one thread: SciPy's FFT starts none unless asked, and hardly a matrix is large enough
        # for a threaded product.
        settings = seed, survey, deep_fraction, seeing, written
        run_all(simulate_shard, [(*shard, *settings) for shard in todo], n_processes, bar)
    return paths


def simulate_shard(path, first, n_galaxies, seed, survey, deep_fraction, seeing=1.0, written=None):
    """Write the shard of the objects from index `first` on; returns their number."""
    images = np.empty((n_galaxies, *survey.image_shape), np.float32)
    rows = []
    for i in range(n_galaxies):
        images[i], row = simulate_galaxy(seed, first + i, survey, deep_fraction, seeing)
        rows.append(row)
    table = Table({name: np.array([row[name] for row in rows]) for name in rows[0]})
    written = written or survey
    if written != survey:
        columns = [survey.bands.index(band) for band in written.bands]
        images = images[..., columns]
        for name in table.colnames:
            if table[name].shape[1:] == (survey.n_bands,):
                table[name] = np.asarray(table[name])[:, columns]
    for name, unit in UNITS.items():
        table[name].unit = unit
    header = [("SEED", seed, "objects are a function of (SEED, index)"), ("RECIPE", RECIPE, "of simulation")]
    header += [("FIRST", first, "index of the first galaxy"), ("NGAL", n_galaxies, "galaxies in this shard")]
    header.append(("DEEPFRAC", deep_fraction, "expected share of stacks of 10 to 64 frames"))
    if _seeing_card(seeing):
        header.append(("SEEING", seeing, "width of the PSF in units of the survey's"))
    header.append(("ENGINE", "simulation", "stacks are drawn as such, not made of frames"))
    write_shard(path, images, table, written, "simulated", header)
    return n_galaxies


def _seeing_card(seeing):
    """Value of the card SEEING, which stacks of the survey's own seeing do not have."""
    return None if seeing == 1 else seeing


def simulate_galaxy(seed, index, survey=SDSS, deep_fraction=DEEP_FRACTION, seeing=1.0):
    """Stack and table row of one object.

    Returns
    -------
    image : ndarray, shape (size, size, n_bands), float32
        [image unit]
    row : dict
        `obj_id`; `group_id`, id of the parent; position of the parent and its `ebv` on the map, and `true_ebv`, the
        dust that dims the galaxy; `z_spec`, the redshift of the catalogue, and `z_true`, which differs where that is
        another object's; `petro_r`, total r corrected for the dust of the map; `mags`, `mag_errs`, asinh magnitudes
        with the errors of model magnitudes, and `true_mags`, all with Galactic dust; `snr` of those fluxes; `psf_fwhm`
        [arcsec], `sky_sigma` of a background pixel of the stack [image unit], `n_frames`; `n_neighbours`; `defects`,
        the sum of 1 for photometry of a blend, 2 for an artefact in the pixels, 4 for a wrong `z_spec`;
        true `axis_ratio` of the disk or spheroid, half-light radius `r_e` along the major axis [arcsec],
        `bulge_to_total` of the rest-frame r light before dust, `is_early`; k-corrected `abs_mag_r`.
    """
    rng, galaxy, observation = _scene(seed, index, survey, deep_fraction, seeing)
    image, flux, flux_error = observe(galaxy, observation, survey, rng)
    row = {
        "obj_id": np.int64(seed * INDICES_PER_SEED + index),
        "group_id": np.int64(galaxy.parent_id),
        "ra": galaxy.ra,
        "dec": galaxy.dec,
        "z_spec": observation.z_spec,
        "z_true": galaxy.z,
        "ebv": galaxy.ebv,
        "true_ebv": galaxy.true_ebv,
        "flag": np.int16(0),
        "flag_reason": "",
        "petro_r": galaxy.petro_r,
        "mags": survey.asinh_magnitude(flux).astype(np.float32),
        "mag_errs": survey.asinh_magnitude_error(flux, flux_error).astype(np.float32),
        "true_mags": galaxy.true_mags.astype(np.float32),
        "snr": (survey_flux(galaxy.true_mags, survey) / flux_error).astype(np.float32),
        "psf_fwhm": observation.psf_fwhm.astype(np.float32),
        "sky_sigma": observation.sky_sigma.astype(np.float32),
        "n_frames": np.full(survey.n_bands, observation.n_frames, np.int16),
        "n_neighbours": np.int16(len(observation.neighbours)),
        "defects": np.int16(observation.defects),
        "axis_ratio": np.float32(galaxy.axis_ratio),
        "r_e": np.float32(galaxy.r_e),
        "bulge_to_total": np.float32(galaxy.bulge_to_total),
        "is_early": galaxy.is_early,
        "abs_mag_r": np.float32(galaxy.abs_mag_r),
    }
    return image, row


def noiseless_image(seed, index, survey=SDSS, with_neighbours=True, deep_fraction=DEEP_FRACTION, seeing=1.0):
    """The stack of one object as it would be without noise, shape (size, size, n_bands), float32 [image unit]."""
    _, galaxy, observation = _scene(seed, index, survey, deep_fraction, seeing)
    target, neighbours = noiseless_images(galaxy, observation, survey)
    scene = target + neighbours if with_neighbours and neighbours is not None else target
    return np.ascontiguousarray(np.moveaxis(scene, 0, -1))


def galaxy_and_observation(seed, index, survey=SDSS, deep_fraction=DEEP_FRACTION, seeing=1.0):
    """True properties of one object and its observing conditions.

    Returns
    -------
    SdssGalaxy, Observation
    """
    return _scene(seed, index, survey, deep_fraction, seeing)[1:]


def _scene(seed, index, survey, deep_fraction, seeing=1.0):
    """The object's stream after everything but the noise was drawn, its galaxy and its observation."""
    rng = np.random.default_rng([seed, index])
    galaxy = draw_galaxy(_parents(), rng)
    return rng, galaxy, draw_observation(galaxy, _parents(), survey, rng, deep_fraction, seeing)


@lru_cache(maxsize=1)
def _parents():
    return Parents()
