import numpy as np
import pytest

from photoz_morph.metrics.redshifts.colour_cells import MIN_GROUPS, cell_scores, map_side, slopes_at_zero


def posterior_means(n, sigma=0.03, noise=0.02, seed=0):
    """Gaussian redshifts, their means given a noisy measurement, and the variance of the Gaussian PDF."""
    rng = np.random.default_rng(seed)
    z = 0.2 + sigma * rng.normal(size=n)
    shrunk = sigma**2 / (sigma**2 + noise**2)
    return z, 0.2 + shrunk * (z + noise * rng.normal(size=n) - 0.2), np.full(n, shrunk * noise**2)


def test_attenuation_of_a_mean_is_that_of_its_pdf_and_vanishes_against_z_phot():
    z_spec, z_phot, variance = posterior_means(20_000)
    found = cell_scores(np.repeat(np.arange(4), 5000), z_spec, z_phot, pdf_variance=variance)
    expected = -(0.02**2) / (0.03**2 + 0.02**2)
    assert np.all(np.abs(found.slope - expected) < 4 * found.slope_error)
    np.testing.assert_allclose(found.slope_of_pdfs, expected, rtol=0.1)
    assert np.all(np.abs(found.z_phot_slope) < 4 * found.z_phot_slope_error)


def test_noise_without_shrinking_is_attenuated_against_z_phot_only():
    rng = np.random.default_rng(0)
    z_spec = 0.2 + 0.03 * rng.normal(size=5000)
    found = cell_scores(np.zeros(5000, int), z_spec, z_spec + 0.02 * rng.normal(size=5000))
    assert abs(found.slope[0]) < 4 * found.slope_error[0]
    assert found.z_phot_slope[0] == pytest.approx(0.02**2 / (0.03**2 + 0.02**2), rel=0.1)
    assert np.isnan(found.slope_of_pdfs[0])


def test_bias_and_scatter_are_those_of_the_cell():
    z_spec = np.tile(np.linspace(0.1, 0.3, 100), 2)
    z_phot = z_spec + (1 + z_spec) * np.repeat([0.01, -0.02], 100)
    found = cell_scores(np.repeat([3, 7], 100), z_spec, z_phot)
    assert list(found.cell) == [3, 7] and list(found.n) == [100, 100]
    np.testing.assert_allclose(found.bias, [0.01, -0.02])
    np.testing.assert_allclose(found.slope, [0.01, -0.02])
    np.testing.assert_allclose(found.sigma_mad, 0, atol=1e-12)


def test_share_of_flat_cells_is_the_one_expected_by_chance():
    rng = np.random.default_rng(0)
    n_cells, n = 400, 60
    z_spec = 0.2 + 0.03 * rng.normal(size=n_cells * n)
    # scatter grows with redshift and has heavy tails, as that of real methods
    z_phot = z_spec + 0.01 * (z_spec / 0.2) ** 2 * rng.standard_t(4, n_cells * n)
    found = cell_scores(np.repeat(np.arange(n_cells), n), z_spec, z_phot)
    at_zero = slopes_at_zero(found.slope, found.slope_error, found.n_groups)
    assert at_zero["n_cells"] == n_cells and at_zero["expected_share"] == pytest.approx(0.95, abs=0.01)
    assert abs(at_zero["share"] - at_zero["expected_share"]) < 3 * (0.95 * 0.05 / n_cells) ** 0.5
    assert at_zero["p_value"] > 0.005


def test_steep_slopes_are_not_within_and_improbable():
    at_zero = slopes_at_zero([-0.3, -0.2, 0.01], [0.01, 0.01, 0.01], [100, 100, 100])
    assert at_zero["n_within"] == 1 and at_zero["p_value"] < 0.01
    assert at_zero["mean"] == pytest.approx(-0.49 / 3)
    assert slopes_at_zero([], [], [])["share"] is None


def test_copies_of_a_galaxy_do_not_make_slopes_more_certain():
    z_spec, z_phot, _ = posterior_means(500)
    once = cell_scores(np.zeros(500, int), z_spec, z_phot)
    five = cell_scores(np.zeros(2500, int), np.tile(z_spec, 5), np.tile(z_phot, 5), np.tile(np.arange(500), 5))
    np.testing.assert_allclose(five.slope, once.slope)
    np.testing.assert_allclose(five.slope_error, once.slope_error, rtol=0.02)
    np.testing.assert_allclose(five.bias_error, once.bias_error, rtol=1e-9)
    assert list(five.n_groups) == [500]


def test_cells_of_too_few_parents_stay_blank():
    few = MIN_GROUPS - 1
    z_spec, z_phot, _ = posterior_means(few + 200)
    cell = np.r_[np.zeros(few, int), np.ones(100, int), np.full(100, 2)]
    group = np.r_[np.arange(few), 1000 + np.arange(100) % 10, 2000 + np.arange(100)]
    assert list(cell_scores(cell, z_spec, z_phot, group).cell) == [2]
    assert len(cell_scores(cell[:few], z_spec[:few], z_phot[:few]).cell) == 0


def test_size_of_the_map_follows_the_number_of_galaxies():
    assert [map_side(n) for n in (10, 1000, 10_000, 10**7)] == [2, 3, 10, 15]


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="2 cells, 3 z_spec and 3 z_phot"):
        cell_scores(np.zeros(2, int), np.ones(3), np.ones(3))
