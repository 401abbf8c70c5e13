import numpy as np
import pytest
from scipy.stats import norm

from photoz_morph.photoz.calibration.pooling import choose_pooling, fit_temperature, log_scores, pooled, tempered
from photoz_morph.redshift_grid import RedshiftGrid
from tests.support.miscalibrated import GRID, planted

TWO_BINS = np.array([[[0.5, 0.5]], [[0.9, 0.1]]])  # two members, one galaxy


def test_pooled_pdfs_are_the_means_worked_by_hand():
    np.testing.assert_allclose(pooled(TWO_BINS, "arithmetic"), [[0.7, 0.3]])
    np.testing.assert_allclose(pooled(TWO_BINS, "geometric"), [[0.75, 0.25]])  # sqrt(0.45) : sqrt(0.05) = 3 : 1
    low, high = 2 / (1 / 0.5 + 1 / 0.9), 2 / (1 / 0.5 + 1 / 0.1)
    np.testing.assert_allclose(pooled(TWO_BINS, "harmonic"), [[low / (low + high), high / (low + high)]])
    with pytest.raises(ValueError, match="pooling is 'median', not one of arithmetic, geometric, harmonic"):
        pooled(TWO_BINS, "median")


def test_the_geometric_mean_of_shifted_gaussians_is_the_gaussian_between_them_and_the_arithmetic_wider():
    grid = RedshiftGrid(0, 0.4, 400)
    members = np.diff(norm.cdf((grid.edges - np.array([[[0.18]], [[0.22]]])) / 0.02), axis=-1)
    between = np.diff(norm.cdf((grid.edges - 0.2) / 0.02))
    np.testing.assert_allclose(pooled(members, "geometric")[0], between, atol=2e-6)
    variance = np.sum(pooled(members, "arithmetic") * (grid.midpoints - 0.2) ** 2)
    assert variance == pytest.approx(0.02**2 + 0.02**2, rel=0.01)  # within and between


def test_a_pdf_of_nan_stays_nan_and_zeros_stay_probabilities():
    members = np.array([[[np.nan, 0.5], [1, 0]], [[0.5, 0.5], [0, 1]]])
    for pooling in ("arithmetic", "geometric", "harmonic"):
        pdf = pooled(members, pooling)
        assert np.isnan(pdf[0]).all()
        np.testing.assert_allclose(pdf[1], 0.5)


def test_a_temperature_stretches_a_gaussian_by_its_root():
    grid = RedshiftGrid(0, 0.4, 400)
    pdf = np.diff(norm.cdf((grid.edges - 0.2) / 0.02))[None]
    wide = tempered(pdf, 2.25)
    assert np.sqrt(np.sum(wide * (grid.midpoints - 0.2) ** 2)) == pytest.approx(1.5 * 0.02, rel=1e-3)
    assert tempered(pdf, 1) is not None and np.array_equal(tempered(pdf, 1), pdf)


@pytest.mark.parametrize("kind, temperature", [("narrow", 1 / 0.49), ("wide", 1 / 1.96)])
def test_the_temperature_of_pdfs_of_a_wrong_width_is_found(kind, temperature):
    z_spec, pdf = planted(4000, kind)
    # The error of a width from n galaxies is 1 / sqrt(2 n), that of T twice as much.
    assert fit_temperature(pdf, z_spec, GRID) == pytest.approx(temperature, rel=0.07)


def test_calibrated_pdfs_keep_their_temperature():
    kept = [fit_temperature(*planted(500, seed=seed)[::-1], GRID) == 1 for seed in range(10)]
    assert sum(kept) >= 7  # the gain of a needless parameter exceeds 1 in 16 % of samples


def test_the_pooling_with_the_lowest_crps_is_chosen_and_all_are_recorded():
    z_spec, pdf = planted(2000)
    rng = np.random.default_rng(2)
    noisy = pdf * np.exp(rng.normal(size=(6, *pdf.shape)))  # multiplicative noise, which a geometric mean removes
    noisy /= noisy.sum(axis=-1, keepdims=True)
    pooling, scores = choose_pooling(noisy, z_spec, GRID)
    assert set(scores) == {"arithmetic", "geometric", "harmonic"}
    assert scores[pooling]["crps_tempered"] == min(found["crps_tempered"] for found in scores.values())
    geometric = scores["geometric"]
    exact = pooled(noisy, "geometric")[np.arange(2000), GRID.bin_index(z_spec)]
    assert geometric["log_score"] == pytest.approx(np.log(exact).mean())
    assert choose_pooling(noisy[:1], z_spec, GRID)[1].keys() == {"arithmetic"}


def test_a_redshift_outside_a_pdf_has_a_finite_score():
    pdf = np.zeros((1, 180))
    pdf[0, 0] = 1
    assert log_scores([0.3], pdf, GRID) == pytest.approx(np.log(1e-12))
    with pytest.raises(ValueError, match="outside"):
        log_scores([0.5], pdf, GRID)
