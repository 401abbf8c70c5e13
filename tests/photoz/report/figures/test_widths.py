import numpy as np
import pytest

from photoz_morph.metrics.fractions import fraction_error
from photoz_morph.metrics.redshifts.width_cuts import width_cuts
from photoz_morph.photoz.report.figures.widths import coverage_figure, width_cut_figure, width_histogram
from tests.support.redshifts import widths_and_residuals


def test_width_figure_marks_the_cuts_of_the_paper():
    width, residual = widths_and_residuals(500)
    figure = width_cut_figure(width, residual, "toy")
    drawn = [axes for axes in figure.axes if axes.axison]
    assert len(drawn) == 3  # no CRPS given
    cuts = width_cuts(width, residual)
    marks = [line.get_xydata()[0] for line in drawn[0].lines if line.get_marker() == "o"]
    assert np.allclose([x for x, _ in marks], [0, 10, 20])
    assert np.allclose([y for _, y in marks], cuts["sigma_mad"][[0, 5, 10]])
    (axes,) = width_histogram(width, "toy").axes
    limits = [line.get_xdata()[0] for line in axes.lines]
    assert np.allclose(limits, np.quantile(width, [0.5, 0.9, 0.8]))


def test_coverage_figure_shows_the_difference_from_calibration():
    levels = np.linspace(0, 1, 11)
    observed = levels**0.8
    error = fraction_error(100 * observed, 100)
    upper, lower = coverage_figure(levels, observed, 2 * error, 100, "toy").axes
    (curve,) = [line for line in upper.lines if line.get_label() == "observed"]
    assert np.allclose(curve.get_ydata(), observed)
    (curve,) = [line for line in lower.lines if line.get_label() == "observed"]
    assert np.allclose(curve.get_ydata(), observed - levels)
    (band,) = lower.collections
    top = band.get_paths()[0].get_extents().y1
    assert top == pytest.approx(2 * 1.96 * 0.05, rel=1e-3)  # at the level 1/2: 0.05 for 100 galaxies, twice for groups


def test_histogram_marks_the_median_and_the_widest_tenth_and_fifth():
    width = np.linspace(0.01, 0.02, 1001)
    axes = width_histogram(width, "toy, simulated").axes[0]
    marks = {line.get_label().split(":")[0]: line.get_xdata()[0] for line in axes.lines}
    assert marks["median"] == pytest.approx(0.015)
    assert marks["widest 10 %"] == pytest.approx(0.019) and marks["widest 20 %"] == pytest.approx(0.018)
    assert axes.patches[0].get_data().values.sum() == 1001


def test_widths_beyond_the_axis_are_counted():
    width = np.append(np.full(200, 0.01), 5.0)
    axes = width_histogram(width, "toy").axes[0]
    assert "1 beyond" in [text.get_text() for text in axes.texts]


def test_coverage_band_is_that_of_binomial_noise():
    levels = np.array([0.25, 0.5, 0.75])
    error = np.sqrt((levels * 400 + 0.5) * (400 - levels * 400 + 0.5) / 401**2 / 402)  # of Jeffreys' posterior
    upper, lower = coverage_figure(levels, levels, error, 400, "toy").axes
    heights = lower.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(1.96 * 0.5 / 20, rel=0.01)
    assert upper.get_ylabel().startswith("fraction of") and lower.get_ylabel() == "observed - nominal"
