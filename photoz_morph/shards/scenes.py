"""Scenes: noiseless g, r, i images of galaxies at redshift 0.05, in memory and as FITS shards.

`morph simulate` writes scene shards and `morph mock` observes them; images of other simulations become scenes by
`photoz_morph.mocks.image_files`. A folder of shards is `scenes-00000.fits`, `scenes-00001.fits`, ...; each holds up to
100 scenes:

- the primary header: SURVEY, BANDS, PIXKPC [kpc, side of a pixel], REDSHIFT, BUNIT, ORIGIN, and further cards
  of the writer;
- HDU `IMAGE`: surface brightness [AB mag / arcsec^2], shape (n, 3, size, size), in steps of 0.001 mag, compressed
  (RICE_1, one tile per image) and blank where there is no light. The rounding is even and independent from pixel to
  pixel, so the flux of a galaxy is kept to better than 1e-4;
- HDU `CATALOG`: `obj_id`, `group_id`, `intended_type` and further columns of truth, one row per scene.
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from astropy.io import fits

from photoz_morph.system.files import write_whole
from photoz_morph.system.fits import fits_errors, open_fits, primary_hdu, read_table, require_cards, require_columns
from photoz_morph.system.sizes import check_fits

BANDS = ("g", "r", "i")
REDSHIFT = 0.05  # Ciprijanovic et al. (2021), Sec. 2: all galaxies are moved there
KPC_PER_ARCSEC = 1.0098  # at z = 0.05 in the cosmology of TNG: H0 = 67.74 km/s/Mpc, Omega_m = 0.3089
NATIVE_PIXEL_ARCSEC = 0.2  # LSST camera
NATIVE_PIXEL_KPC = NATIVE_PIXEL_ARCSEC * KPC_PER_ARCSEC
NJY_ZERO_POINT = 31.4  # AB magnitude of 1 nJy: 2.5 log10(3631e9)
REQUIRED_COLUMNS = ("obj_id", "group_id", "intended_type")

# Levels of the stored surface brightness: int16 about 20 mag / arcsec^2, so -12.7 to 52.7.
MAG_STEP, MAG_CENTRE, BLANK = 0.001, 20.0, -32768
MAX_LEVEL = 32767


@dataclass(frozen=True)
class Scene:
    """Noiseless image of a galaxy with its identifiers and truth.

    Attributes
    ----------
    image : ndarray, shape (n, n, 3), float32
        Flux per pixel in g, r, i [nJy], as seen from `REDSHIFT`.
    pixel_kpc : float
        Side of a pixel [kpc].
    obj_id, group_id : int
        Views, copies and times of one galaxy or encounter share a group.
    intended_type : int
        Class the simulation aimed at, an index of `CLASS_NAMES`; -1 if unknown.
    table_row : dict
        Further columns of its table.
    """

    image: np.ndarray
    pixel_kpc: float
    obj_id: int
    group_id: int
    intended_type: int = -1
    table_row: dict = field(default_factory=dict)

    @property
    def pixel_arcsec(self):
        """Side of a pixel as seen from `REDSHIFT` [arcsec]."""
        return self.pixel_kpc / KPC_PER_ARCSEC


def scene_shard_path(folder, index):
    """Path of the scene shard of that index."""
    return Path(folder) / f"scenes-{index:05d}.fits"


def write_scene_shard(path, images, table, header=(), pixel_kpc=NATIVE_PIXEL_KPC, origin="simulated"):
    """Write one shard of scenes to a temporary name, then rename it.

    Parameters
    ----------
    path : path-like
    images : ndarray, shape (n, size, size, 3)
        Flux per pixel in g, r, i [nJy]. Light fainter than 52.7 mag / arcsec^2 is dropped.
    table : Table
        One row per scene, with at least `REQUIRED_COLUMNS`.
    header : iterable of (keyword, value, comment)
        Further cards of the primary header.
    pixel_kpc : float
        Side of a pixel [kpc].
    origin : str
        Where the scenes come from: "simulated", "tng" or "images".

    Raises
    ------
    ValueError
        If shapes do not fit each other, a column is missing, or a pixel is negative or not finite.
    """
    path = Path(path)
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1] != images.shape[2] or images.shape[::3] != (len(table), len(BANDS)):
        raise ValueError(f"{path}: images have shape {images.shape}, its {len(table)} rows need (n, size, size, 3)")
    require_columns(path, table, REQUIRED_COLUMNS)
    for image, obj_id in zip(images, table["obj_id"]):
        check_flux(image, f"{path}: scene {obj_id}")
    pixel_area = (pixel_kpc / KPC_PER_ARCSEC) ** 2
    cards = [
        ("SURVEY", "lsst", "see photoz_morph.surveys"),
        ("BANDS", ",".join(BANDS), "order of the third image axis"),
        ("PIXKPC", pixel_kpc, "[kpc] side of a pixel"),
        ("REDSHIFT", REDSHIFT, "from which the scenes are seen"),
        ("BUNIT", "mag/arcsec2", "AB surface brightness, blank is no light"),
        ("ORIGIN", origin, "simulated, tng or images"),
        *header,
    ]
    levels = np.stack([_to_levels(np.moveaxis(image, -1, 0), pixel_area) for image in images])
    image = fits.CompImageHDU(levels, compression_type="RICE_1", tile_shape=(1, 1, *levels.shape[2:]), name="IMAGE")
    # Set after the data are there, so that astropy keeps the integers; every reader of FITS scales them back.
    image.header["BSCALE"], image.header["BZERO"], image.header["BLANK"] = MAG_STEP, MAG_CENTRE, BLANK
    with write_whole(path) as part:
        hdus = [primary_hdu(cards), image, fits.BinTableHDU(table, name="CATALOG")]
        fits.HDUList(hdus).writeto(part, overwrite=True, checksum=True)


def find_scene_shards(folder):
    """Paths of the scene shards in a folder, in order.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or holds none.
    """
    paths = sorted(Path(folder).glob("scenes-*.fits"))
    if not paths:
        raise FileNotFoundError(f"{folder}: no scenes-*.fits in it; create them with `morph simulate`")
    return paths


def read_scene_catalog(path):
    """Read and check the table and primary header of one scene shard; no pixel is read.

    Raises
    ------
    ValueError
        If the file is truncated or is not a shard of scenes.
    """
    with open_fits(path, "a shard of scenes") as hdus:
        return _checked_catalog(path, hdus)


def iter_scenes(path, rows=None):
    """Iterate over the scenes of one shard; only one is in memory at a time.

    Parameters
    ----------
    path : path-like
    rows : iterable of int, optional
        Rows to read, in this order; all by default.

    Yields
    ------
    Scene

    Raises
    ------
    ValueError
        If the file is truncated, damaged or not a shard of scenes.
    """
    reading = partial(fits_errors, path, "a shard of scenes")
    with reading():
        check_fits(path)
        # astropy cannot scale a part of a memory-mapped image, so the levels are read as they are.
        hdus = fits.open(path, checksum=True, memmap=True, do_not_scale_image_data=True)
    with hdus:
        with reading():
            table, header = _checked_catalog(path, hdus)
            flux_of_level = _flux_of_level((header["PIXKPC"] / KPC_PER_ARCSEC) ** 2)
        for row in range(len(table)) if rows is None else rows:
            with reading():
                image = np.moveaxis(flux_of_level[hdus["IMAGE"].section[row].view(np.uint16)], 0, -1)
                columns = {name: table[name][row] for name in table.colnames}
                required = {name: int(columns.pop(name)) for name in REQUIRED_COLUMNS}
                image = np.ascontiguousarray(image)
            yield Scene(image, header["PIXKPC"], **required, table_row=columns)


def from_surface_brightness(mag, pixel_area):
    """Flux per pixel [nJy, float32] of a surface brightness [AB mag / arcsec^2]; NaN and inf are no light.

    Parameters
    ----------
    mag : ndarray
    pixel_area : float
        [arcsec^2]
    """
    flux = pixel_area * 10 ** (-0.4 * (np.asarray(mag, float) - NJY_ZERO_POINT))
    return np.nan_to_num(flux, copy=False, nan=0.0).astype(np.float32)


def check_flux(image, what):
    """Raise a ValueError if a pixel of a g, r, i image (channels last) is negative or not finite."""
    bad = ~((image >= 0) & (image < np.inf))
    if bad.any():
        row, column, band = np.argwhere(bad)[0]
        raise ValueError(
            f"{what} has {bad.sum()} pixels that are negative or not finite, the first in band {BANDS[band]} at "
            f"row {row}, column {column}: {image[row, column, band]}; a scene is noiseless, give 0 where no light is"
        )


def _to_levels(flux, pixel_area):
    """Stored integers of a flux per pixel [nJy]."""
    is_lit = flux > 0
    mag = NJY_ZERO_POINT - 2.5 * np.log10(np.where(is_lit, flux, 1) / np.float32(pixel_area))
    levels = np.rint((mag - MAG_CENTRE) / MAG_STEP)
    return np.where(is_lit & (levels <= MAX_LEVEL), levels, BLANK).astype(np.int16)


def _flux_of_level(pixel_area):
    """Flux per pixel [nJy] of every level, in the order of their bits read as unsigned."""
    levels = np.arange(2**16).astype(np.uint16).view(np.int16)
    mag = MAG_CENTRE + MAG_STEP * levels.astype(float)
    return from_surface_brightness(np.where(levels == BLANK, np.nan, mag), pixel_area)


def _checked_catalog(path, hdus):
    """Table and primary header of an open shard."""
    header = hdus[0].header
    values = {"SURVEY": "lsst", "BANDS": ",".join(BANDS), "REDSHIFT": REDSHIFT, "BUNIT": "mag/arcsec2"}
    require_cards(path, header, (*values, "PIXKPC", "ORIGIN"), "a shard of scenes", values, "scenes")
    table = read_table(path, hdus["CATALOG"], REQUIRED_COLUMNS)
    shape = hdus["IMAGE"].shape
    if len(shape) != 4 or shape[:2] != (len(table), len(BANDS)) or shape[2] != shape[3]:
        raise ValueError(f"{path}: images have shape {shape}, its {len(table)} rows need (n, 3, size, size)")
    return table, header
