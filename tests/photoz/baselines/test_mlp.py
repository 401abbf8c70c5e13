import numpy as np
import pytest
from scipy import stats

from photoz_morph.metrics.redshifts import pdf_scores
from photoz_morph.photoz.baselines import mlp
from photoz_morph.photoz.baselines.boosting import boosting_pdf
from photoz_morph.photoz.baselines.mlp import mlp_pdf
from photoz_morph.redshift_grid import RedshiftGrid

GRID = RedshiftGrid()


@pytest.fixture(scope="module")
def noisy():
    """Features, redshifts whose noise depends on the second feature, training rows and PDFs of the others."""
    rng = np.random.default_rng(0)
    features = rng.uniform(-1, 1, (4000, 3)) * [1, 100, 1e-3]
    noise = np.where(features[:, 1] > 0, 0.02, 0.008)
    z = 0.2 + 0.05 * np.sin(2 * features[:, 0]) + noise * rng.normal(size=4000)
    train = np.arange(4000) < 3000
    return features, z, train, mlp_pdf(features[train], z[train], None, features[~train], GRID)


def test_pdfs_follow_a_noise_that_varies(noisy):
    features, z, train, pdf = noisy
    # 1,000 galaxies: a distance from flat of 0.0515 is 1 % significance; the width of the target adds to it, by 0.01.
    assert stats.kstest(pdf_scores.pit(z[~train], pdf, GRID), "uniform").statistic < 0.065
    width, is_noisy = pdf_scores.interval_width(pdf, GRID), features[~train, 1] > 0
    for rows, sigma in ((is_noisy, 0.02), (~is_noisy, 0.008)):
        with_target = np.hypot(sigma, mlp.LABEL_SIGMA * GRID.width)
        # Little noise is learnt late in the training.
        assert np.median(width[rows]) == pytest.approx(2 * stats.norm.ppf(0.84) * with_target, rel=0.25)


def test_a_smooth_relation_is_learnt_better_than_by_trees():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(3000, 5))
    z = 0.2 + 0.02 * np.tanh(features @ [1, -1, 0.5, 0.5, 1]) + rng.normal(0, 0.002, 3000)
    train, fold = np.arange(3000) < 2000, np.arange(2000) % 4
    error = [
        np.std(GRID.expectation(predict(features[train], z[train], fold, features[~train], GRID)) - z[~train])
        for predict in (mlp_pdf, boosting_pdf)
    ]
    assert error[0] < 0.8 * error[1] and error[0] > 0.002 * 0.9


def test_pdfs_are_seeded_and_units_do_not_matter(noisy):
    features, z, train, pdf = noisy
    scaled = features * [1e6, 1e-3, 1]
    again = mlp_pdf(scaled[train], z[train], None, scaled[~train][:50], GRID)
    # Rounding alone differs, and is amplified by 500 steps of training.
    assert np.max(np.abs(np.cumsum(again - pdf[:50], axis=1))) < 0.05


def test_a_galaxy_without_a_feature_has_no_pdf_and_wild_features_have_one(monkeypatch):
    monkeypatch.setattr(mlp, "MIN_ITERATIONS", 10)
    rng = np.random.default_rng(3)
    features, z = rng.normal(size=(200, 2)), rng.uniform(0.1, 0.3, 200)
    test = [[0.0, 0.0], [np.nan, 0.0], [1e9, -1e9], [np.inf, 0]]
    constant = np.column_stack([features, np.ones(200)])  # says nothing, and has no spread to divide by
    pdf = mlp_pdf(constant, z, None, np.column_stack([test, np.ones(4)]), GRID)
    np.testing.assert_allclose(pdf[[0, 2]].sum(axis=1), 1, rtol=1e-5)
    assert np.isnan(pdf[[1, 3]]).all()
    assert np.isnan(mlp_pdf(features, z, None, [[np.nan, 0]], GRID)).all()  # and is not trained for
