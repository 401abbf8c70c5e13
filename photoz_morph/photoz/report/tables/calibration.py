"""Tables of the calibration of a run: what was fitted to each fold, and the coverage of its conformal intervals."""

import numpy as np

from photoz_morph.metrics.fractions import fraction_error
from photoz_morph.metrics.group_sums import fraction_design_effect, number_groups
from photoz_morph.photoz.calibration.conformal import LEVELS, bound_names

FIT_TITLES = (
    "fold", "galaxies", "pooling", "temperature", "map", "KS before", "KS after", "CRPS before", "CRPS after",
    "bias before", "bias after",
)  # fmt: skip


def fit_rows(calibrations):
    """Rows of text of what was fitted to each fold; scores are those of the galaxies it was fitted to, cross-fitted.

    Parameters
    ----------
    calibrations : dict of int to FoldCalibration

    Returns
    -------
    list of list of str
        Under `FIT_TITLES`.
    """
    rows = []
    for fold, calibration in calibrations.items():
        calibrator, facts = calibration.calibrator, calibration.facts
        row = [str(fold), str(facts["n_galaxies"]), calibrator.pooling, f"{calibrator.temperature:.3f}"]
        row.append(calibrator.pit_map.kind)
        for score, form in (("pit_ks", "{:.3f}"), ("crps", "{:.5f}"), ("bias", "{:+.5f}")):
            row += [form.format(facts[when][score]) for when in ("before", "after")]
        rows.append(row)
    return rows


def calibration_text(calibrations):
    """The table of `fit_rows` in aligned columns."""
    lines = [FIT_TITLES, *fit_rows(calibrations)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in lines)


def coverage_rows(table):
    """Stated and found coverage of the conformal intervals of test galaxies, and their median width.

    Parameters
    ----------
    table : Table
        Predictions of galaxies with a z_spec, with the columns of the intervals.

    Returns
    -------
    list of dict
        `stated`, `found`, `error` (standard error; copies of a galaxy do not count as independent) and `width`.
    """
    z_spec, rows = np.asarray(table["z_spec"], float), []
    group, n_groups = number_groups(table["group_id"] if "group_id" in table.colnames else None, len(table))
    for level in LEVELS:
        lower, upper = (np.asarray(table[name], float) for name in bound_names(level))
        inside = (lower <= z_spec) & (z_spec <= upper)
        effect = fraction_design_effect(inside, group) if n_groups < len(table) else 1.0
        error = fraction_error(np.array([inside.sum() / effect]), len(table) / effect)[0]
        width = float(np.median(upper - lower))
        rows.append({"stated": level, "found": float(inside.mean()), "error": float(error), "width": width})
    return rows
