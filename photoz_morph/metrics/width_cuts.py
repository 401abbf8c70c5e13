"""Scores of the galaxies that are left when those with the widest PDFs are removed, with errors.

In go the width of each PDF and the residual and CRPS of each galaxy; out come bias, sigma_MAD, eta and CRPS for every
share removed. No z_spec is needed to make the cut, so it can be made on any catalogue.
"""

import numpy as np

from photoz_morph.metrics.photoz import bias, eta, sigma_mad
from photoz_morph.metrics.trend_lines import mad_error
from photoz_morph.metrics.trends import MIN_PER_BIN

PAPER_SHARES = (0.1, 0.2)  # Pasquet et al. (2019), Table 2
SHARES = np.linspace(0, 0.5, 26)


def width_cuts(width, residual, crps=None, shares=SHARES):
    """Scores after removing the galaxies with the widest PDFs.

    Parameters
    ----------
    width : ndarray, shape (n,)
        Of the central 68 % of each PDF, q84 - q16.
    residual : ndarray, shape (n,)
        Normalised residuals.
    crps : ndarray, shape (n,), optional
        Of each galaxy.
    shares : sequence of float
        Of the galaxies that are removed, 0 to below 1.

    Returns
    -------
    dict of str to ndarray, shape (n_shares,)
        `removed` (the share), `n` left, `widest` of these, and `bias`, `sigma_mad`, `eta` (a fraction) and, where
        given, `crps`, each beside its standard error `bias_error` ...

    Raises
    ------
    ValueError
        If the input is empty or not finite, the lengths differ, or fewer than `MIN_PER_BIN` galaxies would be left.

    Notes
    -----
    Pasquet et al. (2019), Sec. 5 and Table 2. Errors are those of a mean, `trend_lines.mad_error` for sigma_MAD, and
    for eta the standard deviation of its posterior under Jeffreys' prior, which is not 0 where no outlier is left: the
    same as of a bootstrap (a test shows it) for a hundredth of its time. Neighbouring shares have most galaxies in
    common.
    """
    width, residual = np.asarray(width, float), np.asarray(residual, float)
    values = {"residual": residual} | ({} if crps is None else {"crps": np.asarray(crps, float)})
    for name, array in (("width", width), *values.items()):
        if array.shape != width.shape or not np.all(np.isfinite(array)):
            raise ValueError(f"{name} of shape {array.shape} must be finite and of the shape of width, {width.shape}")
    counts = [round(len(width) * (1 - share)) for share in shares]
    if min(counts) < MIN_PER_BIN:
        raise ValueError(f"{min(counts)} of {len(width)} galaxies would be left; scores need {MIN_PER_BIN} or more")
    order = np.argsort(width, kind="stable")
    rows = []
    for share, n in zip(shares, counts):
        kept = order[:n]
        row = {"removed": share, "n": n, "widest": width[kept[-1]]} | _scores(residual[kept])
        if crps is not None:
            row |= {"crps": values["crps"][kept].mean(), "crps_error": values["crps"][kept].std() / np.sqrt(n)}
        rows.append(row)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _scores(residual):
    """Scores of point estimates with their standard errors."""
    n, fraction = len(residual), eta(residual)
    smoothed = (n * fraction + 0.5) / (n + 1)
    return {
        "bias": bias(residual),
        "bias_error": residual.std() / np.sqrt(n),
        "sigma_mad": sigma_mad(residual),
        "sigma_mad_error": mad_error(residual),
        "eta": fraction,
        "eta_error": np.sqrt(smoothed * (1 - smoothed) / (n + 2)),
    }
