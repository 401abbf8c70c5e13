import numpy as np
import pytest
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from photoz_morph.metrics.redshifts import pdf_scores
from photoz_morph.photoz.baselines.cross_validation import cross_validate
from photoz_morph.photoz.baselines.local_linear import gaussian_pdf, knn_photoz, photometric_features
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.surveys import SDSS


def test_features_are_dereddened_r_and_colours():
    mags = np.array([[19.0, 18.0, 17.5, 17.2, 17.0]])
    np.testing.assert_allclose(photometric_features(mags, [0.0], SDSS), [[17.5, 1.0, 0.5, 0.3, 0.2]])
    reddened = mags + 0.1 * np.array(SDSS.extinction_per_ebv)
    np.testing.assert_allclose(photometric_features(reddened, [0.1], SDSS), [[17.5, 1.0, 0.5, 0.3, 0.2]])
    assert photometric_features(mags, [0.1], SDSS, petro_r=[17.4])[0, 0] == pytest.approx(17.4 - 0.2751)


def test_linear_relation_is_recovered_exactly():
    rng = np.random.default_rng(0)
    slopes = np.array([0.01, 0.02, -0.03, 0.04, 0.05])
    train, test = rng.normal(size=(2000, 5)), rng.normal(size=(300, 5))
    z_phot, scatter = knn_photoz(train, 0.1 + train @ slopes, test)
    np.testing.assert_allclose(z_phot, 0.1 + test @ slopes, atol=1e-7)
    assert np.all(scatter < 1e-6)


def test_fit_agrees_with_a_loop_of_least_squares():
    rng = np.random.default_rng(1)
    train, test = rng.normal(size=(600, 3)) * [1, 5, 0.1], rng.normal(size=(20, 3)) * [1, 5, 0.1]
    z = 0.1 + 0.02 * train[:, 0] ** 2 + rng.standard_t(2, 600) * 0.01  # heavy tails: the clip has work to do
    z_phot, scatter = knn_photoz(train, z, test, n_neighbours=60)
    scale = train.std(axis=0)
    _, neighbours = NearestNeighbors(n_neighbors=60).fit(train / scale).kneighbors(test / scale)
    for row, near in enumerate(neighbours):
        for _ in range(2):
            design = np.column_stack([np.ones(len(near)), train[near]])
            coefficients, *_ = np.linalg.lstsq(design, z[near], rcond=None)
            deviation = z[near] - design @ coefficients
            rms = np.sqrt(np.sum(deviation**2) / (len(near) - 4))
            near = near[np.abs(deviation) <= 3 * rms]
        assert z_phot[row] == pytest.approx(coefficients[0] + test[row] @ coefficients[1:], abs=1e-7)
        assert scatter[row] == pytest.approx(rms, rel=1e-6)


def test_wild_redshifts_among_the_neighbours_do_not_move_the_fit():
    rng = np.random.default_rng(2)
    train = rng.normal(size=(3000, 2))
    clean = 0.1 + 0.02 * train[:, 0] + rng.normal(0, 0.002, 3000)
    wild = np.where(rng.random(3000) < 0.01, 0.9, clean)
    test = rng.normal(size=(200, 2)) * 0.5
    z_phot, _ = knn_photoz(train, wild, test)
    assert np.median(np.abs(z_phot - (0.1 + 0.02 * test[:, 0]))) < 0.001  # the noise of 100 neighbours is 0.0002


def test_scatter_is_the_noise_of_the_neighbours():
    rng = np.random.default_rng(3)
    train = rng.normal(size=(5000, 2))
    noise = rng.normal(0, 0.02, 5000)
    _, scatter = knn_photoz(train, 0.1 + noise, train[:500])
    # A Gaussian cut at 3 sigma keeps 0.9866 of its deviation; the 500 share about 5,000 neighbours, so 1 % of noise.
    assert np.mean(scatter) == pytest.approx(0.9866 * noise.std(), rel=0.03)


def test_all_galaxies_are_neighbours_where_there_are_fewer_than_a_hundred():
    rng = np.random.default_rng(8)
    train, fold = rng.normal(size=(60, 2)), np.arange(60) % 3
    z = 0.1 + train @ [0.02, -0.01]
    np.testing.assert_allclose(knn_photoz(train, z, train[:5])[0], z[:5], atol=1e-6)
    np.testing.assert_array_equal(knn_photoz(train, z, train[:5]), knn_photoz(train, z, train[:5], 60))
    with pytest.warns(UserWarning, match="k-NN fits all 40 training galaxies of a fold, instead of the 100 nearest"):
        pdf = cross_validate("knn", train, z, fold, RedshiftGrid())
    np.testing.assert_allclose(RedshiftGrid().expectation(pdf), z, atol=3e-3)


def test_galaxy_without_a_feature_has_no_redshift():
    rng = np.random.default_rng(4)
    train, test = rng.normal(size=(300, 2)), np.array([[0.0, 0.0], [np.nan, 0.0]])
    z_phot, scatter = knn_photoz(train, rng.uniform(0, 0.3, 300), test)
    assert np.isfinite(z_phot[0]) and np.isnan(z_phot[1]) and np.isnan(scatter[1])
    assert np.isnan(gaussian_pdf(z_phot, scatter, RedshiftGrid())[1]).all()


def test_impossible_fits_are_refused():
    train, z = np.zeros((50, 5)), np.zeros(50)
    with pytest.raises(ValueError, match="k-NN needs 12 training galaxies or more.*there are 11"):
        knn_photoz(train[:11], z[:11], train)
    with pytest.raises(ValueError, match="k-NN needs 60 training galaxies or more.*there are 50"):
        knn_photoz(train, z, train, 60)
    with pytest.raises(ValueError, match="1 of 50 training galaxies"):
        knn_photoz(train, np.where(np.arange(50) == 3, np.nan, z), train, 20)


def test_gaussian_pdf_has_the_mass_mean_and_width_of_its_gaussian():
    grid = RedshiftGrid()
    pdf = gaussian_pdf([0.2, 0.1], [0.02, 0.005], grid)
    np.testing.assert_allclose(pdf.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(grid.expectation(pdf), [0.2, 0.1], atol=1e-6)
    expected = 2 * stats.norm.ppf(0.84) * np.array([0.02, 0.005])
    np.testing.assert_allclose(pdf_scores.interval_width(pdf, grid), expected, rtol=0.02)


def test_gaussian_beyond_the_grid_ends_at_its_edge():
    grid = RedshiftGrid()
    pdf = gaussian_pdf([-0.5, 0.7], [0.001, 0.0], grid)
    np.testing.assert_allclose(pdf.sum(axis=1), 1, rtol=1e-6)
    assert grid.mode(pdf)[0] == grid.midpoints[0] and grid.mode(pdf)[1] == grid.midpoints[-1]
