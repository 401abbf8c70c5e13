"""The section of the report on calibration."""

import numpy as np
import pytest

from photoz_morph.photoz.calibration.quality import BITS
from photoz_morph.photoz.predictions import CALIBRATED
from photoz_morph.photoz.report import calibration
from tests.support.pages import Page
from tests.support.reports import GRID, photoz_predictions, photoz_run, report_text


def calibrated_predictions():
    """Toy predictions with the columns of calibrated ones."""
    table = photoz_predictions()
    pdf, z_spec = np.asarray(table["pdf"]), np.asarray(table["z_spec"], float)
    for level in (68, 90, 95):
        table[f"z_lower_{level}"] = GRID.quantile(pdf, 0.5 - level / 200)
        table[f"z_upper_{level}"] = GRID.quantile(pdf, 0.5 + level / 200)
    table["ood_score"], table["quality"] = 0.5, np.zeros(len(table), np.int32)
    table["quality"][:7] = BITS["wide"] | BITS["frame_edge"]
    table["pit_uncalibrated"] = GRID.cdf_at(pdf, z_spec) ** 2
    assert set(CALIBRATED) <= set(table.colnames)
    return table


def test_a_run_without_calibration_is_told_how_to_get_one(plain):
    run, text = plain
    assert f"not calibrated: see photoz calibrate {run}" in Page(text).visible


def test_coverage_flags_and_what_was_fitted_are_in_the_report(tmp_path, undrawn, monkeypatch):
    run = photoz_run(tmp_path / "run", calibrated_predictions())
    monkeypatch.setattr(calibration, "run_calibrations", lambda *_: {0: None})
    monkeypatch.setattr(calibration, "fit_rows", lambda found: [["fold 0 of the fits"] * 11])
    page = Page(report_text(run)).visible
    assert "that of the members, pooled and calibrated, on 180 bins" in page
    table, n = calibrated_predictions(), 300
    inside = (table["z_lower_90"] <= table["z_spec"]) & (table["z_spec"] <= table["z_upper_90"])
    assert f"{100 * inside.mean():.2f} ±" in page and "fold 0 of the fits" in page
    assert "32: the outermost row or column of pixels of a band is constant" in page and f"of the {n} test" in page
    assert "4: ood_score above 1" not in page  # no galaxy has it


@pytest.mark.parametrize("error", [None, "was fitted to 5 networks"])
def test_predictions_whose_calibration_is_gone_say_so(tmp_path, undrawn, monkeypatch, error):
    run = photoz_run(tmp_path / "run", calibrated_predictions())

    def refuse(*_):
        raise ValueError(error)

    if error:
        monkeypatch.setattr(calibration, "run_calibrations", refuse)
    page = Page(report_text(run)).visible
    assert f"The calibration of these predictions is not there: {error or run}" in page
