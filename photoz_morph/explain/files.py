"""Explanations on disk: a folder with the galaxies that are explained, and a file for each method.

`photoz explain` and `morph explain` write `settings.json`, `galaxies.fits` and `METHOD.fits`; docs/formats.md describes
them. Images and maps have shape (n, rows, columns, n_bands), galaxies in the order of the table in `galaxies.fits`. A
method whose file is there is not computed again.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from photoz_morph.system.files import write_whole
from photoz_morph.system.fits import open_fits
from photoz_morph.system.json_files import read_json, write_atomically
from photoz_morph.system.tables import table_of, write_fits

SETTINGS, GALAXIES = "settings.json", "galaxies"
ANATOMY = ("kernels", "strongest", "feature_maps", "raised", "latent")
REMEDY = "remove it and explain again"


@dataclass(frozen=True)
class Stored:
    """One file.

    Attributes
    ----------
    table : Table
        One row per galaxy.
    arrays : dict of str to ndarray
        By the names of their HDUs, in small letters.
    """

    table: Table
    arrays: dict


def start_folder(folder, settings):
    """Write the settings of new explanations, or check that they equal those in the folder.

    Parameters
    ----------
    folder : path-like
        Made if missing.
    settings : dict
        Values that JSON can hold.

    Raises
    ------
    ValueError
        If the folder holds explanations with other settings.
    """
    path, settings = Path(folder) / SETTINGS, json.loads(json.dumps(settings))
    if path.exists() and any(Path(folder).glob("*.fits")):
        there = read_json(path, (), REMEDY)
        different = sorted(key for key in settings.keys() | there.keys() if settings.get(key) != there.get(key))
        if different:
            raise ValueError(
                f"{folder}: holds explanations with other {', '.join(different)}; give another --name, or remove the "
                "folder"
            )
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(settings, indent=1))


def write_stored(folder, name, table, arrays):
    """Write a file with checksums, to a temporary name that is then renamed.

    Parameters
    ----------
    folder : path-like
    name : str
        Of the file, without suffix.
    table : Table
    arrays : dict of str to ndarray
    """
    hdus = [fits.ImageHDU(_storable(values), name=key.upper()) for key, values in arrays.items()]
    with write_whole(Path(folder) / f"{name}.fits") as part:
        write_fits(table, part, "GALAXIES", hdus, with_checksum=True)


def read_stored(folder, name):
    """Read a file.

    Returns
    -------
    Stored

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged.
    """
    path = Path(folder) / f"{name}.fits"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; `explain` writes it")
    with open_fits(path, "explanations", REMEDY, with_checksum=True) as hdus:
        table = table_of(hdus["GALAXIES"])
        arrays = {hdu.name.lower(): np.asarray(hdu.data) for hdu in hdus[2:]}
        if any(values.ndim == 0 for values in arrays.values()):
            raise ValueError(f"{path}: an image is empty; {REMEDY}")
    return Stored(table, arrays)


def is_stored(folder, name):
    """True if a file is there and intact; a damaged one is written again."""
    try:
        read_stored(folder, name)
    except (FileNotFoundError, ValueError):
        return False
    return True


def _storable(values):
    """Array in a type of FITS."""
    values = np.ascontiguousarray(values)
    if values.dtype == bool:
        return values.astype(np.uint8)
    return values.astype(np.float32) if values.dtype.kind == "f" else values
