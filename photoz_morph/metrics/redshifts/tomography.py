"""Tomographic bins: galaxies in bins of z_phot, and how well their redshift distribution n(z) is known from PDFs.

`tomographic_bins` takes redshifts and PDFs and returns a `Bin` for each bin of equally many galaxies, and one for all:
mean redshifts, widths, outliers, and distances of the stacked PDFs from the distribution of the true redshifts.
"""

from dataclasses import dataclass

import numpy as np

from photoz_morph.metrics.checks import checked, checked_pdf
from photoz_morph.metrics.fractions import effective_number, fraction_error
from photoz_morph.metrics.group_sums import count_groups, fraction_design_effect, mean_error, number_groups
from photoz_morph.metrics.redshifts.point_scores import residuals

N_BINS = 5  # our choice, as in the source samples of several surveys
MIN_GROUPS = 30  # our choice: fewer parent galaxies in a bin give no useful error
WIDE_OUTLIER = 0.15  # (1 + z): the limit of Euclid and most deep surveys
KL_CELL = 0.02  # redshift; cells of fewer than `KL_EXPECTED` galaxies are joined with the next
KL_EXPECTED = 5
N_DRAWS, MAX_DRAWN = 20, 2000  # samples behind the noise of the distances, and galaxies in each


@dataclass(frozen=True)
class Bin:
    """A tomographic bin.

    Attributes
    ----------
    low, high : float
        Limits in z_phot; of the first and last bin those of the galaxies.
    n, n_groups : int
        Galaxies and their parents.
    z_spec, z_phot, z_pdf : float
        Mean true redshift, mean z_phot, and mean of the stacked PDFs (NaN where there are none, as what follows).
    shift, shift_error : float
        (z_pdf - z_spec) / (1 + z_spec) and its standard error.
    z_phot_shift, z_phot_shift_error : float
        The same of z_phot.
    width, width_pdf : float
        Standard deviations of the true redshifts, and of the stacked PDFs.
    outliers, outliers_error : float
        Fraction with a residual beyond `WIDE_OUTLIER`.
    overlap, overlap_error : float
        Fraction whose true redshift lies within the limits of another bin.
    wasserstein, wasserstein_noise : float
        Mean shift in redshift between the stacked PDFs and the true redshifts, and that of redshifts drawn from the
        PDFs, which the finite number of galaxies alone makes.
    cvm, cvm_noise : float
        Cramer-von Mises statistic of the true redshifts about the stacked PDFs, and of drawn ones.
    kl, kl_noise : float
        Kullback-Leibler divergence of the true redshifts from the stacked PDFs [nat], and of drawn ones.
    """

    low: float
    high: float
    n: int
    n_groups: int
    z_spec: float
    z_phot: float
    z_pdf: float
    shift: float
    shift_error: float
    z_phot_shift: float
    z_phot_shift_error: float
    width: float
    width_pdf: float
    outliers: float
    outliers_error: float
    overlap: float
    overlap_error: float
    wasserstein: float
    wasserstein_noise: float
    cvm: float
    cvm_noise: float
    kl: float
    kl_noise: float


def bin_limits(z_phot, n_bins=N_BINS, group_id=None):
    """Limits in z_phot of bins of equally many galaxies, shape (n_bins + 1,), increasing.

    Fewer bins where they would hold fewer than `MIN_GROUPS` groups on average, or many galaxies have one z_phot; none
    (an empty array) for fewer groups than that.
    """
    z_phot = checked(z_phot, "z_phot")
    n_groups = number_groups(group_id, len(z_phot))[1]
    n_bins = min(n_bins, n_groups // MIN_GROUPS)
    if n_bins < 1:
        return np.empty(0)
    ordered = np.sort(z_phot)
    inner = ordered[np.arange(1, n_bins) * len(ordered) // n_bins]
    inner = np.unique(inner[inner > ordered[0]])
    return np.concatenate([ordered[:1], inner, ordered[-1:]])


def tomographic_bins(z_spec, z_phot, pdf=None, grid=None, n_bins=N_BINS, group_id=None, seed=0):
    """Redshift distributions of galaxies in bins of z_phot.

    Parameters
    ----------
    z_spec, z_phot : ndarray, shape (n,)
    pdf : ndarray, shape (n, n_bins of the grid), optional
    grid : RedshiftGrid, optional
        With `pdf`.
    n_bins : int
        Bins of equally many galaxies; see `bin_limits`.
    group_id : ndarray, shape (n,), optional
        Galaxies of one group may resemble each other in any way, those of two groups are independent. By default every
        galaxy is independent.
    seed : int
        Of the redshifts drawn from the PDFs.

    Returns
    -------
    bins : list of Bin
        Empty for fewer than `MIN_GROUPS` groups.
    everything : Bin or None
        All galaxies; nothing overlaps.

    Raises
    ------
    ValueError
        If a redshift or PDF is not finite, or shapes differ.

    Notes
    -----
    Errors of mean redshifts are those of the mean of z_pdf - z_spec (or z_phot - z_spec) over the galaxies of the bin,
    with whole groups as units. The Wasserstein distance is the integral of the absolute difference of the two
    cumulative distributions, KL and CvM are as in qp, CvM divided by n; they do not vanish for calibrated PDFs of
    finitely many galaxies.
    """
    z_spec, z_phot = checked(z_spec, "z_spec"), checked(z_phot, "z_phot")
    if z_spec.shape != z_phot.shape:
        raise ValueError(f"{z_spec.size} z_spec but {z_phot.size} z_phot; they must be of the same galaxies")
    if pdf is not None and len(checked_pdf(pdf, grid)) != len(z_spec):
        raise ValueError(f"{len(pdf)} PDFs but {len(z_spec)} z_spec; they must be of the same galaxies")
    group, _ = number_groups(group_id, len(z_spec))
    limits = bin_limits(z_phot, n_bins, group_id)
    if not len(limits):
        return [], None
    rng = np.random.default_rng(seed)
    number, of_truth = bin_of(z_phot, limits), bin_of(z_spec, limits)
    bins = []
    for index in range(len(limits) - 1):
        here = number == index
        if here.any():
            part = None if pdf is None else pdf[here]
            astray = of_truth[here] != index
            ends = limits[index : index + 2]
            bins.append(_bin(ends, z_spec[here], z_phot[here], part, grid, group[here], astray, rng))
    nothing = np.zeros(len(z_spec), bool)
    return bins, _bin(limits[[0, -1]], z_spec, z_phot, pdf, grid, group, nothing, rng)


def bin_of(z, limits):
    """Number of the bin of each redshift, shape (n,); the outer bins have no end."""
    return np.searchsorted(limits[1:-1], z, side="right")


def stacked(pdf):
    """Mean of PDFs, each divided by its sum; shape (n_bins,)."""
    pdf = np.asarray(pdf)
    return np.einsum("ij,i->j", pdf, 1 / pdf.sum(axis=1, dtype=float)) / len(pdf)


def _bin(limits, z_spec, z_phot, pdf, grid, group, astray, rng):
    """The quantities of one bin."""
    local, n_groups = number_groups(group, len(group))
    mean, far = z_spec.mean(), np.abs(residuals(z_phot, z_spec)) > WIDE_OUTLIER
    found = dict.fromkeys(("z_pdf", "shift", "shift_error", "width_pdf", "wasserstein", "wasserstein_noise", "cvm",
                           "cvm_noise", "kl", "kl_noise"), np.nan)  # fmt: skip
    if pdf is not None:
        stack, means = stacked(pdf), grid.expectation(pdf)
        z_pdf = stack @ grid.midpoints
        variance = stack @ (grid.midpoints - z_pdf) ** 2 + grid.width**2 / 12
        found = {
            "z_pdf": z_pdf,
            "shift": (z_pdf - mean) / (1 + mean),
            "shift_error": mean_error(means - z_spec, local) / (1 + mean),
            "width_pdf": np.sqrt(variance),
            **_distances(z_spec, pdf, stack, grid, local, rng),
        }
    return Bin(
        low=float(limits[0]),
        high=float(limits[1]),
        n=len(z_spec),
        n_groups=count_groups(local),
        z_spec=float(mean),
        z_phot=float(z_phot.mean()),
        z_phot_shift=float((z_phot.mean() - mean) / (1 + mean)),
        z_phot_shift_error=mean_error(z_phot - z_spec, local) / (1 + float(mean)),
        width=float(z_spec.std()),
        outliers=float(far.mean()),
        outliers_error=_fraction_error(far, local),
        overlap=float(astray.mean()),
        overlap_error=_fraction_error(astray, local),
        **{name: float(value) for name, value in found.items()},
    )


def _fraction_error(is_in, group):
    """Standard error of a fraction of galaxies in groups."""
    n_independent = len(is_in) / fraction_design_effect(is_in, group)
    return float(fraction_error(n_independent * is_in.mean(), n_independent))


def _distances(z_spec, pdf, stack, grid, group, rng):
    """Distances of true redshifts from stacked PDFs, and those of redshifts drawn from the PDFs."""
    cells = _cells(stack * len(pdf), grid)
    found = _three(z_spec, stack, grid, cells)
    rows = rng.choice(len(pdf), min(len(pdf), MAX_DRAWN), replace=False)
    chosen, noise = pdf[rows], np.zeros(3)
    own = stacked(chosen)
    for z in _draws(chosen, grid, rng):
        noise += _three(z, own, grid, cells)
    # The distance falls as the root of the number of independent galaxies, the squares as that number.
    ratio = len(rows) / max(effective_number(group), 1)
    noise *= np.array([ratio**0.5, ratio, ratio]) / N_DRAWS
    names = ("wasserstein", "cvm", "kl")
    return dict(zip(names, found)) | dict(zip((f"{name}_noise" for name in names), noise))


def _three(z, stack, grid, cells):
    """Wasserstein distance, Cramer-von Mises statistic and divergence of redshifts from stacked PDFs."""
    cdf = np.concatenate([[0.0], np.cumsum(stack)])
    cdf /= cdf[-1]
    z, n = np.sort(z), len(z)
    rank = (np.arange(n) + 0.5) / n
    expected = np.add.reduceat(stack, cells)
    edges = grid.edges[[*cells, grid.n_bins]]
    true = np.histogram(np.clip(z, grid.z_min, grid.z_max), edges)[0] / n
    seen = true > 0
    return np.array([
        wasserstein(z, grid.edges, cdf),
        1 / (12 * n**2) + np.mean((rank - np.interp(z, grid.edges, cdf)) ** 2),
        np.sum(true[seen] * np.log(true[seen] / expected[seen])),
    ])  # fmt: skip


def _draws(pdf, grid, rng):
    """Redshifts drawn from each PDF; shape (`N_DRAWS`, n)."""
    cdf = np.cumsum(pdf, axis=1, dtype=float)
    row = np.arange(len(cdf))
    # One increasing array of all rows, as row number + cumulative probability, is searched at once.
    ladder = (cdf / cdf[:, -1:] + row[:, None]).ravel()
    level = np.minimum(rng.uniform(size=(N_DRAWS, len(cdf))), 1 - 1e-9) + row
    index = np.clip(np.searchsorted(ladder, level) - row * grid.n_bins, 0, grid.n_bins - 1)
    return grid.z_min + grid.width * (index + rng.uniform(size=level.shape))


def wasserstein(z, edges, cdf):
    """Integral of the absolute difference between the distribution of sorted redshifts and a piecewise linear one.

    Parameters
    ----------
    z : ndarray, shape (n,)
        Sorted.
    edges, cdf : ndarray, shape (n_edges,)
        The other distribution, from 0 to 1; constant beyond its ends.

    Returns
    -------
    float
    """
    points = np.sort(np.concatenate([z, edges]))
    step = np.searchsorted(z, points[:-1], side="right") / len(z)
    other = np.interp(points, edges, cdf)
    before, after = other[:-1] - step, other[1:] - step
    size = np.abs(before) + np.abs(after)
    crossing = before * after < 0
    mean = np.where(crossing, (before**2 + after**2) / np.where(size > 0, 2 * size, 1), size / 2)
    return float(np.sum(mean * np.diff(points)))


def _cells(in_bins, grid):
    """First grid bin of each cell for the divergence: `KL_CELL` wide, joined until each expects `KL_EXPECTED`."""
    width, starts, begin = max(round(KL_CELL / grid.width), 1), [], 0
    for end in [*range(width, grid.n_bins, width), grid.n_bins]:
        if in_bins[begin:end].sum() >= KL_EXPECTED:
            starts.append(begin)
            begin = end
    return np.array(starts or [0])
