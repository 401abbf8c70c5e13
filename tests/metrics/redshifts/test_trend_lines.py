from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.metrics.redshifts.trend_lines import (
    FLAT,
    HINT,
    NOT_FLAT,
    SLOPE,
    bias_line,
    finding,
    no_line,
    sigma_mad_line,
)
from photoz_morph.metrics.redshifts.trends import trend
from photoz_morph.photoz.report.tables.trends import verdict
from tests.support.redshifts import copies, dust, residuals


def test_planted_slope_is_recovered_within_its_error():
    pulls = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        x = dust(1500, rng)
        # Scatter that grows with x: the error of ordinary least squares would be too small here.
        line = trend(x, 0.05 * x + residuals(1500, rng) * (1 + 5 * x), unit="mag").bias
        pulls.append((line.slope - 0.05) / line.slope_error)
    assert abs(np.mean(pulls)) < 3 / np.sqrt(150)
    assert 0.85 < np.std(pulls) < 1.15  # 0.058 is the error of a standard deviation of 150


def test_planted_slope_of_the_scatter_is_recovered_within_its_error():
    pulls = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        x = rng.uniform(0, 1, 2000)
        line = trend(x, (0.012 + 0.004 * x) * rng.normal(size=2000)).sigma_mad
        pulls.append((line.slope - 0.004) / line.slope_error)
    assert abs(np.mean(pulls)) < 0.4 and 0.75 < np.std(pulls) < 1.25  # 3 errors


def test_a_bend_without_slope_is_not_flat():
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, 20_000)
    line = trend(x, 0.004 * x**2 + rng.normal(0, 0.012, 20_000)).bias
    assert line.finding == NOT_FLAT and verdict(line).startswith("not flat (chi-square ")
    assert "p < 0.0001" in verdict(replace(line, p_flat=0.0))


def test_residuals_without_scatter_are_not_tested():
    assert trend(np.arange(100.0), np.zeros(100)).bias.finding == "no scatter to compare with"


def test_errors_of_copies_that_are_all_alike_are_those_of_one_of_each():
    rng = np.random.default_rng(22)
    x, residual = rng.uniform(0, 1, 1000), residuals(1000, rng)
    alone, copied = trend(x, residual), trend(*np.repeat([x, residual], 3, axis=1), group_id=np.repeat(range(1000), 3))
    assert (copied.n, copied.n_groups, alone.n_groups) == (3000, 1000, 1000)
    for field in ("slope", "slope_error", "chi_square", "p_slope", "p_flat"):
        assert getattr(copied.bias, field) == pytest.approx(getattr(alone.bias, field))
    assert copied.bias.at_pivot_error == pytest.approx(alone.bias.at_pivot_error, rel=3e-3)  # leverage of one of three
    assert copied.bias.errors == pytest.approx(alone.bias.errors)
    # The density at the median, for sigma_MAD, is counted within a distance that shrinks with n.
    assert copied.sigma_mad.errors == pytest.approx(alone.sigma_mad.errors, rel=0.15)
    assert copied.sigma_mad.slope_error == pytest.approx(alone.sigma_mad.slope_error, rel=0.15)


def test_slope_error_of_groups_is_the_jackknife():
    rng = np.random.default_rng(23)
    group, values = copies(60, rng)
    x = rng.normal(size=len(group))
    slope = np.polyfit(x, values, 1)[0]
    without = [np.polyfit(x[group != g], values[group != g], 1)[0] for g in range(60)]
    assert trend(x, values, group_id=group).bias.slope_error == pytest.approx(np.sqrt(np.sum((without - slope) ** 2)))


def test_error_at_the_pivot_is_the_jackknife_where_one_galaxy_has_leverage():
    rng = np.random.default_rng(41)
    x, residual = np.sort(np.append(rng.normal(size=89), 40.0)), rng.normal(0, 0.01, 90)
    residual[-1] += 0.05
    line = bias_line(x, np.split(residual, 3), np.arange(90), "mag")
    kept = [np.arange(90) != number for number in range(90)]
    at_pivot = np.array([np.polyval(np.polyfit(x[rows], residual[rows], 1), x.mean()) for rows in kept])
    assert line.at_pivot_error == pytest.approx(np.sqrt(np.sum((at_pivot - at_pivot.mean()) ** 2)), rel=1e-6)


def test_lines_are_the_least_squares_ones():
    rng = np.random.default_rng(30)
    x = np.sort(rng.uniform(0, 1, 900))
    residual = 0.02 * x + rng.normal(0, 0.01, 900)
    line = bias_line(x, np.split(residual, 3), np.arange(900), "mag")
    slope, offset = np.polyfit(x, residual, 1)
    assert line.slope == pytest.approx(slope)
    assert line.at(0.3)[0] == pytest.approx(offset + 0.3 * slope)
    assert line.at(x.mean())[1] == pytest.approx(residual.std() / 30, rel=0.2)
    centres = np.array([part.mean() for part in np.split(x, 3)])
    scatter = sigma_mad_line(centres, np.split(residual, 3), np.arange(900), "mag")
    assert scatter.slope == pytest.approx(np.polyfit(centres, scatter.values, 1)[0])


def test_the_smaller_p_value_counts_twice_and_decides_what_is_found():
    line = replace(no_line("mag"), slope=1.0, slope_error=0.5, p_slope=0.004, p_flat=0.2)
    assert line.p_value == pytest.approx(0.008) and line.slope_sigmas == 2
    assert finding(line, 0.01) == SLOPE
    assert finding(line, 0.005) == FLAT and finding(line, 0.005, alone=0.01) == HINT
    assert finding(replace(line, p_slope=0.2, p_flat=0.004), 0.01) == NOT_FLAT
    assert replace(line, p_slope=0.9, p_flat=0.8).p_value == 1


def test_the_error_grows_away_from_the_pivot():
    line = replace(no_line("mag"), slope=2.0, slope_error=0.3, pivot=1.0, at_pivot=5.0, at_pivot_error=0.4)
    value, error = line.at([1.0, 2.0])
    assert value.tolist() == [5, 7] and error == pytest.approx([0.4, 0.5])
