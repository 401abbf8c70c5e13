import numpy as np
import pytest

from photoz_morph.photoz.calibration.conformal import bound_names, conformal_bounds, conformal_radius
from tests.support.miscalibrated import GRID, planted


def test_the_radius_is_the_order_statistic_of_split_conformal_prediction():
    pit = 0.5 + np.array([0.1, -0.2, 0.3, -0.4, 0.05, 0.25, -0.35, 0.15, 0.45])
    # ceil((9 + 1) 0.8) = 8 of 9 sorted distances
    assert conformal_radius(pit, 0.8) == pytest.approx(0.4)
    assert conformal_radius(pit, 0.95) == 0.5  # ten galaxies cannot tell


@pytest.mark.parametrize("level", [0.68, 0.9, 0.95])
def test_intervals_hold_the_stated_share_of_new_galaxies_whatever_the_pdfs_are(level):
    found = []
    for seed in range(40):
        z_spec, pdf = planted(400, "narrow", seed)
        radius = conformal_radius(GRID.cdf_at(pdf[:200], z_spec[:200]), level)
        lower, upper = conformal_bounds(pdf[200:], GRID, {level: radius}).values()
        found.append(np.mean((lower <= z_spec[200:]) & (z_spec[200:] <= upper)))
    # Each holds `level` on average over samples; its error from 200 galaxies to fit and 200 to test, 40 times.
    error = np.sqrt(2 * level * (1 - level) / 200 / 40)
    assert level - 3 * error < np.mean(found) < level + 1 / 200 + 3 * error


def test_weights_give_the_coverage_of_a_sample_with_another_redshift_distribution():
    u = np.concatenate([GRID.cdf_at(pdf, z_spec) for z_spec, pdf in (planted(4000), planted(4000, "narrow"))])
    weights = np.repeat([1.0, 4.0], 4000)
    copies = np.repeat(u, weights.astype(int))
    assert conformal_radius(u, 0.9, weights) == pytest.approx(conformal_radius(copies, 0.9), abs=1e-3)
    assert conformal_radius(u, 0.9, 7 * weights) == conformal_radius(u, 0.9, weights)
    assert abs(conformal_radius(u, 0.9, weights) - conformal_radius(u, 0.9)) > 0.005


def test_bounds_of_a_pdf_are_its_quantiles():
    _, pdf = planted(5)
    pdf[2] = np.nan
    bounds = conformal_bounds(pdf, GRID, {0.68: 0.34})
    assert list(bounds) == list(bound_names(0.68)) == ["z_lower_68", "z_upper_68"]
    np.testing.assert_allclose(bounds["z_lower_68"], GRID.quantile(pdf, 0.16))
    assert np.isnan(bounds["z_upper_68"][2])


def test_what_has_no_quantile_is_refused():
    with pytest.raises(ValueError, match="pit is empty"):
        conformal_radius([], 0.9)
    with pytest.raises(ValueError, match="a coverage is between 0 and 1, got 68"):
        conformal_radius([0.5], 68)
