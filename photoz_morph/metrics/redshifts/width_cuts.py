"""Scores after removing the galaxies with the widest PDFs, with errors.

`width_cuts` takes the width of each PDF and the residual and CRPS of each galaxy, and returns bias, sigma_MAD, eta and
CRPS for every fraction removed. The cut itself needs no z_spec, so it can be made on any catalogue.
"""

import numpy as np

from photoz_morph.metrics.checks import checked
from photoz_morph.metrics.fractions import fraction_error
from photoz_morph.metrics.group_sums import fraction_design_effect, mad_error, mean_error, number_groups
from photoz_morph.metrics.redshifts.point_scores import ETA_THRESHOLD, bias, eta, sigma_mad

MIN_GALAXIES = 30  # our choice: fewer have no useful error bar
PAPER_FRACTIONS = (0.1, 0.2)  # Pasquet et al. (2019), Table 2
FRACTIONS = np.linspace(0, 0.5, 26)


def width_cuts(width, residual, crps=None, fractions=FRACTIONS, group_id=None):
    """Scores after removing the galaxies with the widest PDFs.

    Parameters
    ----------
    width : ndarray, shape (n,)
        Of the central 68 % of each PDF, q84 - q16.
    residual : ndarray, shape (n,)
        Normalised residuals.
    crps : ndarray, shape (n,), optional
        Of each galaxy.
    fractions : sequence of float
        Of the galaxies that are removed, 0 to below 1. Those that would leave fewer than `MIN_GALAXIES` are left out.
    group_id : ndarray, shape (n,), optional
        Galaxies of one group may resemble each other in any way, those of two groups are independent. By default every
        galaxy is independent.

    Returns
    -------
    dict of str to ndarray, shape (n_fractions,)
        `removed` (the fraction), `n` left, `widest` of these, and `bias`, `sigma_mad`, `eta` (a fraction) and, where
        given, `crps`, each beside its standard error `bias_error` ...

    Raises
    ------
    ValueError
        If the input is empty or not finite, the lengths differ, or every fraction leaves fewer than `MIN_GALAXIES`.

    Notes
    -----
    Pasquet et al. (2019), Sec. 5 and Table 2. Errors are those of a mean, `group_sums.mad_error` for sigma_MAD, and
    for eta `fractions.fraction_error`, which is not 0 where no outlier is left, with the effective number of
    independent galaxies. They agree with a bootstrap and take a hundredth of its time. Neighbouring fractions have
    most galaxies in common.
    """
    width = checked(width, "width")
    values = {"residual": checked(residual, "residual")} | ({} if crps is None else {"crps": checked(crps, "crps")})
    for name, array in values.items():
        if array.shape != width.shape:
            raise ValueError(f"{name} has shape {array.shape}, the widths have {width.shape}")
    counts = {fraction: round(len(width) * (1 - fraction)) for fraction in fractions}
    if max(counts.values()) < MIN_GALAXIES:
        raise ValueError(
            f"{max(counts.values())} of {len(width)} galaxies would be left; scores need {MIN_GALAXIES} or more"
        )
    group, _ = number_groups(group_id, len(width))
    order = np.argsort(width, kind="stable")
    rows = []
    for fraction, n in counts.items():
        if n < MIN_GALAXIES:
            continue
        kept = order[:n]
        row = {"removed": fraction, "n": n, "widest": width[kept[-1]]} | _scores(values["residual"][kept], group[kept])
        if crps is not None:
            row |= {"crps": values["crps"][kept].mean(), "crps_error": mean_error(values["crps"][kept], group[kept])}
        rows.append(row)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _scores(residual, group):
    """Scores of point estimates and their standard errors."""
    fraction = eta(residual)
    n_independent = len(residual) / fraction_design_effect(np.abs(residual) > ETA_THRESHOLD, group)
    return {
        "bias": bias(residual),
        "bias_error": mean_error(residual, group),
        "sigma_mad": sigma_mad(residual),
        "sigma_mad_error": mad_error(residual, group),
        "eta": fraction,
        "eta_error": fraction_error(n_independent * fraction, n_independent),
    }
