"""Redshift distribution of the training galaxies, and re-weighting of PDFs to that of another sample.

A network's PDF is a posterior with the n(z) of its training galaxies as the prior. For a sample whose galaxies at a
redshift look like the training galaxies there, but are more or fewer, it is multiplied by the ratio of the two n(z).
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from photoz_morph.catalogs.table_files import read_table_file

MAX_UNKNOWN_SHARE = 0.05  # of the target's galaxies, at redshifts without training galaxies


def training_counts(z_spec, grid):
    """Number of training galaxies in each redshift bin, shape (n_bins,)."""
    return np.bincount(grid.bin_index(z_spec), minlength=grid.n_bins)


def read_target(path, grid):
    """Read a target n(z) as the share of galaxies in each redshift bin.

    Parameters
    ----------
    path : path-like
        A CSV, FITS or Parquet table with the columns `z`, increasing, and `nz`, galaxies per unit redshift in any unit;
        linear between the rows and 0 outside them.
    grid : RedshiftGrid

    Returns
    -------
    ndarray, shape (n_bins,)
        Sums to one.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such table, or has no galaxy on the grid.
    """
    table = read_table_file(path, "a target n(z)")
    missing = [name for name in ("z", "nz") if name not in table.colnames]
    if missing:
        raise ValueError(f"{path}: has no column {', '.join(missing)}; a target n(z) has z and nz")
    try:
        z, nz = (np.ma.filled(np.ma.asarray(table[name]).astype(float), np.nan) for name in ("z", "nz"))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: columns z and nz of a target n(z) are numbers ({error})") from error
    if z.ndim != 1 or nz.ndim != 1 or len(z) < 2:
        raise ValueError(f"{path}: a target n(z) has two rows or more of one z and one nz each")
    bad = ~np.isfinite(z) | ~np.isfinite(nz) | (nz < 0)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"{path}: row {row + 1} has z {z[row]} and nz {nz[row]}; give finite z and nz of 0 or more")
    if not np.all(np.diff(z) > 0):
        row = int(np.argmin(np.diff(z) > 0)) + 1
        raise ValueError(f"{path}: z does not increase at row {row + 1} ({z[row]} after {z[row - 1]}); sort it")
    # The cumulative number is a parabola between the rows; on a fine grid of its own it is exact to 1e-6.
    fine = np.union1d(np.linspace(z[0], z[-1], 20_001), np.clip(grid.edges, z[0], z[-1]))
    number = np.interp(fine, z, nz)
    number /= max(number.max(), np.finfo(float).tiny)
    cumulative = np.concatenate([[0], np.cumsum(np.diff(fine) * (number[1:] + number[:-1]) / 2)])
    share = np.diff(np.interp(grid.edges, fine, cumulative))
    if not share.sum() > 0:
        raise ValueError(f"{path}: no galaxy between z {grid.z_min:g} and {grid.z_max:g}, the redshifts of the model")
    return share / share.sum()


def target_weights(target, counts, grid, source="target"):
    """Factor of each redshift bin that turns PDFs with the training n(z) as prior into those of a target.

    Parameters
    ----------
    target : ndarray, shape (n_bins,)
        From `read_target`.
    counts : ndarray, shape (n_bins,)
        From `training_counts`.
    grid : RedshiftGrid
    source : path-like
        Named in errors.

    Returns
    -------
    ndarray, shape (n_bins,)
        Its mean over training galaxies is 1.

    Raises
    ------
    ValueError
        If more than `MAX_UNKNOWN_SHARE` of the target lies where the smoothed training n(z) has less than one galaxy
        in the width of the smoothing: the networks have not seen such galaxies, and no factor makes up for that.

    Notes
    -----
    The counts are smoothed by a Gaussian with the width of Scott's rule, sd n^(-1/5), and are at least one galaxy in
    it.
    """
    counts = np.asarray(counts, float)
    n, (smooth, one_galaxy, _) = counts.sum(), smooth_counts(counts, grid)
    unknown = float(target[smooth < one_galaxy].sum())
    if unknown > MAX_UNKNOWN_SHARE:
        raise ValueError(
            f"{source}: {100 * unknown:.0f} % of the target n(z) is at redshifts without training galaxies; cut it, or "
            "train on galaxies there"
        )
    weights = target * n / np.maximum(smooth, one_galaxy)
    return weights / np.average(weights, weights=counts)


def smooth_counts(counts, grid):
    """Counts of galaxies in redshift bins, smoothed by a Gaussian with the width of Scott's rule.

    Parameters
    ----------
    counts : ndarray, shape (n_bins,)
    grid : RedshiftGrid

    Returns
    -------
    smooth : ndarray, shape (n_bins,)
    one_galaxy : float
        What one galaxy gives at its own redshift.
    width : float
        Standard deviation of the Gaussian [bin].
    """
    counts, midpoints = np.asarray(counts, float), grid.midpoints
    deviation = np.sqrt(np.average((midpoints - np.average(midpoints, weights=counts)) ** 2, weights=counts))
    width = max(deviation * counts.sum() ** (-1 / 5) / grid.width, 1e-3)
    return gaussian_filter1d(counts, width, mode="reflect"), 1 / (max(width, 1.0) * np.sqrt(2 * np.pi)), width


def reweighted(pdf, weights):
    """PDFs times a factor in each bin, made to sum to one; a PDF with nothing left stays as it is.

    Parameters
    ----------
    pdf : ndarray, shape (n, n_bins)
    weights : ndarray, shape (n_bins,)

    Returns
    -------
    ndarray, shape (n, n_bins)
    """
    products = np.asarray(pdf, float) * weights
    total = products.sum(axis=1, keepdims=True)
    return np.where(total == 0, pdf, products / np.where(total == 0, 1, total))
