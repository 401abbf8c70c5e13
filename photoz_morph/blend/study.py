"""What a neighbour does to the photometric redshift of a galaxy, against its distance and its brightness.

A galaxy of the SDSS simulator is drawn again with a second one beside it: the noiseless images of both are added, then
the noise of the sky and of their photons. The same galaxy has the same seeing, depth and sky noise at every distance,
so that what changes is the neighbour. Its redshift is measured on the stamp as it is, and after a deblender has
replaced the pixels of what it takes for others.

A deblender is a function from a stamp, its noise and a seed to the stamp without neighbours; `SepDeblender` is one.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack
from tqdm import tqdm

from photoz_morph.blend.baselines.detection import SepSettings, detect
from photoz_morph.blend.baselines.stamps import replaced_stamps
from photoz_morph.catalogs.folds import assign_fold
from photoz_morph.metrics.bootstrap import bootstrap_scores
from photoz_morph.metrics.group_errors import INTERVAL
from photoz_morph.metrics.redshifts.point_scores import bias, eta, residuals, sigma_mad
from photoz_morph.simulation.sdss.images import observe
from photoz_morph.simulation.sdss.sample import galaxy_and_observation
from photoz_morph.surveys import SDSS
from photoz_morph.system.files import write_whole
from photoz_morph.system.locks import one_owner
from photoz_morph.system.provenance import joint_hash
from photoz_morph.system.tables import read_fits, write_fits

SEPARATIONS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)  # arcsec
MAG_DIFFERENCES = (-2.0, -1.0, 0.0, 1.0, 2.0)  # r of the neighbour minus that of the galaxy
SCORES = {"bias": bias, "sigma_mad": sigma_mad, "eta": eta}
NOISE, COMPANION = 11, 12  # streams of random numbers beside those of the simulator
CHUNK = 20  # galaxies of a file
SEARCHED = 3.0  # pixel; a detection farther from the middle of a stamp is not the galaxy's
R, GRI = SDSS.bands.index("r"), [SDSS.bands.index(band) for band in "gri"]
METHODS = ("blended", "deblended")


@dataclass(frozen=True)
class SepDeblender:
    """Neighbours found by the rules of SExtractor, their pixels replaced by those on the other side of the galaxy.

    Attributes
    ----------
    settings : SepSettings
    """

    settings: SepSettings = SepSettings()

    @property
    def facts(self):
        """What the result says of it."""
        return {"deblender": "sep", "settings": vars(self.settings)}

    def __call__(self, stamp, sigma, seed):
        """Stamp without neighbours, and the number of sources that were told apart."""
        sources, segmentation = detect(stamp[..., GRI], sigma[GRI], self.settings)
        middle = (np.array(stamp.shape[:2]) - 1) / 2
        distance = np.hypot(sources["y"] - middle[0], sources["x"] - middle[1])
        if not len(sources) or distance.min() > SEARCHED:
            return stamp, len(sources)
        nearest = int(np.argmin(distance))
        # The middle of the stamp stays that of the galaxy, whatever the barycentre of its pixels.
        alone, _ = replaced_stamps(stamp, sigma, segmentation, middle[:1], middle[1:], len(stamp), [nearest + 1], seed)
        return alone[0], len(sources)


def study_galaxies(n_galaxies, seed, fold):
    """Numbers of the first simulated galaxies of a seed whose parents are in a fold, shape (n_galaxies,)."""
    chosen, number = [], 0
    while len(chosen) < n_galaxies:
        galaxy, observation = galaxy_and_observation(seed, number)
        is_clean = observation.defects == 0 and galaxy.z == observation.z_spec
        if is_clean and (fold is None or assign_fold(np.array([galaxy.parent_id]))[0] == fold):
            chosen.append(number)
        number += 1
    return np.array(chosen)


def blended_stamp(seed, number, companion, separation, mag_difference, survey=SDSS):
    """Stamp of a simulated galaxy with another beside it.

    Parameters
    ----------
    seed, number : int
        Of the galaxy in the simulation, which here has no other neighbour.
    companion : int
        Number of the galaxy whose spectrum and shape the neighbour has, with its bulge and disk, and no arms or clumps.
    separation : float
        [arcsec], in a direction that the galaxy has of its own; infinite for none.
    mag_difference : float
        r of the neighbour minus that of the galaxy.
    survey : Survey

    Returns
    -------
    stamp : ndarray, shape (size, size, n_bands), float32
        [image unit]
    sigma : ndarray, shape (n_bands,)
        Noise of a background pixel.
    galaxy : SdssGalaxy
    """
    galaxy, observation = galaxy_and_observation(seed, number, survey)
    other, _ = galaxy_and_observation(seed, companion, survey)
    neighbours, positions = (), np.zeros((0, 2))
    if np.isfinite(separation):
        factor = 10 ** (-0.4 * (galaxy.true_mags[R] + mag_difference - other.true_mags[R]))
        neighbours = tuple(replace(part, flux=part.flux * factor) for part in other.components)
        angle = np.random.default_rng([seed, number, COMPANION]).uniform(0, 2 * np.pi)
        place = separation / survey.pixel_scale * np.array([np.cos(angle), np.sin(angle)])
        positions = np.tile(place, (len(neighbours), 1))
    observation = replace(observation, neighbours=neighbours, positions=positions)
    stamp, _, _ = observe(galaxy, observation, survey, np.random.default_rng([seed, number, NOISE]))
    return stamp, observation.sky_sigma, galaxy


@one_owner("folder", "give another --out")
def blending_study(
    predict, facts, folder, n_galaxies=200, seed=7, fold=None, deblender=SepDeblender(), separations=SEPARATIONS,
    mag_differences=MAG_DIFFERENCES, n_bootstrap=500, progress=True,
):  # fmt: skip
    """Bias, scatter and outliers of redshifts of blended galaxies.

    Parameters
    ----------
    predict : callable
        `predict(stamps, ebv)` gives z_phot, shape (n,); NaN where there is none.
    facts : dict
        Of the model, which the results repeat.
    folder : path-like
        Made if missing; what was measured of some galaxies is a file in it, and kept.
    n_galaxies, seed : int
        Of the simulation.
    fold : int, optional
        Whose parents the model has not seen; by default all galaxies.
    deblender : callable
        With the attribute `facts`; see `SepDeblender`.
    separations : sequence of float
        [arcsec]
    mag_differences : sequence of float
    n_bootstrap : int
    progress : bool

    Returns
    -------
    dict
        Facts; `alone`, the scores of the same galaxies without a neighbour; and for each of `METHODS` a list over
        `mag_differences` of lists over `separations` of scores: `value` and `interval`, 95 % over parents, of `bias`,
        `sigma_mad` and `eta`; `fraction_apart`, that of the galaxies whose neighbour the deblender told apart.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    grid = [(separation, difference) for difference in mag_differences for separation in separations]
    galaxies = study_galaxies(n_galaxies, seed, fold)
    companions = np.roll(galaxies, 1)  # of the same fold, and none its own
    parts = []
    with tqdm(total=len(galaxies), desc="study", unit=" galaxies", disable=not progress) as bar:
        for first in range(0, len(galaxies), CHUNK):
            rows = slice(first, first + CHUNK)
            made_of = joint_hash([json.dumps({**facts, **deblender.facts}, sort_keys=True), str(seed), str(grid),
                                  str(galaxies[rows].tolist()), str(companions[rows].tolist())])  # fmt: skip
            path = folder / f"pairs-{first // CHUNK:03d}.fits"
            part = _kept(path, made_of)
            if part is None:
                part = _measured(predict, seed, galaxies[rows], companions[rows], grid, deblender)
                part.meta["made_of"] = made_of
                with write_whole(path) as temporary:
                    write_fits(part, temporary, hdu_name="PAIRS", with_checksum=True)
            parts.append(part)
            bar.update(len(galaxies[rows]))
    table = vstack(parts, metadata_conflicts="silent")
    return {
        "data": "simulated", **facts, **deblender.facts, "n_galaxies": len(galaxies), "seed": seed, "fold": fold,
        "separations": list(map(float, separations)), "mag_differences": list(map(float, mag_differences)),
        **study_scores(table, separations, mag_differences, n_bootstrap),
    }  # fmt: skip


def study_scores(table, separations, mag_differences, n_bootstrap=500, seed=0):
    """Scores of pairs; as in the result of `blending_study`.

    Parameters
    ----------
    table : Table
        A row per stamp: `parent`, `z`, `separation`, infinite for none, `mag_difference`, `z_blended`, `z_deblended`
        and `n_found`.
    separations, mag_differences : sequence of float
    n_bootstrap, seed : int
    """
    alone = ~np.isfinite(table["separation"])
    found = {"alone": _scores(table[alone], "z_blended", n_bootstrap, seed), **{name: [] for name in METHODS},
             "fraction_apart": []}  # fmt: skip
    for difference in mag_differences:
        cells = [table[(table["separation"] == separation) & (table["mag_difference"] == difference)]
                 for separation in separations]  # fmt: skip
        for name in METHODS:
            found[name].append([_scores(cell, f"z_{name}", n_bootstrap, seed) for cell in cells])
        found["fraction_apart"].append([float(np.mean(np.asarray(cell["n_found"]) > 1)) for cell in cells])
    return found


def _scores(cell, column, n_bootstrap, seed):
    """Scores of some stamps with their intervals over parents, and their number."""
    z_phot = np.asarray(cell[column], float)
    good = np.isfinite(z_phot)
    values = residuals(z_phot[good], np.asarray(cell["z"], float)[good])
    resampled = bootstrap_scores({name: ("values", function) for name, function in SCORES.items()}, {"values": values},
                                 n_bootstrap, seed, np.asarray(cell["parent"])[good])  # fmt: skip
    ends = (1 - INTERVAL) / 2, (1 + INTERVAL) / 2
    return {"n": int(good.sum())} | {
        name: {"value": float(function(values)), "interval": np.quantile(resampled[name], ends).tolist()}
        for name, function in SCORES.items()
    }


def _measured(predict, seed, galaxies, companions, grid, deblender):
    """Redshifts of some galaxies alone and with every neighbour of a grid."""
    rows, stamps = [], []
    for number, companion in zip(galaxies, companions):
        for separation, difference in [(np.inf, np.inf), *grid]:
            stamp, sigma, galaxy = blended_stamp(seed, int(number), int(companion), separation, difference)
            alone, n_found = deblender(stamp, sigma, int(number))
            stamps += [stamp, alone]
            rows.append((galaxy.parent_id, galaxy.z, separation, difference, n_found, galaxy.ebv))
    names = ("parent", "z", "separation", "mag_difference", "n_found", "ebv")
    table = Table(rows=rows, names=names)
    z_phot = np.asarray(predict(np.array(stamps, np.float32), np.repeat(np.asarray(table["ebv"]), 2)), float)
    table["z_blended"], table["z_deblended"] = z_phot[::2], z_phot[1::2]
    return table


def _kept(path, made_of):
    """Table of a file made of the same; None if there is none, or it is broken."""
    try:
        table = read_fits(path, "PAIRS")
    except (ValueError, OSError, KeyError):
        return None
    return table if table.meta.get("made_of") == made_of else None
