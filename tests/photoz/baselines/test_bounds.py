import numpy as np
import pytest

from photoz_morph.photoz.baselines.bounds import pixel_features, structure_features
from photoz_morph.photoz.baselines.local_linear import photometric_features
from photoz_morph.surveys import SDSS

N = 13  # parameters of a galaxy in five bands


@pytest.fixture
def sample():
    """True parameters of galaxies with correlated colours, E(B-V), and the population's covariance."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(N, N)) * 0.2
    true = [18, 17, 16.5, 16, 15.8, 0.3, 0.4, 0.5, 0.5, 0.6, 0.8, -0.4, 2.5] + rng.normal(size=(3000, N)) @ root
    return true, rng.uniform(0, 0.1, 3000)


def features(true, ebv, fisher, noise=0.0):
    fisher = np.broadcast_to(fisher, (len(true), N, N))
    measured = np.einsum("nij,nj->ni", fisher, true) + noise
    return pixel_features({"parameters": true, "fisher": fisher, "measured": measured}, ebv, SDSS)


def test_perfect_pixels_show_the_truth(sample):
    true, ebv = sample
    found = features(true, ebv, 1e10 * np.eye(N))
    np.testing.assert_allclose(found[:, :5], photometric_features(true[:, :5], ebv, SDSS), atol=1e-5)
    np.testing.assert_allclose(found[:, 5:13], true[:, 5:], atol=1e-5)
    np.testing.assert_allclose(found[:, 13:], np.log(1e-5), atol=0.01)


def test_pixels_that_show_nothing_leave_the_mean_of_the_population(sample):
    true, ebv = sample
    found = features(true, np.zeros(len(true)), np.zeros((N, N)))
    assert np.isfinite(found).all() and found.shape == (3000, 17)
    np.testing.assert_allclose(found[:, 5:13], np.tile(true[:, 5:].mean(axis=0), (3000, 1)), atol=1e-6)


def test_the_population_improves_what_is_measured_badly(sample):
    true, ebv = sample
    rng, error = np.random.default_rng(1), np.full(N, 0.3)
    error[5] = 10.0  # the inner share in u, of which the other bands know more than the pixels
    noise = rng.normal(size=true.shape) / error
    found = features(true, ebv, np.diag(error**-2.0), noise)
    left = np.std(found[:, 5] - true[:, 5])
    assert left < 0.8 * np.std(true[:, 5]) < 10
    stated = np.exp(found[:, 13:])
    actual = np.std(found[:, 7] - true[:, 7])  # the share in r
    assert actual == pytest.approx(stated[0, 3], rel=0.06)  # 3,000 galaxies know it to 1.3 %


def test_structure_that_is_unknown_stays_unknown():
    columns = {"r_e": [2.0, 0.0, np.nan], "axis_ratio": [0.5] * 3, "bulge_to_total": [0.2] * 3}
    found = structure_features(columns | {"is_early": np.array([True, False, False])})
    np.testing.assert_allclose(found[0], [np.log(2), 0.5, 0.2, 1])
    assert np.isnan(found[1:, 0]).all() and np.isfinite(found[:, 1:]).all()
