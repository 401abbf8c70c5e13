"""Power spectra of periodic fields, and how well restored fields follow true ones from scale to scale."""

import numpy as np

from photoz_morph.metrics.completeness import ratio
from photoz_morph.metrics.group_errors import INTERVAL, group_bootstrap


def power_spectra(fields, n_bins=16, others=None):
    """Mean power of the modes of each field in bins of wave number.

    Parameters
    ----------
    fields : ndarray, shape (n, n_pixels, n_pixels)
        Periodic.
    n_bins : int
        Bins of about equal ratios from the fundamental mode to the Nyquist frequency; fewer where these would be
        narrower than a mode.
    others : ndarray, shape (n, n_pixels, n_pixels), optional
        Fields for cross spectra with the first.

    Returns
    -------
    k : ndarray, shape (n_bins,)
        Mean wave number of the modes of each bin, in units of the fundamental mode.
    power : ndarray, shape (n, n_bins)
        Variance of a pixel per mode: P(k) over the area of a field. The mean of a field is not in it.

    Raises
    ------
    ValueError
        If the fields are no squares.
    """
    fields = np.asarray(fields)
    n = fields.shape[-1]
    if fields.ndim != 3 or fields.shape[1] != n:
        raise ValueError(f"fields have shape {fields.shape}; give (n, n_pixels, n_pixels)")
    edges = np.unique(np.round(np.geomspace(1, n // 2 + 1, n_bins + 1))) - 0.5
    k = np.hypot(np.fft.fftfreq(n, 1 / n)[:, None], np.arange(n // 2 + 1)).ravel()
    weight = np.full(k.shape, 2.0).reshape(n, -1)  # half of the modes are their mirror images
    weight[:, 0], weight[:, -1] = 1, 1 if n % 2 == 0 else 2
    bins = np.searchsorted(edges, k, side="right") - 1
    kept = (bins >= 0) & (bins < len(edges) - 1)
    weight, bins = weight.ravel()[kept], bins[kept]
    total = np.bincount(bins, weight)
    spectra = np.empty((len(fields), len(total)))
    for row, field in enumerate(fields):
        first = np.fft.rfft2(field.astype(float)).ravel()[kept]
        second = first if others is None else np.fft.rfft2(np.asarray(others[row], float)).ravel()[kept]
        spectra[row] = np.bincount(bins, weight * (first * second.conj()).real) / total / n**4
    return np.bincount(bins, weight * k[kept]) / total, spectra


def restoration_by_scale(true_fields, fields, group_id, n_bins=12, n_resamples=1000, seed=0):
    """Correlation and amplitude of restored fields against true ones, with 95 % intervals from resampled groups.

    Parameters
    ----------
    true_fields, fields : ndarray, shape (n, n_pixels, n_pixels)
    group_id : ndarray, shape (n,)
        Fields of a simulation are resampled together.
    n_bins, n_resamples, seed : int

    Returns
    -------
    dict of str to ndarray
        `k`, shape (n_bins,), in units of the fundamental mode; and of shape (n_bins, 3), as value, lower and upper end,
        `correlation`, P_te / (P_tt P_ee)^(1/2), 1 where phases are right; and `transfer`, (P_ee / P_tt)^(1/2), 1 where
        amplitudes are.
    """
    k, true = power_spectra(true_fields, n_bins)
    terms = np.stack(
        [true, power_spectra(fields, n_bins)[1], power_spectra(true_fields, n_bins, others=fields)[1]], axis=-1
    )
    resampled = group_bootstrap(_by_scale, terms, group_id, n_resamples, seed)
    ends = np.nanquantile(resampled, ((1 - INTERVAL) / 2, (1 + INTERVAL) / 2), axis=0)
    table = np.stack([_by_scale(terms.sum(axis=0)), *ends], axis=-1)
    return {"k": k, "correlation": table[:, 0], "transfer": table[:, 1]}


def _by_scale(sums):
    """Correlation and transfer of sums of P_tt, P_ee and P_te, shape (..., 2)."""
    true, estimated, cross = np.moveaxis(np.asarray(sums, float), -1, 0)
    transfer = np.sqrt(ratio(np.stack([estimated, true], axis=-1)))
    return np.stack([ratio(np.stack([cross, np.sqrt(true * estimated)], axis=-1)), transfer], axis=-1)
