"""Trends of a whole catalogue of predictions, tested jointly, and as tables.

Takes the columns of a predictions table and the residuals; returns `Trend`s by name, rows for `html.table`, and CSV.
"""

import csv
import io

import numpy as np

from photoz_morph.metrics.redshifts.trend_lines import FLAT, HINT, NOT_FLAT, SLOPE
from photoz_morph.metrics.redshifts.trends import LEVEL, holm_verdicts, trend
from photoz_morph.report.text import markdown_table, p_text

# Columns with one number per galaxy: name on axes and in tables, unit.
SINGLE = {
    "z_phot": (r"z_phot", ""),
    "z_spec": (r"z_spec", ""),
    "petro_r": ("dereddened r", "mag"),
    "ebv": ("E(B-V)", "mag"),
    "axis_ratio": ("axis ratio b/a", ""),
    "axis_ratio_disks": ("axis ratio b/a, disks", ""),
    "n_neighbours": ("number of neighbours", "neighbour"),
}
STATISTICS = {"bias": "mean residual", "sigma_mad": "sigma_MAD"}
HEADER = ("", "n", "slope", "sigma", "chi-square / dof", "p if flat", "finding")
CSV_COLUMNS = (
    "data", "trend", "statistic", "n", "n_groups", "n_left_out", "slope", "slope_error", "per", "p_slope", "chi_square",
    "n_dof", "p_flat", "finding",
)  # fmt: skip


def catalogue_trends(columns, residual, bands, magnitude=None):
    """Trends of bias and sigma_MAD with every property of the galaxies in a predictions table.

    Parameters
    ----------
    columns : Table or dict of str to ndarray
        Of `z_phot`, `z_spec`, `petro_r`, `ebv`, `axis_ratio` (with `is_early`: of disks alone, too), `n_neighbours` of
        shape (n,) and `snr`, `psf_fwhm` of shape (n, n_bands), those that hold a finite value are used. Galaxies that
        share a `group_id` are not counted as independent.
    residual : ndarray, shape (n,)
        Normalised residuals.
    bands : sequence of str
        Names of the bands, in the order of the columns' last axis.
    magnitude : (ndarray, shape (n,); str), optional
        Dereddened magnitudes and their band, used where there is no `petro_r`.

    Returns
    -------
    dict of str to Trend
        By column; `mag_V` of another magnitude; `axis_ratio_disks`; `snr_u` ...; `psf_fwhm_u` ...; and the differences
        of neighbouring bands, `psf_fwhm_u-g` ... Verdicts allow for the number of all of these together, see
        `trends.holm_verdicts`.

    Notes
    -----
    Pasquet et al. (2019), Figs. 8, 11 and C.1. Against z_spec the mean of a PDF has a slope for any method.
    """
    residual = np.asarray(residual, float)
    groups = np.asarray(columns["group_id"]) if "group_id" in columns.keys() else np.arange(len(residual))
    found = {}
    for key, (x, label, unit, is_log) in _quantities(columns, bands, magnitude).items():
        chosen = np.asarray(columns["is_early"]) == 0 if key == "axis_ratio_disks" else np.ones(len(x), bool)
        if np.isfinite(x[chosen]).any():  # a column of NaN is missing in the dataset
            found[key] = trend(x[chosen], residual[chosen], label, unit, is_log, group_id=groups[chosen])
    return dict(zip(found, holm_verdicts(list(found.values()))))


def _quantities(columns, bands, magnitude):
    """Values of all galaxies, name, unit and whether in log10, by the key of the trend."""
    there = {name: np.asarray(columns[name], float) for name in columns.keys() if name in (*SINGLE, "snr", "psf_fwhm")}
    if "axis_ratio" in there and "is_early" in columns.keys():
        there["axis_ratio_disks"] = there["axis_ratio"]
    wanted = {name: (there[name], *SINGLE[name], False) for name in SINGLE if name in there}
    if magnitude is not None and not np.isfinite(there.get("petro_r", np.nan)).any():
        wanted[f"mag_{magnitude[1]}"] = np.asarray(magnitude[0], float), f"dereddened {magnitude[1]}", "mag", False
    for index, band in enumerate(bands if "snr" in there else ()):
        wanted[f"snr_{band}"] = there["snr"][:, index], f"S/N in {band}", "", True
    for index, band in enumerate(bands if "psf_fwhm" in there else ()):
        wanted[f"psf_fwhm_{band}"] = there["psf_fwhm"][:, index], f"PSF FWHM in {band}", "arcsec", False
    for index, pair in enumerate(zip(bands, bands[1:]) if "psf_fwhm" in there else ()):
        difference = there["psf_fwhm"][:, index] - there["psf_fwhm"][:, index + 1]
        wanted[f"psf_fwhm_{'-'.join(pair)}"] = difference, f"PSF FWHM {' - '.join(pair)}", "arcsec", False
    return wanted


def slope_text(line):
    """Slope of a `Line` with its error and unit, two digits of the error."""
    n_digits = int(np.clip(1 - np.floor(np.log10(line.slope_error)), 0, 9)) if line.slope_error > 0 else 3
    return f"{line.slope:+.{n_digits}f} ± {line.slope_error:.{n_digits}f} per {line.per}"


def verdict(line):
    """Finding of a `Line` with its numbers."""
    slope, sigmas = slope_text(line), f"{abs(line.slope_sigmas):.1f} sigma"
    chi_square = f"chi-square {line.chi_square:.0f} for {line.n_dof}, {p_text(line.p_flat, 'p')}"
    if line.finding == FLAT:
        return f"{FLAT} (slope {slope}, {sigmas})"
    if line.finding == SLOPE:
        return f"slope {slope} ({sigmas})"
    if line.finding == NOT_FLAT:
        return f"{NOT_FLAT} ({chi_square}), but no straight slope"
    if line.finding == HINT:
        reason = f"slope {slope}, {sigmas}" if line.p_slope <= line.p_flat else chi_square
        return f"hint ({reason}), within chance for so many trends"
    return line.finding


def trend_rows(trends, statistic="bias"):
    """Header and rows of a table of trends, as text for `html.table`.

    Parameters
    ----------
    trends : dict of str to Trend
    statistic : str
        "bias" or "sigma_mad".

    Returns
    -------
    header : tuple of str
    rows : list of list of str
        Name, galaxies, slope with its error and unit, slope over error, chi-square, its p-value, finding.
    """
    rows = []
    for found in trends.values():
        line = getattr(found, statistic)
        numbers = ["-"] * 4
        if np.isfinite(line.slope):
            chi_square = f"{line.chi_square:.1f} / {line.n_dof}"
            numbers = [slope_text(line), f"{line.slope_sigmas:+.1f}", chi_square, p_text(line.p_flat)]
        rows.append([found.name, f"{found.n:,}", *numbers, line.finding])
    return HEADER, rows


def trends_markdown(trends):
    """Tables of the trends of the mean residual and of sigma_MAD in Markdown, "" without trends.

    Parameters
    ----------
    trends : dict of str to Trend
        From `catalogue_trends`.
    """
    lines = []
    for statistic, name in STATISTICS.items() if trends else ():
        lines += [f"**Trends of the {name}**" if statistic == "bias" else f"**Trends of {name}**", ""]
        lines += [*markdown_table(*trend_rows(trends, statistic)), ""]
    if lines:
        lines.append(f"Verdicts hold jointly at {100 * LEVEL:g} %: {2 * len(trends)} tests, Holm (1979).")
    return "\n".join(lines) + "\n" * bool(lines)


def trend_numbers(trends):
    """Trends for the file of scores: name -> statistic -> slope, error, p-values and finding; None for NaN.

    Parameters
    ----------
    trends : dict of str to Trend
        From `catalogue_trends`.
    """
    return {
        key: {"n": found.n} | {statistic: _line_numbers(getattr(found, statistic)) for statistic in STATISTICS}
        for key, found in trends.items()
    }


def _line_numbers(line):
    """Numbers of a `Line`."""
    numbers = {name: float(getattr(line, name)) for name in ("slope", "slope_error", "p_slope", "chi_square", "p_flat")}
    numbers = {name: value if np.isfinite(value) else None for name, value in numbers.items()}
    return {**numbers, "n_dof": line.n_dof, "per": line.per, "finding": line.finding}


def trends_csv(trends, data):
    """All trends of both statistics as CSV with the columns `CSV_COLUMNS`; `data` is "simulated" or "real"."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for key, found in trends.items():
        for statistic in STATISTICS:
            line = getattr(found, statistic)
            numbers = [line.slope, line.slope_error, line.per, line.p_slope, line.chi_square, line.n_dof, line.p_flat]
            numbers = [f"{value:.6g}" if isinstance(value, float) else value for value in numbers]
            size = [found.n, found.n_groups, found.n_left_out]
            writer.writerow([data, key, statistic, *size, *numbers, line.finding])
    return text.getvalue()
