"""Scores of photometric redshifts: those of point estimates, and the table of all scores, with those of PDFs.

Each takes point estimates, spectroscopic redshifts or binned PDFs of n galaxies and returns one number per sample. Two
conventions are given: that of Pasquet et al. (2019), Sec. 4.1, and that of qp and RAIL. Both use the residuals
(z_phot - z_spec) / (1 + z_spec), with that sign, but

- *bias* is their mean in the paper and their median in qp: here `bias` and `median_bias`;
- *scatter* is sigma_MAD in the paper, which qp has too, and sigma_IQR in the outlier cut of qp: here `sigma_mad` and
  `sigma_iqr`;
- an *outlier* is beyond 0.05 in the paper, and in qp beyond 0.06 or three sigma_IQR, whichever is larger: here `eta`
  and `outlier_rate`. The latter's limit grows with the scatter of the method, so a worse method can have fewer.

qp run in parallel compresses the residuals first and gives these numbers approximately; here they are exact.
"""

import numpy as np

from photoz_morph.metrics.checks import checked, checked_pair
from photoz_morph.metrics.fractions import fraction_error
from photoz_morph.metrics.redshifts.pdf_scores import cde_loss, crps, in_slices, interval_width, pit
from photoz_morph.metrics.redshifts.pit_tests import pit_ad, pit_cvm, pit_ks, pit_outlier_rate

ETA_THRESHOLD = 0.05  # Pasquet et al. (2019), Sec. 4.1; deep surveys often quote 0.15
OUTLIER_THRESHOLD, OUTLIER_SIGMA = 0.06, 3.0  # of qp's point_outlier_rate, after the LSST Science Book
IQR_OF_GAUSSIAN = 1.349  # interquartile range in standard deviations, as qp rounds it; others write 1.34 or 1.35
FLAT_PIT_STD = 12**-0.5  # of a uniform distribution on [0, 1]


def residuals(z_phot, z_spec):
    """Normalised redshift residuals (z_phot - z_spec) / (1 + z_spec), shape (n,)."""
    z_phot, z_spec = np.asarray(z_phot, float), np.asarray(z_spec, float)
    return (z_phot - z_spec) / (1 + z_spec)


def bias(residuals):
    """Mean normalised residual (qp and RAIL call the median "bias": `median_bias`).

    Parameters
    ----------
    residuals : ndarray, shape (..., n)

    Returns
    -------
    float or ndarray, shape (...)

    Raises
    ------
    ValueError
        If `residuals` is empty or holds a non-finite value.
    """
    return np.mean(checked(residuals, "residuals"), axis=-1)


def sigma_mad(residuals):
    """Dispersion of normalised redshift residuals, robust to outliers.

    Parameters
    ----------
    residuals : ndarray, shape (..., n)
        Dimensionless (z_phot - z_spec) / (1 + z_spec).

    Returns
    -------
    float or ndarray, shape (...)
        1.4826 times the median absolute deviation about the median.

    Raises
    ------
    ValueError
        If `residuals` is empty or holds a non-finite value.

    Notes
    -----
    Pasquet et al. (2019), Sec. 4.1. Unlike Ilbert et al. (2006), the median is subtracted.
    """
    residuals = checked(residuals, "residuals")
    deviation = np.abs(residuals - np.median(residuals, axis=-1, keepdims=True))
    return 1.4826 * np.median(deviation, axis=-1)  # 1 / Phi^-1(3/4): the standard deviation of a Gaussian


def eta(residuals, threshold=ETA_THRESHOLD):
    """Fraction of outliers, absolute residual > threshold. A fraction: tables print it in per cent.

    `residuals` of shape (..., n) as for `sigma_mad`, which also has the errors raised.
    """
    return np.mean(np.abs(checked(residuals, "residuals")) > threshold, axis=-1)


def median_bias(residuals):
    """Median normalised residual: qp's `point_bias`, blind to outliers where the mean is not.

    `residuals` of shape (..., n) as for `sigma_mad`, which also has the errors raised.
    """
    return np.median(checked(residuals, "residuals"), axis=-1)


def sigma_iqr(residuals):
    """Dispersion from the interquartile range, 1.349 standard deviations of a Gaussian: qp's `point_stats_iqr`.

    `residuals` of shape (..., n) as for `sigma_mad`, which also has the errors raised.
    """
    quarter, three_quarters = np.percentile(checked(residuals, "residuals"), [25, 75], axis=-1)
    return (three_quarters - quarter) / IQR_OF_GAUSSIAN


def outlier_rate(residuals):
    """Fraction of outliers, absolute residual > max(0.06, 3 sigma_IQR): qp's `point_outlier_rate`.

    As in qp, no bias is subtracted from the residuals, and sigma_IQR is that of the sample itself. `residuals` of shape
    (..., n) as for `sigma_mad`, which also has the errors raised.
    """
    residuals = checked(residuals, "residuals")
    limit = np.maximum(OUTLIER_THRESHOLD, OUTLIER_SIGMA * sigma_iqr(residuals))
    return np.mean(np.abs(residuals) > limit[..., None], axis=-1)


def _mean(values):
    """Mean over galaxies."""
    return np.mean(values, axis=-1)


# Each score: the quantity per galaxy that it summarises, and the function that does so along the last axis.
SCORES = {
    "bias": ("residual", bias),
    "sigma_mad": ("residual", sigma_mad),
    "eta": ("residual", eta),
    "crps": ("crps", _mean),
    "pit_std": ("pit", lambda values: np.std(values, axis=-1)),
    "width_68": ("width_68", _mean),
    "width_90": ("width_90", _mean),
    "median_bias": ("residual", median_bias),
    "sigma_iqr": ("residual", sigma_iqr),
    "outlier_rate": ("residual", outlier_rate),
    "cde_loss": ("cde_loss", _mean),
    "pit_ks": ("pit", pit_ks),
    "pit_cvm": ("pit", pit_cvm),
    "pit_ad": ("pit", pit_ad),
    "pit_outlier_rate": ("pit", pit_outlier_rate),
}
RATES = ("eta", "outlier_rate", "pit_outlier_rate")  # fractions of galaxies


def score_error(name, resampled, n_groups):
    """Standard error of a score, or of a paired difference of two, from its values in resampled data.

    Parameters
    ----------
    name : str
        Of `SCORES`.
    resampled : ndarray, shape (n_resamples,)
        From `bootstrap.bootstrap_scores`.
    n_groups : int
        Number of resampled units: galaxies, or groups of them.

    Returns
    -------
    float
        The standard deviation. Where that of a rate is 0, because no galaxy is an outlier or all are (of a difference:
        none is an outlier of one method alone), `fractions.fraction_error` of 0 in `n_groups`.
    """
    error = float(np.std(resampled, ddof=1))
    return float(fraction_error(0, n_groups)) if error == 0 and name in RATES else error


def known_scores(per_galaxy):
    """The entries of `SCORES` for which `galaxy_scores` has the quantities: of point estimates not those of PDFs."""
    return {name: entry for name, entry in SCORES.items() if entry[0] in per_galaxy}


def galaxy_scores(z_spec, pdf, grid, z_phot=None):
    """Quantities per galaxy that the scores summarise, each of shape (n,).

    They are residual, crps, cde_loss, pit, width_68 and width_90; residual alone where `pdf` is None, of point
    estimates. `z_phot` defaults to the mean of each PDF; see `scores` for the rest.
    """
    if pdf is None:
        return {"residual": checked(residuals(z_phot, checked(z_spec, "z_spec")), "z_phot")}
    z_spec, pdf = checked_pair(z_spec, pdf, grid)
    z_phot = in_slices(grid.expectation, pdf) if z_phot is None else z_phot
    return {
        "residual": checked(residuals(z_phot, z_spec), "z_phot"),
        "crps": crps(z_spec, pdf, grid),
        "cde_loss": cde_loss(z_spec, pdf, grid),
        "pit": pit(z_spec, pdf, grid),
        "width_68": interval_width(pdf, grid),
        "width_90": interval_width(pdf, grid, 0.90),
    }


def scores(z_spec, pdf, grid, z_phot=None):
    """All scores of one sample.

    Parameters
    ----------
    z_spec : ndarray, shape (n,)
        Two galaxies or more.
    pdf : ndarray, shape (n, n_bins)
    grid : RedshiftGrid
    z_phot : ndarray, shape (n,), optional
        Point estimates; the mean of each PDF by default.

    Returns
    -------
    dict
        Every name of `SCORES`: eta, outlier_rate and pit_outlier_rate as fractions, crps, cde_loss and the widths as
        means over galaxies, pit_std 0.2887 where calibrated and smaller where PDFs are too wide.

    Raises
    ------
    ValueError
        If the input is empty, not finite or of the wrong shape.
    """
    per_galaxy = galaxy_scores(z_spec, pdf, grid, z_phot)
    return {name: float(condense(per_galaxy[quantity])) for name, (quantity, condense) in SCORES.items()}
