import numpy as np
import pytest
from scipy import stats

from photoz_morph.metrics import photoz as metrics
from photoz_morph.redshift_grid import RedshiftGrid

SMALL = RedshiftGrid(0.0, 0.4, 4)  # bins of 0.1


def test_residuals_are_divided_by_one_plus_z_spec():
    np.testing.assert_allclose(metrics.residuals([0.3, 0.1], [0.2, 0.25]), [0.1 / 1.2, -0.15 / 1.25])


def test_sigma_mad_subtracts_the_median():
    # Median 3, deviations 2 1 0 1 97, their median 1.
    assert metrics.sigma_mad([1, 2, 3, 4, 100]) == pytest.approx(1.4826)


def test_sigma_mad_agrees_with_scipy():
    values = np.random.default_rng(0).standard_t(3, 1001)
    # scipy divides by Phi^-1(3/4) itself, of which 1.4826 is the rounded inverse.
    assert metrics.sigma_mad(values) == pytest.approx(stats.median_abs_deviation(values, scale="normal"), rel=1e-5)


def test_eta_is_the_fraction_strictly_beyond_the_threshold():
    assert metrics.eta([0.0, 0.05, -0.05, 0.06, -0.07]) == pytest.approx(0.4)
    assert metrics.eta([0.0, 0.1, 0.2], threshold=0.15) == pytest.approx(1 / 3)


def test_bias_is_the_mean_and_not_the_median():
    assert metrics.bias([0.0, 0.0, 0.3]) == pytest.approx(0.1)


@pytest.mark.parametrize("score", [metrics.bias, metrics.sigma_mad, metrics.eta])
def test_empty_and_non_finite_residuals_are_refused(score):
    with pytest.raises(ValueError, match="empty"):
        score([])
    with pytest.raises(ValueError, match="2 of 3 values are not finite"):
        score([0.1, np.nan, np.inf])


def test_flagged_pdf_or_wrong_width_is_refused():
    with pytest.raises(ValueError, match="1 of 2 rows are not finite"):
        metrics.crps([0.1, 0.1], [[0.25] * 4, [np.nan] * 4], SMALL)
    with pytest.raises(ValueError, match=r"the grid needs \(n, 4\)"):
        metrics.pit([0.1], [[0.2] * 5], SMALL)
    with pytest.raises(ValueError, match="z_spec has shape"):
        metrics.pit([0.1, 0.2], [[0.25] * 4], SMALL)
    with pytest.raises(ValueError, match="between 0 and 1"):
        metrics.interval_width([[0.25] * 4], SMALL, level=68)


def test_pit_of_the_true_distribution_is_flat():
    grid, rng, n = RedshiftGrid(), np.random.default_rng(3), 20_000
    centre, sigma = rng.uniform(0.1, 0.3, n), rng.uniform(0.005, 0.02, n)
    pdf = np.diff(stats.norm.cdf(grid.edges, centre[:, None], sigma[:, None]), axis=1)
    values = metrics.pit(rng.normal(centre, sigma), pdf, grid)
    assert stats.kstest(values, "uniform").pvalue > 0.01
    assert values.std() == pytest.approx(metrics.FLAT_PIT_STD, abs=5e-3)  # 5 standard errors of the deviation


def test_too_wide_pdfs_narrow_the_pit():
    grid, rng, n = RedshiftGrid(), np.random.default_rng(4), 5_000
    centre = rng.uniform(0.1, 0.3, n)
    pdf = np.diff(stats.norm.cdf(grid.edges, centre[:, None], 0.02), axis=1)
    assert metrics.pit(rng.normal(centre, 0.01), pdf, grid).std() < 0.2


def test_crps_of_one_bin_at_its_midpoint_is_a_twelfth_of_its_width():
    # CDF - H is a sawtooth of height 1/2: 2 x integral of t^2 over half a bin = width / 12.
    np.testing.assert_allclose(metrics.crps([0.15], [[0, 1, 0, 0]], SMALL), [0.1 / 12])


def test_crps_of_one_far_bin_is_the_distance_less_a_sixth_of_its_width():
    # E|X - z| - E|X - X'| / 2 with X uniform in the bin (Gneiting & Raftery 2007).
    z_spec = np.array([0.05, 0.4, 0.55, -0.2])
    pdf = np.tile([0, 1.0, 0, 0], (4, 1))
    np.testing.assert_allclose(metrics.crps(z_spec, pdf, SMALL), np.abs(z_spec - 0.15) - 0.1 / 6)


def test_crps_of_a_delta_is_the_absolute_error():
    grid, z_spec = RedshiftGrid(0, 0.4, 40_000), np.array([0.05, 0.2, 0.39])
    pdf = np.zeros((3, grid.n_bins))
    pdf[:, grid.bin_index([0.1])] = 1
    np.testing.assert_allclose(metrics.crps(z_spec, pdf, grid), np.abs(z_spec - 0.1), atol=grid.width)


def test_crps_agrees_with_brute_force_integration():
    grid, rng = RedshiftGrid(), np.random.default_rng(5)
    pdf = rng.dirichlet(np.full(180, 0.3), size=8)
    z_spec = np.array([-0.03, 0.0, 1e-4, 0.1, 0.2, 0.31, 0.4, 0.45])
    z = np.linspace(-0.1, 0.5, 600_001)
    for row, truth, value in zip(pdf, z_spec, metrics.crps(z_spec, pdf, grid)):
        cdf = stats.rv_histogram((row, grid.edges), density=False).cdf(z)
        assert value == pytest.approx(np.trapezoid((cdf - (z >= truth)) ** 2, z), abs=2e-6)  # one step of z


def test_crps_does_not_depend_on_how_galaxies_are_sliced(monkeypatch):
    rng = np.random.default_rng(6)
    pdf, z_spec = rng.dirichlet(np.ones(4), size=25), rng.uniform(0, 0.4, 25)
    whole = metrics.crps(z_spec, pdf, SMALL)
    monkeypatch.setattr(metrics, "SLICE_ROWS", 7)
    np.testing.assert_array_equal(metrics.crps(z_spec, pdf, SMALL), whole)


def test_width_of_a_flat_pdf_is_its_level_of_the_grid():
    pdf = np.full((1, 4), 0.25)
    np.testing.assert_allclose(metrics.interval_width(pdf, SMALL), [0.68 * 0.4])
    np.testing.assert_allclose(metrics.interval_width(pdf, SMALL, level=0.9), [0.9 * 0.4])


def test_width_of_a_gaussian_is_two_sigma():
    grid = RedshiftGrid()
    pdf = np.diff(stats.norm.cdf(grid.edges, 0.2, 0.02))[None]
    assert metrics.interval_width(pdf, grid)[0] == pytest.approx(2 * 0.9945 * 0.02, rel=1e-3)  # Phi^-1(0.84) = 0.9945


def test_bootstrap_error_of_the_mean_is_sigma_over_root_n():
    values = np.random.default_rng(7).normal(0, 2.0, 400)
    error = metrics.bootstrap(metrics.bias, values, 4000, seed=1).std()
    assert error == pytest.approx(values.std() / np.sqrt(400), rel=0.05)  # 4 x 1 / sqrt(2 x 4000)


def test_bootstrap_error_of_sigma_mad_matches_repeated_samples():
    rng = np.random.default_rng(8)
    repeated = np.std([metrics.sigma_mad(rng.normal(size=2000)) for _ in range(1000)])
    error = metrics.bootstrap(metrics.sigma_mad, rng.normal(size=2000), 1000).std()
    assert error == pytest.approx(repeated, rel=0.25)  # one sample's own scatter


def test_bootstrap_does_not_depend_on_memory(monkeypatch):
    values = np.random.default_rng(9).normal(size=301)
    whole = metrics.bootstrap(metrics.sigma_mad, values, 50, seed=2)
    monkeypatch.setattr(metrics, "RESAMPLE_ENTRIES", 1000)
    np.testing.assert_array_equal(metrics.bootstrap(metrics.sigma_mad, values, 50, seed=2), whole)


def test_one_seed_redraws_the_same_galaxies():
    values = np.random.default_rng(10).normal(size=100)
    shifted = metrics.bootstrap(metrics.bias, values + 1, 50, seed=3)
    np.testing.assert_allclose(shifted - metrics.bootstrap(metrics.bias, values, 50, seed=3), 1, rtol=1e-12)


def test_bootstrap_needs_resamples():
    with pytest.raises(ValueError, match="at least 2 resamples, got 1"):
        metrics.bootstrap(metrics.bias, [1.0, 2.0], 1)


def test_scores_of_a_toy_sample_worked_by_hand():
    pdf = np.eye(4)[[0, 1, 2]]  # z_phot 0.05, 0.15, 0.25
    scores = metrics.scores([0.05, 0.25, 0.25], pdf, SMALL)
    # The second galaxy is -0.1 / 1.25 = -0.08 off; CRPS width / 12 twice and 0.1 - width / 6; PIT 0.5, 1, 0.5.
    assert scores["bias"] == pytest.approx(-0.08 / 3)
    assert scores["sigma_mad"] == pytest.approx(0)
    assert scores["eta"] == pytest.approx(1 / 3)
    assert scores["crps"] == pytest.approx((0.1 / 12 * 2 + 0.1 - 0.1 / 6) / 3)
    assert scores["pit_std"] == pytest.approx(np.std([0.5, 1, 0.5]))
    assert scores["width_68"] == pytest.approx(0.068)


def test_pit_and_quantiles_agree_with_qp():
    qp = pytest.importorskip("qp", reason="qp-prob is not installed (extra [rail])")
    grid, rng = RedshiftGrid(), np.random.default_rng(11)
    pdf, z_spec = rng.dirichlet(np.ones(180), size=20), rng.uniform(0, 0.4, 20)
    ensemble = qp.hist.create_ensemble(bins=grid.edges, pdfs=pdf)
    np.testing.assert_allclose(metrics.pit(z_spec, pdf, grid), ensemble.cdf(z_spec[:, None])[:, 0], atol=1e-9)
    np.testing.assert_allclose(grid.quantile(pdf, 0.16), ensemble.ppf(0.16)[:, 0], atol=1e-9)
