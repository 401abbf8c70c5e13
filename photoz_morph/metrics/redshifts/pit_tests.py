"""Tests of the uniformity of PIT values, which calibrated PDFs have: the statistics of qp, and the coverage curve.

Each takes the PIT values of galaxies, shape (..., n), and returns one number per sample. None is a p-value: with
enough galaxies every PDF fails such a test, and the size of the misfit is what matters. `pit_ks` is a
distance between distributions, to be set beside that of a sample of another size; `pit_cvm` and `pit_ad` grow with n.
"""

import math

import numpy as np

from photoz_morph.metrics.checks import checked
from photoz_morph.metrics.fractions import fraction_error
from photoz_morph.metrics.group_sums import fraction_design_effect, number_groups

PIT_LIMITS = (0.0001, 0.9999)  # of qp; beyond them z_spec lies outside the PDF
COVERAGE_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.68, 0.7, 0.8, 0.9, 0.95)  # our choice

# Upper limits of 95 % of samples of calibrated PDFs: the asymptotic points of D sqrt(n), W^2 and, in the
# units of `pit_ad`, A^2 (Stephens 1974: 1.358, 0.461 and 2.492).
CALIBRATED_KS, CALIBRATED_CVM, CALIBRATED_AD = 1.358, 0.461, 0.32


def pit_ks(pit):
    """Kolmogorov-Smirnov: largest distance between the distribution of PIT values and the uniform one.

    Parameters
    ----------
    pit : ndarray, shape (..., n)

    Returns
    -------
    float or ndarray, shape (...)

    Raises
    ------
    ValueError
        If `pit` is empty or holds a non-finite value.
    """
    pit = _in_order(pit)
    n = pit.shape[-1]
    steps = np.arange(n + 1) / n
    return np.maximum(np.max(steps[1:] - pit, axis=-1), np.max(pit - steps[:-1], axis=-1))


def pit_cvm(pit):
    """Cramer-von Mises: n times the mean square distance between the two distributions; 1/6 on average if calibrated.

    Parameters, result and errors are those of `pit_ks`.
    """
    pit = _in_order(pit)
    n = pit.shape[-1]
    expected = (np.arange(n) + 0.5) / n
    return 1 / (12 * n) + np.sum((expected - pit) ** 2, axis=-1)


def pit_ad(pit):
    """Anderson-Darling statistic, which gives weight to the ends of the PIT, in the form of qp.

    Parameters
    ----------
    pit : ndarray, shape (..., n)
        Two galaxies or more.

    Returns
    -------
    float or ndarray, shape (...)
        Negative where the two agree better than two random samples.

    Raises
    ------
    ValueError
        If `pit` is empty or holds a non-finite value, or there is a single galaxy.

    Notes
    -----
    qp does not take the one-sample statistic A^2. It gives the PIT values and n equally spaced numbers from 0 to 1 to
    the two-sample test of Scholz & Stephens (1987, Eq. 7, with midranks), which treats both as random: 95 of 100
    calibrated samples stay below 0.32, and the p-values that come with it are too large. It is the same number here,
    for comparison; qp's limits of PIT for it, 0 and 1, leave no galaxy out. A PIT of exactly 0 or 1 makes A^2
    infinite, and this one not.
    """
    pit = _in_order(pit)
    n = pit.shape[-1]
    if n < 2:
        raise ValueError("the Anderson-Darling statistic of the PIT needs two galaxies or more, got 1")
    mean, deviation = 1.0, deviation_of_ad(n)
    return (np.apply_along_axis(_two_sample_ad, -1, pit) - mean) / deviation


def _two_sample_ad(pit):
    """A^2 of sorted PIT values, shape (n,), against as many equally spaced numbers."""
    n = len(pit)
    uniform = np.linspace(0, 1, n)
    starts = np.flatnonzero(np.concatenate([[True], pit[1:] != pit[:-1]]))
    values, repeats = pit[starts], np.diff(starts, append=n).astype(float)
    # How many numbers are below each value; the comparison corrects rounding errors.
    place = np.ceil(values * (n - 1)).astype(int)
    place += uniform[place] < values
    is_shared = uniform[np.minimum(place, n - 1)] == values
    below = np.cumsum(np.bincount(place, repeats, n + 1))[:n]
    alone = np.ones(n, bool)
    alone[place[is_shared]] = False
    both = _ad_terms(starts + repeats / 2, place + is_shared / 2, repeats + is_shared, n)
    return (2 * n - 1) / (2 * n) * (both + _ad_terms(below[alone], np.flatnonzero(alone) + 0.5, 1.0, n))


def _ad_terms(rank_in_first, rank_in_second, repeats, n):
    """Sum over values of the pooled sample; their midranks in two samples of n, and how often each occurs."""
    rank = rank_in_first + rank_in_second
    terms = rank_in_first - rank_in_second
    # In place: temporaries of 100,000 galaxies take longer to allocate than to fill.
    terms *= terms
    terms *= repeats
    spread = 2 * n - rank
    spread *= rank
    spread -= n / 2 * repeats
    terms /= spread
    return terms.sum()


def deviation_of_ad(n):
    """Standard deviation of A^2 of two random samples of n from one distribution (Scholz & Stephens 1987, Eq. 4)."""
    k, total, inverse_sizes = 2, 2 * n, 2 / n
    sums = np.cumsum(1 / np.arange(total - 1, 1, -1))
    h = sums[-1] + 1
    g = np.sum(sums / np.arange(2, total))
    a = (4 * g - 6) * (k - 1) + (10 - 6 * g) * inverse_sizes
    b = (2 * g - 4) * k**2 + 8 * h * k + (2 * g - 14 * h - 4) * inverse_sizes - 8 * h + 4 * g - 6
    c = (6 * h + 2 * g - 2) * k**2 + (4 * h - 4 * g + 6) * k + (2 * h - 6) * inverse_sizes + 4 * h
    d = (2 * h + 6) * k**2 - 4 * h * k
    powers = a * total**3 + b * total**2 + c * total + d
    return math.sqrt(powers / ((total - 1) * (total - 2) * (total - 3)))


def pit_outlier_rate(pit):
    """Fraction of PIT values beyond `PIT_LIMITS`, expected to be 0.0002. Tables print it in per cent.

    `pit` of shape (..., n) as for `pit_ks`, which also has the errors raised.

    Notes
    -----
    Counted directly. qp fits a parabola through 100 quantiles of the PIT, those equal to 0 and 1 left
    out, and so cannot see what happens within 0.01 of the ends: its number may differ by that, either way.
    """
    low, high = PIT_LIMITS
    pit = checked(pit, "pit")
    return np.mean((pit < low) | (pit > high), axis=-1)


def coverage(pit, levels=COVERAGE_LEVELS, group_id=None):
    """Coverage: fraction of galaxies with z_spec inside the central interval of their PDF, for several levels.

    Parameters
    ----------
    pit : ndarray, shape (n,)
    levels : sequence of float, shape (n_levels,)
        Probabilities inside; for calibrated PDFs the fraction equals the level.
    group_id : ndarray, shape (n,), optional
        Same for all copies of one parent, which do not count as independent in the error.

    Returns
    -------
    fraction, error : ndarray, shape (n_levels,)
        Fraction of galaxies, and its standard error.

    Raises
    ------
    ValueError
        If `pit` is empty or not finite, or a level is not between 0 and 1.

    Notes
    -----
    z_spec is inside the central interval if its PIT is within half the level of 1/2. The error is
    `fractions.fraction_error`, which is not 0 where none or all are inside; with groups it is that of as many
    independent galaxies as have the same variance (`group_sums.fraction_design_effect`).
    """
    pit, levels = checked(pit, "pit"), np.asarray(levels, float)
    if not np.all((levels > 0) & (levels < 1)):
        raise ValueError(f"levels of coverage are probabilities between 0 and 1, got {levels.tolist()}")
    from_middle = np.abs(pit - 0.5)
    n, n_inside = len(pit), np.searchsorted(np.sort(from_middle), levels / 2, side="right")
    group, n_groups = number_groups(group_id, n)
    effect = np.ones(len(levels))
    if n_groups < n:
        effect = np.array([fraction_design_effect(from_middle <= level / 2, group) for level in levels])
    return n_inside / n, fraction_error(n_inside / effect, n / effect)


def _in_order(pit):
    """Checked PIT values sorted along the last axis; those of a bootstrap come sorted, once for all statistics."""
    pit = checked(pit, "pit")
    return pit if np.all(pit[..., 1:] >= pit[..., :-1]) else np.sort(pit, axis=-1)
