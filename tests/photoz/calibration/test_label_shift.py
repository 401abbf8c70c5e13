import numpy as np
import pytest

from photoz_morph.photoz.calibration.label_shift import estimated_target
from photoz_morph.photoz.calibration.redshift_distribution import reweighted, target_weights, training_counts
from photoz_morph.redshift_grid import RedshiftGrid

GRID = RedshiftGrid()
NOISE = 0.03  # of the one measurement that redshift is known from


def redshifts(n, mean, scatter=0.05, seed=0):
    z = np.random.default_rng(seed).normal(mean, scatter, 4 * n)
    return z[(z > 0.005) & (z < 0.395)][:n]


def posteriors(z, counts, seed=1):
    """PDFs of Gaussian measurements of z, with the training galaxies' n(z) as the prior."""
    measured = z + NOISE * np.random.default_rng(seed).normal(size=len(z))
    products = np.exp(-0.5 * ((GRID.midpoints - measured[:, None]) / NOISE) ** 2) * (counts + 0.1)
    return products / products.sum(axis=1, keepdims=True)


def distance(share, z):
    """Largest difference of the cumulative n(z) from that of the galaxies."""
    return np.max(np.abs(np.cumsum(share) - np.searchsorted(np.sort(z), GRID.edges[1:]) / len(z)))


@pytest.fixture(scope="module")
def counts():
    return training_counts(redshifts(8000, 0.15, 0.08), GRID)


@pytest.mark.parametrize(("mean", "n"), [(0.22, 3000), (0.22, 300), (0.10, 3000)])
def test_the_n_of_z_of_shifted_galaxies_is_found_where_the_mean_of_their_pdfs_is_not(counts, mean, n):
    z = redshifts(n, mean, seed=3)
    pdf = posteriors(z, counts)
    found, stacked = estimated_target([pdf], [counts], GRID), pdf.mean(axis=0)
    assert found.sum() == pytest.approx(1) and np.all(found >= 0)
    assert distance(found, z) < 0.6 * distance(stacked, z) and distance(found, z) < 0.06
    before, after = (abs(part @ GRID.midpoints - z.mean()) for part in (stacked, found))
    assert after < 0.4 * before


def test_reweighted_pdfs_lose_their_bias_and_have_a_flat_pit(counts):
    z = redshifts(3000, 0.22, seed=4)
    pdf = posteriors(z, counts)
    again = reweighted(pdf, target_weights(estimated_target([pdf], [counts], GRID), counts, GRID))
    before, after = (np.mean(GRID.expectation(part) - z) for part in (pdf, again))
    assert before < -0.005 and abs(after) < 0.2 * abs(before)
    pit = [np.sort(GRID.cdf_at(part, z)) for part in (pdf, again)]
    uneven = [np.max(np.abs(part - (np.arange(len(z)) + 0.5) / len(z))) for part in pit]
    assert uneven[1] < 0.3 * uneven[0]


def test_galaxies_like_those_of_the_training_keep_their_n_of_z(counts):
    z = redshifts(4000, 0.15, 0.08, seed=5)
    pdf = posteriors(z, counts)
    weights = target_weights(estimated_target([pdf], [counts], GRID), counts, GRID)
    assert np.average(np.abs(weights - 1), weights=counts) < 0.1
    assert np.mean(np.abs(GRID.expectation(reweighted(pdf, weights)) - GRID.expectation(pdf))) < 0.1 * NOISE


def test_networks_of_several_folds_have_one_target(counts):
    """Two halves with different training n(z), whose PDFs differ, and whose galaxies do not."""
    others = training_counts(redshifts(8000, 0.22, 0.09, seed=6), GRID)
    z = redshifts(3000, 0.2, seed=7)
    pdfs = [posteriors(z[::2], counts), posteriors(z[1::2], others)]
    found = estimated_target(pdfs, [counts, others], GRID)
    assert abs(found @ GRID.midpoints - z.mean()) < 0.004
    assert distance(found, z) < 0.05


def test_there_is_none_of_the_target_where_there_are_no_training_galaxies():
    counts = training_counts(redshifts(4000, 0.1, 0.03, seed=8), GRID)
    pdf = np.full((50, GRID.n_bins), 1 / GRID.n_bins)  # which say nothing
    share = estimated_target([pdf], [counts], GRID)
    assert np.all(share[GRID.midpoints > 0.3] == 0) and share.sum() == pytest.approx(1)


def test_too_few_galaxies_are_named(counts):
    with pytest.raises(ValueError, match="mine: 12 galaxies, too few for an n.z. of their own; give 30"):
        estimated_target([posteriors(redshifts(12, 0.2), counts)], [counts], GRID, "mine")
