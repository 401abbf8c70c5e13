"""Make the small tables behind the SDSS simulator from public packages.

    pip install photoz-morph[tables]
    python scripts/make_sdss_tables.py [output folder]

Takes the five k-correct templates and 10,000 real SDSS galaxies from the PyPI package kcorrect, the SDSS pass bands
from speclite and the Fourier transforms of Sersic profiles from GalSim; writes `sed_table.npz`, `mgs_parents.npz` and
`sersic_fourier.npz` into photoz_morph/data, whose README describes their columns. Takes seconds.
"""

import importlib.resources
import sys
from pathlib import Path

import galsim
import numpy as np
from astropy.cosmology import FlatLambdaCDM
from astropy.io import fits
from astropy.table import Table
from scipy.interpolate import CubicSpline
from scipy.optimize import nnls

import photoz_morph
from photoz_morph.surveys import SDSS

COSMOLOGY = FlatLambdaCDM(H0=70, Om0=0.3)  # that of Shen et al. (2003), whose sizes the simulator uses
TABLE_Z = np.arange(181) * 0.0025  # fine enough for emission lines that cross the edge of a band
R_LIMIT, Z_LIMIT = 17.8, 0.4  # Pasquet et al. (2019), Sec. 2
# Errors of the template fit, added to those of the photometry: templates are not known better than this [mag].
ERROR_FLOOR = np.array([0.05, 0.02, 0.02, 0.02, 0.03])
SERSIC_INDICES = np.arange(0.5, 6.01, 0.25)
LN_KR = np.linspace(-7, 7, 1401)


def main(folder):
    """Write the three tables and print how well the templates fit."""
    folder.mkdir(parents=True, exist_ok=True)
    maggies = template_maggies()
    parents, offset = fit_parents(maggies)
    save(folder / "sed_table.npz", z=TABLE_Z, maggies=maggies.astype(np.float32), ab_offset=offset.astype(np.float32))
    save(folder / "mgs_parents.npz", **parents)
    save(folder / "sersic_fourier.npz", n=SERSIC_INDICES, ln_kr=LN_KR, transform=sersic_transforms())


def template_maggies():
    """AB maggies of every template in every band against redshift, shape (181 z, 5 templates, 5 bands).

    Flux of a fixed luminosity without the inverse-square law, so the factor 1 / (1 + z) of the band width is in;
    each template has unit r flux at z = 0.
    """
    path = importlib.resources.files("kcorrect") / "data" / "templates" / "kcorrect-default-v4.fits"
    with fits.open(path) as hdus:
        wavelength, flux = (np.array(hdus["FLUX"].data[name][0], float) for name in ("wave", "flux"))
    maggies = np.zeros((len(TABLE_Z), len(flux), SDSS.n_bands))
    filters = importlib.resources.files("speclite") / "data" / "filters"
    for b, band in enumerate(SDSS.bands):
        response = Table.read(filters / f"sdss2010-{band}.ecsv", format="ascii.ecsv")
        lam = np.arange(response["wavelength"][0], response["wavelength"][-1], 0.5)  # [Angstrom]
        weight = np.interp(lam, response["wavelength"], response["response"])
        reference = np.sum(weight / lam)  # a photon counter's AB source, f_lambda ~ 1 / lambda^2
        for i, z in enumerate(TABLE_Z):
            for k, spectrum in enumerate(flux):
                observed = np.interp(lam / (1 + z), wavelength, spectrum) / (1 + z)
                maggies[i, k, b] = np.sum(observed * weight * lam) / reference
    return maggies / maggies[:1, :, SDSS.bands.index("r"), None]


def fit_parents(maggies):
    """Main Galaxy Sample members in kcorrect's test data with their template fractions; AB offsets of the bands."""
    path = importlib.resources.files("kcorrect") / "data" / "test" / "gst_tests_small.fits"
    sample = Table.read(path)
    z = np.array(sample["Z"], float)
    extinction = np.array(sample["EXTINCTION"], float)
    flux = np.array(sample["MODELFLUX"], float) * 10 ** (0.4 * extinction)
    error = np.array(sample["MODELFLUX_IVAR"], float) ** -0.5 * 10 ** (0.4 * extinction)
    r = SDSS.bands.index("r")
    with np.errstate(invalid="ignore", divide="ignore"):
        petro_r = SDSS.zero_point - 2.5 * np.log10(np.array(sample["PETROFLUX"][:, r], float)) - extinction[:, r]
    keep = np.flatnonzero((petro_r <= R_LIMIT) & (z <= Z_LIMIT) & np.all(flux > 0, axis=1) & np.all(error > 0, axis=1))
    z, flux, error, petro_r = z[keep], flux[keep], error[keep], petro_r[keep]

    templates = CubicSpline(TABLE_Z, maggies)(z)
    relative_error = np.hypot(error / flux, ERROR_FLOOR * np.log(10) / 2.5)
    offset = np.zeros(SDSS.n_bands)
    # Four rounds settle all bands but u, whose offset goes on creeping as the bluest template takes up photon noise.
    for _ in range(4):
        design = templates * 10 ** (0.4 * offset) / (flux * relative_error)[:, None, :]
        coefficients = np.array([nnls(a.T, 1 / e)[0] for a, e in zip(design, relative_error)])
        model = np.einsum("nk,nkb->nb", coefficients, templates) * 10 ** (0.4 * offset)
        residual = -2.5 * np.log10(model / flux)
        offset += np.median(residual, axis=0)
        offset -= offset[r]  # a common offset is the distance scale's; the r magnitudes stay those of SDSS
    spread = np.median(np.abs(residual - np.median(residual, axis=0)), axis=0)
    print("m_AB = m_SDSS + offset:", offset.round(3), " residual MAD [mag]:", spread.round(4))

    fraction = coefficients / coefficients.sum(axis=1, keepdims=True)
    k_flux = np.einsum("nk,nk->n", fraction, templates[:, :, r])
    abs_mag_r = petro_r - COSMOLOGY.distmod(z).value + 2.5 * np.log10(k_flux)
    magnitude = SDSS.zero_point - 2.5 * np.log10(flux)
    ebv = extinction[keep, r] / SDSS.extinction_per_ebv[r]
    columns = {"parent_id": keep.astype(np.int32), "ra": sample["RA"][keep], "dec": sample["DEC"][keep], "z": z}
    columns |= {"petro_r": petro_r, "abs_mag_r": abs_mag_r, "fraction": fraction, "ebv": ebv}
    columns["colour"] = magnitude[:, :-1] - magnitude[:, 1:]
    # Rounded to binary fractions well below the errors, so that the file compresses.
    bits = {"ra": 14, "dec": 14, "z": 17, "petro_r": 11, "abs_mag_r": 11, "fraction": 13, "ebv": 14, "colour": 11}
    for name, digits in bits.items():
        columns[name] = (np.round(np.array(columns[name], float) * 2**digits) / 2**digits).astype(np.float32)
    return columns, offset


def sersic_transforms():
    """Fourier transforms of unit-flux Sersic profiles against ln(k R_e), shape (n indices, 1401), float32."""
    transform = np.empty((len(SERSIC_INDICES), len(LN_KR)), np.float32)
    for i, n in enumerate(SERSIC_INDICES):
        profile = galsim.Sersic(n=n, half_light_radius=1)
        transform[i] = [profile.kValue(np.exp(x), 0).real for x in LN_KR]
    return transform


def save(path, **arrays):
    """Write a compressed table and print its size."""
    np.savez_compressed(path, **arrays)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    default = Path(photoz_morph.__file__).parent / "data"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
