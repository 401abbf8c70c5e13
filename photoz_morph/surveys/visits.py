"""Future surveys described by their camera and visits, for mock observations.

Tuples have one entry per band, in the order of the last image axis.
"""

from dataclasses import dataclass

import numpy as np

from photoz_morph.surveys.description import ImagingSurvey


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
