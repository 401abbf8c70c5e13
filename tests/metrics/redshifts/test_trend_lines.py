from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.metrics.redshifts.trend_lines import NOT_FLAT
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
