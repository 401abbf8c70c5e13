"""Spiral arms, a clumpy texture and HII regions of a simulated disk.

All work in the plane of the disk, in polar coordinates in units of its half-light radius; the caller takes care of the
inclination.
"""

from functools import lru_cache

import numpy as np
from scipy import fft

__all__ = ["arm_phase", "draw_texture", "scatter_clumps", "wound_texture"]

TILE = 256  # pixels on a side of the texture; a power of two
TILE_PER_RADIUS = 20.0  # texture pixels per half-light radius: it repeats after 12.8 radii
CLUMP_HALF_WIDTH = 7  # [pixel] clumps are drawn in squares of 15 pixels, 3.5 sigma of the largest


def arm_phase(r, theta, n_arms, pitch, wobble=0.0):
    """Phase of logarithmic spiral arms [rad], zero on a ridge.

    Parameters
    ----------
    r, theta : ndarray
        Polar coordinates in the disk; `r` in half-light radii.
    n_arms : int
    pitch : float
        Angle between arm and circle [rad].
    wobble : ndarray or float
        Added to the phase [rad]; makes arms branch and break.
    """
    return n_arms * (theta - np.log(r + np.float32(1e-3)) * np.float32(1 / np.tan(pitch))) + wobble


def draw_texture(rng):
    """Gaussian random field of zero mean and unit variance, periodic, shape (256, 256), float32."""
    spectrum = rng.standard_normal((2, TILE, TILE // 2 + 1), dtype=np.float32)
    field = fft.irfft2((spectrum[0] + 1j * spectrum[1]) * _amplitude(), s=(TILE, TILE))
    return field / field.std()


@lru_cache(maxsize=1)
def _amplitude():
    """Root of the power spectrum k^-2.5 of the field, cut below one radius and above two texture pixels."""
    # The slope was chosen by eye: steeper gives a few large patches, flatter gives grain.
    k = np.hypot(fft.fftfreq(TILE)[:, None], fft.rfftfreq(TILE)[None, :])
    largest, smallest = 1.5 / TILE_PER_RADIUS, 0.2
    return ((k**2 + largest**2) ** -0.625 * np.exp(-0.5 * (k / smallest) ** 2) * (k > 0)).astype(np.float32)


def wound_texture(texture, r, theta, pitch):
    """Texture of the disk, wound up like its arms, so that its clumps become short spurs."""
    angle = theta - np.log(r + np.float32(0.3)) * np.float32(1 / np.tan(pitch))
    scaled = r * np.float32(TILE_PER_RADIUS)
    # The nearest texture pixel is near enough: seeing blurs what steps there are.
    columns = np.rint(scaled * np.cos(angle)).astype(np.int32) & (TILE - 1)
    rows = np.rint(scaled * np.sin(angle)).astype(np.int32) & (TILE - 1)
    return texture[rows, columns]


def scatter_clumps(light, n_clumps, slope, sigma, rng):
    """Image of unit flux of round clumps that follow the light of a disk.

    Parameters
    ----------
    light : ndarray, shape (n, n)
        Where clumps form, in any unit.
    n_clumps : int
    slope : float
        Fluxes have the distribution f^-slope from 1 to 50.
    sigma : tuple of float
        Smallest and largest width of the Gaussians [pixel]; the largest at most 2.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n, n), float32
    """
    size = len(light)
    cumulative = np.cumsum(light.ravel(), dtype=np.float64)
    pixels = np.searchsorted(cumulative, rng.random(n_clumps) * cumulative[-1])
    rows, columns = np.divmod(np.minimum(pixels, light.size - 1), size)
    fluxes = (1 - rng.random(n_clumps) * (1 - 50.0 ** (1 - slope))) ** (1 / (1 - slope))
    # The brighter, the larger, as HII regions of one density: L ~ R^3 (Stromgren 1939), within the range of widths.
    widths = np.clip(sigma[0] * fluxes ** (1 / 3) * rng.uniform(0.8, 1.25, n_clumps), *sigma)
    steps = np.arange(-CLUMP_HALF_WIDTH, CLUMP_HALF_WIDTH + 1)
    across, down = (
        np.exp(-0.5 * ((steps - rng.uniform(-0.5, 0.5, (n_clumps, 1))) / widths[:, None]) ** 2) for _ in range(2)
    )
    across *= (fluxes / across.sum(axis=1) / down.sum(axis=1))[:, None]
    rows = np.clip(rows[:, None] + steps, 0, size - 1)
    columns = np.clip(columns[:, None] + steps, 0, size - 1)
    places = (rows[:, :, None] * size + columns[:, None, :]).ravel()
    image = np.bincount(places, (down[:, :, None] * across[:, None, :]).ravel(), minlength=size * size)
    return (image.reshape(size, size) / fluxes.sum()).astype(np.float32)
