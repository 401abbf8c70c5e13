"""A property of galaxies averaged in equal areas of the sky (HEALPix), and a test of its dependence on position.

Takes positions and one value per galaxy, such as the residual or the width of the PDF, and returns the mean of each
cell, its error, and two p-values from shuffled positions: of all cells together and of the most deviant one. Groups of
galaxies at one position, such as simulated copies of one real galaxy, are shuffled together.
"""

from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy_healpix import HEALPix, lonlat_to_healpix

from photoz_morph.metrics.checks import checked
from photoz_morph.metrics.group_sums import count_groups, number_groups, pair_covariance

MEAN_COUNT = 20  # our choice: galaxies per occupied cell, on average, that the size of the cells is chosen for
MIN_COUNT = 10  # our choice: cells of fewer stay blank
MAX_CELLS = 1000  # our choice: more are too small to be told apart on a page, and hide patterns wider than they are
MAX_NSIDE = 1024  # 3.4 arcmin


@dataclass(frozen=True)
class SkyCells:
    """Result of `sky_cells`; arrays have one entry per cell that is not blank.

    Attributes
    ----------
    nside : int
        Of HEALPix in nested order.
    cell_deg : float
        Square root of the area of a cell [deg].
    cell : ndarray of int
        HEALPix indices, ascending.
    ra, dec : ndarray
        Centres [deg].
    count : ndarray of int
    mean, error : ndarray
        `error` is the scatter of all galaxies over the square root of `count`, larger by what groups have in common.
    overall : float
        Mean of all galaxies of these cells.
    n, n_groups : int
        Galaxies of these cells, and groups; as many if each galaxy is independent.
    n_left_out : int
        Galaxies of blank cells or without a position.
    chi_square, n_dof : float, int
        Of the cells about `overall`.
    p_value : float
        Fraction of shuffles with such a chi-square, counting this sample itself.
    extreme : int
        Entry of the cell that deviates most, in units of its error; -1 if there are fewer than two cells.
    p_extreme : float
        Fraction of shuffles in which any cell deviates as much.
    n_shuffles : int
    """

    nside: int
    cell_deg: float
    cell: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    count: np.ndarray
    mean: np.ndarray
    error: np.ndarray
    overall: float
    n: int
    n_groups: int
    n_left_out: int
    chi_square: float
    n_dof: int
    p_value: float
    extreme: int
    p_extreme: float
    n_shuffles: int

    @property
    def deviation(self):
        """Deviation of each cell from the overall mean in units of its error."""
        return np.divide(self.mean - self.overall, self.error, out=np.zeros(len(self.mean)), where=self.error > 0)


def sky_cells(ra, dec, values, n_shuffles=200, seed=0, group_id=None):
    """Mean of a property in cells of equal area, with a test of its dependence on position.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        J2000 [deg]; galaxies where they are not finite are left out and counted.
    values : ndarray, shape (n,)
    n_shuffles, seed : int
    group_id : ndarray, shape (n,), optional
        Galaxies of one group lie at one position and may resemble each other in any way, those of two groups are
        independent. By default every galaxy is independent. A group over several cells counts once in each.

    Returns
    -------
    SkyCells

    Raises
    ------
    ValueError
        If the lengths differ, a value is not finite, or no galaxy has a position.

    Notes
    -----
    Pasquet et al. (2019), Fig. 12. The sums of groups are shuffled among the positions of groups of as many galaxies:
    outliers make single cells deviate by more than Gaussian noise would, in the shuffles as in the sample, and the
    fraction of shuffles whose most deviant cell is as bad allows for the number of cells. No p-value is smaller than
    1 / (n_shuffles + 1).
    """
    ra, dec, values = np.asarray(ra, float), np.asarray(dec, float), checked(values, "values")
    if not ra.shape == dec.shape == values.shape:
        raise ValueError(f"{ra.size} ra, {dec.size} dec and {values.size} values; sky_cells needs one of each")
    placed = np.isfinite(ra) & np.isfinite(dec)
    if not placed.any():
        raise ValueError("no galaxy has a finite ra and dec; a sky map needs positions")
    group, _ = number_groups(group_id, len(ra))
    nside = choose_nside(ra[placed], dec[placed])
    index = healpix_index(ra[placed], dec[placed], nside)
    cell, number, count = np.unique(index, return_inverse=True, return_counts=True)
    kept_cell = count >= MIN_COUNT
    kept = kept_cell[number]
    number = (np.cumsum(kept_cell) - 1)[number[kept]]
    cell, count, values, group = cell[kept_cell], count[kept_cell], values[placed][kept], group[placed][kept]
    overall = float(values.mean()) if len(values) else np.nan
    offset = values - overall
    unit, _ = number_groups(group * len(cell) + number, len(group))
    error = _errors(offset, unit, number, count)
    test = {"chi_square": np.nan, "p_value": np.nan, "extreme": -1, "p_extreme": np.nan}
    if len(cell) > 1 and np.all(error > 0):
        test = _shuffle_test(number, offset, unit, count * error, n_shuffles, seed)
    healpix = HEALPix(nside, order="nested")
    centre_ra, centre_dec = (angle.to_value(u.deg) for angle in healpix.healpix_to_lonlat(cell))
    return SkyCells(
        nside=nside,
        cell_deg=float(np.sqrt(healpix.pixel_area.to_value(u.deg**2))),
        cell=cell,
        ra=centre_ra,
        dec=centre_dec,
        count=count,
        mean=overall + np.bincount(number, offset, len(cell)) / count,
        error=error,
        overall=overall,
        n=len(values),
        n_groups=count_groups(group),
        n_left_out=len(ra) - len(values),
        n_dof=max(len(cell) - 1, 0),
        n_shuffles=n_shuffles,
        **test,
    )


def choose_nside(ra, dec):
    """The finest HEALPix resolution with `MEAN_COUNT` galaxies per occupied cell and at most `MAX_CELLS` of these."""
    nside = 1
    while nside < MAX_NSIDE:
        n_occupied = len(np.unique(healpix_index(ra, dec, 2 * nside)))
        if len(ra) < MEAN_COUNT * n_occupied or n_occupied > MAX_CELLS:
            break
        nside *= 2
    return nside


def healpix_index(ra, dec, nside):
    """HEALPix cell, nested order, of positions [deg]; any shape."""
    return lonlat_to_healpix(np.asarray(ra) * u.deg, np.asarray(dec) * u.deg, nside, order="nested")


def _errors(offset, unit, number, count):
    """Errors of the means of cells, if all galaxies scatter alike and all pairs of a group go together alike."""
    if not len(offset):
        return np.empty(0)
    size = np.bincount(unit)
    n_pairs = np.bincount(number, size[unit] - 1, len(count))  # each pair counted both ways
    return np.sqrt(offset.std() ** 2 * count + pair_covariance(offset, unit) * n_pairs) / count


def _shuffle_test(number, offset, unit, noise, n_shuffles, seed):
    """Chi-square of the cells, the most deviant of them, and their frequency in shuffled groups."""
    _, first, size = np.unique(unit, return_index=True, return_counts=True)
    sums, cell_of = np.bincount(unit, offset), number[first]

    def deviations(sums):
        return np.bincount(cell_of, sums, len(noise)) / noise

    found = deviations(sums)
    chi_square, largest = np.sum(found**2), np.abs(found).max()
    rng, shuffled = np.random.default_rng(seed), sums.copy()
    same_size = [np.flatnonzero(size == n) for n in np.unique(size)]
    reached = np.zeros(2)
    for _ in range(n_shuffles):
        for units in same_size:
            part = shuffled[units]
            rng.shuffle(part)
            shuffled[units] = part
        drawn = deviations(shuffled)
        reached += np.sum(drawn**2) >= chi_square, np.abs(drawn).max() >= largest
    p_value, p_extreme = (reached + 1) / (n_shuffles + 1)
    return {
        "chi_square": float(chi_square),
        "p_value": float(p_value),
        "extreme": int(np.argmax(np.abs(found))),
        "p_extreme": float(p_extreme),
    }
