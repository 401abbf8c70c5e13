"""Instrument facts of the surveys: pixel scales, zero points, seeing and depths.

An `ImagingSurvey` describes the stamps of a survey, a `Survey` its stacked images, and a `VisitSurvey` its single
visits, from which the depth after any number of years follows. Tuples have one entry per band, in the order of the
last image axis. A config names a survey; code takes every other instrument fact from here.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class ImagingSurvey:
    """Name, bands and stamps of a survey.

    Attributes
    ----------
    name : str
        Key in configs and file headers.
    bands : tuple of str
        Band names in the order of the last image axis.
    stamp_size : int
        Side of a galaxy stamp [pixel].
    pixel_scale : float
        Side of a pixel of the survey's images [arcsec]. A stamp pixel may be a block of several.
    image_unit : str
        Unit of a pixel value, as the FITS standard spells it.
    """

    name: str
    bands: tuple
    stamp_size: int
    pixel_scale: float
    image_unit: str

    @property
    def n_bands(self):
        """Number of bands."""
        return len(self.bands)

    @property
    def image_shape(self):
        """Shape of one stamp: (stamp_size, stamp_size, n_bands)."""
        return (self.stamp_size, self.stamp_size, self.n_bands)


@dataclass(frozen=True, kw_only=True)
class Survey(ImagingSurvey):
    """A survey described by its stacked images.

    Attributes
    ----------
    zero_point : float
        AB magnitude of one image unit.
    psf_fwhm : tuple of float
        Median full width at half maximum of the point-spread function [arcsec].
    sky_brightness : tuple of float
        Median sky [mag / arcsec^2].
    gain : tuple of float
        Electrons collected per image unit in one exposure.
    sky_sigma : tuple of float
        Standard deviation of a background pixel in one exposure [image unit].
    extinction_per_ebv : tuple of float
        A_band / E(B-V) [mag / mag].
    asinh_softening : tuple of float
        Softening b of the asinh magnitudes, relative to zero magnitude.
    """

    zero_point: float
    psf_fwhm: tuple
    sky_brightness: tuple
    gain: tuple
    sky_sigma: tuple
    extinction_per_ebv: tuple
    asinh_softening: tuple

    def asinh_magnitude(self, flux):
        """Asinh magnitudes of fluxes: defined at and below zero, equal to AB magnitudes when bright.

        Parameters
        ----------
        flux : ndarray, shape (..., n_bands)
            Fluxes [image unit].

        Returns
        -------
        ndarray, shape (..., n_bands)
            Magnitudes [mag].

        Notes
        -----
        Lupton, Gunn & Szalay (1999), Eq. 3.
        """
        softening = np.asarray(self.asinh_softening)
        maggies = np.asarray(flux, float) * 10 ** (-0.4 * self.zero_point)
        return -2.5 / np.log(10) * (np.arcsinh(maggies / (2 * softening)) + np.log(softening))

    def asinh_magnitude_error(self, flux, flux_error):
        """Standard errors of asinh magnitudes, to first order.

        Parameters
        ----------
        flux, flux_error : ndarray, shape (..., n_bands)
            Fluxes and their standard errors [image unit].

        Returns
        -------
        ndarray, shape (..., n_bands)
            Errors [mag].
        """
        softening = np.asarray(self.asinh_softening)
        to_maggies = 10 ** (-0.4 * self.zero_point)
        maggies, error = np.asarray(flux, float) * to_maggies, np.asarray(flux_error, float) * to_maggies
        return 2.5 / np.log(10) * error / np.hypot(maggies, 2 * softening)


SDSS = Survey(
    name="sdss",
    bands=("u", "g", "r", "i", "z"),
    stamp_size=64,  # Pasquet et al. (2019), Sec. 2
    pixel_scale=0.396,  # Pasquet et al. (2019), Sec. 2
    image_unit="nanomaggy",  # SDSS frame data model: mag = 22.5 - 2.5 log10 f
    zero_point=22.5,
    psf_fwhm=(1.53, 1.44, 1.32, 1.26, 1.29),  # SDSS DR7 medians
    sky_brightness=(22.0, 21.8, 20.9, 20.2, 19.0),  # SDSS imaging medians
    gain=(153.0, 1010.0, 920.0, 757.0, 147.0),  # e-/DN of a typical camera column over nMgy/DN of its frames
    # What the survey's 5-sigma point-source depths 22.15, 23.13, 22.70, 22.20, 20.71 imply for these psf_fwhm,
    # m5 = 5 sigma sqrt(N_eff), N_eff = 2.266 (FWHM / pixel_scale)^2: more than photons and read noise alone.
    sky_sigma=(0.050, 0.021, 0.033, 0.055, 0.210),
    extinction_per_ebv=(5.155, 3.793, 2.751, 2.086, 1.479),  # Schlegel et al. (1998), as the SDSS catalogue uses them
    asinh_softening=(1.4e-10, 0.9e-10, 1.2e-10, 1.8e-10, 7.4e-10),  # SDSS algorithms: photometry
)


@dataclass(frozen=True, kw_only=True)
class VisitSurvey(ImagingSurvey):
    """A future survey described by its camera and visits.

    Attributes
    ----------
    zero_point : tuple of float
        AB magnitude that gives one electron per second.
    sky_brightness : tuple of float
        Dark sky [mag / arcsec^2].
    n_visits : tuple of int
        Visits in `n_years`.
    n_years : float
        Length of the survey [year]; its visits are spread evenly.
    visit_time_s : float
        Exposure of one visit [s].
    read_noise : float
        Standard deviation of a pixel in one visit [e-].
    psf_fwhm : tuple of float
        Full width at half maximum of the atmosphere's part of the point-spread function [arcsec].
    wavelength_nm : tuple of float
        Effective wavelength [nm].
    mirror_diameter_m : float
        [m]
    obscuration : float
        Linear obscuration: diameter of the central obstruction of the pupil over that of the mirror.
    """

    zero_point: tuple
    sky_brightness: tuple
    n_visits: tuple
    n_years: float
    visit_time_s: float
    read_noise: float
    psf_fwhm: tuple
    wavelength_nm: tuple
    mirror_diameter_m: float
    obscuration: float

    def visits(self, years):
        """Mean number of visits per band after `years` years, shape (n_bands,), not rounded."""
        return np.asarray(self.n_visits) * years / self.n_years


LSST = VisitSurvey(
    name="lsst",
    bands=("g", "r", "i"),
    stamp_size=100,  # Ciprijanovic et al. (2021), Sec. 2
    pixel_scale=0.2,  # Ivezic et al. (2019), Table 1
    image_unit="nJy",
    zero_point=(28.26, 28.10, 27.78),  # galcheat 1.1.3, from the LSST throughputs at airmass 1.2
    sky_brightness=(22.26, 21.20, 20.48),  # Ivezic et al. (2019; arXiv:0805.2366v5), Table 2
    n_visits=(80, 184, 184),  # the same, Table 1
    n_years=10,  # the same, Sec. 1
    visit_time_s=30,  # the same, Sec. 2.2.2
    read_noise=9.0,  # e- per visit, the most that the camera's requirements allow
    psf_fwhm=(0.86, 0.81, 0.79),  # the same, Table 2, times airmass^0.6 for airmass 1.2 (galcheat 1.1.3)
    wavelength_nm=(486.4, 625.0, 756.5),  # galcheat 1.1.3, from the LSST throughputs
    mirror_diameter_m=8.36,  # LSST primary, clear aperture
    obscuration=0.62,  # linear; with it the pupil has the area of a full one of 6.5 m
)

SURVEYS = {survey.name: survey for survey in (SDSS, LSST)}


def get_survey(name):
    """Look up a survey by name.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if name not in SURVEYS:
        raise ValueError(f"unknown survey {name!r}; photoz_morph.surveys describes {', '.join(SURVEYS)}")
    return SURVEYS[name]
