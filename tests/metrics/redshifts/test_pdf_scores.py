import numpy as np
import pytest
import qp
from qp.metrics.concrete_metric_classes import CDELossMetric
from scipy import stats

from photoz_morph.metrics.bootstrap import bootstrap
from photoz_morph.metrics.redshifts import pdf_scores
from photoz_morph.redshift_grid import RedshiftGrid

SMALL = RedshiftGrid(0.0, 0.4, 4)  # bins of 0.1


def test_flagged_pdf_or_wrong_width_is_refused():
    with pytest.raises(ValueError, match="1 of 2 rows are not finite"):
        pdf_scores.crps([0.1, 0.1], [[0.25] * 4, [np.nan] * 4], SMALL)
    with pytest.raises(ValueError, match=r"the grid needs \(n, 4\)"):
        pdf_scores.pit([0.1], [[0.2] * 5], SMALL)
    with pytest.raises(ValueError, match="z_spec has shape"):
        pdf_scores.pit([0.1, 0.2], [[0.25] * 4], SMALL)
    with pytest.raises(ValueError, match="between 0 and 1"):
        pdf_scores.interval_width([[0.25] * 4], SMALL, level=68)


def test_pit_of_the_true_distribution_is_flat():
    grid, rng, n = RedshiftGrid(), np.random.default_rng(3), 20_000
    centre, sigma = rng.uniform(0.1, 0.3, n), rng.uniform(0.005, 0.02, n)
    pdf = np.diff(stats.norm.cdf(grid.edges, centre[:, None], sigma[:, None]), axis=1)
    values = pdf_scores.pit(rng.normal(centre, sigma), pdf, grid)
    assert stats.kstest(values, "uniform").pvalue > 0.01
    assert values.std() == pytest.approx(12**-0.5, abs=5e-3)  # 5 standard errors of the deviation


def test_too_wide_pdfs_narrow_the_pit():
    grid, rng, n = RedshiftGrid(), np.random.default_rng(4), 5_000
    centre = rng.uniform(0.1, 0.3, n)
    pdf = np.diff(stats.norm.cdf(grid.edges, centre[:, None], 0.02), axis=1)
    assert pdf_scores.pit(rng.normal(centre, 0.01), pdf, grid).std() < 0.2


def test_crps_of_one_bin_at_its_midpoint_is_a_twelfth_of_its_width():
    # CDF - H is a sawtooth of height 1/2: 2 x integral of t^2 over half a bin = width / 12.
    np.testing.assert_allclose(pdf_scores.crps([0.15], [[0, 1, 0, 0]], SMALL), [0.1 / 12])


def test_crps_of_one_far_bin_is_the_distance_less_a_sixth_of_its_width():
    # E|X - z| - E|X - X'| / 2 with X uniform in the bin (Gneiting & Raftery 2007).
    z_spec = np.array([0.05, 0.4, 0.55, -0.2])
    pdf = np.tile([0, 1.0, 0, 0], (4, 1))
    np.testing.assert_allclose(pdf_scores.crps(z_spec, pdf, SMALL), np.abs(z_spec - 0.15) - 0.1 / 6)


def test_crps_of_a_delta_is_the_absolute_error():
    grid, z_spec = RedshiftGrid(0, 0.4, 40_000), np.array([0.05, 0.2, 0.39])
    pdf = np.zeros((3, grid.n_bins))
    pdf[:, grid.bin_index([0.1])] = 1
    np.testing.assert_allclose(pdf_scores.crps(z_spec, pdf, grid), np.abs(z_spec - 0.1), atol=grid.width)


def test_crps_agrees_with_brute_force_integration():
    grid, rng = RedshiftGrid(), np.random.default_rng(5)
    pdf = rng.dirichlet(np.full(180, 0.3), size=8)
    z_spec = np.array([-0.03, 0.0, 1e-4, 0.1, 0.2, 0.31, 0.4, 0.45])
    z = np.linspace(-0.1, 0.5, 600_001)
    for row, truth, value in zip(pdf, z_spec, pdf_scores.crps(z_spec, pdf, grid)):
        cdf = stats.rv_histogram((row, grid.edges), density=False).cdf(z)
        assert value == pytest.approx(np.trapezoid((cdf - (z >= truth)) ** 2, z), abs=2e-6)  # one step of z


def test_crps_does_not_depend_on_how_galaxies_are_sliced(monkeypatch):
    rng = np.random.default_rng(6)
    pdf, z_spec = rng.dirichlet(np.ones(4), size=25), rng.uniform(0, 0.4, 25)
    whole = pdf_scores.crps(z_spec, pdf, SMALL)
    monkeypatch.setattr(pdf_scores, "SLICE_ROWS", 7)
    np.testing.assert_array_equal(pdf_scores.crps(z_spec, pdf, SMALL), whole)


def test_width_of_a_flat_pdf_is_its_level_of_the_grid():
    pdf = np.full((1, 4), 0.25)
    np.testing.assert_allclose(pdf_scores.interval_width(pdf, SMALL), [0.68 * 0.4])
    np.testing.assert_allclose(pdf_scores.interval_width(pdf, SMALL, level=0.9), [0.9 * 0.4])


def test_width_of_a_gaussian_is_two_sigma():
    grid = RedshiftGrid()
    pdf = np.diff(stats.norm.cdf(grid.edges, 0.2, 0.02))[None]
    assert pdf_scores.interval_width(pdf, grid)[0] == pytest.approx(
        2 * 0.9945 * 0.02, rel=1e-3
    )  # Phi^-1(0.84) = 0.9945


def test_cde_loss_of_two_bins_worked_by_hand():
    # Densities 2.5 and 7.5: their squares integrate to 0.1 x (6.25 + 56.25) = 6.25.
    pdf = np.tile([0, 0.25, 0.75, 0], (4, 1))
    loss = pdf_scores.cde_loss([0.15, 0.25, 0.05, 0.5], pdf, SMALL)
    np.testing.assert_allclose(loss, [6.25 - 2 * 2.5, 6.25 - 2 * 7.5, 6.25, 6.25])


def test_cde_loss_of_rows_that_do_not_sum_to_one_is_that_of_the_normalised_pdf():
    pdf = np.array([[0.1, 0.2, 0.3, 0.4]])
    np.testing.assert_allclose(pdf_scores.cde_loss([0.15], 2 * pdf, SMALL), pdf_scores.cde_loss([0.15], pdf, SMALL))


def test_cde_loss_is_lowest_for_the_true_width():
    grid, rng, n = RedshiftGrid(), np.random.default_rng(7), 20_000
    z_spec = rng.normal(0.2, 0.02, n)
    losses = {}
    for sigma in (0.015, 0.02, 0.027):
        pdf = np.diff(stats.norm.cdf(grid.edges, 0.2, sigma))
        losses[sigma] = pdf_scores.cde_loss(z_spec, np.tile(pdf, (n, 1)), grid).mean()
    assert min(losses, key=losses.get) == 0.02
    assert losses[0.02] == pytest.approx(-1 / (2 * np.sqrt(np.pi) * 0.02), rel=0.01)  # minus the integral of p^2


def test_bootstrap_error_of_cde_loss_is_sigma_over_root_n():
    rng = np.random.default_rng(8)
    loss = pdf_scores.cde_loss(rng.uniform(0, 0.4, 2000), rng.dirichlet(np.ones(4), size=2000), SMALL)
    error = bootstrap(lambda values: values.mean(axis=-1), loss, 1000, seed=1).std()
    assert error == pytest.approx(loss.std() / np.sqrt(2000), rel=0.1)  # 4 / sqrt(2 x 1000)


def test_cde_loss_agrees_with_qp():
    # Points half a step off the edges, a step beyond both ends: trapezoids of steps are then exact, and the point
    # nearest to z_spec lies in its bin. What is left is rounding.
    grid, rng = RedshiftGrid(), np.random.default_rng(9)
    pdf, z_spec = rng.dirichlet(np.full(180, 0.3), size=50), rng.uniform(0, 0.4, 50)
    points = grid.z_min + (np.arange(-1, 2 * grid.n_bins + 1) + 0.5) * grid.width / 2
    ensemble = qp.hist.create_ensemble(bins=grid.edges, pdfs=pdf)
    expected = CDELossMetric(points).evaluate(ensemble, z_spec)
    assert pdf_scores.cde_loss(z_spec, pdf, grid).mean() == pytest.approx(expected, rel=1e-9)


def test_default_points_of_qp_do_not_see_our_bins():
    grid, z_spec = RedshiftGrid(), np.random.default_rng(10).uniform(0.05, 0.35, 200)
    pdf = np.diff(stats.norm.cdf(grid.edges, z_spec[:, None], 0.004), axis=1)
    expected = CDELossMetric().evaluate(qp.hist.create_ensemble(bins=grid.edges, pdfs=pdf), z_spec)
    assert abs(pdf_scores.cde_loss(z_spec, pdf, grid).mean() / expected - 1) > 0.05


def test_conditional_density_loss_of_a_redshift_outside_the_grid_has_no_density_there():
    pdf = np.tile([0.7, 0.1, 0.1, 0.1], (3, 1))  # density 7, 1, 1, 1
    squares = 0.1 * (49 + 1 + 1 + 1)
    np.testing.assert_allclose(
        pdf_scores.cde_loss([-0.05, 0.05, 0.6], pdf, SMALL), [squares, squares - 2 * 7, squares]
    )
