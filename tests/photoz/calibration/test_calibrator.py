import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limited
from hypothesis import strategies as st

from photoz_morph.metrics.redshifts.pdf_scores import crps, pit
from photoz_morph.metrics.redshifts.pit_tests import pit_ks
from photoz_morph.photoz.calibration.calibrator import Calibrator, fit_calibrator
from tests.support.miscalibrated import GRID, planted

N_TEST = 4000


def before_and_after(kind, n, seed):
    """CRPS, KS and bias of new galaxies before and after a calibration on n others."""
    z_spec, pdf = planted(n, kind, seed)
    calibrator = fit_calibrator(pdf, z_spec, GRID)[0]
    z_spec, pdf = planted(N_TEST, kind, 99)
    found = []
    for values in (pdf, calibrator.pdf(pdf, GRID)):
        bias = np.mean((GRID.expectation(values) - z_spec) / (1 + z_spec))
        found.append((crps(z_spec, values, GRID).mean(), pit_ks(pit(z_spec, values, GRID)), bias))
    return found


@pytest.mark.parametrize("kind", ["narrow", "wide", "shifted", "shifted by z", "narrow where wide"])
def test_a_planted_miscalibration_is_mended_by_500_galaxies(kind):
    for seed in range(2):
        (crps_before, ks_before, _), (crps_after, ks_after, _) = before_and_after(kind, 500, seed)
        # 500 galaxies place a CDF within 1.36 / sqrt(500) = 0.06 in 95 % of samples, a smooth map better.
        assert ks_after < 0.05 and ks_after < 0.7 * ks_before + 0.01
        assert crps_after < 1.002 * crps_before


def test_a_shift_of_all_redshifts_leaves_no_bias_above_the_error_of_the_sample():
    (_, _, before), (_, _, after) = before_and_after("shifted", 2000, 3)
    error = 0.015 * np.sqrt(1 / 2000 + 1 / N_TEST)
    assert abs(before) > 5e-3 and abs(after) < 3 * error


def test_calibrated_pdfs_are_not_made_worse():
    for n in (100, 500):
        worse = [after[0] / before[0] - 1 for before, after in (before_and_after("none", n, seed) for seed in range(4))]
        # A location known to 1 / sqrt(n) of a width costs 1 / (2 n) of the score, three parameters thrice as much.
        assert np.mean(worse) < 3 / n and max(worse) < 8 / n


def test_the_scores_it_reports_are_those_of_new_galaxies():
    z_spec, pdf = planted(2000, "narrow", 5)
    calibrator, report, cross_fitted = fit_calibrator(pdf, z_spec, GRID)
    new_z, new_pdf = planted(N_TEST, "narrow", 6)
    for when, values in (("before", new_pdf), ("after", calibrator.pdf(new_pdf, GRID))):
        expected = crps(new_z, values, GRID)
        assert report[when]["crps"] == pytest.approx(expected.mean(), abs=4 * expected.std() / np.sqrt(2000))
    assert report["after"]["pit_ks"] < 1.7 / np.sqrt(2000) < report["before"]["pit_ks"]
    assert cross_fitted.shape == pdf.shape and report["n_groups"] == 2000


def test_a_galaxy_does_not_calibrate_its_copies():
    z_spec, pdf = planted(60)
    twice = np.repeat(np.arange(60), 2)
    cross_fitted = fit_calibrator(pdf[twice], z_spec[twice], GRID, twice)[2]
    np.testing.assert_array_equal(cross_fitted[::2], cross_fitted[1::2])


def test_the_result_is_the_same_every_time():
    z_spec, pdf = planted(300, "narrow")
    assert fit_calibrator(pdf, z_spec, GRID)[0] == fit_calibrator(pdf, z_spec, GRID)[0]


def test_a_pdf_of_nan_stays_nan_and_the_others_are_probabilities():
    z_spec, pdf = planted(300, "shifted by z")
    calibrator = fit_calibrator(np.stack([pdf, pdf]), z_spec, GRID)[0]
    pdf[0, 5] = np.nan
    found = calibrator.pdf(np.stack([pdf, pdf]), GRID)
    assert np.isnan(found[0]).all() and np.isnan(calibrator.bounds(found, GRID)["z_lower_90"][0])
    np.testing.assert_allclose(found[1:].sum(axis=1), 1)
    assert found[1:].min() >= 0


@limited(max_examples=12)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.3, 30.0]), st.integers(10, 40))
def test_any_pdfs_are_calibrated_to_probabilities(seed, concentration, n):
    rng = np.random.default_rng(seed)
    pdf = rng.dirichlet(np.full(180, concentration), n)
    pdf[0] = np.eye(180)[rng.integers(180)]
    z_spec = rng.uniform(0, 0.4, n)
    calibrator, _, cross_fitted = fit_calibrator(pdf, z_spec, GRID)
    for values in (cross_fitted, calibrator.pdf(pdf, GRID)):
        np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-9)
        assert values.min() >= 0
    for radius in calibrator.radii.values():
        assert 0 <= radius <= 0.5


def test_what_cannot_be_fitted_is_refused():
    z_spec, pdf = planted(30)
    with pytest.raises(ValueError, match="9 galaxies of different parents to calibrate on, at least 10 are needed"):
        fit_calibrator(pdf[:9], z_spec[:9], GRID)
    with pytest.raises(ValueError, match="needs"):
        fit_calibrator(pdf[:, :100], z_spec, GRID)
    with pytest.raises(ValueError, match="outside"):
        fit_calibrator(pdf, z_spec + 1, GRID)
    with pytest.raises(ValueError, match="the 30 PDFs need one each"):
        fit_calibrator(pdf, z_spec[1:], GRID)


def test_a_calibrator_without_a_fit_gives_the_mean_of_the_members():
    _, pdf = planted(4)
    np.testing.assert_allclose(Calibrator().pdf(np.stack([pdf, pdf[::-1]]), GRID), (pdf + pdf[::-1]) / 2)
