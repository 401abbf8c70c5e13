"""When a changed image has moved a redshift: what is left until then, of PDFs.

- `z_phot`: it has moved by more than 0.05 (1 + z), z the z_phot of the image as it is: the residual beyond which
  Pasquet et al. (2019, Sec. 4.1) call a galaxy an outlier, with the redshift of the network itself as the truth, so
  that galaxies whose redshift is wrong already count for what the pixels do to it.
- `interval`: the 68 % interval, from the 16 % to the 84 % quantile, no longer holds z_spec. Of use for galaxies
  whose interval holds it before.
"""

from dataclasses import dataclass

import numpy as np

from photoz_morph.metrics.redshifts.point_scores import ETA_THRESHOLD
from photoz_morph.redshift_grid import RedshiftGrid

CRITERIA = ("z_phot", "interval")
LOWER, UPPER = 0.16, 0.84  # quantiles of z_lower and z_upper in the predictions
SMALLEST_MOVE = 1e-5  # of z_phot: what rounding may move, and far below what counts


@dataclass(frozen=True)
class Criterion:
    """Success of a change, for galaxies with numbers from 0.

    Attributes
    ----------
    name : {"z_phot", "interval"}
    grid : RedshiftGrid
    z_before : ndarray, shape (n,)
        z_phot of the images as they are.
    z_spec : ndarray, shape (n,)
    """

    name: str
    grid: RedshiftGrid
    z_before: np.ndarray
    z_spec: np.ndarray

    def __post_init__(self):
        if self.name not in CRITERIA:
            raise ValueError(f"criterion is {self.name!r}; choose one of {', '.join(CRITERIA)}")

    def margins(self, index, pdf):
        """What is left until the redshift has moved, in units of 1 + z; below 0 where it has, NaN where the PDF is.

        Parameters
        ----------
        index : ndarray of int, shape (k,)
            Galaxy of each PDF.
        pdf : ndarray, shape (k, n_bins)

        Returns
        -------
        ndarray, shape (k,)
        """
        if self.name == "z_phot":
            before = self.z_before[index]
            return ETA_THRESHOLD - np.abs(self.grid.expectation(pdf) - before) / (1 + before)
        z_spec = self.z_spec[index]
        lower, upper = (self.grid.quantile(pdf, probability) for probability in (LOWER, UPPER))
        return np.minimum(z_spec - lower, upper - z_spec) / (1 + z_spec)

    def side(self, index, z_phot):
        """Side to which z_phot has moved: -1 or 1, 0 where it has not."""
        move = np.asarray(z_phot, float) - self.z_before[index]
        return np.where(np.abs(move) > SMALLEST_MOVE, np.sign(move), 0).astype(int)

    def applies(self, pdf):
        """Mask of the galaxies, from their PDFs before, whose redshift can be moved in this sense: bool, shape (n,)."""
        left = self.margins(np.arange(len(pdf)), pdf)
        return np.isfinite(left) & (left >= 0)
