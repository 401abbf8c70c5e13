"""Temperatures and what they do to the calibration, as text; input is what `calibrate_run` returns."""

import numpy as np

from photoz_morph.morph.selection.calibration import TEMPERATURES
from photoz_morph.report.text import DATA_NAMES, count, markdown_table, with_error

HEADER = ("run", "depth", "temperature", "value", "predictor", "calibration error", "Brier score", "NLL [nat]")


def calibration_rows(name, calibration):
    """Rows for single networks and for the ensemble of a run at each depth and temperature, as text."""
    rows = []
    several = calibration["n_seeds"] > 1
    for domain, methods in calibration["domains"].items():
        for method, part in methods.items():
            for who, predictor in (("mean", "single networks"), ("ensemble", "ensemble"))[: 1 + several]:
                first = who == "mean"
                cells = [with_error(part[who][score]) for score in ("ece", "brier", "nll")]
                rows.append([
                    name if not rows else "", domain if first and method == "none" else "",
                    TEMPERATURES[method][0] if first else "", _value(calibration, method, who), predictor, *cells,
                ])  # fmt: skip
    return rows


def _value(calibration, method, who):
    """The temperature, of several networks the range."""
    if method == "none":
        return "1"
    found = calibration["temperatures"][method]
    if who == "ensemble":
        return f"{found['ensemble']:.2f}"
    low, high = np.min(found["seeds"]), np.max(found["seeds"])
    return f"{low:.2f}" if len(found["seeds"]) == 1 else f"{low:.2f} to {high:.2f}"


def calibration_caption(calibration):
    """What was fitted to what, and how the scores are defined."""
    return (
        f"Calibration of the class probabilities of {calibration['n_galaxies']:,} test galaxies "
        f"({DATA_NAMES[calibration['data']]}) by temperatures fitted to {calibration['n_fitted']:,} validation "
        f"galaxies; {count(calibration['n_seeds'], 'network')}. Above 1 a temperature lowers the confidence. "
        "Calibration error: in 15 equal bins of the confidence, Guo et al. (2017). Only the temperature so named uses "
        "labels of Y1: the others have those of Y10, weighted by the ratio of the densities of both depths in latent "
        "space, or TransCal (Wang et al. 2020)."
    )


def calibration_markdown(name, calibration):
    """The table of a run with its caption, as Markdown."""
    lines = [f"**{calibration_caption(calibration)}**", ""]
    return "\n".join([*lines, *markdown_table(HEADER, calibration_rows(name, calibration))]) + "\n"
