"""Compact PDFs: one byte per bin, with a chosen bound on the error of the cumulative distribution.

Column `pdf` (float32, 720 bytes per galaxy on 180 bins) becomes `pdf_code` (180 bytes, 30 to 50 in Parquet), and back.
Code k is the probability

    step k^2 / (2 knee)    up to the knee,    step (k - knee / 2)    above it,

so small probabilities have small steps; the one bin with the largest code (255, or 65535 of two bytes) holds the
remainder to 1. From both ends towards that bin, the most probable one, each bin takes over the rounding of the bins
before it: the cumulative distribution is off by half a step at most, which is the error asked for. A row without that
code has no PDF. `pdf_step`, `pdf_knee` and the formula are in the header.

Measured on PDFs of networks and k-NN of 2,000 simulated galaxies, for the same 1e-3: 100 quantiles of two bytes are off
by 1e-2, 200 by 5e-3, and square roots in one byte, without carrying the rounding over, by 1.5e-3. Probabilities below a
tenth of the error may become zero: logarithms of compact densities mean nothing.
"""

import json

import numpy as np
from astropy.table import Column

from photoz_morph.metrics.checks import scored_rows
from photoz_morph.metrics.redshifts.pdf_scores import in_slices
from photoz_morph.metrics.redshifts.point_scores import IQR_OF_GAUSSIAN, scores

SMALLEST_ERROR = 1e-5  # float32 PDFs are themselves known to 1e-6
FLOAT32_ROUNDING = 2e-7  # of the PDFs that are read back; reserved within the error asked for
KNEE = 8  # the smallest probability is an eighth of the error; larger knees give codes that compress less
FORM = "k<=knee: step*k^2/(2*knee), above: step*(k-knee/2), top code: the rest"


def compact(table, grid, max_cdf_error):
    """Predictions with `pdf_code` in place of `pdf`.

    Parameters
    ----------
    table : Table
        From `predictions_table`; not modified. The point estimates stay those of the exact PDFs.
    grid : RedshiftGrid
    max_cdf_error : float
        Largest error of the cumulative distribution, at any redshift, of any galaxy.

    Returns
    -------
    Table
        Its meta has `pdf_form`, `pdf_step`, `pdf_knee` and `cdf_err`, to which that of `table` is added.

    Raises
    ------
    ValueError
        If the error is too small for float32 PDFs, or so large that the most probable bin could vanish.
    """
    largest = 0.5 / grid.n_bins  # the most probable bin has at least 1 / n_bins, the rounding of both sides is twice it
    if not SMALLEST_ERROR <= max_cdf_error <= largest:
        raise ValueError(
            f"the largest error of a compact PDF's cumulative distribution must be between {SMALLEST_ERROR:g} and "
            f"{largest:.2g} on {grid.n_bins} bins, got {max_cdf_error:g}"
        )
    step = 2 * (max_cdf_error - FLOAT32_ROUNDING)
    # The second most probable bin has up to 1/2 and rounding; from 1e-3 on one byte reaches that far.
    reach = (0.5 + max_cdf_error) / step
    dtype = np.uint8 if reach <= 254 else np.uint16
    knee = int(min(KNEE, 2 * (np.iinfo(dtype).max - 1 - reach)))
    codes = in_slices(lambda pdf: _encode(pdf, _probabilities(step, knee, dtype), dtype), np.asarray(table["pdf"]))
    coded = table.copy(copy_data=False)
    coded["pdf"] = Column(codes, description="coded probability of each redshift bin, see pdf_form")
    coded.rename_column("pdf", "pdf_code")
    error = max_cdf_error + table.meta.get("cdf_err", 0.0)
    coded.meta = {**table.meta, "pdf_form": FORM, "pdf_step": step, "pdf_knee": knee, "cdf_err": error}
    return coded


def _probabilities(step, knee, dtype):
    """Probability of each code but the largest, float64, increasing from 0."""
    code = np.arange(np.iinfo(dtype).max, dtype=float)
    return step * np.where(code <= knee, code**2 / (2 * max(knee, 1)), code - knee / 2)


def _encode(pdf, probabilities, dtype):
    """Codes of some PDFs, shape (n, n_bins); zeros where there is none."""
    codes = np.zeros(pdf.shape, dtype)
    good = np.isfinite(pdf).all(axis=1)
    pdf = pdf[good].astype(float)
    pdf /= pdf.sum(axis=1, keepdims=True)
    mode = np.argmax(pdf, axis=1)
    halfway = (probabilities[1:] + probabilities[:-1]) / 2
    good_codes = np.zeros(pdf.shape, dtype)
    for order, comes_before in ((range(pdf.shape[1]), np.less), (reversed(range(pdf.shape[1])), np.greater)):
        rounding = np.zeros(len(pdf))
        for number in order:
            rows = np.flatnonzero(comes_before(number, mode))
            wanted = pdf[rows, number] + rounding[rows]
            code = np.searchsorted(halfway, wanted)
            good_codes[rows, number] = code
            rounding[rows] = wanted - probabilities[code]
    good_codes[np.arange(len(pdf)), mode] = np.iinfo(dtype).max
    codes[good] = good_codes
    return codes


def expand(table):
    """Predictions with `pdf` in place of `pdf_code`, float32; NaN in rows that have no PDF.

    Parameters
    ----------
    table : Table
        From `compact`, by way of a file; other tables are returned as they are.

    Returns
    -------
    Table
        Its meta keeps `cdf_err`.

    Raises
    ------
    KeyError, ValueError
        If the meta lacks the step and the knee, or the codes are not those of `compact`.
    """
    if "pdf_code" not in table.colnames:
        return table
    codes = np.asarray(table["pdf_code"])
    if codes.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"column pdf_code has type {codes.dtype}, not one or two bytes without sign")
    probabilities = np.append(_probabilities(table.meta["pdf_step"], table.meta["pdf_knee"], codes.dtype.type), 0.0)
    table["pdf_code"] = Column(in_slices(lambda part: _decode(part, probabilities), codes))
    table.rename_column("pdf_code", "pdf")
    table.meta = {key: value for key, value in table.meta.items() if key not in ("pdf_form", "pdf_step", "pdf_knee")}
    return table


def _decode(codes, probabilities):
    """PDFs of some codes; the bin of the largest code gets the remainder."""
    pdf = probabilities[codes]
    is_rest = codes == np.iinfo(codes.dtype).max
    n_rest = is_rest.sum(axis=1)
    if np.any(n_rest > 1):
        raise ValueError(f"{np.sum(n_rest > 1)} rows of column pdf_code have the largest code more than once")
    pdf[is_rest] = 1 - pdf.sum(axis=1)[n_rest == 1]
    pdf[n_rest == 0] = np.nan
    return pdf.astype(np.float32)


def edges_metadata(meta):
    """Parquet metadata of the PDF columns: the redshift edges of the bins, for readers without the grid.

    Parameters
    ----------
    meta : dict
        Of the predictions table.

    Returns
    -------
    dict of str to dict of str to str
        `field_metadata` of `system.tables.to_arrow`.
    """
    edges = np.linspace(meta["z_min"], meta["z_max"], meta["n_bins"] + 1).tolist()
    return dict.fromkeys(("pdf", "pdf_code"), {"edges": json.dumps(edges)})


def score_bounds(max_cdf_error, grid):
    """Bounds on the errors of scores that follow from that of the cumulative distribution, for any PDFs.

    Parameters
    ----------
    max_cdf_error : float
    grid : RedshiftGrid

    Returns
    -------
    dict of str to float
        Score -> bound, for redshifts that are not negative. Other scores have none: a fraction of outliers, the squares
        of a density, a quantile where the density nearly vanishes.

    Notes
    -----
    A mean is the integral of 1 - CDF, so z_phot moves by `max_cdf_error` times the length of the grid at most; a median
    of residuals by as much, an absolute deviation from it by twice that. CDF - H is at most 1 in the integral of its
    square that is the CRPS. A PIT moves by `max_cdf_error`, and so do their standard deviation and their KS distance.
    """
    shift = max_cdf_error * (grid.z_max - grid.z_min)
    return {
        "bias": shift,
        "median_bias": shift,
        "sigma_mad": 2 * 1.4826 * shift,
        "sigma_iqr": 2 * shift / IQR_OF_GAUSSIAN,
        "crps": 2 * shift,
        "pit_std": max_cdf_error,
        "pit_ks": max_cdf_error,
    }


def compact_errors(exact, compacted, grid):
    """Largest error of the cumulative distribution, and the change of every score, in the compact form.

    Parameters
    ----------
    exact, compacted : Table
        The same predictions, before and after.
    grid : RedshiftGrid

    Returns
    -------
    cdf_error : float
        Largest difference of the cumulative distributions, over galaxies and redshifts.
    score_errors : dict of str to tuple of float
        Score -> value of the exact PDFs, and compact minus exact, z_phot being the mean of each PDF; empty where no
        galaxy has both a z_spec and a PDF.
    """
    first, second = np.asarray(exact["pdf"]), np.asarray(compacted["pdf"])
    good = np.isfinite(first[:, 0])
    off = in_slices(lambda one, other: np.abs(grid.cdf(one) - grid.cdf(other)).max(axis=1), first, second)
    cdf_error = float(off[good].max(initial=0))
    scored = good & scored_rows(exact)
    if not scored.any():
        return cdf_error, {}
    z_spec = np.asarray(exact["z_spec"], float)[scored]
    before, after = (scores(z_spec, pdf[scored], grid) for pdf in (first, second))
    return cdf_error, {name: (value, after[name] - value) for name, value in before.items()}
