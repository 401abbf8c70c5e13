"""Scores from sums and histograms against those of all galaxies at once, within the errors that they state."""

import numpy as np
import pytest

from photoz_morph.metrics.redshifts.pit_tests import COVERAGE_LEVELS, coverage
from photoz_morph.metrics.redshifts.point_scores import SCORES
from photoz_morph.metrics.redshifts.score_sums import Histogram, ScoreSums

EXACT = ("bias", "eta", "crps", "pit_std", "width_68", "width_90", "cde_loss", "pit_outlier_rate")
ROUNDING = 1e-12  # of sums in another order


def galaxies(kind, n=20_000, seed=1):
    """Quantities of galaxies: calibrated ones, overconfident ones with outliers, or two exact values."""
    rng = np.random.default_rng(seed)
    residual, pit = 0.01 * rng.standard_t(3, n), rng.uniform(0, 1, n)
    if kind == "overconfident":
        residual = np.where(rng.random(n) < 0.05, rng.uniform(-0.9, 8, n), residual + 0.003)
        pit = np.where(rng.random(n) < 0.1, rng.integers(0, 2, n), rng.beta(0.6, 0.8, n))
    if kind == "repeated":
        residual, pit = np.repeat([0.0, 0.02], n // 2), np.repeat([0.25, 0.75], n // 2)
    others = {name: rng.exponential(0.02, n) for name in ("crps", "width_68", "width_90")}
    return {"residual": residual, "pit": pit, "cde_loss": rng.normal(-20, 5, n), **others}


@pytest.mark.parametrize("kind", ["calibrated", "overconfident", "repeated"])
@pytest.mark.parametrize("part_rows", [700, 20_000])
def test_scores_of_parts_are_those_of_all_galaxies_within_the_stated_errors(kind, part_rows):
    whole, sums = galaxies(kind), ScoreSums()
    for start in range(0, 20_000, part_rows):
        sums.add({name: values[start : start + part_rows] for name, values in whole.items()})
    for name, (value, error) in sums.scores().items():
        quantity, function = SCORES[name]
        expected = float(function(whole[quantity]))
        assert abs(value - expected) <= error + ROUNDING * max(1, abs(expected)), (name, value, expected, error)
        assert error == 0 or name not in EXACT, name
    np.testing.assert_allclose(sums.coverage(), coverage(whole["pit"], COVERAGE_LEVELS)[0], atol=ROUNDING)


def test_the_stated_errors_are_small_beside_those_of_a_survey():
    sums = ScoreSums()
    sums.add(galaxies("calibrated", 200_000))
    found = sums.scores()
    for name in ("median_bias", "sigma_mad", "sigma_iqr"):
        assert found[name][1] < 3e-6, name
    assert found["outlier_rate"][1] < 2e-4 and found["pit_ks"][1] < 1e-5 and found["pit_cvm"][1] < 1e-2


@pytest.mark.parametrize("values", [[0.5], [-3.0, 0.0, 80.0], [1e-9, 2e-9, 500.0]])
def test_quantiles_of_few_and_of_extreme_numbers(values):
    histogram = Histogram()
    histogram.add(np.array(values))
    value, error = histogram.quantile(0.5)
    assert abs(value - np.median(values)) <= error <= 1e-4 * max(1e-3, abs(value))
