"""Columns of the score tables and how a score is printed."""

from photoz_morph.metrics.redshifts.pit_tests import CALIBRATED_AD, CALIBRATED_CVM, CALIBRATED_KS
from photoz_morph.metrics.redshifts.point_scores import ETA_THRESHOLD, OUTLIER_SIGMA, OUTLIER_THRESHOLD
from photoz_morph.report.text import DATA_NAMES

# Column title, factor and digits of each score. The first three are Pasquet et al. (2019), Table 1.
COLUMNS = {
    "bias": ("bias", 1, 5),
    "sigma_mad": ("sigma_MAD", 1, 5),
    "eta": ("eta [%]", 100, 2),
    "crps": ("CRPS", 1, 5),
    "pit_std": ("PIT sd", 1, 4),
    "width_68": ("68 % width", 1, 4),
}
RAIL_COLUMNS = {  # point estimates as RAIL and qp score them
    "median_bias": ("median bias", 1, 5),
    "sigma_iqr": ("sigma_IQR", 1, 5),
    "outlier_rate": ("outliers [%]", 100, 2),
}
PDF_COLUMNS = {  # PDFs: as qp scores them, and their 90 % width
    "cde_loss": ("CDE loss", 1, 2),
    "pit_ks": ("PIT KS", 1, 4),
    "pit_cvm": ("PIT CvM", 1, 2),
    "pit_ad": ("PIT AD", 1, 2),
    "pit_outlier_rate": ("PIT outliers [%]", 100, 2),
    "width_90": ("90 % width", 1, 4),
}
ALL_COLUMNS = COLUMNS | RAIL_COLUMNS | PDF_COLUMNS
RAIL_NOTE = (
    "RAIL and qp differ from the paper: bias is the median of the residuals, not their mean; sigma_IQR is their "
    f"interquartile range / 1.349; an outlier is beyond max({OUTLIER_THRESHOLD}, {OUTLIER_SIGMA:g} sigma_IQR), not "
    f"{ETA_THRESHOLD}."
)
PDF_NOTE = (
    "Of 100 samples of n independent galaxies with calibrated PDFs, 95 have "
    f"PIT KS below {CALIBRATED_KS:.2f} / sqrt(n), CvM below {CALIBRATED_CVM:.2f} and AD below {CALIBRATED_AD:.2f}; CvM "
    "and AD grow with n. 0.02 % PIT outliers (below 0.0001 or above 0.9999) are expected. CDE loss: lower is better."
)


def score_text(score, column, error="error"):
    """A score as text, "value ± error", in the unit and digits of its column.

    Parameters
    ----------
    score : dict
        With `value` and the error.
    column : tuple
        Of `ALL_COLUMNS`: title, factor, digits.
    error : str
        Key of the number after the ±; without it where that is None.

    Returns
    -------
    str
    """
    _, factor, digits = column
    numbers = [score["value"]] if score[error] is None else [score["value"], score[error]]
    return " ± ".join(f"{number * factor:.{digits}f}" for number in numbers)


def error_note(scores):
    """Definition of the errors, to follow "± is the": number and unit of the resamples.

    Parameters
    ----------
    scores : dict
        From `evaluation.scores.evaluate` or `evaluation.comparison.compare`.

    Returns
    -------
    str
    """
    n_groups = scores.get("n_groups", scores["n_galaxies"])  # an earlier version resampled galaxies
    by = f" of {n_groups} parent galaxies" if n_groups < scores["n_galaxies"] else ""
    share = min([part["share_of_groups"] for part in scores.get("sampling", {}).values()] or [1.0])
    share = min(share, scores.get("share_of_groups", 1.0))
    of = f" of a random sample of the galaxies, of {share:.2g} of the groups at least," if share < 1 else ""
    return f"bootstrap error{of} ({scores['n_bootstrap']} resamples{by}; for a rate of 0, Jeffreys' error)"


def galaxies_of(scores):
    """Name of the galaxies, real or simulated, and the selection made of them."""
    choice = f": {scores['choice']}" if scores.get("choice") else ""
    return DATA_NAMES[scores["data"]] + choice
