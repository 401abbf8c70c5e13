"""Segmentation of a noiseless image: the pixels of its galaxy on which Gini and M20 are defined.

Lotz, Primack & Madau (2004), Sec. 2: the centre minimises the asymmetry, the Petrosian radius is measured on ellipses
with the second moments of the galaxy, and the pixels are the connected piece of the image, smoothed by a fifth of that
radius, that is brighter than its mean at the radius. The order of operations is that of statmorph (Rodriguez-Gomez et
al. 2019). All but the last step is done on a binned image, so the cost hardly depends on the size of the galaxy.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

ETA = 0.2  # surface brightness at the Petrosian radius over the mean inside it: Lotz et al. (2004), Eq. 4
SMOOTHING = 1 / 5  # sigma of the segmentation's Gaussian in Petrosian radii: Lotz et al. (2004), Sec. 2.1
ASYMMETRY_EXTENT = 1.5  # aperture of the asymmetry in circular Petrosian radii: Conselice (2003)
# Our choices. The galaxy ends at this fraction of its surface brightness at the Petrosian radius, which is near the
# 1.5-sigma isophote of a ten-year LSST image; detached pieces beyond it are other galaxies.
OUTER_ISOPHOTE = 0.05
COARSE_SIZE = 100  # pixels a side of the first, coarse segmentation
FIRST_STEP = 8  # of the walk to the centre of symmetry, in half pixels of the binned image: over the dips of clumps
RADIUS_PIXELS = 20  # smallest Petrosian radius after binning; with 25, Gini changes by 0.001


def galaxy_segment(image):
    """Segmentation map of the galaxy that dominates an image.

    Parameters
    ----------
    image : ndarray, shape (n_rows, n_columns)
        Finite flux per pixel in any linear unit, without noise or sky.

    Returns
    -------
    ndarray of bool, shape (n_rows, n_columns), or None
        None if the image has no galaxy that fits in it.
    """
    factor = max(1, min(image.shape) // COARSE_SIZE)
    galaxy = _galaxy(_bin(image, factor))
    if galaxy is None:
        return None
    around = tuple(
        slice(max(0, int((side.start - galaxy.radius) * factor)), int((side.stop + galaxy.radius) * factor) + 1)
        for side in ndimage.find_objects(galaxy.piece)[0]
    )
    piece = _segment_of_cutout(image[around], max(1, int(galaxy.radius * factor / RADIUS_PIXELS)))
    if piece is None:
        return None
    segment = np.zeros(image.shape, bool)
    segment[around][: piece.shape[0], : piece.shape[1]] = piece
    return segment


@dataclass(frozen=True)
class _Galaxy:
    """Brightest galaxy of an image: the image without other galaxies, the mask of the galaxy (1, else 0), its brightest
    pixel and its centroid, and its circular Petrosian radius [pixels]."""

    image: np.ndarray
    piece: np.ndarray
    peak: tuple
    centroid: tuple
    radius: float


def _galaxy(image):
    """The galaxy of the brightest pixel, down to the outer isophote; None where there is none."""
    peak = np.unravel_index(np.argmax(image), image.shape)
    radius, brightness = petrosian_radius(image, peak)
    if radius is None:
        return None
    pieces, _ = ndimage.label(image > OUTER_ISOPHOTE * brightness)
    piece = (pieces == pieces[peak]).astype(int)
    image = np.where((pieces == 0) | (piece == 1), image, 0)
    centroid = ndimage.center_of_mass(image * piece)
    return _Galaxy(image, piece, peak, centroid, petrosian_radius(image, centroid)[0] or radius)


def _segment_of_cutout(image, factor):
    """Pixels of the galaxy in a cut-out, found on the image binned by `factor`; None where that fails."""
    galaxy = _galaxy(_bin(image, factor))
    if galaxy is None:
        return None
    binned, inside = galaxy.image, galaxy.image * galaxy.piece
    extent = int(np.ceil(ASYMMETRY_EXTENT * galaxy.radius))
    centre = _centre_of_symmetry(binned, (galaxy.centroid, galaxy.peak), extent)
    elongation, angle = _ellipse(inside, centre)
    radius = petrosian_radius(binned, centre, elongation, angle)[0]
    if radius is None:
        return None
    # Binning has smoothed already, by the variance of a top hat.
    sigma = np.sqrt(max((SMOOTHING * radius) ** 2 - (factor**2 - 1) / (12 * factor**2), 0))
    smooth = ndimage.gaussian_filter(binned, sigma, mode="constant")
    annulus = np.abs(_elliptical_radius(binned.shape, centre, elongation, angle) - radius) <= 0.5
    if not annulus.any():
        return None
    threshold = smooth[annulus].mean()
    if factor > 1:
        smooth = _interpolate(smooth, factor)
    pieces, n_pieces = ndimage.label(smooth >= threshold, structure=np.ones((3, 3)))
    if n_pieces == 0 or (pieces > 0).all():
        return None
    return pieces == pieces[np.unravel_index(np.argmax(smooth), smooth.shape)]


def petrosian_radius(image, centre, elongation=1.0, angle=0.0):
    """Semi-major axis [pixels] where the surface brightness is ETA of its mean inside, and that surface brightness.

    (None, None) where the image does not reach that far. Annuli are one pixel wide, as in statmorph.
    """
    a = _elliptical_radius(image.shape, centre, elongation, angle)
    step = (2 * a).astype(int).ravel()
    flux, n_pixels = np.cumsum(np.bincount(step, image.ravel())), np.cumsum(np.bincount(step))
    in_annulus = n_pixels[2:] - n_pixels[:-2]  # around a = 1, 1.5, ... pixels
    annulus, mean = (flux[2:] - flux[:-2]) / np.maximum(in_annulus, 1), flux[1:-1] / np.maximum(n_pixels[1:-1], 1)
    sampled = (in_annulus > 0) & (mean > 0)  # the innermost annuli of a thin ellipse may hold no pixel
    ratio = np.where(sampled, annulus / np.where(sampled, mean, 1), 1)
    beyond = np.flatnonzero(ratio < ETA)
    if len(beyond) == 0 or beyond[0] == 0:
        return None, None
    after = beyond[0]
    fraction = (ratio[after - 1] - ETA) / (ratio[after - 1] - ratio[after])
    brightness = annulus[after - 1] + fraction * (annulus[after] - annulus[after - 1])
    return 1 + (after - 1 + fraction) / 2, brightness


def _centre_of_symmetry(image, starts, extent):
    """Centre (row, column) of least asymmetry, to half a pixel, that a downhill walk from one of the starts finds."""
    padded = np.pad(image, extent + 1)
    known = {}

    def asymmetry(twice):
        if twice not in known:
            inside = all(0 <= place <= 2 * size - 2 for place, size in zip(twice, image.shape))
            known[twice] = _asymmetry(padded, [place + 2 * (extent + 1) for place in twice], extent) if inside else 2
        return known[twice]

    lowest = []
    for start in starts:
        best = tuple(int(round(2 * position)) for position in start)
        step = FIRST_STEP
        while step >= 1:
            nearby = [(best[0] + dy * step, best[1] + dx * step) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
            nearest = min(nearby, key=asymmetry)
            if asymmetry(nearest) < asymmetry(best):
                best = nearest
            else:
                step //= 2
        lowest.append(best)
    return tuple(place / 2 for place in min(lowest, key=asymmetry))


def _asymmetry(image, twice, extent):
    """Sum of |I - I180| over that of I in a circle about half an integer position: Lotz et al. (2004), Eq. 10."""
    low = [-((2 * extent - place) // 2) for place in twice]
    high = [place - start for place, start in zip(twice, low)]
    y, x = (np.arange(start, stop + 1) - place / 2 for start, stop, place in zip(low, high, twice))
    circle = image[low[0] : high[0] + 1, low[1] : high[1] + 1] * (y[:, None] ** 2 + x**2 <= extent**2)
    total = circle.sum()
    return np.abs(circle - circle[::-1, ::-1]).sum() / total if total > 0 else 2


def _ellipse(image, centre):
    """Axis ratio a / b and angle of the major axis [rad, from columns to rows] by the second moments about a centre."""
    y, x = np.arange(image.shape[0]) - centre[0], np.arange(image.shape[1]) - centre[1]
    by_row, by_column = image.sum(axis=1), image.sum(axis=0)
    # A pixel has the variance 1 / 12, which also keeps the axis ratio of a line finite (SExtractor manual, Eq. 43).
    yy, xx, xy = by_row @ (y**2 + 1 / 12), by_column @ (x**2 + 1 / 12), y @ image @ x
    mean, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    return np.sqrt((mean + spread) / (mean - spread)), 0.5 * np.arctan2(2 * xy, xx - yy)


def _elliptical_radius(shape, centre, elongation, angle):
    """Semi-major axis [pixels] of the ellipse through each pixel."""
    y, x = np.arange(shape[0])[:, None] - centre[0], np.arange(shape[1]) - centre[1]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return np.sqrt(along**2 + (elongation * across) ** 2)


def _bin(image, factor):
    """Mean in blocks of `factor` pixels a side; rows and columns that fill no block are dropped."""
    rows, columns = (size // factor for size in image.shape)
    image = image[: rows * factor, : columns * factor]
    return image.reshape(rows, factor, columns, factor).mean(axis=(1, 3))


def _interpolate(binned, factor):
    """Bilinear interpolation of a binned image to the pixels it was made of."""

    def weights(size):
        position = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
        return np.maximum(1 - np.abs(position[:, None] - np.arange(size)), 0)

    return weights(binned.shape[0]) @ binned @ weights(binned.shape[1]).T
