"""Scores of more galaxies than memory holds: sums and histograms that grow by parts, and the error that this makes.

Means (bias, CRPS, widths, CDE loss, eta, standard deviation and outliers of the PIT) are exact. Quantiles of the
residuals come from a histogram with bins of 1e-4 of |residual|, and of 1e-7 within 1e-3 of zero; tests of the PIT from
one of 131,072 bins. Each score then lies within a stated error of the one that all galaxies at once would give. Memory
does not depend on the number of galaxies.
"""

import numpy as np

from photoz_morph.metrics.redshifts.pit_tests import COVERAGE_LEVELS, PIT_LIMITS, deviation_of_ad
from photoz_morph.metrics.redshifts.point_scores import (
    ETA_THRESHOLD,
    IQR_OF_GAUSSIAN,
    OUTLIER_SIGMA,
    OUTLIER_THRESHOLD,
    SCORES,
)

SCALE, STEP, N_BINS = 1e-3, 1e-4, 120_000  # of arcsinh(value / SCALE), to +-81; larger values are in the last bins
PIT_BINS = 2**17
DEVIATION_N = 100_000  # the standard deviation of A^2 depends on n to 1e-5 beyond it
MEANS = {"crps": "crps", "width_68": "width_68", "width_90": "width_90", "cde_loss": "cde_loss"}


class Histogram:
    """Histogram of numbers of any size, from which quantiles follow within a relative error.

    Attributes
    ----------
    n : int
        Numbers so far.
    """

    def __init__(self):
        self.n, self._counts = 0, np.zeros(2 * N_BINS, np.int64)
        self._edges = SCALE * np.sinh(STEP * np.arange(-N_BINS, N_BINS + 1))
        self._centres = SCALE * np.sinh(STEP * (np.arange(-N_BINS, N_BINS) + 0.5))

    def add(self, values):
        """Add finite numbers, shape (n,)."""
        place = np.floor(np.arcsinh(np.asarray(values, float) / SCALE) / STEP).astype(int) + N_BINS
        self._counts += np.bincount(np.clip(place, 0, 2 * N_BINS - 1), minlength=2 * N_BINS)
        self.n += len(values)

    def quantile(self, probability):
        """Quantile of the numbers, linear between two of them as that of NumPy: (value, error)."""
        value, places = self._ranked(self._centres, np.arange(2 * N_BINS), probability)
        return value, float(np.diff(self._edges)[places].max() / 2)

    def median_deviation(self, centre, error):
        """Median distance from a number that is known to an error: (value, error)."""
        distance, width = np.abs(self._centres - centre), np.diff(self._edges)
        value, places = self._ranked(distance, np.argsort(distance, kind="stable"), 0.5)
        # Numbers that may be on the other side of either number that the median lies between.
        near = np.any([np.abs(distance - distance[place]) <= 2 * (width + error) for place in places], axis=0)
        return value, error + float(width[near].max() / 2)

    def _ranked(self, values, order, probability):
        """Quantile of the values of the bins, counted in an order, and the two bins that it lies between."""
        total, rank = np.cumsum(self._counts[order]), probability * (self.n - 1)
        places = [order[np.searchsorted(total, whole, side="right")] for whole in (np.floor(rank), np.ceil(rank))]
        low, high = values[places]
        return float(low + (rank - np.floor(rank)) * (high - low)), places

    def fraction_beyond(self, limit, error):
        """Fraction of numbers whose absolute value exceeds a limit that is known to an error: (value, error)."""
        size = np.abs(self._centres)
        unsure = np.abs(size - limit) <= error + np.diff(self._edges)
        return float(self._counts[size > limit].sum() / self.n), float(self._counts[unsure].sum() / self.n)


class ScoreSums:
    """All scores of `point_scores.SCORES` of galaxies that are added in parts.

    Attributes
    ----------
    n : int
        Galaxies so far.
    """

    def __init__(self):
        self.n, self._residuals = 0, Histogram()
        self._sums = dict.fromkeys(("residual", "outlier", "pit_squared", "pit_outlier", *MEANS), 0.0)
        self._pit_counts, self._pit_sums = np.zeros(PIT_BINS, np.int64), np.zeros(PIT_BINS)
        self._inside = np.zeros(len(COVERAGE_LEVELS), np.int64)

    def add(self, per_galaxy):
        """Add galaxies.

        Parameters
        ----------
        per_galaxy : dict of str to ndarray, shape (n,)
            From `point_scores.galaxy_scores`.
        """
        residual, pit = per_galaxy["residual"], per_galaxy["pit"]
        self.n += len(residual)
        self._residuals.add(residual)
        self._sums["residual"] += residual.sum()
        self._sums["outlier"] += np.sum(np.abs(residual) > ETA_THRESHOLD)
        self._sums["pit_squared"] += np.sum((pit - 0.5) ** 2)
        self._sums["pit_outlier"] += np.sum((pit < PIT_LIMITS[0]) | (pit > PIT_LIMITS[1]))
        for name, quantity in MEANS.items():
            self._sums[name] += per_galaxy[quantity].sum()
        place = np.minimum((pit * PIT_BINS).astype(int), PIT_BINS - 1)
        self._pit_counts += np.bincount(place, minlength=PIT_BINS)
        self._pit_sums += np.bincount(place, pit, PIT_BINS)
        from_middle = np.sort(np.abs(pit - 0.5))
        self._inside += np.searchsorted(from_middle, np.array(COVERAGE_LEVELS) / 2, side="right")

    def scores(self):
        """Every score and the error that streaming makes in it: dict of str to (float, float)."""
        n, sums = self.n, self._sums
        median, median_error = self._residuals.quantile(0.5)
        deviation, deviation_error = self._residuals.median_deviation(median, median_error)
        (low, low_error), (high, high_error) = (self._residuals.quantile(part) for part in (0.25, 0.75))
        sigma_iqr, iqr_error = (high - low) / IQR_OF_GAUSSIAN, (high_error + low_error) / IQR_OF_GAUSSIAN
        limit = max(OUTLIER_THRESHOLD, OUTLIER_SIGMA * sigma_iqr)
        limit_error = OUTLIER_SIGMA * iqr_error if limit > OUTLIER_THRESHOLD else 0.0
        mean_pit = self._pit_sums.sum() / n
        found = {name: (sums[name] / n, 0.0) for name in MEANS} | {
            "bias": (sums["residual"] / n, 0.0),
            "sigma_mad": (1.4826 * deviation, 1.4826 * deviation_error),
            "eta": (sums["outlier"] / n, 0.0),
            "pit_std": (np.sqrt(max(sums["pit_squared"] / n - (mean_pit - 0.5) ** 2, 0.0)), 0.0),
            "median_bias": (median, median_error),
            "sigma_iqr": (sigma_iqr, iqr_error),
            "outlier_rate": self._residuals.fraction_beyond(limit, limit_error),
            "pit_ks": self._ks(),
            "pit_cvm": self._cvm(),
            "pit_ad": self._ad(),
            "pit_outlier_rate": (sums["pit_outlier"] / n, 0.0),
        }
        return {name: (float(found[name][0]), float(found[name][1])) for name in SCORES}

    def coverage(self):
        """Fraction of galaxies inside the central interval of each of `COVERAGE_LEVELS`, exact; shape (n_levels,)."""
        return self._inside / self.n

    def _ks(self):
        """`pit_ks`: both distributions are known at the edges of bins; inside, the uniform one changes by a width."""
        edges, below = np.arange(PIT_BINS + 1) / PIT_BINS, np.append(0, np.cumsum(self._pit_counts)) / self.n
        return np.abs(below - edges).max(), 1 / PIT_BINS

    def _cvm(self):
        """`pit_cvm`: in each bin, its mean PIT against its mean rank, and the spread of the ranks."""
        counts, n = self._pit_counts, self.n
        filled = counts > 0
        counts, mean = counts[filled].astype(float), self._pit_sums[filled] / counts[filled]
        rank = (np.cumsum(counts) - counts / 2) / n
        of_ranks = counts * (counts**2 - 1) / (12 * n**2)
        of_pit = counts / (4 * PIT_BINS**2)  # the largest it can be
        error = np.sum(of_pit + 2 * np.sqrt(of_ranks * of_pit))
        return 1 / (12 * n) + np.sum(counts * (rank - mean) ** 2 + of_ranks), error

    def _ad(self):
        """`pit_ad`: its sum over numbers as one over bins, all numbers of which are at its middle.

        The error is that of taking them at either edge, an estimate.
        """
        n = self.n
        below = np.append(0, np.cumsum(self._pit_counts)) / n
        uniform = np.append(np.ceil(np.arange(PIT_BINS) / PIT_BINS * (n - 1)), n) / n  # n numbers from 0 to 1
        in_bin = np.diff(uniform + below) / 2
        middle = [(part[1:] + part[:-1]) / 2 for part in (below, uniform)]
        term = _ad_term(*middle, in_bin / 4)  # midranks of ties: Scholz & Stephens (1987), Eq. 7
        at_edges = _ad_term(below, uniform, 0.0)
        off = np.maximum(np.abs(at_edges[1:] - term), np.abs(at_edges[:-1] - term))
        scale = (2 * n - 1) / 4 / deviation_of_ad(min(n, DEVIATION_N))
        return scale * np.sum(term * in_bin) - 1 / deviation_of_ad(min(n, DEVIATION_N)), scale * np.sum(off * in_bin)


def _ad_term(first, second, of_ties):
    """Squared difference of two distributions over the variance of their mean, 0 where that vanishes."""
    pooled = (first + second) / 2
    variance = pooled * (1 - pooled) - of_ties
    known = variance > 0
    return np.where(known, (first - second) ** 2 / np.where(known, variance, 1), 0.0)
