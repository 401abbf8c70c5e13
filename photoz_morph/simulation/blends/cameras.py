"""What LSST and SDSS make of a noiseless field in g, r, i: point-spread function, noise and its variance."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import galsim
import numpy as np

from photoz_morph.mocks.exposure import FRAME_SIZE, electron_rate, sky_rate
from photoz_morph.mocks.observe import lsst_psf, observe
from photoz_morph.shards.scenes import NATIVE_PIXEL_KPC
from photoz_morph.simulation.blends.colours import BANDS
from photoz_morph.simulation.sdss.renderer import STEEP_SHARE, fwhm_in_scale_radii
from photoz_morph.surveys import LSST, SDSS
from photoz_morph.surveys.description import AB_ZERO_POINTS

SURVEYS = ("lsst", "sdss")
SDSS_GRI = SDSS.of_bands(BANDS)


@dataclass(frozen=True)
class Camera:
    """A survey as it sees a field.

    Attributes
    ----------
    name : {"lsst", "sdss"}
    years : float
        Years of LSST; SDSS has a single exposure, and the number does nothing.
    """

    name: str
    years: float = 10.0

    def __post_init__(self):
        if self.name not in SURVEYS:
            raise ValueError(f"survey is {self.name!r}; choose one of {', '.join(SURVEYS)}")
        if self.name == "lsst" and not 0 < self.years <= LSST.n_years:
            raise ValueError(f"years is {self.years}; give a number above 0, at most {LSST.n_years}")

    @property
    def survey(self):
        """Its description, in g, r, i."""
        return LSST if self.name == "lsst" else SDSS_GRI

    @property
    def pixel_scale(self):
        """Side of a pixel [arcsec]."""
        return self.survey.pixel_scale

    @property
    def unit(self):
        """Unit of a pixel."""
        return self.survey.image_unit

    @property
    def zero_point(self):
        """AB magnitude of one unit."""
        return AB_ZERO_POINTS[self.unit]

    @cached_property
    def sky_sigma(self):
        """Noise of a pixel without light of sources, shape (3,) [unit]."""
        return np.sqrt(self.variance(np.zeros((1, 1, len(BANDS)))))[0, 0]

    def flux(self, mags):
        """Flux of AB magnitudes [unit]."""
        return 10 ** (0.4 * (self.zero_point - np.asarray(mags)))

    def variance(self, expected):
        """Variance of the noise of a noiseless field [unit^2].

        Parameters
        ----------
        expected : ndarray, shape (..., 3)
            Flux per pixel [unit].
        """
        if self.name == "sdss":
            return np.square(SDSS_GRI.sky_sigma) + np.maximum(expected, 0) / np.asarray(SDSS_GRI.gain)
        visits = LSST.visits(self.years)
        exposure_s = visits * LSST.visit_time_s
        electrons = (expected * electron_rate(LSST) + sky_rate(LSST)) * exposure_s + visits * LSST.read_noise**2
        return electrons / (electron_rate(LSST) * exposure_s) ** 2

    def observe(self, expected, rng):
        """A noisy image of a noiseless field, sky subtracted, shape (size, size, 3), float32 [unit].

        Parameters
        ----------
        expected : ndarray, shape (size, size, 3)
            Flux per pixel [unit].
        rng : numpy.random.Generator

        Notes
        -----
        SDSS has the photons of a corrected frame as normal deviates, without the correlation of resampled stacks.
        """
        size = len(expected)
        if self.name == "sdss":
            noise = np.sqrt(self.variance(expected)) * rng.standard_normal(expected.shape)
            return (expected + noise).astype(np.float32)
        field = replace(LSST, stamp_size=size)  # of single camera pixels
        return observe(expected, field, (self.years,), rng, "sum", field_kpc=size * NATIVE_PIXEL_KPC)[self.years]


def check_size(size, smallest=32):
    """Raise a ValueError if the side of a field is out of range."""
    if not smallest <= size <= FRAME_SIZE // 2:
        raise ValueError(f"size is {size}; give {smallest} to {FRAME_SIZE // 2} pixels")


@lru_cache(maxsize=32)
def transfer_functions(name, n):
    """Transforms of the point-spread functions and of a pixel of the camera on the half plane of `rfft2`.

    Parameters
    ----------
    name : {"lsst", "sdss"}
    n : int
        Side of the image [pixel], even.

    Returns
    -------
    ndarray, shape (3, n, n // 2 + 1), float32

    Notes
    -----
    LSST: see `mocks.observe.lsst_psf`. SDSS: two Moffat profiles, see `simulation.sdss.renderer`.
    """
    rows, columns = np.fft.fftfreq(n), np.fft.rfftfreq(n)  # [cycles per pixel]
    pixel = np.sinc(rows)[:, None] * np.sinc(columns)
    if name == "lsst":
        half = n // 2
        bounds = galsim.BoundsI(-half, half, -half, half)
        scale = 2 * np.pi / (n * LSST.pixel_scale)
        order = np.rint(rows * n).astype(int) + half
        planes = [lsst_psf(LSST, band).drawKImage(bounds=bounds, scale=scale).array.real for band in BANDS]
        return (np.stack(planes)[:, order, half:] * pixel).astype(np.float32)
    k = 2 * np.pi * np.hypot(rows[:, None], columns)
    steep = [STEEP_SHARE[SDSS.bands.index(band)] for band in BANDS]
    planes = []
    for fwhm, share in zip(SDSS_GRI.psf_fwhm, steep):
        x = k * fwhm / SDSS_GRI.pixel_scale / fwhm_in_scale_radii(share)
        planes.append((1 + x + share / 3 * x**2) * np.exp(-x))
    return (np.stack(planes) * pixel).astype(np.float32)
