"""Pooling of the PDFs of an ensemble's members, and the temperature of a PDF.

The arithmetic mean of calibrated PDFs is too wide where the members disagree, the geometric and the harmonic mean are
narrower: which one is best is for galaxies that were not trained on to say.
"""

import numpy as np
from scipy.optimize import minimize_scalar

from photoz_morph.metrics.checks import checked
from photoz_morph.metrics.redshifts.pdf_scores import crps

POOLINGS = ("arithmetic", "geometric", "harmonic")
FLOOR = 1e-12  # of a probability in a logarithm or quotient; a float32 softmax gives exact zeros
TEMPERATURE_SIGMA = 0.3  # of ln T before any galaxy is seen; our choice
MAX_LOG_TEMPERATURE = 1.5
MIN_GAIN = 1.0  # of ln likelihood for one more parameter (Akaike 1974)


def pooled(member_pdf, pooling):
    """One PDF of those of the members.

    Parameters
    ----------
    member_pdf : ndarray, shape (n_members, n, n_bins)
    pooling : {"arithmetic", "geometric", "harmonic"}
        Mean of the members in each bin, before the bins are made to sum to one.

    Returns
    -------
    ndarray, shape (n, n_bins), float64
        NaN where a member's PDF is.

    Raises
    ------
    ValueError
        If there is no such pooling.
    """
    member_pdf = np.asarray(member_pdf, float)
    if pooling == "arithmetic":
        pdf = member_pdf.mean(axis=0)
    elif pooling == "geometric":
        pdf = np.exp(np.log(np.maximum(member_pdf, FLOOR)).mean(axis=0))
    elif pooling == "harmonic":
        pdf = 1 / (1 / np.maximum(member_pdf, FLOOR)).mean(axis=0)
    else:
        raise ValueError(f"pooling is {pooling!r}, not one of {', '.join(POOLINGS)}")
    return pdf / pdf.sum(axis=-1, keepdims=True)


def tempered(pdf, temperature):
    """PDFs to the power 1 / T: wider for a temperature above 1, narrower below; shape (n, n_bins)."""
    pdf = np.asarray(pdf, float)
    if temperature == 1:
        return pdf
    powers = pdf ** (1 / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


def log_scores(z_spec, pdf, grid):
    """Logarithm of the probability that each PDF gives to the bin of z_spec, shape (n,); not below that of `FLOOR`.

    Parameters
    ----------
    z_spec : ndarray, shape (n,)
    pdf : ndarray, shape (n, n_bins)
    grid : RedshiftGrid

    Raises
    ------
    ValueError
        If a redshift is not on the grid, or the input is not finite.
    """
    z_spec = checked(z_spec, "z_spec")
    return np.log(np.maximum(pdf[np.arange(len(pdf)), grid.bin_index(z_spec)], FLOOR))


def fit_temperature(pdf, z_spec, grid):
    """Temperature that makes the redshifts of some galaxies most probable.

    Parameters
    ----------
    pdf : ndarray, shape (n, n_bins)
    z_spec : ndarray, shape (n,)
    grid : RedshiftGrid

    Returns
    -------
    float
        Maximum of the posterior for a Gaussian prior of ln T about 0; exactly 1 if that is not more probable by
        `MIN_GAIN`, so that calibrated PDFs stay as they are.

    Notes
    -----
    Guo et al. (2017), Sec. 4.2: the logits are divided by T.
    """

    def loss(log_temperature):
        scores = log_scores(z_spec, tempered(pdf, np.exp(log_temperature)), grid)
        return 0.5 * (log_temperature / TEMPERATURE_SIGMA) ** 2 - scores.sum()

    bounds = (-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE)
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x)) if loss(0.0) - found.fun > MIN_GAIN else 1.0


def choose_pooling(member_pdf, z_spec, grid):
    """Pooling with the lowest CRPS after its own temperature, and the scores of all.

    Parameters
    ----------
    member_pdf : ndarray, shape (n_members, n, n_bins)
    z_spec : ndarray, shape (n,)
    grid : RedshiftGrid

    Returns
    -------
    pooling : str
    scores : dict of str to dict
        `crps`, `log_score`, as pooled and `..._tempered`, and `temperature` of each pooling.
    """
    scores = {}
    for pooling in POOLINGS if len(member_pdf) > 1 else POOLINGS[:1]:
        pdf = pooled(member_pdf, pooling)
        temperature = fit_temperature(pdf, z_spec, grid)
        scores[pooling] = {"temperature": temperature}
        for suffix, values in (("", pdf), ("_tempered", tempered(pdf, temperature))):
            scores[pooling][f"crps{suffix}"] = float(crps(z_spec, values, grid).mean())
            scores[pooling][f"log_score{suffix}"] = float(log_scores(z_spec, values, grid).mean())
    return min(scores, key=lambda pooling: scores[pooling]["crps_tempered"]), scores
