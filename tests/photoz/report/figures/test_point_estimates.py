import numpy as np
import pytest

from photoz_morph.metrics.redshifts.point_scores import ETA_THRESHOLD
from photoz_morph.photoz.report.figures.point_estimates import (
    MIN_GALAXIES,
    bias_trends,
    binned_mean,
    residual_histogram,
    z_phot_against_z_spec,
)
from tests.support.figures import gaussian_redshifts, steps


def test_density_counts_every_galaxy_and_prints_the_scores():
    z_spec = np.array([0.05, 0.15, 0.15, 0.25, 0.3])
    z_phot = np.array([0.05, 0.15, 0.15, 0.35, 0.9])
    upper, lower = z_phot_against_z_spec(z_spec, z_phot, "toy, simulated").axes[:2]
    assert upper.collections[0].get_array().sum() == 4  # one lies beyond z_max
    text = " ".join(text.get_text() for text in upper.texts)
    assert "1 outside" in text and "n = 5" in text and r"$\eta$ = 40.00 %" in text
    assert lower.get_xlabel() and lower.get_ylabel() and upper.get_ylabel()


def test_density_cell_lies_where_the_galaxy_is():
    upper = z_phot_against_z_spec([0.1003], [0.3003], "toy").axes[0]
    mesh = upper.collections[0]
    row, column = np.argwhere(~np.ma.getmaskarray(mesh.get_array()))[0]
    assert (column, row) == (25, 75)  # cells of 0.004


def test_residual_histogram_holds_every_galaxy_and_hatches_the_outliers():
    z_spec, z_phot = gaussian_redshifts()
    residual = (z_phot - z_spec) / (1 + z_spec)
    linear, logarithmic = residual_histogram(z_spec, z_phot, "toy").axes
    bars, _, outliers = steps(logarithmic)
    assert bars.get_data().values.sum() == len(z_spec)
    hatched = outliers.get_data()
    assert outliers.get_hatch() and hatched.values.sum() == np.sum(np.abs(residual) > ETA_THRESHOLD) > 0
    inner = 0.5 * (hatched.edges[1:] + hatched.edges[:-1])
    assert hatched.values[np.abs(inner) < ETA_THRESHOLD].sum() == 0
    assert linear.get_xlabel() == logarithmic.get_xlabel() and "spec" in linear.get_xlabel()


def test_gaussian_of_residuals_has_their_number_bias_and_width():
    linear, _ = residual_histogram(*gaussian_redshifts(20_000), "toy").axes
    (curve,) = [line for line in linear.get_lines() if "Gaussian" in line.get_label()]
    x, y = curve.get_data()
    mean = np.sum(x * y) / np.sum(y)
    assert np.sum(y) == pytest.approx(20_000, rel=1e-3)
    assert mean == pytest.approx(0.002, abs=5e-4)  # three times 0.02 / sqrt(20,000)
    assert np.sqrt(np.sum((x - mean) ** 2 * y) / np.sum(y)) == pytest.approx(0.02, rel=0.05)


def test_residuals_beyond_the_axis_are_counted():
    _, logarithmic = residual_histogram(np.full(5, 0.1), [0.1, 0.1, 0.1, 0.1, 0.39], "toy").axes
    assert "1 beyond 0.15" in [text.get_text() for text in logarithmic.texts]


def test_binned_mean_is_that_of_each_bin_and_small_bins_are_left_out():
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.uniform(0, 0.1, 50), rng.uniform(0.1, 0.2, MIN_GALAXIES - 1), rng.uniform(0.2, 0.3, 70)])
    values = rng.normal(1e3, 0.01, len(x))
    centre, mean, error = binned_mean(x, values, np.linspace(0, 0.3, 4))
    for index, inside in enumerate((x < 0.1, x >= 0.2)):
        assert centre[index] == pytest.approx(x[inside].mean())
        assert mean[index] == pytest.approx(values[inside].mean())
        assert error[index] == pytest.approx(values[inside].std(ddof=1) / np.sqrt(inside.sum()), rel=1e-6)
    assert len(mean) == 2


def test_bias_is_flat_against_z_phot_and_falls_against_z_spec_for_a_shrunken_estimate():
    # E[z_spec | z_phot] = z_phot for a posterior mean, so only the trend against z_spec remains.
    rng = np.random.default_rng(5)
    z_phot = rng.normal(0.15, 0.03, 20_000)
    z_spec = z_phot + rng.normal(0, 0.02, 20_000)
    figure = bias_trends(z_spec, z_phot, "toy")
    spec, phot = ([container for container in axes.containers][0] for axes in figure.axes[:2])
    against_spec, against_phot = spec[0].get_ydata(), phot[0].get_ydata()
    assert against_spec[0] > 0.01 and against_spec[-1] < -0.01
    assert np.abs(against_phot[2:-2]).max() < 0.003
    histograms = [steps(axes)[0].get_data().values.sum() for axes in figure.axes[2:]]
    assert histograms == [20_000, 20_000]
    assert "spec" in figure.axes[0].get_xlabel() and "phot" in figure.axes[1].get_xlabel()


def test_redshifts_that_are_not_finite_are_refused():
    for figure in (residual_histogram, bias_trends):
        with pytest.raises(ValueError, match="not finite"):
            figure(np.array([0.1, np.nan]), np.array([0.1, 0.1]), "toy")
