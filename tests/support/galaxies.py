"""Noise-free galaxies of 500 x 500 LSST pixels drawn with NumPy alone: Sersic profiles, spiral arms, clumps, tails.

They serve to compare our Gini and M20 with another program's, so they do not come from the simulator under test.
"""

import numpy as np
from astropy.table import Table
from scipy import ndimage

SIZE = 500
PSF_SIGMA = 1.7  # pixels: 0.8 arcsec FWHM at 0.2 arcsec a pixel


def sersic(centre, radius, n, axis_ratio, angle, flux):
    """Sersic profile of that total flux; distances in pixels, angle in rad."""
    along, across = _frame(centre, angle)
    r = np.sqrt(along**2 + (across / axis_ratio) ** 2)
    b = 2 * n - 1 / 3 + 4 / (405 * n)  # Ciotti & Bertin (1999)
    profile = np.exp(-b * ((r / radius) ** (1 / n) - 1))
    return flux * profile / profile.sum()


def spiral(seed):
    """Inclined disk with two to four arms, young clumps on them, and a bulge."""
    rng = np.random.default_rng([seed, 0])
    centre, angle, axis_ratio = SIZE / 2 + rng.uniform(-6, 6, 2), rng.uniform(0, np.pi), rng.uniform(0.35, 0.95)
    radius = rng.uniform(20, 45)
    disk = sersic(centre, radius, rng.uniform(0.5, 1.0), axis_ratio, angle, 1.0)
    along, across = _frame(centre, angle)
    r, phi = np.hypot(along, across / axis_ratio) + 1, np.arctan2(across / axis_ratio, along)
    wave = np.cos(rng.integers(2, 5) * (phi - np.log(r / radius) / np.tan(np.radians(rng.uniform(12, 30)))))
    image = disk * np.exp(rng.uniform(0.4, 1.2) * (wave - 1))
    bright = rng.choice(SIZE**2, rng.integers(20, 120), p=(image / image.sum()).ravel())
    clumps = np.zeros(SIZE**2)
    np.add.at(clumps, bright, rng.pareto(1.5, len(bright)) + 1)
    image += ndimage.gaussian_filter(clumps.reshape(SIZE, SIZE), 2.0) * rng.uniform(0.02, 0.15) / clumps.sum()
    image += sersic(centre, rng.uniform(3, 7), 2.0, 0.8, angle, rng.uniform(0.02, 0.3))
    return _finish(image)


def elliptical(seed):
    """One Sersic profile, of index 1.5 to 5."""
    rng = np.random.default_rng([seed, 1])
    centre = SIZE / 2 + rng.uniform(-6, 6, 2)
    shape = rng.uniform(8, 28), rng.uniform(1.5, 5), rng.uniform(0.45, 1.0), rng.uniform(0, np.pi)
    return _finish(sersic(centre, *shape, 1.0))


def merger(seed):
    """Two disks with bulges, 15 to 60 pixels apart, and a curved tail from each."""
    rng = np.random.default_rng([seed, 2])
    separation, direction = rng.uniform(15, 60), rng.uniform(0, 2 * np.pi)
    image = np.zeros((SIZE, SIZE))
    for sign, flux in ((1, 1.0), (-1, 10 ** rng.uniform(-0.8, 0))):
        centre = SIZE / 2 + sign * separation / 2 * np.array([np.sin(direction), np.cos(direction)])
        angle, axis_ratio, radius = rng.uniform(0, np.pi), rng.uniform(0.4, 1.0), rng.uniform(10, 25)
        image += sersic(centre, radius, 1.0, axis_ratio, angle, 0.7 * flux)
        image += sersic(centre, rng.uniform(2, 4), 3.0, 0.9, angle, 0.3 * flux)
        steps = np.linspace(0, 1, 40)
        reach, turn = rng.uniform(50, 120) * steps, direction + np.pi * (sign < 0) + rng.uniform(0.8, 2) * steps
        tail = np.zeros((SIZE, SIZE))
        places = (centre[:, None] + reach * np.array([np.sin(turn), np.cos(turn)])).astype(int)
        np.add.at(tail, tuple(places), (1 - steps) / 10)
        image += ndimage.gaussian_filter(tail, 6.0) * flux * rng.uniform(0.02, 0.15)
    return _finish(image)


def _frame(centre, angle):
    """Coordinates [pixels] along and across an axis through a centre (row, column)."""
    y, x = np.indices((SIZE, SIZE)) - np.asarray(centre, float)[:, None, None]
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _finish(image):
    """Convolve with the PSF and give it a total flux of one."""
    image = ndimage.gaussian_filter(image, PSF_SIGMA, mode="constant")
    return image / image.sum()


def lumpy_disks(n, size=500, seed=1):
    """Lumpy exponential disks [nJy], nothing in the corners, and their table."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((size, size)) - (size - 1) / 2
    images = np.empty((n, size, size, 3), np.float32)
    for image in images:
        r = np.hypot(x, y / rng.uniform(0.4, 1)) / (0.04 * size)
        arms = 1 + 0.5 * np.cos(2 * np.arctan2(y, x) - 3 * np.log(r + 0.1))
        image[:] = (np.exp(-r) * arms)[..., None] * rng.uniform(10, 1000) * np.array([0.5, 1, 1.4])
        image[np.hypot(x, y) > size / 2] = 0
    table = Table({"obj_id": np.arange(n), "group_id": np.arange(n) // 2, "intended_type": np.arange(n) % 3})
    table["subhalo_id"] = 100 + np.arange(n)
    return images, table
