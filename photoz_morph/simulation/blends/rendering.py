"""Noise-free images of single sources, as the camera sees them.

A parent is turned, and its Fourier transform, which is exact at any zoom and any place between the pixels of the image
for light that is linear between those of the parent, is multiplied by those of the point-spread function and of a pixel
of the camera. Flux is kept.
"""

import numpy as np
from scipy import fft, ndimage

from photoz_morph.simulation.blends.cameras import transfer_functions
from photoz_morph.simulation.blends.colours import BANDS, population_fluxes
from photoz_morph.simulation.blends.truth import SourceImage

SIDES = (24, 32, 48, 64, 96, 128, 192, 256, 384)  # [pixel] of images of sources
# Where a source is fainter than this in all bands, in units of the sky's noise in a pixel, its image ends.
FAINTEST = 0.03
LARGEST_FLUX = 6.0e4  # [unit] of a pixel in half precision


def render(source, parents, camera, size):
    """Noise-free image of a source, cut where it is lost in the noise and at the edge of the field.

    Parameters
    ----------
    source : Source
    parents : Parents
    camera : Camera
    size : int
        Side of the field [pixel].

    Returns
    -------
    SourceImage or None
        None if nothing of it is seen in the field.

    Raises
    ------
    ValueError
        If it is too bright for the precision of the image.
    """
    faintest = FAINTEST * camera.sky_sigma
    for n in _sides(source, camera, size):
        image, row, column = light(source, parents, camera, n)
        edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        if (edges < faintest).all():  # what is beyond comes in at the other side, so none of it may be seen
            break
    first = max(-row, 0), max(-column, 0)
    image = image[first[0] : max(size - row, 0), first[1] : max(size - column, 0)]
    if 0 in image.shape:
        return None
    bright = (image > faintest).any(axis=2)
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    if len(rows) == 0:
        return None
    image = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if image.max() > LARGEST_FLUX:
        raise ValueError(f"a source of {image.max():.3g} {camera.unit} in a pixel is brighter than {LARGEST_FLUX:g}")
    pixels = np.maximum(image, 0).astype(np.float16)
    return SourceImage(pixels, row + first[0] + int(rows[0]), column + first[1] + int(columns[0]))


def light(source, parents, camera, n):
    """All light of a source on n x n pixels, periodic at their edges.

    Returns
    -------
    image : ndarray, shape (n, n, 3), float32
        [unit], with the sums `camera.flux(source.mags)`.
    row, column : int
        Of its first pixel in the field.
    """
    row, column = (int(np.floor(place + 0.5)) - n // 2 for place in (source.y, source.x))
    ky, kx = 2 * np.pi * np.fft.fftfreq(n), 2 * np.pi * np.fft.rfftfreq(n)
    y, x = source.y - row, source.x - column
    if source.parent < 0:
        point = np.zeros(1)
        transform = _waves(ky, y + point, 0) @ _waves(kx, x + point, 0).T * np.ones((len(BANDS), 1, 1), np.float32)
    else:
        maps, pixel = parents.maps(source.parent, source.size_arcsec / camera.pixel_scale)
        bands = band_maps(turned(maps, source.angle, source.is_mirrored), source.redshift, camera.name)
        offset = (np.arange(maps.shape[-1]) - (maps.shape[-1] - 1) / 2) * pixel
        transform = _waves(ky, y + offset, pixel) @ bands @ _waves(kx, x + offset, pixel).T
    transform *= transfer_functions(camera.name, n)
    transform *= camera.flux(source.mags).astype(np.float32)[:, None, None]
    return np.moveaxis(fft.irfft2(transform, s=(n, n)), 0, -1), row, column


def turned(maps, angle, is_mirrored):
    """Maps turned by an angle from x to y [rad] about their middle, after a mirror of x if wanted; the sum is kept."""
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.diag([1.0, -1.0 if is_mirrored else 1.0])
    middle = (maps.shape[-1] - 1) / 2
    start = middle - matrix @ np.full(2, middle)
    result = np.stack([ndimage.affine_transform(image, matrix, start, order=1) for image in maps])
    return result * (maps.sum() / result.sum())


def band_maps(maps, redshift, survey):
    """Light in g, r, i, each with the sum 1: each population has its own spectrum at the redshift.

    Parameters
    ----------
    maps : ndarray, shape (3, side, side)
        Of old, intermediate and young stars.
    redshift : float
    survey : {"lsst", "sdss"}

    Returns
    -------
    ndarray, shape (3, side, side), float32
    """
    weights = population_fluxes(redshift, survey).astype(np.float32)
    bands = np.einsum("pb,pyx->byx", weights, maps)
    return bands / bands.sum(axis=(1, 2), keepdims=True)


def _waves(k, places, pixel):
    """exp(-i k x) of light at some places, spread linearly over pixels of a side, shape (n_k, n_places), complex64."""
    spread = (np.sinc(k * pixel / (2 * np.pi)) ** 2).astype(np.float32)
    phase = (k[:, None] * places).astype(np.float32)
    waves = np.empty(phase.shape, np.complex64)
    np.multiply(np.cos(phase), spread[:, None], out=waves.real)
    np.multiply(np.sin(phase), -spread[:, None], out=waves.imag)
    return waves


def _sides(source, camera, size):
    """Sides of images that may hold a source, the likely one first, the largest two fields wide."""
    size_pixels = 0 if source.parent < 0 else source.size_arcsec / camera.pixel_scale
    largest = next((side for side in SIDES if side >= 2 * size), SIDES[-1])
    return [side for side in SIDES if min(24 + 5 * size_pixels, largest) <= side <= largest]
