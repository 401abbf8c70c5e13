"""Galaxies with maps of their stars and dust on disk: FITS shards.

`blend simulate --kind maps` writes them and `blend build` reads them. A folder of shards is `maps-00000.fits`, ...;
each holds

- the primary header: SURVEY, BANDS and MAPS (comma separated, in the order of the last axes), SIZE, PIXSCALE [arcsec],
  PIXKPC [kpc], BUNIT, ZEROPT [AB mag of one unit], SIGMA [noise of an empty pixel in each band, with commas between],
  YEARS, ORIGIN, SEED and further cards of the writer;
- HDU `IMAGE`: float32, shape (n, size, size, n_bands), sky subtracted;
- HDU `MAPS`: float32, shape (n, size, size, n_maps), seen through the telescope as the image is, without noise: `mass`,
  log10 of solar masses of stars formed per kpc^2; `age`, log10 of years, and `metallicity`, [M/H], weighted by the
  light in r before dust; `a_v`, attenuation in V [mag]. NaN where there is no light;
- HDU `BRIGHTNESS`: float32, shape (n, size, size), the image in r without noise;
- HDU `CATALOG`: one row per galaxy, with `obj_id`, `group_id`, `kind` (of `shards.blends.CLASS_NAMES`) and truth.
"""

from pathlib import Path

import numpy as np
from astropy.io import fits

from photoz_morph.system.files import write_whole
from photoz_morph.system.fits import open_fits, primary_hdu, read_table, require_cards, require_columns

COLUMNS = ("obj_id", "group_id", "kind", "encounter", "abs_mag_r", "log_mass", "log_age", "metallicity", "a_v")
REQUIRED_CARDS = (
    "SURVEY", "BANDS", "MAPS", "SIZE", "PIXSCALE", "PIXKPC", "BUNIT", "ZEROPT", "SIGMA", "YEARS", "ORIGIN", "SEED",
)  # fmt: skip
KIND = "a shard of galaxies with maps"


def map_shard_path(folder, index):
    """Path of the shard of that index."""
    return Path(folder) / f"maps-{index:05d}.fits"


def find_map_shards(folder):
    """Paths of the shards in a folder, in order.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or holds none.
    """
    paths = sorted(Path(folder).glob("maps-*.fits"))
    if not paths:
        raise FileNotFoundError(f"{folder}: no maps-*.fits in it; create them with `blend simulate --kind maps`")
    return paths


def write_map_shard(path, images, maps, brightness, catalog, header):
    """Write one shard to a temporary name, then rename it.

    Parameters
    ----------
    path : path-like
    images : ndarray, shape (n, size, size, n_bands), float32
    maps : ndarray, shape (n, size, size, n_maps), float32
    brightness : ndarray, shape (n, size, size), float32
    catalog : Table
        One row per galaxy, with `COLUMNS`.
    header : iterable of (keyword, value, comment)
        `REQUIRED_CARDS` and further ones.

    Raises
    ------
    ValueError
        If shapes do not fit each other, or a column or card is missing.
    """
    path = Path(path)
    primary = primary_hdu(header)
    require_cards(path, primary.header, REQUIRED_CARDS, KIND)
    require_columns(path, catalog, COLUMNS)
    _check_shapes(path, images.shape, maps.shape, brightness.shape, catalog, primary.header)
    cubes = {"IMAGE": images, "MAPS": maps, "BRIGHTNESS": brightness}
    hdus = [fits.ImageHDU(np.ascontiguousarray(cube, np.float32), name=name) for name, cube in cubes.items()]
    with write_whole(path) as part:
        fits.HDUList([primary, *hdus, fits.BinTableHDU(catalog, name="CATALOG")]).writeto(
            part, overwrite=True, checksum=True
        )


def read_map_catalog(path):
    """Read and check the table and the primary header of one shard; no pixel is read.

    Raises
    ------
    ValueError
        If the file is truncated, is not such a shard, or its parts contradict each other.
    """
    with open_fits(path, KIND) as hdus:
        return _checked(path, hdus), hdus[0].header


def read_map_shard(path, rows=None):
    """Read and check the galaxies of one shard.

    Parameters
    ----------
    path : path-like
    rows : ndarray of int, optional
        Galaxies to read, in this order; all by default.

    Returns
    -------
    images, maps, brightness : ndarray, float32
        As in the file.
    catalog : Table
    header : Header

    Raises
    ------
    ValueError
        If the file is truncated, damaged, is not such a shard, or a pixel of an image is not finite.
    """
    with open_fits(path, KIND, with_checksum=True) as hdus:
        catalog, header = _checked(path, hdus), hdus[0].header
        rows = np.arange(len(catalog)) if rows is None else np.asarray(rows, int)
        cubes = [np.array(hdus[name].data[rows], np.float32) for name in ("IMAGE", "MAPS", "BRIGHTNESS")]
    catalog = catalog[rows]
    for cube in (cubes[0], cubes[2]):
        finite = np.isfinite(cube.reshape(len(rows), -1)).all(axis=1)
        if not finite.all():
            obj_id = catalog["obj_id"][np.argmin(finite)]
            raise ValueError(f"{path}: galaxy {obj_id} has pixels that are not finite; make it again")
    return *cubes, catalog, header


def _checked(path, hdus):
    """Table of an open shard."""
    header = hdus[0].header
    require_cards(path, header, REQUIRED_CARDS, KIND)
    catalog = read_table(path, hdus["CATALOG"], COLUMNS)
    _check_shapes(path, *(hdus[name].shape for name in ("IMAGE", "MAPS", "BRIGHTNESS")), catalog, header)
    return catalog


def _check_shapes(path, image_shape, map_shape, brightness_shape, catalog, header):
    """Raise a ValueError if the parts of a shard do not fit each other."""
    stamps = (len(catalog), header["SIZE"], header["SIZE"])
    n_bands, n_maps = (len(header[card].split(",")) for card in ("BANDS", "MAPS"))
    found = tuple(image_shape), tuple(map_shape), tuple(brightness_shape)
    expected = (*stamps, n_bands), (*stamps, n_maps), stamps
    if found != expected:
        raise ValueError(
            f"{path}: images, maps and brightness have shapes {found}, its {len(catalog)} rows need {expected}; make "
            "it again"
        )
