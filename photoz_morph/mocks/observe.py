"""LSST observations of noiseless scenes: point-spread function, exposure, sky, photon and read noise.

`expected_image` is a scene behind the atmosphere and telescope, without noise, in pixels of the camera; labels are
measured on it. `observe` draws the stamps of 100 x 100 pixels that the survey would record after some years.
Fluxes are in nJy and images have their bands last.
"""

from functools import lru_cache

import galsim
import numpy as np
from scipy import ndimage
from scipy.fft import irfft2, next_fast_len, rfft2

from photoz_morph.mocks.exposure import FRAME_SIZE, check_observing, electron_rate, sky_rate, stamp_binning
from photoz_morph.shards.scenes import NATIVE_PIXEL_KPC
from photoz_morph.surveys import LSST

# Camera pixels along the side of a scene's pixel up to which its light is interpolated as if it were band limited. In
# pixels of 2 the interpolation of a point swings to -0.3 % of its peak, of 3 to -3 %, of 5 to -12 %.
FINE_ENOUGH = 1.5
PADDING = 100  # pixels of empty sky around the frame, so that light does not wrap around in the Fourier transform


def lsst_psf(survey, band):
    """Point-spread function of the atmosphere and the telescope, of flux 1, as a GalSim profile [arcsec].

    Parameters
    ----------
    survey : VisitSurvey
    band : str

    Notes
    -----
    Kolmogorov turbulence times an annular pupil free of aberrations, whose `galsim.OpticalPSF` is the closed form
    `galsim.Airy`. The optics widen the core by less than 2 %.
    """
    i = survey.bands.index(band)
    optics = galsim.Airy(
        lam=survey.wavelength_nm[i], diam=survey.mirror_diameter_m, obscuration=survey.obscuration,
        scale_unit=galsim.arcsec,
    )  # fmt: skip
    return galsim.Convolve(galsim.Kolmogorov(fwhm=survey.psf_fwhm[i]), optics)


def expected_image(scene, survey=LSST):
    """Noiseless image of a scene behind atmosphere and telescope.

    Parameters
    ----------
    scene : Scene
    survey : VisitSurvey

    Returns
    -------
    ndarray, shape (FRAME_SIZE, FRAME_SIZE, 3), float32
        Flux per pixel of the camera [nJy], with the scene in the centre. Light beyond the frame is lost, after it was
        spread by the point-spread function.

    Notes
    -----
    Pixels coarser than `FINE_ENOUGH` times those of the camera are divided by `subdivided` first. What was smaller than
    a pixel stays about as wide as one: in pixels of 1 kpc the peak of a Gaussian of sigma 1 kpc is 2 % too low, that of
    an exponential disk with a half-light radius of 3 kpc 6 %, and that of a point a third to two thirds.
    """
    if abs(scene.pixel_kpc / NATIVE_PIXEL_KPC - 1) < 1e-6:
        bands = convolve_native(scene.image, survey)
    else:
        bands = [_resampled(scene, survey, i) for i in range(survey.n_bands)]
    return np.stack([_centred(band, FRAME_SIZE) for band in bands], axis=-1).astype(np.float32)


def convolve_native(image, survey=LSST):
    """Convolution of an image in camera pixels with the point-spread function, in a frame padded on all sides.

    Parameters
    ----------
    image : ndarray, shape (n, n, 3)
        Flux per camera pixel.
    survey : VisitSurvey

    Returns
    -------
    ndarray, shape (3, m, m), float32
        Bands first, m >= max(n, FRAME_SIZE) + PADDING and even as n is. Flux is kept.
    """
    size = next_fast_len(max(len(image), FRAME_SIZE) + PADDING, real=True)
    size += (size - len(image)) % 2
    padded = np.stack([_centred(image[..., i], size) for i in range(survey.n_bands)])
    return irfft2(rfft2(padded) * _psf_transform(survey, size), s=(size, size))


def observe(expected, survey, years, rng, binning="sample", nested=False, field_kpc=100.0):
    """Draw the stamps that the survey records of one expected image after each number of years.

    Parameters
    ----------
    expected : ndarray, shape (FRAME_SIZE, FRAME_SIZE, 3)
        From `expected_image`.
    survey : VisitSurvey
    years : sequence of float
        Years of observation, one stamp each.
    rng : Generator
    binning : {"sample", "sum"}
        "sum" adds the camera pixels of each block. "sample" takes the central one, with its noise, times their number
        (the lower right of the central four where the block is even), as the noise in the panels of Ciprijanovic et
        al. (2021) suggests; then noise is higher by the side of the block.
    nested : bool
        Whether longer observations contain the shorter ones, as in a real survey; otherwise each has noise of its
        own.
    field_kpc : float
        Side of a stamp at the distance of the scenes, rounded to whole camera pixels per stamp pixel.

    Returns
    -------
    dict of ndarray, shape (stamp_size, stamp_size, 3), float32
        For each of `years` the flux per stamp pixel [nJy], sky subtracted.
    """
    check_observing(survey, years, binning, field_kpc)
    source, n_pixels, weight = _binned(expected, survey, binning, field_kpc)
    # Leakage of the Fourier transform leaves -1e-6 of the peak here and there; no sky is that dark.
    rate = np.maximum(source * electron_rate(survey) + n_pixels * sky_rate(survey), 0)
    stamps, counts, earlier = {}, np.zeros(rate.shape), 0
    for year in sorted(years):
        if not nested:
            counts, earlier = np.zeros(rate.shape), 0
        visits = survey.visits(year - earlier)
        counts = counts + rng.poisson(rate * visits * survey.visit_time_s)
        counts += rng.normal(size=rate.shape) * np.sqrt(n_pixels * visits) * survey.read_noise
        flux = counts / (survey.visits(year) * survey.visit_time_s) - n_pixels * sky_rate(survey)
        stamps[year] = (weight * flux / electron_rate(survey)).astype(np.float32)
        earlier = year
    return {year: stamps[year] for year in years}


def noiseless_stamp(expected, survey, binning="sample", field_kpc=100.0):
    """The stamp that `observe` gives after so many years that no noise is left.

    Parameters
    ----------
    expected : ndarray, shape (FRAME_SIZE, FRAME_SIZE, 3)
        From `expected_image`.
    survey : VisitSurvey
    binning, field_kpc
        As there.

    Returns
    -------
    ndarray, shape (stamp_size, stamp_size, 3), float32
        Flux per stamp pixel [nJy].
    """
    source, _, weight = _binned(expected, survey, binning, field_kpc)
    return (weight * source).astype(np.float32)


def _binned(expected, survey, binning, field_kpc):
    """Flux of the camera pixels that a stamp pixel records, their number, and the factor to that of the stamp pixel."""
    block = stamp_binning(field_kpc, survey)
    side = survey.stamp_size * block
    source = _centred(np.asarray(expected, float), side).reshape(survey.stamp_size, block, survey.stamp_size, block, -1)
    if binning == "sum":
        return source.sum(axis=(1, 3)), block**2, 1
    return source[:, block // 2, :, block // 2], 1, block**2


def subdivided(image, n_parts):
    """Smooth image on finer pixels whose sums over the coarse ones are those given, without negative pixels.

    Parameters
    ----------
    image : ndarray, shape (n, n)
        Flux per pixel, not negative.
    n_parts : int
        Fine pixels along the side of a coarse one.

    Returns
    -------
    ndarray, shape (n * n_parts, n * n_parts)

    Notes
    -----
    Pycnophylactic interpolation, Tobler (1979): the light of a pixel, at first even, is smoothed and scaled to its sum
    in turn. Scaled rather than shifted, it stays positive. After `n_parts` squared rounds it hardly changes.
    """
    block = np.ones((n_parts, n_parts))
    fine = np.kron(image / n_parts**2, block)
    for _ in range(n_parts**2):
        fine = ndimage.uniform_filter(fine, 3, mode="nearest")
        total = fine.reshape(len(image), n_parts, len(image), n_parts).sum(axis=(1, 3))
        fine *= np.kron(np.divide(image, total, out=np.zeros(image.shape), where=total > 0), block)
    return fine


@lru_cache(maxsize=4)
def _psf_transform(survey, size):
    """Transfer functions of the bands on the half plane that `rfft2` uses, shape (n_bands, size, size // 2 + 1)."""
    half = size // 2
    bounds = galsim.BoundsI(-half, half, -half, half)
    scale = 2 * np.pi / (size * survey.pixel_scale)
    rows = np.fft.fftfreq(size, 1 / size).astype(int) + half
    planes = [lsst_psf(survey, band).drawKImage(bounds=bounds, scale=scale).array for band in survey.bands]
    return np.stack([plane.real[rows, half:][:, : half + 1] for plane in planes]).astype(np.float32)


def _resampled(scene, survey, i):
    """One band of a scene with other pixels, drawn by GalSim on the pixels of the camera."""
    image, scale = scene.image[..., i].astype(np.float64), scene.pixel_arcsec
    size = FRAME_SIZE + PADDING
    ratio = scale / survey.pixel_scale - 1e-6  # a pixel of rounded size is none coarser
    if ratio > FINE_ENOUGH:
        n_parts = int(np.ceil(ratio))
        within = 2 * int(np.ceil(size * survey.pixel_scale / scale / 2)) + len(image) % 2
        image, scale = subdivided(_centred(image, min(within, len(image))), n_parts), scale / n_parts
    pixels = galsim.Image(np.ascontiguousarray(image), scale=scale)
    # Its pixels are integrals over the source; without them the image would be smoothed by their shape.
    light = galsim.Convolve(galsim.InterpolatedImage(pixels, x_interpolant="lanczos15", normalization="flux"),
                            galsim.Deconvolve(galsim.Pixel(scale)), lsst_psf(survey, survey.bands[i]),
                            gsparams=galsim.GSParams(maximum_fft_size=16384))  # fmt: skip
    return light.drawImage(nx=size, ny=size, scale=survey.pixel_scale).array


def _centred(image, size):
    """The image (first two axes) cropped or padded with zeros about its centre to (size, size)."""
    n = len(image)
    if n < size:
        before = (size - n) // 2
        widths = [(before, size - n - before)] * 2 + [(0, 0)] * (image.ndim - 2)
        return np.pad(image, widths)
    first = (n - size) // 2
    return image[first : first + size, first : first + size]
