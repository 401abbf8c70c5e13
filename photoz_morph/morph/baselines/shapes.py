"""Shapes of the light of a galaxy above a threshold: Gini, M20, asymmetry, area, and concentration.

The pixels of a smoothed stamp are sorted by brightness once. All of those above a threshold are then the first few, and
sums over them are read off cumulative sums, so that many thresholds cost hardly more than one. Unlike `mocks.labels`,
which follows Lotz, Primack & Madau (2004) on noiseless images, nothing here needs a Petrosian radius, which is
hard to measure in noise.
"""

import numpy as np
from scipy import ndimage

BRIGHTEST = 0.2  # fraction of the flux in the pixels of M20: Lotz, Primack & Madau (2004), Eq. 8
INNER, OUTER = 0.2, 0.8  # fractions of the flux within the radii of the concentration: Conselice (2003), Eq. 10


class BrightPixels:
    """The pixels of an image above a threshold, the brightest first.

    Parameters
    ----------
    image : ndarray, shape (n_rows, n_columns)
        Finite flux per pixel in any linear unit, sky subtracted.
    threshold : float
        Positive.
    core : float, optional
        Higher threshold, of which a connected piece needs at least one pixel; by default a piece needs none. Peaks of
        the noise that hardly pass a low threshold are left out so, and companions stay.

    Attributes
    ----------
    flux, rows, columns : ndarray, shape (n,)
        Values and positions of the pixels, from bright to faint.
    """

    def __init__(self, image, threshold, core=None):
        self.image = image
        above = image > threshold
        if core is not None:
            pieces, n_pieces = ndimage.label(above)
            has_core = np.zeros(n_pieces + 1, bool)
            has_core[pieces[image > core]] = True
            above = has_core[pieces]
        found = np.flatnonzero(above)
        values = image.ravel()[found]
        order = np.argsort(-values, kind="stable")
        self.flux = values[order].astype(float)
        self.rows, self.columns = np.divmod(found[order], image.shape[1])
        ranks = np.arange(1, len(found) + 1)
        distance = self.rows**2 + self.columns**2
        terms = np.stack([self.flux, *(self.flux * by for by in (ranks, self.rows, self.columns, distance))])
        self._sums = np.cumsum(terms, axis=1)

    def n_above(self, threshold):
        """Number of pixels above a threshold."""
        return int(np.searchsorted(-self.flux, -threshold))

    def total(self, n):
        """Flux of the n brightest pixels."""
        return float(self._sums[0, n - 1]) if n else 0.0

    def centroid(self, n):
        """Flux-weighted mean row and column of the n brightest pixels, n > 0."""
        flux, _, row, column, _ = self._sums[:, n - 1]
        return row / flux, column / flux

    def gini(self, n):
        """Gini coefficient of the n brightest pixels, NaN for fewer than two.

        Notes
        -----
        Lotz, Primack & Madau (2004), Eq. 6, with the pixels in descending order.
        """
        if n < 2:
            return np.nan
        flux, ranked = self._sums[:2, n - 1]
        return ((n + 1) * flux - 2 * ranked) / ((n - 1) * flux)

    def m20(self, n):
        """M20 of the n brightest pixels about their centroid, NaN where a second moment vanishes.

        Notes
        -----
        Lotz, Primack & Madau (2004), Eqs. 7 and 8.
        """
        if n < 2:
            return np.nan
        n_brightest = np.searchsorted(self._sums[0, :n], BRIGHTEST * self.total(n), side="right") + 1
        centre = self.centroid(n)
        brightest, whole = (self._second_moment(number, centre) for number in (n_brightest, n))
        return np.log10(brightest / whole) if brightest > 0 and whole > 0 else np.nan

    def asymmetry(self, n, noise=0.0):
        """Asymmetry of the n brightest pixels under a rotation by 180 degrees, NaN without pixels.

        Parameters
        ----------
        n : int
        noise : float
            Standard deviation of the noise of a pixel.

        Returns
        -------
        float
            Sum of |I - I180| over that of I, less the value that noise alone would give, 2 / sqrt(pi) standard
            deviations a pixel. The centre is the brightest pixel's and the centroid's mean, to half a pixel.

        Notes
        -----
        Abraham et al. (1996); Conselice (2003), Eq. 9; Lotz, Primack & Madau (2004), Eq. 10. Without their search for
        the centre of least asymmetry.
        """
        if n == 0:
            return np.nan
        twice = [int(round(2 * place)) for place in self.centroid(n)]
        rows, columns = twice[0] - self.rows[:n], twice[1] - self.columns[:n]
        height, width = self.image.shape
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        opposite = np.where(inside, self.image[np.where(inside, rows, 0), np.where(inside, columns, 0)], 0)
        return (np.abs(self.flux[:n] - opposite).sum() - 2 / np.sqrt(np.pi) * noise * n) / self.total(n)

    def concentration(self, n):
        """Concentration 5 log10(r80 / r20) of the n brightest pixels about their centroid, NaN where r20 vanishes."""
        if n == 0:
            return np.nan
        row, column = self.centroid(n)
        radius = np.hypot(self.rows[:n] - row, self.columns[:n] - column)
        order = np.argsort(radius, kind="stable")
        within = np.cumsum(self.flux[:n][order]) / self.total(n)
        inner, outer = np.interp((INNER, OUTER), within, radius[order])
        return 5 * np.log10(outer / inner) if inner > 0 else np.nan

    def _second_moment(self, n, centre):
        flux, _, row, column, distance = self._sums[:, n - 1]
        return distance - 2 * (centre[0] * row + centre[1] * column) + (centre[0] ** 2 + centre[1] ** 2) * flux
