"""The redshift bins a network classifies into, and what a binned PDF says about a redshift."""

import math
from dataclasses import dataclass

import numpy as np

Z_PHOT_BINS = ("midpoints", "left-edges")  # of Eq. 2, and of the authors' script: where a bin counts for z_phot


@dataclass(frozen=True)
class RedshiftGrid:
    """Equal redshift bins, by default those of Pasquet et al. (2019, Sec. 3.6): 180 over 0-0.4, of width 2.22e-3.

    A PDF on the grid is the probability of each bin, shape (n, n_bins), rows summing to one; inside a bin the
    density is constant, so the cumulative distribution is linear between the edges.

    Attributes
    ----------
    z_min : float
        Lower edge of the first bin [redshift].
    z_max : float
        Upper edge of the last bin [redshift].
    n_bins : int
        Number of bins, the outputs of the network [redshift bins].
    """

    z_min: float = 0.0
    z_max: float = 0.4
    n_bins: int = 180

    def __post_init__(self):
        is_finite = math.isfinite(self.z_min) and math.isfinite(self.z_max)
        if not (is_finite and self.z_max > self.z_min and self.n_bins >= 1):
            raise ValueError(
                f"redshift grid needs z_max > z_min, both finite, and n_bins >= 1, got z_min {self.z_min}, z_max "
                f"{self.z_max}, n_bins {self.n_bins}"
            )

    @property
    def edges(self):
        """Bin edges, shape (n_bins + 1,)."""
        return np.linspace(self.z_min, self.z_max, self.n_bins + 1)

    @property
    def midpoints(self):
        """Bin midpoints, shape (n_bins,)."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    @property
    def width(self):
        """Width of a bin."""
        return (self.z_max - self.z_min) / self.n_bins

    def contains(self, z):
        """Mask of the redshifts on the grid, shape (n,); False for NaN. The last edge belongs to the last bin."""
        z = np.asarray(z, float)
        # A catalogue's float32 redshift of 0.4 is 0.4000000059, and one of 5.3 is 2e-7 off: 2^-24 of the value.
        rounding = 1e-7 * max(1, abs(self.z_min), abs(self.z_max))
        return (z >= self.z_min - rounding) & (z <= self.z_max + rounding)

    def bin_index(self, z):
        """Index of the bin of each redshift: from its lower edge, which belongs to it, to the next edge.

        A redshift that float32 has moved over an end of the grid, see `contains`, is in the bin at that end.

        Parameters
        ----------
        z : ndarray, shape (n,)

        Returns
        -------
        ndarray of int, shape (n,)

        Raises
        ------
        ValueError
            If a redshift is not on the grid.
        """
        z = np.asarray(z, float)
        inside = self.contains(z)
        if not np.all(inside):
            raise ValueError(
                f"{np.sum(~inside)} redshifts are outside [{self.z_min}, {self.z_max}], the first is "
                f"{z[~inside].flat[0]}; cut the sample or widen redshift.z_max"
            )
        return np.clip(np.searchsorted(self.edges, z, side="right") - 1, 0, self.n_bins - 1)

    def positions(self, bins="midpoints"):
        """Redshift that stands for each bin in the mean of a PDF.

        Parameters
        ----------
        bins : {"midpoints", "left-edges"}
            Midpoints are Eq. 2 of Pasquet et al. (2019). Left edges are what the authors' published inference script
            takes; they lower every z_phot by half a bin, 1.11e-3 on their grid and ten times their bias.

        Returns
        -------
        ndarray, shape (n_bins,)

        Raises
        ------
        ValueError
            If there is no such convention.
        """
        if bins not in Z_PHOT_BINS:
            raise ValueError(f"z_phot is a mean over bin {' or '.join(Z_PHOT_BINS)}, got {bins!r}")
        return self.midpoints if bins == "midpoints" else self.edges[:-1]

    def expectation(self, pdf, bins="midpoints"):
        """Mean redshift of each PDF over `positions(bins)` (Pasquet et al. 2019, Eq. 2); shape (n,)."""
        return np.asarray(pdf, float) @ self.positions(bins)

    def cdf(self, pdf):
        """Cumulative distribution at the bin edges, shape (n, n_bins + 1), from 0 to 1."""
        cumulative = np.cumsum(np.asarray(pdf, float), axis=-1)
        cumulative = np.concatenate([np.zeros_like(cumulative[..., :1]), cumulative], axis=-1)
        return cumulative / cumulative[..., -1:]  # float32 probabilities sum to one only to 1e-6

    def cdf_at(self, pdf, z):
        """Cumulative distribution of each PDF at its own redshift: the PIT of `z`.

        Parameters
        ----------
        pdf : ndarray, shape (n, n_bins)
        z : ndarray, shape (n,)

        Returns
        -------
        ndarray, shape (n,)
            0 below the grid and 1 above it; NaN where the redshift or the PDF is.
        """
        cdf = self.cdf(pdf)
        position = np.clip((np.asarray(z, float) - self.z_min) / self.width, 0, self.n_bins)
        index = np.minimum(np.nan_to_num(position).astype(int), self.n_bins - 1)
        row = np.arange(len(cdf))
        return cdf[row, index] + (position - index) * (cdf[row, index + 1] - cdf[row, index])

    def quantile(self, pdf, probability):
        """Redshift below which each PDF holds a given probability.

        Parameters
        ----------
        pdf : ndarray, shape (n, n_bins)
        probability : float
            Between 0 and 1.

        Returns
        -------
        ndarray, shape (n,)
            NaN where the PDF is.
        """
        cdf = self.cdf(pdf)
        index = np.clip(np.sum(cdf < probability, axis=-1) - 1, 0, self.n_bins - 1)
        row = np.arange(len(cdf))
        below, above = cdf[row, index], cdf[row, index + 1]
        step = np.divide(probability - below, above - below, out=np.zeros_like(below), where=above > below)
        return np.where(np.isnan(cdf[:, -1]), np.nan, self.z_min + self.width * (index + step))

    def mode(self, pdf):
        """Midpoint of the most probable bin of each PDF, shape (n,); NaN where the PDF is."""
        return np.where(np.isnan(pdf).any(axis=-1), np.nan, self.midpoints[np.argmax(pdf, axis=-1)])
