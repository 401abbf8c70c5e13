"""Colour composites of LSST mocks that look like the images of SDSS in Galaxy Zoo.

A stamp is seen with the seeing, pixels and noise of SDSS, stretched to 8 bits as by Lupton et al. (2004), cut in
proportion to the size of its galaxy, resampled and saved as JPEG. Images have their bands last, in the order g, r, i,
as everywhere in the package: blue, green and red of the picture.
"""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from astropy.visualization import LuptonAsinhStretch, ManualInterval, make_lupton_rgb
from PIL import Image
from scipy import ndimage

from photoz_morph.mocks.segment import petrosian_radius
from photoz_morph.surveys import LSST, SDSS

BANDS = ("g", "r", "i")
NJY_PER_NANOMAGGY = 3631.0  # AB zero point of 3631 Jy, and mag = 22.5 - 2.5 log10(nanomaggies)
FWHM_PER_SIGMA = np.sqrt(8 * np.log(2))
# Side of an image in Petrosian radii: the central 256 of the 423 pixels of 0.024 radii of Galaxy Zoo 1 (Lintott et al.
# 2008, Sec. 2). Petrosian radii measured on 323 of its images agree: 22 to 28 pixels of 128, where 20.8 are expected.
FIELD_RADII = 256 * 0.024
# Q is that of Lupton et al. (2004), Sec. 3. The rest is set by the medians, in rings of five to thirty pixels and at
# the borders, of 360 images of Galaxy Zoo and 160 of our mocks.
COLOUR_SCALES = {"g": 2.1, "r": 1.5, "i": 1.3}
Q, STRETCH, BLACK = 8.0, 1.0, 0.0  # [scaled nanomaggies per pixel of 0.396 arcsec]
JPEG_QUALITY = 94  # our choice
SPLINE_ORDER = 3


@dataclass(frozen=True)
class CompositeSettings:
    """Form of the composites.

    Attributes
    ----------
    size : int
        Side [pixel].
    field_radii : float
        Side in Petrosian radii of the galaxy.
    """

    size: int = 128
    field_radii: float = FIELD_RADII

    def __post_init__(self):
        if not 16 <= self.size <= 1024:
            raise ValueError(f"size is {self.size}; give 16 to 1024 pixels")
        if not 1 <= self.field_radii <= 50:
            raise ValueError(f"field_radii is {self.field_radii:g}; give 1 to 50 Petrosian radii")


def sdss_composite(stamp, pixel_scale, rng, settings=CompositeSettings()):
    """Composite of one LSST mock as SDSS would show it.

    Parameters
    ----------
    stamp : ndarray, shape (n, n, 3)
        g, r, i [nJy per pixel], nearly free of noise: ten years of LSST are.
    pixel_scale : float
        Side of a pixel of the stamp [arcsec].
    rng : Generator
        Of the noise.
    settings : CompositeSettings

    Returns
    -------
    ndarray, shape (size, size, 3), uint8
        Bands g, r, i.

    Raises
    ------
    ValueError
        If the stamp is smaller than a few pixels of SDSS, or has a pixel that is not finite.

    Notes
    -----
    The noise is that of the sky and of the galaxy's photons in one pass of SDSS. A field larger than the stamp is cut
    to the stamp.
    """
    image = sdss_image(stamp, pixel_scale, rng)
    size = field_of(stamp, settings.field_radii) * pixel_scale / SDSS.pixel_scale
    picture = Image.fromarray(lupton_picture(image))
    low, high = ((picture.width + sign * min(size, picture.width)) / 2 for sign in (-1, 1))
    # As the SDSS server did: the 8-bit picture is resampled, not the fluxes.
    shape = (settings.size, settings.size)
    return from_picture(as_jpeg(picture.resize(shape, Image.Resampling.BILINEAR, (low, low, high, high))))


def sdss_image(stamp, pixel_scale, rng):
    """A stamp with seeing, pixels and noise of SDSS [nanomaggy per pixel], shape (m, m, 3); arguments as above."""
    stamp = np.asarray(stamp, float)
    if stamp.ndim != 3 or stamp.shape[2] != len(BANDS) or stamp.shape[0] != stamp.shape[1]:
        raise ValueError(f"stamp has shape {stamp.shape}; a composite needs (n, n, {len(BANDS)})")
    if not np.isfinite(stamp).all():
        raise ValueError("stamp has pixels that are not finite; make it again")
    side = round(len(stamp) * pixel_scale / SDSS.pixel_scale)
    if side < 8:
        raise ValueError(f"stamp is {len(stamp) * pixel_scale:g} arcsec wide; a composite needs 8 pixels of SDSS")
    places = (np.arange(side) + 0.5) * len(stamp) / side - 0.5  # of the new pixels in the old ones
    grid = np.meshgrid(places, places, indexing="ij")
    image = np.empty((side, side, len(BANDS)))
    for number, band in enumerate(BANDS):
        of_sdss, of_lsst = SDSS.bands.index(band), LSST.bands.index(band)
        blur = np.sqrt(max(SDSS.psf_fwhm[of_sdss] ** 2 - LSST.psf_fwhm[of_lsst] ** 2, 0)) / FWHM_PER_SIGMA
        seen = ndimage.gaussian_filter(stamp[..., of_lsst], blur / pixel_scale)
        flux = ndimage.map_coordinates(seen, grid, order=SPLINE_ORDER, mode="nearest")
        flux *= (len(stamp) / side) ** 2 / NJY_PER_NANOMAGGY
        variance = SDSS.sky_sigma[of_sdss] ** 2 + np.maximum(flux, 0) / SDSS.gain[of_sdss]
        image[..., number] = flux + rng.normal(size=flux.shape) * np.sqrt(variance)
    return image


def lupton_picture(image):
    """An image [nanomaggy per SDSS pixel], shape (n, n, 3) in g, r, i, as a picture: red, green, blue, uint8."""
    blue, green, red = (COLOUR_SCALES[band] * image[..., number] for number, band in enumerate(BANDS))
    interval, stretch = ManualInterval(vmin=BLACK, vmax=None), LuptonAsinhStretch(STRETCH, Q)
    return make_lupton_rgb(red, green, blue, interval, stretch)


def field_of(stamp, field_radii):
    """Side of the field about the galaxy in the centre of a stamp [pixel]; the whole stamp if its size is unknown."""
    red = np.asarray(stamp, float)[..., LSST.bands.index("r")]
    centre = (len(red) - 1) / 2
    radius, _ = petrosian_radius(red, (centre, centre))
    return min(field_radii * radius, len(red)) if radius else len(red)


def as_jpeg(picture):
    """A picture after compression."""
    with BytesIO() as file:
        picture.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        return Image.open(BytesIO(file.getvalue())).convert("RGB")


def from_picture(picture):
    """Array of a picture, shape (height, width, 3), uint8, in the order g, r, i of blue, green and red."""
    return np.ascontiguousarray(np.asarray(picture.convert("RGB"), np.uint8)[..., ::-1])
