"""Sources of real images: a catalogue, the map of their pixels, stamps without their neighbours, and a picture.

A finder is a function from a scene, its sky subtracted, to the table of its sources and the map of their pixels, in
which i + 1 is where row i is. `SepFinder` is one, `export.network_finder.NetworkFinder` another. Redshifts come from a
function of stamps and a table, which the caller makes of an exported model of another chain.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Column, Table
from tqdm import tqdm

from photoz_morph.blend.baselines.detection import SepSettings, detect, subtract_background
from photoz_morph.blend.baselines.photometry import measure
from photoz_morph.blend.baselines.stamps import replaced_stamps
from photoz_morph.blend.report.figures.overlays import found_overlay
from photoz_morph.metrics.detection import match_images
from photoz_morph.report.style import save_figure
from photoz_morph.shards.blends import CLASS_NAMES
from photoz_morph.surveys.description import AB_ZERO_POINTS
from photoz_morph.system.files import write_whole
from photoz_morph.system.fits import primary_hdu
from photoz_morph.system.locks import one_owner
from photoz_morph.system.provenance import code_version, joint_hash
from photoz_morph.system.tables import read_fits, read_parquet, write_fits, write_parquet

DETECTION_BANDS = ("g", "r", "i")  # of the images of the chain, where a scene has them: others may be much noisier
DESCRIPTIONS = {
    "number": "of the source in the segmentation, from 1", "x": "column [pixel], 0 at the centre of the first",
    "y": "row [pixel], 0 at the centre of the first", "ra": "ICRS [deg]", "dec": "ICRS [deg]",
    "box": "y0, x0, y1, x1 of pixel edges [pixel]",
    "score": "signal-to-noise ratio of the detection, or its probability by networks",
    "flux": "in each band, of the Kron ellipse or by networks of its share of the pixels [unit of the image]",
    "flux_error": "of the noise [unit of the image]", "kind": f"the most probable class, 0 for {CLASS_NAMES[0]}",
    "probability": f"of {', '.join(CLASS_NAMES)}",
    "flux_deblended": "of the galaxy without its neighbours, by networks, NaN at edges [unit of the image]",
    "flux_deblended_error": "standard deviation over samples [unit of the image]",
    "mags": "AB, of flux; NaN where it is not positive", "mag_errs": "of the noise [mag]",
    "n_visible": "pixels in the segmentation",
}  # fmt: skip
TABLE_SUFFIXES = (".fits", ".parquet")


@dataclass(frozen=True)
class SepFinder:
    """Sources by the rules of SExtractor.

    Attributes
    ----------
    settings : SepSettings
    """

    settings: SepSettings = SepSettings()

    @property
    def facts(self):
        """What a catalogue says of how it was made."""
        return {"model": "sep", "settings": json.dumps(vars(self.settings))}

    def check(self, sky, name):
        """Every image will do; other finders raise a ValueError for images that they do not know."""

    def __call__(self, scene):
        """Table of the sources of a scene, its sky subtracted, and the map of their pixels.

        They are detected in g, r and i where the scene has these, else in all bands, and measured in all.
        """
        used = [scene.bands.index(band) for band in DETECTION_BANDS if band in scene.bands]
        used = used if len(used) == len(DETECTION_BANDS) else list(range(len(scene.bands)))
        sources, segmentation = detect(scene.image[..., used], scene.sigma[..., used], self.settings)
        # Apertures of bands of unequal noise are those of the weighted image: the sum would drown in the noisiest.
        of_all = self.settings if len(used) == len(scene.bands) else replace(self.settings, combine="weighted")
        sources = measure(scene.image, scene.sigma, sources, segmentation, of_all)
        sources.rename_column("npix", "n_visible")
        return sources, segmentation


@dataclass(frozen=True)
class Redshifts:
    """How redshifts are measured on stamps.

    Attributes
    ----------
    measure : callable
        `measure(images, table, name)` gives a table with a row for each of the table's, which has `obj_id`, `ra`,
        `dec`, `flag` and `flag_reason`.
    check : callable
        `check(survey, name)` raises a ValueError if images of a survey are not those of the model.
    facts : dict
        For the catalogue.
    """

    measure: Callable
    check: Callable
    facts: dict


@dataclass(frozen=True)
class Inferred:
    """Summary of one scene.

    Attributes
    ----------
    name : str
    n_sources : int
    n_redshifts : int or None
        Sources with a redshift; None if none were asked for.
    n_known, n_matched : int or None
        True or published positions, and those of them that were found; None where nothing is known.
    is_kept : bool
        Whether its files were there from before.
    """

    name: str
    n_sources: int
    n_redshifts: int | None = None
    n_known: int | None = None
    n_matched: int | None = None
    is_kept: bool = False


@one_owner("folder", "give another --out")
def infer_scenes(
    scenes, folder, finder=SepFinder(), suffix=".fits", stamp_size=64, bands=None, redshifts=None, radius=4.0,
    progress=True, deblender=None,
):  # fmt: skip
    """Find the sources of some images and write, for each, NAME_catalog, NAME_segmentation, NAME_stamps and NAME.png.

    Parameters
    ----------
    scenes : list of SceneFiles
        From `scenes.files.find_scenes`.
    folder : path-like
        Made if missing. Files of the same images, finder and options are kept.
    finder : callable
        With the attribute `facts` and the method `check`; see `SepFinder`.
    suffix : {".fits", ".parquet"}
        Format of the catalogue.
    stamp_size : int
        Side of the stamps [pixel].
    bands : sequence of str, optional
        Names of the bands of plain images.
    redshifts : Redshifts, optional
    radius : float
        Largest distance of a source from a known position [pixel].
    progress : bool
    deblender : callable, optional
        Gives the galaxies of the sources without their neighbours, a second cube beside the stamps, and their fluxes;
        see `export.network_finder.NetworkDeblender`.

    Returns
    -------
    list of Inferred

    Raises
    ------
    ValueError
        If a file is damaged, or its images are not such as a model of `finder`, `deblender` or `redshifts` knows.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    summaries = []
    for files in tqdm(scenes, desc="infer", unit=" scenes", disable=not progress):
        made_of = [f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files.paths]
        made_of += [json.dumps(part.facts if part else {}) for part in (finder, redshifts)] + [code_version()]
        made_of += [json.dumps(deblender.facts)] if deblender else []
        facts = {"made_of": joint_hash([*made_of, str((stamp_size, bands, radius))])}
        summary = _kept(folder, files.name, suffix, facts)
        if summary is None:
            sky = files.read(bands)
            for networks in (finder, deblender):
                if networks is not None:
                    networks.check(sky, files.name)
            if redshifts is not None:
                redshifts.check(sky.survey, files.name)
            options = suffix, stamp_size, redshifts, radius, deblender
            summary = _infer_scene(files.name, sky, folder, finder, *options, facts)
        summaries.append(summary)
    return summaries


def without_sky(scene):
    """The scene with its sky subtracted, and the noise that is measured with it."""
    bad = ~np.isfinite(np.broadcast_to(scene.sigma, scene.image.shape))
    image, sigma = subtract_background(scene.image, bad.any(axis=-1))
    if bad.any():
        image, sigma = np.where(bad, 0, image), np.where(bad, np.inf, sigma)
    return replace(scene, image=image, sigma=sigma)


def _infer_scene(name, sky, folder, finder, suffix, stamp_size, redshifts, radius, deblender, facts):
    """Find the sources of one scene and write its files, the catalogue last."""
    scene = without_sky(sky.scene) if sky.has_sky else sky.scene
    sources, segmentation = finder(scene)
    catalog = catalog_of(sources, scene.bands, sky.wcs, sky.survey)
    stamps, is_whole = replaced_stamps(scene.image, scene.sigma, segmentation, sources["y"], sources["x"], stamp_size)
    galaxies = None
    if deblender is not None:
        galaxies, columns = deblender(scene, sources)
        for column, values in columns.items():
            catalog[column] = Column(values, description=DESCRIPTIONS[column])
    n_redshifts = None
    if redshifts is not None:
        found = redshifts.measure(stamps, _stamp_table(catalog, is_whole), name)
        for column in found.colnames:
            catalog[column] = found[column]
        n_redshifts = int(np.sum(np.isfinite(found["z_phot"])))
    known = None if scene.truth is None else match_images([sources], [scene.truth], [radius], by="position")
    n_known = None if known is None else int(known.is_target.sum())
    n_matched = None if known is None else int(np.sum(known.is_target & (known.found_at[0] > -np.inf)))
    catalog.meta |= {
        "image": name, **finder.facts, **facts, "n_redshift": -1 if n_redshifts is None else n_redshifts,
        "n_known": -1 if n_known is None else n_known, "n_matched": -1 if n_matched is None else n_matched,
        **(redshifts.facts if redshifts else {}), **(deblender.facts if deblender else {}), "code": code_version(),
    }  # fmt: skip
    _write_segmentation(folder / f"{name}_segmentation.fits", segmentation, sky.wcs, catalog.meta)
    cubes = {"STAMPS": (stamps, scene.bands)} | ({"DEBLENDED": (galaxies, deblender.bands)} if deblender else {})
    _write_stamps(folder / f"{name}_stamps.fits", cubes, catalog, is_whole)
    shown = Table({axis: sources[axis] for axis in "yx"})
    if n_redshifts:
        shown["label"] = [f"{z:.2f}" if np.isfinite(z) and is_bright else "" for z, is_bright in zip(
            catalog["z_phot"], _brightest(catalog["score"]))]  # fmt: skip
    title = f"{name}: {len(catalog)} sources by {finder.facts['model']}"
    save_figure(found_overlay(scene, shown, segmentation, title), folder / f"{name}.png")
    path = folder / f"{name}_catalog{suffix}"
    with write_whole(path) as part:
        if suffix == ".parquet":
            write_parquet(catalog, part)
        else:
            write_fits(catalog, part, hdu_name="CATALOG", with_checksum=True)
    return Inferred(name, len(catalog), n_redshifts, n_known, n_matched)


def catalog_of(sources, bands, wcs=None, survey=None):
    """Catalogue of sources.

    Parameters
    ----------
    sources : Table
        From a finder: `y`, `x`, `box`, `score`, `flux`, `n_visible`, perhaps `flux_error`, and further columns.
    bands : tuple of str
    wcs : WCS, optional
        For `ra` and `dec`.
    survey : Survey, optional
        For `mags`, and with errors `mag_errs`, if magnitudes of its unit are known.

    Returns
    -------
    Table
        `number` and these columns before the others of the finder, with a description; facts of the images in its meta.
    """
    columns = {"number": np.arange(1, len(sources) + 1, dtype=np.int32)}
    if wcs is not None:
        columns["ra"], columns["dec"] = (np.asarray(axis, float).reshape(len(sources)) for axis in
                                         wcs.all_pix2world(sources["x"], sources["y"], 0))  # fmt: skip
    first = ("x", "y", "box", "score", "flux", "flux_error")
    columns |= {name: np.asarray(sources[name]) for name in first if name in sources.colnames}
    zero_point = None if survey is None else AB_ZERO_POINTS.get(survey.image_unit)
    if zero_point is not None:
        flux = np.asarray(sources["flux"], float)
        positive = np.where(flux > 0, flux, np.nan)
        columns["mags"] = zero_point - 2.5 * np.log10(positive)
        if "flux_error" in sources.colnames:
            columns["mag_errs"] = 2.5 / np.log(10) * np.asarray(sources["flux_error"], float) / positive
    columns["n_visible"] = np.asarray(sources["n_visible"])
    columns |= {name: np.asarray(sources[name]) for name in sources.colnames if name not in columns}
    table = Table([Column(values, name=name, description=DESCRIPTIONS.get(name)) for name, values in columns.items()])
    table.meta = {"bands": ",".join(bands)}
    if survey is not None:
        table.meta |= {"survey": survey.name, "unit": survey.image_unit, "pixscale": survey.pixel_scale}
    if zero_point is not None:
        table.meta["zeropt"] = float(zero_point)
    return table


def _stamp_table(catalog, is_whole):
    """What redshifts need to know of stamps; those that the image does not hold whole are flagged."""
    reasons = np.where(is_whole, "", "the stamp reaches beyond the image, or has pixels that cannot be used")
    return Table({
        "obj_id": np.asarray(catalog["number"], np.int64), "ra": catalog["ra"], "dec": catalog["dec"],
        "flag": (~is_whole).astype(np.int16), "flag_reason": reasons,
    })  # fmt: skip


def _brightest(score, n=60):
    """Whether a source is among those of the highest scores, whose text a picture has room for."""
    score = np.asarray(score, float)
    return score >= np.sort(score)[-min(n, len(score))]


def _write_segmentation(path, segmentation, wcs, meta):
    """Map of the pixels of sources with its WCS."""
    hdu = fits.PrimaryHDU(np.asarray(segmentation, np.int32), wcs.to_header() if wcs is not None else None)
    hdu.header["EXTNAME"] = "SEGMENTATION"
    hdu.header["IMAGE"], hdu.header["MODEL"] = meta["image"], meta["model"]
    with write_whole(path) as part:
        hdu.writeto(part, overwrite=True, checksum=True)


def _write_stamps(path, cubes, catalog, is_whole):
    """Cubes of stamps, each with its bands, and the numbers and positions of their sources."""
    cards = [("BANDS", catalog.meta["bands"], "order of the last image axis"), ("IMAGE", catalog.meta["image"], ""),
             ("MODEL", catalog.meta["model"], "what found the sources")]  # fmt: skip
    cards += [(key, catalog.meta[name], "") for key, name in (("BUNIT", "unit"), ("PIXSCALE", "pixscale"))
              if name in catalog.meta]  # fmt: skip
    table = Table({name: catalog[name] for name in ("number", "x", "y", "ra", "dec") if name in catalog.colnames})
    table["is_whole"] = is_whole
    hdus = [primary_hdu(cards)]
    for name, (stamps, bands) in cubes.items():
        hdus.append(fits.ImageHDU(np.asarray(stamps, np.float32), name=name))
        hdus[-1].header["BANDS"] = ",".join(bands), "order of the last image axis"
    hdus.append(fits.BinTableHDU(table, name="SOURCES"))
    with write_whole(path) as part:
        fits.HDUList(hdus).writeto(part, overwrite=True, checksum=True)


def _kept(folder, name, suffix, facts):
    """Summary of a scene whose files are there, made of the same; None if they are not, or are broken."""
    path = folder / f"{name}_catalog{suffix}"
    others = [folder / f"{name}{end}" for end in ("_segmentation.fits", "_stamps.fits", ".png")]
    if not all(one.exists() for one in (path, *others)):
        return None
    try:
        meta = (table := read_parquet(path) if suffix == ".parquet" else read_fits(path, "CATALOG")).meta
    except (ValueError, OSError, KeyError):
        return None
    if any(meta.get(key) != value for key, value in facts.items()):
        return None
    counts = [None if meta[key] < 0 else int(meta[key]) for key in ("n_redshift", "n_known", "n_matched")]
    return Inferred(name, len(table), *counts, is_kept=True)
