"""Make photoz_morph/data/template_colours.npz: fluxes of the CWW templates through the bands of LSST and SDSS.

    python scripts/make_template_colours.py FOLDER [output folder]

FOLDER holds `sdss2010-g.ecsv`, `-r` and `-i`, the SDSS pass bands in the data of the PyPI package speclite. The
templates of Coleman, Wu & Weedman (1980), extended by Bolzonella et al. (2000), and the LSST pass bands are files of
GalSim. Takes seconds.
"""

import sys
from pathlib import Path

import galsim
import numpy as np
from astropy.table import Table

import photoz_morph

TEMPLATES = ("E", "Sbc", "Scd", "Im")
BANDS = ("g", "r", "i")
REDSHIFTS = np.arange(301) * 0.01


def main(curves, folder):
    """Write the table and print some colours."""
    share = Path(galsim.meta_data.share_dir)
    spectra = [np.loadtxt(share / "SEDs" / f"CWW_{name}_ext.sed").T for name in TEMPLATES]
    lsst = [np.loadtxt(share / "bandpasses" / f"LSST_{band}.dat").T for band in BANDS]
    lsst = [(10 * wavelength_nm, throughput) for wavelength_nm, throughput in lsst]
    sdss = [Table.read(Path(curves) / f"sdss2010-{band}.ecsv") for band in BANDS]
    sdss = [(np.asarray(curve["wavelength"]), np.asarray(curve["response"])) for curve in sdss]
    tables = {name: relative_fluxes(spectra, curves).astype(np.float32) for name, curves in
              {"lsst": lsst, "sdss": sdss}.items()}  # fmt: skip
    path = folder / "template_colours.npz"
    np.savez_compressed(path, z=REDSHIFTS, **tables)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    for survey, fluxes in tables.items():
        for row, name in enumerate(TEMPLATES):
            g, r, i = -2.5 * np.log10(fluxes[[0, 50, 100], row].T)
            print(f"{survey} {name}: g-r {np.round(g - r, 2)}, r-i {np.round(r - i, 2)} at z = 0, 0.5, 1")


def relative_fluxes(spectra, curves):
    """AB flux densities relative to the last band, shape (n_redshifts, n_templates, n_bands).

    A band counts photons: f_b = int f_lambda T lambda dlambda / int c T / lambda dlambda.
    """
    fluxes = np.empty((len(REDSHIFTS), len(spectra), len(curves)))
    for b, (wavelength, throughput) in enumerate(curves):
        fine = np.arange(wavelength[0], wavelength[-1], 2.0)  # [Angstrom]
        through = np.interp(fine, wavelength, throughput)
        norm = np.trapezoid(through / fine, fine)
        for t, (rest, f_lambda) in enumerate(spectra):
            shifted = np.interp(fine / (1 + REDSHIFTS[:, None]), rest, f_lambda)
            fluxes[:, t, b] = np.trapezoid(shifted * through * fine, fine) / norm
    return fluxes / fluxes[:, :, -1:]


if __name__ == "__main__":
    default = Path(photoz_morph.__file__).parent / "data"
    main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else default)
