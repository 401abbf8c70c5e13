"""Noise of a frame as SWarp estimates it, which gives the frame its weight.

The frame is divided into meshes of 128 pixels. In each, the mean and standard deviation of the pixels are taken twice,
the second time within 2 standard deviations of the first mean; a histogram of the pixels within 5 of the second is then
clipped at 3 standard deviations about its median until these stop to change. Meshes are filtered by a median of 3 x 3,
and the noise of an image is the median of its meshes (Bertin & Arnouts 1996, Sec. 5; Bertin et al. 2002).
"""

import numpy as np

MESH = 128  # pixels, the default of SWarp's BACK_SIZE
BAD = -1e30  # pixels below are none, as NaN are
LEVELS = 4096  # of the histogram, at most
FEWEST = 0.5  # fraction of the pixels of a mesh that must be good
ITERATIONS, CONVERGED = 100, 1e-4


class FrameNoise:
    """Noise of the pixels of one frame, mesh by mesh; each is computed when it is first asked for.

    Parameters
    ----------
    image : ndarray, shape (rows, columns), float32
    """

    def __init__(self, image):
        self._image, self._meshes, self._blocks = image, {}, {}

    def __call__(self, cut):
        """Standard deviation of a pixel in the meshes that have their middle in a cut.

        Parameters
        ----------
        cut : tuple of slice
            Rows and columns.

        Returns
        -------
        float
            1 where there is nothing to estimate it from.
        """
        block = tuple(_meshes_within(part, n) for part, n in zip(cut, self._image.shape))
        if block not in self._blocks:
            self._blocks[block] = self._of_block(*block)
        return self._blocks[block]

    def _of_block(self, rows, columns):
        """Median of the filtered meshes in some rows and columns of meshes."""
        sigmas = np.array([[self._of_mesh(row, column) for column in columns] for row in rows])
        if not (sigmas > 0).any():
            return 1.0
        sigmas = np.where(np.isnan(sigmas), np.nanmedian(sigmas), sigmas)
        height, width = sigmas.shape
        filtered = np.empty_like(sigmas)
        for i in range(height):
            for j in range(width):  # only over as many neighbours as there are on either side
                up, left = min(1, i, height - 1 - i), min(1, j, width - 1 - j)
                filtered[i, j] = np.median(sigmas[i - up : i + up + 1, j - left : j + left + 1])
        return float(np.median(filtered)) or float(np.median(filtered[filtered > 0]))

    def _of_mesh(self, row, column):
        """Noise of one mesh, NaN if it has too few good pixels."""
        if (row, column) not in self._meshes:
            pixels = self._image[row * MESH : (row + 1) * MESH, column * MESH : (column + 1) * MESH]
            self._meshes[row, column] = clipped_sigma(pixels)
        return self._meshes[row, column]


def _meshes_within(part, n):
    """Numbers of the meshes along an axis of n pixels whose middle is in a slice; at least one."""
    n_meshes = -(-n // MESH)
    starts = MESH * np.arange(n_meshes)
    middles = (starts + np.minimum(starts + MESH, n) - 1) / 2
    # SWarp counts a narrow last mesh of a whole frame, which is why a cut that ends with the frame has it.
    inside = (middles >= part.start) & (middles <= part.stop - 1)
    return tuple(np.flatnonzero(inside).tolist()) or (min((part.start + part.stop) // 2 // MESH, n_meshes - 1),)


def clipped_sigma(pixels):
    """Standard deviation of pixels without the light of objects, NaN if fewer than half of them are good.

    Parameters
    ----------
    pixels : ndarray, float32

    Returns
    -------
    float
    """
    pixels = np.ravel(pixels)
    good = pixels > BAD
    if not good.all():
        pixels = pixels[good]
    if len(pixels) < FEWEST * len(good) or not len(pixels):
        return np.nan
    values = pixels.astype(float)
    with np.errstate(all="ignore"):  # of infinite pixels, and of noise that float32 cannot hold
        mean, sigma = _moments(values)
        values = values[np.abs(values - mean) <= 2 * sigma]
        if not len(values):
            return np.nan
        mean, sigma = _moments(values)
        if not 0 < sigma < np.inf:
            return 0.0
        n_levels = min(int(np.sqrt(2 / np.pi) * 5 / 4 * len(values) + 1), LEVELS)
        step = 10 * sigma / n_levels
        scale, zero = np.float32(1 / step), np.float32(0.499999 - (mean - 5 * sigma) / step)
        if not np.isfinite([scale, zero]).all():
            return 0.0
        level = pixels * scale + zero
        # Cut towards 0, as C does, so that the first level is twice as wide; what lies outside is left out.
        level = np.clip(level, -1, n_levels, out=level).astype(np.intp)
    level += 1
    return step * _sigma_of_histogram(np.bincount(level, minlength=n_levels + 2)[1:-1])


def _moments(values):
    """Mean and standard deviation."""
    mean = np.add.reduce(values) / len(values)
    return mean, np.sqrt(max(np.add.reduce(values * values) / len(values) - mean * mean, 0.0))


def _sigma_of_histogram(counts):
    """Standard deviation [level] within 3 of itself about the median, repeated until it stops to change."""
    levels = np.arange(len(counts), dtype=float)
    sums = np.zeros((3, len(counts) + 1))
    sums[0, 1:] = counts
    np.multiply(counts, levels, out=sums[1, 1:])
    np.multiply(sums[1, 1:], levels, out=sums[2, 1:])
    sums = np.cumsum(sums, axis=1)
    low, high, sigma = 0, len(counts) - 1, 10.0 * (len(counts) - 1)
    before = 1.0
    for _ in range(ITERATIONS):
        if sigma < 0.1 or abs(sigma / before - 1) <= CONVERGED:
            break
        before = sigma
        number, first, second = sums[:, high + 1] - sums[:, low]
        if number == 0:
            return 0.0
        sigma = np.sqrt(max(second / number - (first / number) ** 2, 0.0))
        half = sums[0, low] + number / 2
        at = int(np.searchsorted(sums[0], half)) - 1  # the level that reaches one half of the pixels
        median = at + 0.5 + (half - sums[0, at + 1]) / max(counts[at], 1)
        low = int(median - 3 * sigma + 0.5) if median > 3 * sigma else 0
        high = int(median + 3 * sigma + 0.5) if median + 3 * sigma < len(counts) - 1 else len(counts) - 1
    return sigma
