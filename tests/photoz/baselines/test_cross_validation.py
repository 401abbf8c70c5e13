import numpy as np
import pytest

from photoz_morph.photoz.baselines.cross_validation import METHODS, MODELS, cross_validate
from photoz_morph.photoz.evaluation import run_scores
from photoz_morph.redshift_grid import RedshiftGrid

pytestmark = pytest.mark.usefixtures("one_small_network")


@pytest.mark.parametrize("method", MODELS)
def test_no_galaxy_is_predicted_with_its_own_fold(method):
    # Redshift is high in one fold of three: that fold cannot be told from the others, which have only low ones.
    rng, grid, fold = np.random.default_rng(5), RedshiftGrid(), np.arange(600) % 3
    pdf = cross_validate(method, rng.normal(size=(600, 2)), np.where(fold == 1, 0.3, 0.1), fold, grid)
    # Few iterations leave a network a tail.
    assert np.quantile(grid.expectation(pdf)[fold == 1], 0.95) < 0.105


@pytest.mark.parametrize("method", MODELS)
def test_galaxy_without_redshift_or_magnitude_trains_nothing(method):
    rng, grid = np.random.default_rng(6), RedshiftGrid()
    features, fold = rng.normal(size=(320, 2)), np.arange(320) % 3
    z_spec = 0.2 + 0.03 * features[:, 0]
    clean = cross_validate(method, features[:300], z_spec[:300], fold[:300], grid)
    z_spec[300:310], fold[300:310], features[310:, 1] = np.nan, -1, np.nan
    pdf = cross_validate(method, features, z_spec, fold, grid)
    np.testing.assert_allclose(pdf[:300], clean, atol=1e-6)  # sums of a matrix product depend on its size
    assert np.isnan(pdf[310:]).all()
    # The local fit is exact, the mean of a PDF as narrow as a bin to a tenth of a bin; trees make steps, and
    # a network of 100 iterations is short of training.
    tolerance = {"knn": 2e-4, "boosting": 0.01, "mlp": 0.02}[method]
    assert np.median(np.abs(grid.expectation(pdf[300:310]) - 0.2 - 0.03 * features[300:310, 0])) < tolerance


def test_what_cannot_be_cross_validated_is_refused():
    features, z = np.zeros((50, 5)), np.zeros(50)
    with pytest.raises(ValueError, match="in two folds or more; 50 of 50 have both, in 1"):
        cross_validate("knn", features, z, np.zeros(50, int), RedshiftGrid())
    with pytest.raises(ValueError, match="unknown baseline 'forest'; choose one of knn, boosting, mlp, mlp_shapes"):
        cross_validate("forest", features, z, np.arange(50) % 2, RedshiftGrid())


def test_reports_look_for_the_files_of_every_method():
    assert run_scores.BASELINES + run_scores.BOUNDS == tuple(METHODS)
