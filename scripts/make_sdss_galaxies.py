"""Make the catalogue of 10,000 real SDSS galaxies that `photoz baseline` reads.

    pip install photoz-morph[tables]
    python scripts/make_sdss_galaxies.py [gst_tests_small.fits] [output folder]

Takes the test sample of the PyPI package kcorrect (or the given copy of it, FITS or npz, with its column names) and
writes `sdss_galaxies.fits.gz` into photoz_morph/data, whose README describes the columns. Takes a second.
"""

import gzip
import importlib.resources
import io
import sys
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

import photoz_morph
from photoz_morph.surveys import SDSS

R = SDSS.bands.index("r")
MAG_STEP = 2.0**-14  # magnitudes are rounded to 6e-5 mag, far below their errors, so that the file compresses
DEG_STEP = 2.0**-19  # 0.007 arcsec


def main(source, folder):
    """Write the catalogue and print its size."""
    columns = galaxy_columns(read_sample(source))
    hdu = fits.BinTableHDU.from_columns(
        [fits.Column(name, code, unit, array=array) for name, (code, unit, array) in columns.items()], name="GALAXIES"
    )
    hdu.header["ORIGIN"] = ("catalogue", "real magnitudes")
    hdu.header["COMMENT"] = "10,000 galaxies of the kcorrect 5.1.9 test sample (M. Blanton, BSD-3); data: SDSS"
    hdu.header["COMMENT"] = "asinh magnitudes as observed, not corrected for Galactic dust; E(B-V) of SFD98"
    buffer = io.BytesIO()
    hdu.writeto(buffer)
    path = Path(folder) / "sdss_galaxies.fits.gz"
    path.write_bytes(gzip.compress(buffer.getvalue(), 9, mtime=0))  # no date inside: the same bytes every time
    print(f"{path}: {len(hdu.data)} galaxies, {path.stat().st_size / 1000:.0f} kB")


def read_sample(source):
    """Columns of the kcorrect sample by their lower-case names."""
    if Path(source).suffix == ".npz":
        return dict(np.load(source))
    table = Table.read(source)
    return {name.lower(): np.array(table[name]) for name in table.colnames}


def galaxy_columns(sample):
    """FITS format, unit and values of each column; `obj_id` is the row of the sample, as `parent_id` elsewhere."""
    model = _magnitudes(sample["modelflux"], sample["modelflux_ivar"])
    petrosian = _magnitudes(sample["petroflux"], sample["petroflux_ivar"])
    columns = {"obj_id": ("J", "", np.arange(len(sample["z"])))}
    columns |= {name: ("D", "deg", _rounded(sample[name], DEG_STEP)) for name in ("ra", "dec")}
    columns["z_spec"] = ("E", "", sample["z"])
    columns["ebv"] = ("E", "mag", _rounded(sample["extinction"][:, R] / SDSS.extinction_per_ebv[R], MAG_STEP))
    for kind, values in zip(("modelMag", "modelMagErr"), model):
        columns |= {f"{kind}_{band}": ("E", "mag", values[:, b]) for b, band in enumerate(SDSS.bands)}
    columns |= {f"{kind}_r": ("E", "mag", v[:, R]) for kind, v in zip(("petroMag", "petroMagErr"), petrosian)}
    return columns


def _magnitudes(flux, inverse_variance):
    """Asinh magnitudes and their errors [mag], as observed."""
    flux, error = np.array(flux, float), np.array(inverse_variance, float) ** -0.5
    both = SDSS.asinh_magnitude(flux), SDSS.asinh_magnitude_error(flux, error)
    return [_rounded(values, MAG_STEP) for values in both]


def _rounded(values, step):
    """Values to the nearest multiple of a binary fraction."""
    return np.round(np.array(values, float) / step) * step


if __name__ == "__main__":
    installed = importlib.resources.files("kcorrect") / "data/test/gst_tests_small.fits" if len(sys.argv) < 2 else ""
    default = Path(photoz_morph.__file__).parent / "data"
    main(sys.argv[1] if len(sys.argv) > 1 else installed, sys.argv[2] if len(sys.argv) > 2 else default)
