"""Images of a galaxy in g, r, i and maps of its stars and dust, all seen through the same telescope.

The image of each population follows from its light in r and from the colours of its age and metallicity in each pixel,
dimmed by the dust of the galaxy; its mass from the same light and the mass-to-light ratio. Maps are what an ideal
measurement at the resolution of the image would give: mass and light are spread by the point-spread function of r
before they are compared.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft

from photoz_morph.shards.scenes import NATIVE_PIXEL_KPC
from photoz_morph.simulation.blends.cameras import transfer_functions
from photoz_morph.simulation.morphology.populations import DUST_CURVE
from photoz_morph.simulation.populations.assignment import assign_stars
from photoz_morph.simulation.populations.stellar_table import R_BAND, mass_per_flux, population_mags, relative_fluxes

MAPS = ("mass", "age", "metallicity", "a_v")
V_OVER_R = 1.143  # of the optical depths: k(0.55 um) / k(0.62 um) of Calzetti et al. (2000), Eq. 4
MAGNITUDES = 2.5 / np.log(10)
MARGIN = 32  # [camera pixel] around a stamp whose light reaches it: 9 times the width of the point-spread function
BINNING = 2  # camera pixels along the side of a pixel of a stamp
PIXEL_KPC = BINNING * NATIVE_PIXEL_KPC
# Pixels with less light in r have no maps: [nJy per pixel], 34 mag/arcsec^2; and of the brightest pixel, of which the
# Fourier transform leaves 1e-6 anywhere.
DARKEST, DARKEST_PART = 1e-2, 1e-5


@dataclass(frozen=True)
class GalaxyMaps:
    """A galaxy as it is and as it appears without noise.

    Attributes
    ----------
    expected : ndarray, shape (BINNING size, BINNING size, 3)
        Flux in g, r, i [nJy per camera pixel].
    maps : ndarray, shape (size, size, 4), float32
        `MAPS`: log10 of the mass of stars formed [solar masses per kpc^2]; log10 of the age [yr] and [M/H], means
        weighted by the light in r before dust; attenuation in V [mag]. NaN where there is no light.
    brightness : ndarray, shape (size, size), float32
        Surface brightness in r without noise [nJy per pixel].
    truth : dict of str to float
        `log_mass`, of the stars formed in the stamp [solar masses]; `log_age`, `metallicity` and `a_v`, means of the
        galaxy by the light of the stamp.
    """

    expected: np.ndarray
    maps: np.ndarray
    brightness: np.ndarray
    truth: dict


def galaxy_maps(galaxy, size, rng):
    """Give the stars of a galaxy ages and metallicities, and draw its image and maps.

    Parameters
    ----------
    galaxy : StellarMaps
    size : int
        Side of a stamp [pixel], of `BINNING` camera pixels each.
    rng : numpy.random.Generator
        Draws ages and metallicities.

    Returns
    -------
    GalaxyMaps
    """
    n = BINNING * size + 2 * MARGIN
    light = {name: _middle(image, n) for name, image in galaxy.maps.items()}
    stars = assign_stars(light, galaxy.truth["abs_mag_r"], rng)
    dust = np.zeros((n, n)) if galaxy.dust is None else _middle(galaxy.dust, n).astype(float)
    image, mass, ages, metals = np.zeros((n, n, 3)), *np.zeros((3, n, n))
    for name, flux in light.items():
        mags = population_mags(stars.log_age[name], stars.metallicity[name])
        image += flux[..., None] * relative_fluxes(mags)
        mass += flux * mass_per_flux(mags)
        ages += flux * stars.log_age[name]
        metals += flux * stars.metallicity[name]
    total = sum(light.values()).astype(float)
    image *= np.exp(-np.asarray(DUST_CURVE) * dust[..., None])
    expected = np.maximum(_convolved(image, range(3)), 0)
    planes = _convolved(np.stack([mass, total, ages, metals], axis=-1), [R_BAND] * 4)
    mass, total, ages, metals, seen = (_binned(plane) for plane in (*np.moveaxis(planes, -1, 0), expected[..., R_BAND]))
    lit = (seen > max(DARKEST, DARKEST_PART * seen.max())) & (total > 0) & (mass > 0)
    safe = {name: np.where(lit, values, 1.0) for name, values in
            (("mass", mass), ("total", total), ("seen", seen))}  # fmt: skip
    maps = np.stack([
        np.log10(safe["mass"] / PIXEL_KPC**2), ages / safe["total"], metals / safe["total"],
        V_OVER_R * MAGNITUDES * np.log(safe["total"] / safe["seen"]),
    ], axis=-1)  # fmt: skip
    whole = total[lit].sum()
    truth = {
        "log_mass": np.log10(mass[lit].sum()), "log_age": ages[lit].sum() / whole,
        "metallicity": metals[lit].sum() / whole,
        "a_v": V_OVER_R * MAGNITUDES * np.log(whole / seen[lit].sum()),
    }  # fmt: skip
    return GalaxyMaps(
        expected, np.where(lit[..., None], maps, np.nan).astype(np.float32), seen.astype(np.float32),
        {name: float(value) for name, value in truth.items()},
    )  # fmt: skip


def surface_brightness(brightness, zero_point, pixel_scale):
    """Surface brightness [mag/arcsec^2] of flux per pixel; infinite where there is none.

    Parameters
    ----------
    brightness : ndarray
        Such as `GalaxyMaps.brightness`.
    zero_point : float
        AB magnitude of one unit of flux.
    pixel_scale : float
        [arcsec]
    """
    flux = np.asarray(brightness, float) / pixel_scale**2
    logarithm = np.log10(flux, out=np.full(flux.shape, -np.inf), where=flux > 0)
    return zero_point - 2.5 * logarithm


def _middle(image, n):
    """Middle n x n pixels of a square image that is larger."""
    first = (len(image) - n) // 2
    return image[first : first + n, first : first + n]


def _convolved(planes, bands):
    """Planes (n, n, m) seen through the point-spread functions of some bands, without the margin."""
    n = len(planes)
    rows, columns = np.fft.fftfreq(n), np.fft.rfftfreq(n)
    # The transfer function of the camera is for points; these pixels are means over their area already.
    psf = transfer_functions("lsst", n) / (np.sinc(rows)[:, None] * np.sinc(columns))
    seen = [fft.irfft2(fft.rfft2(planes[..., plane]) * psf[band], s=(n, n)) for plane, band in enumerate(bands)]
    return np.stack(seen, axis=-1)[MARGIN : n - MARGIN, MARGIN : n - MARGIN]


def _binned(plane):
    """Sums over the camera pixels of each pixel of a stamp."""
    size = len(plane) // BINNING
    return plane.reshape(size, BINNING, size, BINNING).sum(axis=(1, 3))
