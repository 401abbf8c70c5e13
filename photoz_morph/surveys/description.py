"""A survey as the package sees it: bands, stamps, units and depth, and how its images lie on disk.

Tuples have one entry per band, in the order of the last image axis. `files` reads and checks descriptions written in
YAML.
"""

from dataclasses import dataclass, replace

import numpy as np

# AB magnitude of one unit of flux density, for units that name one: -2.5 log10(unit / 3631 Jy), to 0.001 mag as the
# surveys round it.
AB_ZERO_POINTS = {"maggy": 0.0, "nanomaggy": 22.5, "Jy": 8.9, "mJy": 16.4, "uJy": 23.9, "nJy": 31.4}
COLOUR_BANDS = ("i", "r", "g")  # as the SDSS colour images: red, green, blue


def resampled_size(size, pixel_scale, other_scale):
    """Pixels of another scale along the side of a stamp of `size` pixels; only whole ones count."""
    return int(np.floor(size * pixel_scale / other_scale + 1e-6))


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

    def difference(self, other):
        """What makes stacks of another survey other stacks: text of the facts that differ, "" if none does.

        These are name, bands, pixel scale, stamp size, unit and zero point; the rest is no property of the pixels.
        """
        facts = ("name", "bands", "pixel_scale", "stamp_size", "image_unit", "zero_point")
        pairs = {fact: (getattr(self, fact, None), getattr(other, fact, None)) for fact in facts}
        return ", ".join(
            f"{fact} {_text(one)} instead of {_text(another)}"
            for fact, (one, another) in pairs.items() if one != another
        )


@dataclass(frozen=True, kw_only=True)
class FrameFormat:
    """How the images of a survey lie on disk: which files they are, and where band and flux scale are written.

    Attributes
    ----------
    file_name : tuple of str, optional
        Patterns of the file names: {band} is the name of the band, any other word in braces is a part of the name that
        tells frames of one band apart, * and ? are as in a shell. A suffix .gz, .bz2 or .fz may follow. None for files
        of any name.
    hdu : int or str, optional
        Number or EXTNAME of the image HDU; None for the first HDU that holds an image.
    band_keyword : str, optional
        Header keyword of the band.
    bands : tuple of tuple of str, optional
        For each band of the survey its names in file names, in `band_keyword` and in `cube_keyword`; None if these are
        the survey's own names.
    unit : str, optional
        Unit of the pixels, which BUNIT must name.
    zero_point : float, optional
        AB magnitude of one count, or of one count per second with `exposure_keyword`.
    zero_point_keyword : str, optional
        Header keyword of that magnitude, where it differs between frames.
    exposure_keyword : str, optional
        Header keyword of the exposure time [s] by which the counts are divided first.
    cube_keyword : str, optional
        Header keyword that lists the bands of the planes of a 3-D image.
    """

    file_name: tuple | None = None
    hdu: int | str | None = None
    band_keyword: str | None = None
    bands: tuple | None = None
    unit: str | None = None
    zero_point: float | None = None
    zero_point_keyword: str | None = None
    exposure_keyword: str | None = None
    cube_keyword: str | None = None


@dataclass(frozen=True, kw_only=True)
class Survey(ImagingSurvey):
    """A survey described by its stacked images.

    Attributes
    ----------
    zero_point : float
        AB magnitude of one image unit.
    extinction_per_ebv : tuple of float
        A_band / E(B-V) [mag / mag].
    psf_fwhm : tuple of float, optional
        Median full width at half maximum of the point-spread function [arcsec].
    sky_brightness : tuple of float, optional
        Median sky [mag / arcsec^2].
    gain : tuple of float, optional
        Electrons collected per image unit in one exposure.
    sky_sigma : tuple of float, optional
        Standard deviation of a background pixel in one image [image unit].
    asinh_softening : tuple of float, optional
        Softening b of the asinh magnitudes, relative to zero magnitude.
    frames : FrameFormat, optional
        How its images lie on disk; None if only stacks of it are used.
    """

    zero_point: float
    extinction_per_ebv: tuple
    psf_fwhm: tuple | None = None
    sky_brightness: tuple | None = None
    gain: tuple | None = None
    sky_sigma: tuple | None = None
    asinh_softening: tuple | None = None
    frames: FrameFormat | None = None

    def of_bands(self, bands):
        """The survey as it is in some of its bands, its name that of both, such as sdss_griz.

        Raises
        ------
        ValueError
            If it has no such band, or one is named twice.
        """
        if not bands or len(set(bands)) < len(bands) or not set(bands) <= set(self.bands):
            raise ValueError(
                f"bands are {', '.join(bands)}; name some of {', '.join(self.bands)} of {self.name}, each once"
            )
        if tuple(bands) == self.bands:
            return self
        rows = [self.bands.index(band) for band in bands]
        changes = {"bands": tuple(bands), "name": f"{self.name}_{''.join(bands)}".lower(), "frames": None}
        for field in ("extinction_per_ebv", "psf_fwhm", "sky_brightness", "gain", "sky_sigma", "asinh_softening"):
            values = getattr(self, field)
            changes[field] = values and tuple(values[row] for row in rows)
        return replace(self, **changes)

    @property
    def dataset_name(self):
        """Name of the TFDS dataset of its stacks, such as sdss_ugriz."""
        return f"{self.name}_{''.join(self.bands)}"

    @property
    def bands_by_wavelength(self):
        """The bands from blue to red, as dust dims them: most in the blue."""
        return tuple(sorted(self.bands, key=lambda band: -self.extinction_per_ebv[self.bands.index(band)]))

    @property
    def colour_bands(self):
        """Bands shown as red, green and blue: i, r, g, or the reddest, the middle and the bluest of the survey's own.

        Of two bands the bluer one is green and blue; a single one gives a grey image.
        """
        if set(COLOUR_BANDS) <= set(self.bands):
            return COLOUR_BANDS
        ordered = self.bands_by_wavelength
        return ordered[-1], ordered[(len(ordered) - 1) // 2], ordered[0]

    @property
    def reference_band(self):
        """Band of the magnitude that stands for the brightness of a galaxy: r, or the middle one of the survey's."""
        return "r" if "r" in self.bands else self.bands_by_wavelength[self.n_bands // 2]

    @property
    def pixel_softening(self):
        """Pixel values below which an asinh scale is linear, one per band [image unit].

        The noise of a pixel or, unknown, the softening of the asinh magnitudes; None where both are.
        """
        if self.sky_sigma is None and self.asinh_softening is not None:
            return tuple(softening * 10 ** (0.4 * self.zero_point) for softening in self.asinh_softening)
        return self.sky_sigma

    def names_of(self, band):
        """Names that files have for a band, as a tuple: its own unless `frames.bands` gives others."""
        of_bands = self.frames.bands if self.frames else None
        return of_bands[self.bands.index(band)] if of_bands else (band,)

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

        Raises
        ------
        ValueError
            If the survey's description has no softening.

        Notes
        -----
        Lupton, Gunn & Szalay (1999), Eq. 3.
        """
        softening = self._softening()
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

        Raises
        ------
        ValueError
            If the survey's description has no softening.
        """
        softening = self._softening()
        to_maggies = 10 ** (-0.4 * self.zero_point)
        maggies, error = np.asarray(flux, float) * to_maggies, np.asarray(flux_error, float) * to_maggies
        return 2.5 / np.log(10) * error / np.hypot(maggies, 2 * softening)

    def _softening(self):
        """Softening of each band, shape (n_bands,)."""
        if self.asinh_softening is None:
            raise ValueError(
                f"survey {self.name}: its description has no asinh_softening, so it has no asinh magnitudes; add it"
            )
        return np.asarray(self.asinh_softening)


def _text(value):
    """A fact in a message."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
