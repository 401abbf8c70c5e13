"""Mock observations on disk: FITS shards of LSST stamps at several depths, with labels measured on noiseless images.

`morph mock` writes them; `morph build` and `morph infer` read them. A folder of shards is `mocks-00000.fits`, ...;
each holds

- the primary header: SURVEY, BANDS (comma separated, in the order of the last image axis), PIXSCALE [arcsec, side of
  a stamp pixel], BUNIT, ORIGIN (`simulated`, `tng` or `images`), BINNING, FIELDKPC, NESTED, SEED, and YEARS, the
  depths in the order requested;
- one HDU per depth, `Y10` and `Y1` by default, `Y0.5` after half a year: float32, shape (n, 100, 100, 3), nJy per
  stamp pixel;
- HDU `CATALOG`: one row per galaxy, in the order of the cubes. `REQUIRED_COLUMNS` are always there; `label` and
  `label_g` are indices of `CLASS_NAMES` from Gini and M20 in i and g, -1 where the measurement failed; `flag` is 1
  where that of i failed.

Each HDU has its checksum (FITS standard 4.0, Appendix J), so that any later change of a bit is detected.
"""

from pathlib import Path

import numpy as np
from astropy.io import fits

from photoz_morph.surveys import LSST
from photoz_morph.system.files import write_whole
from photoz_morph.system.fits import open_fits, primary_hdu, read_table, require_cards, require_columns

MOCK_ORIGINS = ("simulated", "tng", "images")
REQUIRED_COLUMNS = (
    "obj_id", "group_id", "intended_type", "label", "label_g", "gini", "m20", "gini_g", "m20_g", "flag", "subhalo_id",
    "snapshot",
)  # fmt: skip
REQUIRED_CARDS = ("SURVEY", "BANDS", "PIXSCALE", "BUNIT", "ORIGIN", "BINNING", "FIELDKPC", "NESTED", "SEED", "YEARS")


def mock_shard_path(folder, index):
    """Path of the mock shard of that index."""
    return Path(folder) / f"mocks-{index:05d}.fits"


def write_mock_shard(path, images, table, header, survey=LSST):
    """Write one shard to a temporary name, then rename it.

    Parameters
    ----------
    path : path-like
    images : dict of ndarray, shape (n, stamp_size, stamp_size, 3)
        For each number of years the stamps [nJy per stamp pixel].
    table : Table
        One row per galaxy, with at least `REQUIRED_COLUMNS`.
    header : iterable of (keyword, value, comment)
        Cards of the primary header: PIXSCALE, ORIGIN, BINNING, FIELDKPC, NESTED, SEED and any others.
    survey : VisitSurvey

    Raises
    ------
    ValueError
        If the shapes do not fit the survey or each other, or a required column or card is missing.
    """
    path = Path(path)
    expected = (len(table), *survey.image_shape)
    for year, cube in images.items():
        if cube.shape != expected:
            raise ValueError(f"{path}: Y{year} has shape {cube.shape}, {survey.name} and the table need {expected}")
    cards = [
        ("SURVEY", survey.name, "see photoz_morph.surveys"),
        ("BANDS", ",".join(survey.bands), "order of the last image axis"),
        ("BUNIT", survey.image_unit, "unit of a pixel value"),
        ("YEARS", ",".join(str(year) for year in images), "depths, one HDU each"),
        *header,
    ]
    primary = primary_hdu(cards)
    require_cards(path, primary.header, REQUIRED_CARDS, "a shard of mocks")
    require_columns(path, table, REQUIRED_COLUMNS)
    cubes = [fits.ImageHDU(np.ascontiguousarray(cube, np.float32), name=f"Y{year}") for year, cube in images.items()]
    with write_whole(path) as part:
        hdus = fits.HDUList([primary, *cubes, fits.BinTableHDU(table, name="CATALOG")])
        hdus.writeto(part, overwrite=True, checksum=True)


def find_mock_shards(folder):
    """Paths of the mock shards in a folder, in order.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or holds none.
    """
    paths = sorted(Path(folder).glob("mocks-*.fits"))
    if not paths:
        raise FileNotFoundError(f"{folder}: no mocks-*.fits in it; create them with `morph mock`")
    return paths


def read_mock_catalog(path, survey=LSST):
    """Read and check the table and primary header of one shard; no pixel is read.

    Raises
    ------
    ValueError
        If the file is truncated, is not a shard of mocks, or its shapes contradict its survey.
    """
    with open_fits(path, "a shard of mocks") as hdus:
        return _checked_catalog(path, hdus, survey)


def read_mock_shard(path, rows=None, years=None, with_checksum=True, survey=LSST):
    """Read and check the images, table and primary header of one shard.

    Parameters
    ----------
    path : path-like
    rows : ndarray of int, optional
        Rows to read; all by default.
    years : sequence, optional
        Depths to read; all by default.
    with_checksum : bool
        Whether to compare the whole file with its checksums, which finds any bit that changed since it was written.
        A file without them passes.
    survey : VisitSurvey

    Returns
    -------
    images : dict of ndarray, shape (n, stamp_size, stamp_size, 3), float32
        For each number of years the stamps [nJy per stamp pixel].
    table : Table
    header : Header

    Raises
    ------
    ValueError
        If the file is truncated, is not a shard of mocks, its shapes contradict its survey, it lacks a depth, or a
        pixel is not finite.
    """
    with open_fits(path, "a shard of mocks", with_checksum=with_checksum) as hdus:
        table, header = _checked_catalog(path, hdus, survey)
        there = depths(header)
        missing = [year for year in years or () if year not in there]
        if missing:
            raise ValueError(f"{path}: no depth Y{missing[0]}; it has {', '.join(f'Y{year}' for year in there)}")
        rows = np.arange(len(table)) if rows is None else rows
        images = {year: np.asarray(hdus[f"Y{year}"].data[rows], np.float32) for year in years or there}
    table = table[rows]
    for year, cube in images.items():
        bad = ~np.isfinite(cube).all(axis=(1, 2, 3))
        if bad.any():
            raise ValueError(
                f"{path}: Y{year} of galaxy {table['obj_id'][np.argmax(bad)]} has pixels that are not finite "
                f"({bad.sum()} galaxies in all); make it again"
            )
    return images, table, header


def depths(header):
    """Numbers of years of the images in a shard, in the order of its primary header."""
    return tuple(int(year) if year.isdigit() else float(year) for year in header["YEARS"].split(","))


def _checked_catalog(path, hdus, survey):
    """Table and primary header of an open shard."""
    header = hdus[0].header
    if header.get("SURVEY", survey.name) != survey.name:
        raise ValueError(f"{path}: SURVEY is {header['SURVEY']}, not {survey.name}; give the folder of its mocks")
    values = {"BANDS": ",".join(survey.bands), "BUNIT": survey.image_unit}
    require_cards(path, header, REQUIRED_CARDS, "a shard of mocks", values, f"{survey.name} mocks")
    table = read_table(path, hdus["CATALOG"], REQUIRED_COLUMNS)
    if header["ORIGIN"] not in MOCK_ORIGINS:
        raise ValueError(f"{path}: ORIGIN is {header['ORIGIN']}, not one of {', '.join(MOCK_ORIGINS)}; make it again")
    for year in depths(header):
        if hdus[f"Y{year}"].shape != (len(table), *survey.image_shape):
            raise ValueError(
                f"{path}: Y{year} has shape {hdus[f'Y{year}'].shape}, {survey.name} mocks of its {len(table)} galaxies "
                f"need {(len(table), *survey.image_shape)}; make it again"
            )
    return table, header
