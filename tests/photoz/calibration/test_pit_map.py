import numpy as np
import pytest
from scipy.stats import norm

from photoz_morph.metrics.redshifts.pdf_scores import pit
from photoz_morph.photoz.calibration.pit_map import PitMap, choose_pit_map, fit_pit_map, log_density
from tests.support.miscalibrated import GRID, planted

PARTS = np.arange(10_000) % 5


def chosen(kind, n, seed=1):
    z_spec, pdf = planted(n, kind, seed)
    return choose_pit_map(pdf, pit(z_spec, pdf, GRID), GRID, PARTS[:n])


def test_the_map_of_equal_numbers_is_the_identity():
    _, pdf = planted(50)
    for kind, shape in (("global", (3, 1)), ("local", (3, 4))):
        pit_map = PitMap(kind, tuple(map(tuple, np.zeros(shape))), (0.2, -4.0), (0.1, 0.3))
        np.testing.assert_allclose(pit_map.pdf(pdf, GRID), pdf, atol=1e-11)


def test_the_recalibrated_cdf_is_the_beta_calibration_of_the_cdf():
    _, pdf = planted(20)
    c, a, b = 0.3, 0.8, 1.3
    found = PitMap("global", ((c,), (np.log(a),), (np.log(b),))).pdf(pdf, GRID)
    cdf, mapped = GRID.cdf(pdf)[:, 1:-1], GRID.cdf(found)[:, 1:-1]
    inside = (cdf > 1e-6) & (cdf < 1 - 1e-6)
    expected = np.exp(c) * cdf**a / (np.exp(c) * cdf**a + (1 - cdf) ** b)  # Kull et al. (2017)
    np.testing.assert_allclose(mapped[inside], expected[inside], rtol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert found.min() >= 0


def test_the_density_of_the_pit_is_the_slope_of_the_map_and_its_gradient_that_of_differences():
    rng = np.random.default_rng(4)
    u, design, coefficients = rng.uniform(0.01, 0.99, 30), rng.normal(size=(30, 4)), 0.3 * rng.normal(size=(3, 4))

    def mapped(u):
        shift, left, right = coefficients @ design.T
        logit = shift + np.exp(left) * np.log(u) - np.exp(right) * np.log1p(-u)
        return 1 / (1 + np.exp(-logit))

    values, gradient = log_density(coefficients, design, np.log(u), np.log1p(-u))
    np.testing.assert_allclose(np.exp(values), (mapped(u + 1e-6) - mapped(u - 1e-6)) / 2e-6, rtol=1e-6)
    for index in np.ndindex(3, 4):
        step = np.zeros((3, 4))
        step[index] = 1e-6
        ends = [log_density(coefficients + sign * step, design, np.log(u), np.log1p(-u))[0].sum() for sign in (1, -1)]
        assert gradient[index] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-5)


def test_a_galaxy_far_outside_its_pdf_does_not_set_the_map():
    z_spec, pdf = planted(500)
    u = pit(z_spec, pdf, GRID)
    before = fit_pit_map(pdf, u, GRID, "global", 1.0).coefficients
    u[:3] = 0.0
    after = fit_pit_map(pdf, u, GRID, "global", 1.0).coefficients
    np.testing.assert_allclose(after, before, atol=0.15)


def test_a_shift_of_all_is_mended_by_a_global_map_and_one_with_redshift_by_a_local_one():
    kind, _, gains = chosen("shifted", 2000)
    assert kind == "global" and gains["global"] > 100
    kind, _, gains = chosen("shifted by z", 2000)
    assert kind == "local" and gains["local"] > gains["global"] + 100
    assert chosen("narrow where wide", 4000)[0] == "local"


def test_calibrated_pdfs_get_no_map_more_often_than_not():
    kinds = [chosen("none", 500, seed)[0] for seed in range(8)]
    assert kinds.count("none") >= 4 and kinds.count("local") <= 2


def test_the_map_of_shifted_gaussians_shifts_them_back():
    z_spec, pdf = planted(4000, "shifted")
    u = pit(z_spec, pdf, GRID)
    found = fit_pit_map(pdf, u, GRID, "global", 1.0).pdf(pdf, GRID)
    error = (z_spec - GRID.expectation(found)).mean()
    assert abs((z_spec - GRID.expectation(pdf)).mean()) > 0.007
    assert abs(error) < 3 * 0.017 / np.sqrt(4000)
    assert np.std(norm.ppf(np.clip(pit(z_spec, found, GRID), 1e-6, 1 - 1e-6))) == pytest.approx(1, abs=0.04)


def test_pdfs_of_nan_stay_nan():
    _, pdf = planted(3)
    pdf[1] = np.nan
    found = PitMap("local", ((0.1, 0, 0, 0),) * 3, (0.2, -4.0), (0.1, 0.3)).pdf(pdf, GRID)
    assert np.isnan(found[1]).all() and np.isfinite(found[[0, 2]]).all()
