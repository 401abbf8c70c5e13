import numpy as np
import pytest

from photoz_morph.photoz.report.figures.calibration import before_and_after
from tests.support.figures import steps


def test_pit_before_and_after_and_coverage_off_the_stated_are_drawn():
    rng = np.random.default_rng(1)
    before, after = rng.beta(2, 2, 4000), rng.random(4000)  # PDFs too wide, then right
    intervals = [{"stated": 0.68, "found": 0.70, "error": 0.01}, {"stated": 0.9, "found": 0.9, "error": 0.005}]
    left, right = before_and_after(before, after, intervals, "Simulated galaxies").axes
    heights = [patch.get_data().values for patch in steps(left)]
    assert heights[0][9] > 1.3 > 1.15 > heights[1].max() and heights[0].mean() == pytest.approx(1)
    curves = [line for line in right.get_lines() if len(line.get_xdata()) > 10]
    off = curves[0].get_ydata()[np.argmin(np.abs(curves[0].get_xdata() - 50))]
    # 0.6875 of a Beta(2, 2) is within a quarter of its middle.
    assert off == pytest.approx(18.75, abs=2.5) and np.abs(curves[1].get_ydata()).max() < 2.5
    points = next(line for line in right.get_lines() if line.get_marker() == "o")
    np.testing.assert_allclose(points.get_ydata(), [2, 0], atol=1e-9)
