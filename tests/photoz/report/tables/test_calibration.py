import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.photoz.calibration.calibrator import fit_calibrator
from photoz_morph.photoz.calibration.files import FoldCalibration
from photoz_morph.photoz.report.tables.calibration import FIT_TITLES, calibration_text, coverage_rows, fit_rows
from tests.support.miscalibrated import GRID, planted


def test_coverage_is_counted_on_the_galaxies_and_its_error_on_their_parents():
    n = 1000
    z_spec = np.zeros(n)
    columns = {"z_spec": z_spec}
    for level, share in ((68, 0.7), (90, 0.9), (95, 1.0)):
        columns[f"z_lower_{level}"] = np.where(np.arange(n) < share * n, -0.01, 0.01)
        columns[f"z_upper_{level}"] = np.full(n, 0.03)
    rows = coverage_rows(Table(columns))
    assert [row["stated"] for row in rows] == [0.68, 0.9, 0.95]
    np.testing.assert_allclose([row["found"] for row in rows], [0.7, 0.9, 1.0])
    assert rows[0]["error"] == pytest.approx(np.sqrt(0.7 * 0.3 / n), rel=0.01) and 0 < rows[2]["error"] < 2e-3
    assert rows[1]["width"] == pytest.approx(0.04)
    copies = coverage_rows(Table({**columns, "group_id": np.arange(n) // 10}))
    assert copies[0]["error"] == pytest.approx(np.sqrt(10) * rows[0]["error"], rel=0.05)


def test_what_was_fitted_is_in_aligned_columns():
    z_spec, pdf = planted(100, "shifted")
    calibrator, report, cross_fitted = fit_calibrator(pdf, z_spec, GRID)
    calibrations = {fold: FoldCalibration(calibrator, None, None, cross_fitted, z_spec, report) for fold in (0, 10)}
    rows = fit_rows(calibrations)
    assert rows[1][:3] == ["10", "100", "arithmetic"] and rows[0][4] == calibrator.pit_map.kind
    assert rows[0][5:7] == [f"{report[when]['pit_ks']:.3f}" for when in ("before", "after")]
    lines = calibration_text(calibrations).splitlines()
    assert len(lines) == 3 and len({len(line) for line in lines}) == 1
    assert all(title in lines[0] for title in FIT_TITLES)
