import numpy as np
import pytest
import qp
from qp.metrics import point_estimate_metric_classes as qp_points
from scipy import stats

from photoz_morph.metrics.bootstrap import bootstrap
from photoz_morph.metrics.redshifts import pdf_scores, point_scores
from photoz_morph.redshift_grid import RedshiftGrid

SMALL = RedshiftGrid(0.0, 0.4, 4)  # bins of 0.1
POINT_SCORES = [
    point_scores.bias,
    point_scores.sigma_mad,
    point_scores.eta,
    point_scores.median_bias,
    point_scores.sigma_iqr,
    point_scores.outlier_rate,
]


def test_residuals_are_divided_by_one_plus_z_spec():
    np.testing.assert_allclose(point_scores.residuals([0.3, 0.1], [0.2, 0.25]), [0.1 / 1.2, -0.15 / 1.25])


def test_sigma_mad_subtracts_the_median():
    # Median 3, deviations 2 1 0 1 97, their median 1.
    assert point_scores.sigma_mad([1, 2, 3, 4, 100]) == pytest.approx(1.4826)


def test_sigma_mad_agrees_with_scipy():
    values = np.random.default_rng(0).standard_t(3, 1001)
    # scipy divides by Phi^-1(3/4) itself, of which 1.4826 is the rounded inverse.
    assert point_scores.sigma_mad(values) == pytest.approx(stats.median_abs_deviation(values, scale="normal"), rel=1e-5)


def test_eta_is_the_fraction_strictly_beyond_the_threshold():
    assert point_scores.eta([0.0, 0.05, -0.05, 0.06, -0.07]) == pytest.approx(0.4)
    assert point_scores.eta([0.0, 0.1, 0.2], threshold=0.15) == pytest.approx(1 / 3)


def test_bias_is_the_mean_and_not_the_median():
    assert point_scores.bias([0.0, 0.0, 0.3]) == pytest.approx(0.1)


@pytest.mark.parametrize("score", POINT_SCORES)
def test_empty_and_non_finite_residuals_are_refused(score):
    with pytest.raises(ValueError, match="empty"):
        score([])
    with pytest.raises(ValueError, match="2 of 3 values are not finite"):
        score([0.1, np.nan, np.inf])


def test_median_bias_is_the_median_and_not_the_mean():
    assert point_scores.median_bias([0.0, 0.01, 0.3]) == pytest.approx(0.01)


def test_sigma_iqr_of_five_residuals_worked_by_hand():
    # Quartiles of 1 2 3 4 100 are 2 and 4.
    assert point_scores.sigma_iqr([1, 2, 3, 4, 100]) == pytest.approx(2 / 1.349)


def test_sigma_iqr_of_a_gaussian_is_its_standard_deviation():
    values = stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000, scale=0.02)
    assert point_scores.sigma_iqr(values) == pytest.approx(0.02, rel=1e-4)  # 1.349 is rounded


def test_outliers_of_a_sharp_sample_are_beyond_0_06():
    # Quartiles 0: three sigma_IQR is 0, and 0.06 itself is no outlier.
    assert point_scores.outlier_rate([0, 0, 0, 0, 0, 0, 0, 0.06, -0.061, 0.5]) == pytest.approx(0.2)


def test_outliers_of_a_blunt_sample_are_beyond_three_sigma_iqr_of_zero():
    # Quartiles -0.1 and 0.1: the limit is 3 x 0.2 / 1.349 = 0.445, from zero and not from the median.
    values = [-0.44, -0.1, -0.1, -0.1, 0.0, 0.1, 0.1, 0.1, 0.45]
    assert point_scores.outlier_rate(values) == pytest.approx(1 / 9)


@pytest.mark.parametrize(
    "score, qp_class",
    [
        (point_scores.median_bias, qp_points.PointBias),
        (point_scores.sigma_iqr, qp_points.PointSigmaIQR),
        (point_scores.outlier_rate, qp_points.PointOutlierRate),
        (point_scores.sigma_mad, qp_points.PointSigmaMAD),
    ],
)
@pytest.mark.parametrize("scatter", [0.01, 0.1])  # 0.06 and three sigma_IQR each are the larger once
def test_point_scores_agree_with_qp(score, qp_class, scatter):
    rng = np.random.default_rng(12)
    z_spec = rng.uniform(0, 0.4, 1001)
    z_phot = z_spec + scatter * rng.standard_t(2, 1001) + 0.3 * scatter
    expected = qp_class().evaluate(z_phot, z_spec)
    assert score(point_scores.residuals(z_phot, z_spec)) == pytest.approx(expected, rel=1e-12) and expected != 0


@pytest.mark.parametrize("name", point_scores.SCORES)
def test_scores_condense_many_samples_as_one_by_one(name):
    condense, samples = point_scores.SCORES[name][1], np.random.default_rng(13).random((3, 50)) ** 3
    np.testing.assert_allclose(condense(samples), [condense(sample) for sample in samples], rtol=1e-12)


N = 10_000  # galaxies in the tests of errors


@pytest.mark.parametrize(
    "score, values, error",
    [
        (point_scores.median_bias, stats.norm.ppf, np.sqrt(np.pi / 2 / N)),
        # The covariance of two quartiles gives 1.573 for their distance.
        (point_scores.sigma_iqr, stats.norm.ppf, 1.573 / 1.349 / np.sqrt(N)),
        (point_scores.eta, lambda rank: np.where(rank < 0.1, 1.0, 0.0), np.sqrt(0.1 * 0.9 / N)),
        # 0.06 is beyond three sigma_IQR of the narrow nine tenths, so the limit does not move.
        (point_scores.outlier_rate, lambda rank: np.where(rank < 0.1, 1.0, 0.01 * rank), np.sqrt(0.1 * 0.9 / N)),
    ],
)
def test_bootstrap_errors_of_point_scores_are_those_of_theory(score, values, error):
    values = values((np.arange(N) + 0.5) / N)
    found = bootstrap(score, values, 1000, seed=1).std()
    assert found == pytest.approx(error, rel=0.1)  # 4 / sqrt(2 x 1000)


def test_scores_of_a_toy_sample_worked_by_hand():
    pdf = np.eye(4)[[0, 1, 2]]  # z_phot 0.05, 0.15, 0.25
    scores = point_scores.scores([0.05, 0.25, 0.25], pdf, SMALL)
    # The second galaxy is -0.1 / 1.25 = -0.08 off; CRPS width / 12 twice and 0.1 - width / 6; PIT 0.5, 1, 0.5; the
    # density is 10 in one bin: 10 - 2 x 10 twice and 10 - 0.
    assert scores["bias"] == pytest.approx(-0.08 / 3)
    assert scores["sigma_mad"] == pytest.approx(0)
    assert scores["eta"] == pytest.approx(1 / 3)
    assert scores["crps"] == pytest.approx((0.1 / 12 * 2 + 0.1 - 0.1 / 6) / 3)
    assert scores["pit_std"] == pytest.approx(np.std([0.5, 1, 0.5]))
    assert scores["width_68"] == pytest.approx(0.068) and scores["width_90"] == pytest.approx(0.090)
    assert scores["median_bias"] == pytest.approx(0)
    assert scores["sigma_iqr"] == pytest.approx(0.04 / 1.349)  # quartiles -0.04 and 0
    assert scores["outlier_rate"] == 0  # 3 sigma_iqr is 0.089
    assert scores["cde_loss"] == pytest.approx((-10 - 10 + 10) / 3)
    assert scores["pit_ks"] == pytest.approx(0.5)  # none below 0.5
    assert scores["pit_cvm"] == pytest.approx(1 / 36 + (1 / 3) ** 2 + 0 + (1 / 6) ** 2)
    assert scores["pit_outlier_rate"] == pytest.approx(1 / 3)


def test_pit_and_quantiles_agree_with_qp():
    grid, rng = RedshiftGrid(), np.random.default_rng(11)
    pdf, z_spec = rng.dirichlet(np.ones(180), size=20), rng.uniform(0, 0.4, 20)
    ensemble = qp.hist.create_ensemble(bins=grid.edges, pdfs=pdf)
    np.testing.assert_allclose(pdf_scores.pit(z_spec, pdf, grid), ensemble.cdf(z_spec[:, None])[:, 0], atol=1e-9)
    np.testing.assert_allclose(grid.quantile(pdf, 0.16), ensemble.ppf(0.16)[:, 0], atol=1e-9)


def test_a_rate_without_outliers_has_the_error_of_jeffreys_and_other_scores_that_of_the_samples():
    for drawn in (np.zeros(20), np.ones(20)):
        assert point_scores.score_error("eta", drawn, 99) == pytest.approx(stats.beta(0.5, 99.5).std())
        assert point_scores.score_error("bias", drawn, 99) == 0
    drawn = np.array([0.1, 0.2, 0.3])
    assert point_scores.score_error("bias", drawn, 99) == pytest.approx(0.1)
    assert point_scores.score_error("eta", drawn, 99) == pytest.approx(0.1)
