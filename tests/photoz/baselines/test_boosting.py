import numpy as np
import pytest
from scipy import stats

from photoz_morph.metrics.redshifts import pdf_scores
from photoz_morph.photoz.baselines.boosting import boosting_pdf, scaled_error_pdf
from photoz_morph.photoz.baselines.local_linear import gaussian_pdf
from photoz_morph.redshift_grid import RedshiftGrid

GRID = RedshiftGrid()


def test_pdfs_follow_a_noise_that_varies_and_is_not_gaussian():
    rng = np.random.default_rng(0)
    features = rng.uniform(-1, 1, (5000, 3))
    noise = np.where(features[:, 1] > 0, 0.02, 0.005)
    z = 0.2 + 0.05 * features[:, 0] + noise * rng.laplace(size=5000)
    train = np.arange(5000) < 4000
    pdf = boosting_pdf(features[train], z[train], np.arange(4000) % 4, features[~train], GRID)
    # 1,000 galaxies: a distance from flat of 0.043 is 5 % significance, 0.0515 is 1 %.
    assert stats.kstest(pdf_scores.pit(z[~train], pdf, GRID), "uniform").statistic < 0.0515
    width, is_noisy = pdf_scores.interval_width(pdf, GRID), features[~train, 1] > 0
    quantile = stats.laplace.ppf(0.84)  # 68 % of the noise lie within this many scales
    assert np.median(width[is_noisy]) == pytest.approx(2 * quantile * 0.02, rel=0.15)
    # 4,000 galaxies leave an error of the fit beside the small noise.
    assert np.median(width[~is_noisy]) == pytest.approx(2 * quantile * 0.005, rel=0.4)


def test_errors_are_those_of_galaxies_not_trained_on():
    # Features that say nothing: errors on its own galaxies, which the booster knows by heart, would be much too small.
    rng = np.random.default_rng(1)
    features, z = rng.normal(size=(1000, 5)), rng.normal(0.2, 0.03, 1000)
    pdf = boosting_pdf(features, z, np.arange(1000) % 4, rng.normal(size=(200, 5)), GRID)
    assert np.median(pdf_scores.interval_width(pdf, GRID)) > 2 * 0.03 * 0.994  # 68 % of the noise alone


def test_gaussian_errors_give_gaussian_pdfs():
    errors = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    z_phot, scale = np.array([0.1, 0.2, 0.5]), np.array([0.004, 0.02, 0.01])
    pdf = scaled_error_pdf(z_phot, scale, np.random.default_rng(2).permutation(errors), GRID)
    np.testing.assert_allclose(pdf, gaussian_pdf(z_phot, scale, GRID), atol=2e-4)


def test_galaxy_without_a_feature_has_no_pdf():
    rng = np.random.default_rng(3)
    features = rng.normal(size=(200, 2))
    pdf = boosting_pdf(features, rng.uniform(0.1, 0.3, 200), np.arange(200) % 2, [[0.0, 0.0], [np.nan, 0.0]], GRID)
    assert pdf[0].sum() == pytest.approx(1) and np.isnan(pdf[1]).all()


@pytest.mark.parametrize("n, n_folds", [(99, 3), (200, 1)])
def test_too_few_galaxies_or_folds_are_refused(n, n_folds):
    with pytest.raises(ValueError, match=f"100 training galaxies or more in two folds or more, got {n} in {n_folds}"):
        boosting_pdf(np.zeros((n, 2)), np.zeros(n), np.arange(n) % n_folds, np.zeros((1, 2)), GRID)
