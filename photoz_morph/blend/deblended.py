"""Galaxies in the middle of blends, freed of their neighbours: true and predicted fluxes and shapes, with samples.

`blend predict` writes the table as FITS, HDU `GALAXIES`, one row per image. Fluxes are sums over the pixels of an image
[unit of the image], shapes those of `metrics.deblending.adaptive_moments` in the band `BAND`: size [pixel], e1, e2.
Networks that draw samples also give `flux_sigma`, their standard deviation, `flux_samples`, shape (n_samples, n_bands),
and `pixel_coverage`, shape (n_levels, 2), of which `coverage_terms` are the sums: how many of the pixels in which the
network sees light have their truth within the central intervals of `LEVELS`.
"""

from pathlib import Path

import numpy as np
from astropy.table import Table

from photoz_morph.system.files import write_whole
from photoz_morph.system.fits import open_fits
from photoz_morph.system.provenance import code_version
from photoz_morph.system.tables import table_of, write_fits

HDU = "GALAXIES"
HEAD = "galaxy"  # of a plain U-Net, beside whose input no output can be called image
BAND = "i"  # of shapes, the deepest
LEVELS = (0.5, 0.68, 0.9, 0.95)  # of intervals
COLUMNS = {
    "obj_id": "of the image",
    "group_id": "shared by images that are not independent",
    "y": "true row [pixel]",
    "x": "true column [pixel]",
    "blendedness": "1 - (S . S) / (S . T), Bosch et al. (2018)",
    "mags": "true magnitude in each band [AB mag]",
    "true_flux": "in each band [unit of the image]",
    "flux": "in each band [unit of the image]; NaN if the galaxy was not found",
    "true_shape": f"size [pixel], e1, e2 in {BAND}",
    "shape": f"size [pixel], e1, e2 in {BAND}",
}
REQUIRED_META = ("dataset", "origin", "survey", "bands", "unit", "zeropt", "model")


def middle_source(truth, size):
    """Row of the source nearest to the middle of an image of `size` pixels."""
    middle = (size - 1) / 2
    return int(np.hypot(np.asarray(truth["y"]) - middle, np.asarray(truth["x"]) - middle).argmin())


def galaxy_of(outputs):
    """Image of the galaxy in the outputs of a network, a dict: of a plain U-Net, or the mean of a probabilistic one."""
    return outputs[HEAD if HEAD in outputs else "image"]


def deblended_table(columns, meta):
    """Assemble the table.

    Parameters
    ----------
    columns : dict of str to ndarray, shape (n, ...)
        `COLUMNS` and those of samples.
    meta : dict
        `REQUIRED_META` and further facts.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If a column or a fact is missing.
    """
    table = Table(columns, copy=False)
    for name in set(COLUMNS) & set(table.colnames):
        table[name].description = COLUMNS[name]
    table.meta = {**meta, "code": code_version()}
    _check(table, "galaxies")
    return table


def write_deblended(table, path):
    """Write the table as FITS with checksums, to a temporary name that is then renamed; `path` ends in .fits."""
    if Path(path).suffix != ".fits":
        raise ValueError(f"{path}: galaxies are written as .fits, not {Path(path).suffix!r}")
    _check(table, path)
    with write_whole(path) as part:
        write_fits(table, part, HDU, with_checksum=True)


def read_deblended(path):
    """Read and check a table from `write_deblended`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or holds no such table.
    """
    with open_fits(path, "galaxies of `blend predict`", "predict again", with_checksum=True) as hdus:
        table = table_of(hdus[HDU])
    _check(table, path)
    return table


def is_deblended_file(path):
    """True if a FITS file holds such a table."""
    with open_fits(path, "predictions of `blend`", "predict again") as hdus:
        return HDU in [hdu.name for hdu in hdus]


def _check(table, path):
    """Raise a ValueError that begins with `path` if a column or a fact is missing."""
    missing = [name for name in COLUMNS if name not in table.colnames]
    missing += [key for key in REQUIRED_META if key not in table.meta]
    if missing:
        raise ValueError(f"{path}: no table of deblended galaxies, it lacks {', '.join(missing)}; predict again")
