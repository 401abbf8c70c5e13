"""Depth, sky and source counts of an LSST exposure, and the binning of a stamp."""

import numpy as np

from photoz_morph.shards.scenes import NATIVE_PIXEL_KPC, NJY_ZERO_POINT
from photoz_morph.surveys import LSST

FRAME_SIZE = 500  # camera pixels across an expected image: 100.98 kpc
BINNINGS = ("sample", "sum")


def five_sigma_depth(survey, band, years=None):
    """AB magnitude of a point source detected at five sigma.

    Parameters
    ----------
    survey : VisitSurvey
    band : str
    years : float, optional
        Length of the survey [year]; by default a single visit.

    Notes
    -----
    S^2 / (S + N_eff (sky + read noise^2)) = 25 with S, the sky and the read noise in electrons of the whole exposure
    and N_eff = 2.266 (FWHM / pixel)^2 pixels: Ivezic, Jones & Lupton, LSST document LSE-40.
    """
    i = survey.bands.index(band)
    n_visits = 1 if years is None else survey.visits(years)[i]
    exposure_s = n_visits * survey.visit_time_s
    n_eff = 2.266 * (survey.psf_fwhm[i] / survey.pixel_scale) ** 2
    background = n_eff * (sky_rate(survey)[i] * exposure_s + n_visits * survey.read_noise**2)
    electrons = (25 + np.sqrt(25**2 + 100 * background)) / 2
    return survey.zero_point[i] - 2.5 * np.log10(electrons / exposure_s)


def sky_rate(survey):
    """Electrons per second of the sky in one pixel of the camera, shape (n_bands,)."""
    magnitudes = np.subtract(survey.sky_brightness, survey.zero_point)
    return survey.pixel_scale**2 * 10 ** (-0.4 * magnitudes)


def electron_rate(survey):
    """Electrons per second of a source of 1 nJy, shape (n_bands,)."""
    return 10 ** (-0.4 * (NJY_ZERO_POINT - np.asarray(survey.zero_point)))


def stamp_binning(field_kpc, survey=LSST):
    """Number of camera pixels along the side of a stamp pixel.

    Parameters
    ----------
    field_kpc : float
        Approximate side of a stamp [kpc].
    survey : VisitSurvey

    Raises
    ------
    ValueError
        If the field is larger than a frame or has less than one camera pixel per stamp pixel.
    """
    binning = round(field_kpc / NATIVE_PIXEL_KPC / survey.stamp_size)
    if not 1 <= binning <= FRAME_SIZE // survey.stamp_size:
        smallest = survey.stamp_size * NATIVE_PIXEL_KPC
        raise ValueError(
            f"field_kpc is {field_kpc:g}; a stamp of {survey.stamp_size} pixels can be "
            f"{smallest:.1f} to {smallest * (FRAME_SIZE // survey.stamp_size):.1f} kpc wide"
        )
    return binning


def check_observing(survey, years, binning, field_kpc):
    """Raise a ValueError if a setting of `observe` is out of range."""
    bad = [year for year in years if not 0 < year <= survey.n_years]
    if bad or not years or len(set(years)) < len(years):
        raise ValueError(f"years are {list(years)}; give different numbers above 0, at most {survey.n_years}")
    if binning not in BINNINGS:
        raise ValueError(f"binning is {binning!r}; choose one of {', '.join(BINNINGS)}")
    stamp_binning(field_kpc, survey)
