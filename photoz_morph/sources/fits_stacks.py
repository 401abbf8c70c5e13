"""Folder of FITS stacks, one file a galaxy, beside a catalogue that lists them.

The folder holds `catalog.csv`, `.parquet` or `.fits`, whose column `file` names the file of a galaxy, `OBJ_ID.fits` by
default. A file is one 3-D cube (band, y, x) or one 2-D image in each of several HDUs, as cut-out services deliver them.
Planes are named by the card BANDS (`g,r,z` or `grz`), by BAND0, BAND1, ..., or by the survey's `cube_keyword`; HDUs by
EXTNAME, or a card FILTER, BAND or the survey's `band_keyword`; without names they are in the order of the survey. BUNIT
or a zero point (MAGZERO, ZEROPOINT) gives the unit, PIXSCALE or the world coordinates the scale.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from photoz_morph.catalogs.table_files import TABLE_SUFFIXES, read_table_file
from photoz_morph.sources.galaxy_columns import flag_rows, galaxy_table
from photoz_morph.sources.source import ImageSource, file_facts, fingerprint_of, rows_at_once
from photoz_morph.sources.stamps import (
    UNIT_ZERO_POINTS,
    check_pixel_scale,
    flag_bad_pixels,
    settle_layout,
    to_stamps,
    unit_factor,
)
from photoz_morph.surveys import ImagingSurvey
from photoz_morph.system.fits import open_fits

CATALOG_STEMS = ("catalog", "catalogue", "galaxies")
FILE_COLUMNS = ("file", "file_name", "filename")
ZERO_POINT_CARDS = ("MAGZERO", "ZEROPOINT", "MAGZPT")
N_TRIED = 20  # files of which one must be readable when the folder is opened


@dataclass(frozen=True)
class StackFilesPartition:
    """Some rows of the catalogue and their files; see `sources.source`."""

    catalog: Path
    survey: ImagingSurvey
    name: str
    first: int
    n_rows: int

    def read(self, rows=None, with_checksum=True):
        """Images and table; a file that cannot be used is the reason of a flag."""
        rows = np.arange(self.n_rows) if rows is None else np.asarray(rows)
        table, files = _catalog(self.catalog, self.survey.bands)
        table, files = table[self.first + rows], files[self.first + rows]
        images = np.full((len(rows), *self.survey.image_shape), np.nan, np.float32)
        for row, file in enumerate(files):
            path = self.catalog.parent / file
            try:
                images[row] = read_stack(path, self.survey, with_checksum)
            except (ValueError, OSError) as error:
                flag_rows(table, [row], [str(error).removeprefix(f"{path}: ")])
        flag_bad_pixels(images, table, self.survey)
        return images, table

    def read_table(self):
        """Table without pixels."""
        return _catalog(self.catalog, self.survey.bands)[0][self.first : self.first + self.n_rows]


def find_catalog(folder):
    """Catalogue beside the stacks of a folder, or None."""
    paths = [Path(folder) / f"{stem}{suffix}" for stem in CATALOG_STEMS for suffix in TABLE_SUFFIXES]
    return next((path for path in paths if path.is_file()), None)


def open_stack_files(folder, survey, origin="stacked"):
    """Open a folder of FITS stacks, one file a galaxy.

    Parameters
    ----------
    folder : path-like
    survey : ImagingSurvey
    origin : str
        "simulated" or "stacked".

    Returns
    -------
    ImageSource

    Raises
    ------
    FileNotFoundError
        If there is no catalogue, or none of its first files.
    ValueError
        If the catalogue cannot be read, or none of its first files.

    Warns
    -----
    UserWarning
        Which columns were taken for which.
    """
    catalog = find_catalog(folder)
    if catalog is None:
        raise FileNotFoundError(f"{folder}: no catalog.csv, .parquet or .fits in it; list the galaxies there")
    table, files = _catalog(catalog, survey.bands)
    if not len(table):
        raise ValueError(f"{catalog}: the catalogue has no rows; give at least one galaxy")
    _read_catalog(catalog, survey.bands, announce=True)
    problem = None
    for file in files[:N_TRIED]:
        try:
            read_stack(catalog.parent / file, survey)
            break
        except (ValueError, OSError) as error:
            problem = problem or error
    else:
        raise problem
    n, step = len(table), rows_at_once(int(np.prod(survey.image_shape)) * 4)
    partitions = tuple(
        StackFilesPartition(catalog, survey, f"rows-{number:05d}", first, min(step, n - first))
        for number, first in enumerate(range(0, n, step))
    )
    paths = [catalog.parent / file for file in files]
    facts = [file_facts(path) if path.is_file() else path.name for path in paths]
    return ImageSource(Path(folder), survey, origin, partitions, fingerprint_of(file_facts(catalog), *facts))


def _catalog(path, bands):
    """Table of a catalogue and the names of the files, shape (n,); read again only when it has changed."""
    return _cached_catalog(path, bands, file_facts(path))


@lru_cache(maxsize=2)
def _cached_catalog(path, bands, facts):
    return _read_catalog(path, bands)


def _read_catalog(path, bands, announce=False):
    columns = read_table_file(path)
    column_of = {name.lower(): name for name in columns.colnames}
    table = galaxy_table(columns, bands, path, announce=announce)
    named = next((column_of[name] for name in FILE_COLUMNS if name in column_of), None)
    files = columns[named] if named else [f"{obj_id}.fits" for obj_id in table["obj_id"]]
    files = np.array([file.decode() if isinstance(file, bytes) else str(file) for file in files])
    return table, files


def read_stack(path, survey, with_checksum=True):
    """Stamp of one galaxy.

    Parameters
    ----------
    path : path-like
    survey : ImagingSurvey
    with_checksum : bool
        Whether to compare the file with its checksums, if it has them.

    Returns
    -------
    ndarray, shape (size, size, n_bands), float32
        [image unit of the survey]

    Raises
    ------
    FileNotFoundError
    ValueError
        If it cannot be read, a band is missing or twice there, the images are too small, or unit or scale do not fit.
    """
    with open_fits(path, "a FITS stack", "make or fetch it again", with_checksum) as hdus:
        images = [hdu for hdu in hdus if hdu.is_image and hdu.header["NAXIS"] in (2, 3)]
        cubes = [hdu for hdu in images if hdu.header["NAXIS"] == 3]
        if cubes:
            chosen, bands = cubes[:1], _plane_names(cubes[0].header, survey)
            cube = np.asarray(cubes[0].data)
        else:
            shapes = {hdu.shape for hdu in images}
            if len(shapes) != 1:
                raise ValueError(f"{path}: images of {len(shapes)} different shapes; give a cube, or one HDU a band")
            chosen, bands = images, _hdu_names(images, survey)
            cube = np.stack([np.asarray(hdu.data) for hdu in images])
        factors = [_factor(hdu.header, survey, path) for hdu in chosen]
        for hdu in chosen:
            check_pixel_scale(_pixel_scale(hdu.header), survey, path)
        layout = settle_layout(cube.shape, survey, path, bands)
    planes = [factors[plane if len(factors) > 1 else 0] for plane in layout.planes]
    return to_stamps(cube[None], layout, survey)[0] * np.asarray(planes, np.float32)


def _plane_names(header, survey):
    """Names of the planes of a cube, or None."""
    frames = getattr(survey, "frames", None)
    keyword = getattr(frames, "cube_keyword", None) or "BANDS"
    if keyword in header:
        text = str(header[keyword]).strip()
        names = [name.strip() for name in re.split(r"[,; ]+", text)]
        is_letters = len(names) == 1 and header["NAXIS3"] > 1
        return list(text) if is_letters else names
    numbered = [header.get(f"BAND{number}") for number in range(header["NAXIS3"])]
    return [str(name) for name in numbered] if all(name is not None for name in numbered) else None


def _hdu_names(images, survey):
    """Names of the bands of HDUs, or None where they have none."""
    own = getattr(getattr(survey, "frames", None), "band_keyword", None)
    for keyword in filter(None, (own, "FILTER", "BAND", "EXTNAME")):
        names = [hdu.header.get(keyword) or (hdu.name if keyword == "EXTNAME" else None) for hdu in images]
        if all(names):
            return [str(name) for name in names]
    return None


def _factor(header, survey, path):
    """Factor from the pixels of an HDU to the survey's unit: by the header, else by the description of its frames."""
    frames = getattr(survey, "frames", None)
    own = getattr(frames, "zero_point_keyword", None)
    unit = str(header.get("BUNIT") or "").strip()
    zero_point = next((header[card] for card in filter(None, (own, *ZERO_POINT_CARDS)) if card in header), None)
    if unit.lower() in UNIT_ZERO_POINTS:
        zero_point = None
    elif zero_point is None and not unit:
        unit, zero_point = getattr(frames, "unit", None), getattr(frames, "zero_point", None)
    return unit_factor(survey, path, unit or None, zero_point)


def _pixel_scale(header):
    """Side of a pixel [arcsec] by the header, or None."""
    if "PIXSCALE" in header:
        return header["PIXSCALE"]
    try:
        if "CD1_1" in header:
            matrix = [[float(header.get(f"CD{i}_{j}", 0)) for j in (1, 2)] for i in (1, 2)]
            return 3600 * np.sqrt(abs(np.linalg.det(matrix)))
        return 3600 * abs(float(header["CDELT1"])) if "CDELT1" in header and "CRVAL1" in header else None
    except (TypeError, ValueError):
        return "in the header"
