import numpy as np
import pytest
from scipy import stats

from photoz_morph.metrics.redshifts.mean_pdf import mean_pdf_test
from tests.support.redshifts import GRID, calibrated


def test_chi_square_of_calibrated_pdfs_has_its_degrees_of_freedom():
    p_values = np.array([mean_pdf_test(*calibrated(400, seed), GRID).p_value for seed in range(150)])
    assert stats.kstest(p_values, "uniform").pvalue > 1e-4  # 800 other seeds give 0.9


def test_errors_are_the_scatter_of_z_spec_for_the_same_pdfs_below_poisson():
    _, pdf = calibrated(300)
    rng = np.random.default_rng(1)
    test = mean_pdf_test(calibrated(300)[0], pdf, GRID)
    cdf = np.cumsum(pdf, axis=1)
    counts = []
    for _ in range(400):
        drawn = np.sum(cdf < rng.random(300)[:, None] * cdf[:, -1:], axis=1)
        counts.append(np.histogram(GRID.midpoints[drawn], test.edges)[0])
    assert np.std(counts, axis=0) == pytest.approx(test.error, rel=0.15)  # 4 errors of 400 draws
    assert np.all(test.error < np.sqrt(test.expected))
    assert test.observed.sum() == 300 and test.expected.sum() == pytest.approx(300)


def test_shifted_pdfs_are_found_out_with_the_right_shift():
    test = mean_pdf_test(*calibrated(2000, shift=0.01), GRID)
    assert test.p_value < 1e-6
    assert test.mean_shift == pytest.approx(-0.01, abs=4 * test.mean_shift_error) and test.mean_shift_error < 1e-3


def test_cells_are_joined_until_they_expect_five_galaxies():
    test = mean_pdf_test(*calibrated(60), GRID)
    assert test.expected.min() >= 5 and test.edges[0] == 0 and test.edges[-1] == pytest.approx(0.4)
    alone = mean_pdf_test(*calibrated(4), GRID)
    assert len(alone.observed) == 1 and np.isnan(alone.p_value)


def test_z_spec_beyond_the_grid_counts_in_the_last_cell():
    z_spec, pdf = calibrated(100)
    z_spec[:3] = 0.9
    assert mean_pdf_test(z_spec, pdf, GRID).observed.sum() == 100
    with pytest.raises(ValueError, match="z_spec: 1 of 100 values are not finite"):
        mean_pdf_test(np.where(np.arange(100) == 5, np.nan, z_spec), pdf, GRID)


def test_chi_square_does_not_depend_on_the_sums_of_the_pdfs():
    z_spec, pdf = calibrated(500)
    test, other = (mean_pdf_test(z_spec, factor * pdf, GRID) for factor in (1, 1 - 9e-5))
    assert other.chi_square == pytest.approx(test.chi_square, rel=1e-9) and other.mean_shift == pytest.approx(
        test.mean_shift
    )
    # The same as with all cells and the pseudo-inverse, whose empty direction is known here.
    starts = np.searchsorted(GRID.edges, test.edges[:-1] - 1e-9)
    p = np.add.reduceat(pdf, starts, axis=1)
    inverse = np.linalg.pinv(np.diag(p.sum(axis=0)) - p.T @ p, rcond=1e-9, hermitian=True)
    offset = test.observed - p.sum(axis=0)
    assert test.chi_square == pytest.approx(offset @ inverse @ offset)


def test_copies_of_one_galaxy_leave_the_mean_pdf_right():
    p_values, naive = [], []
    for seed in range(150):
        group = np.repeat(np.arange(150), np.random.default_rng(seed).integers(1, 7, 150))
        z_spec, pdf = (array[group] for array in calibrated(150, seed))
        found = mean_pdf_test(z_spec, pdf, GRID, group)
        p_values.append(found.p_value)
        naive.append(mean_pdf_test(z_spec, pdf, GRID).p_value)
    assert 0.005 < np.mean(np.array(p_values) < 0.05) < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 150)
    assert np.mean(np.array(naive) < 0.05) > 0.5
    assert 2 < found.design_effect < 6  # 91 / 21 for copies that are all alike


def test_pdfs_that_leave_no_freedom_have_no_chi_square():
    pdf = np.eye(GRID.n_bins)[np.repeat([20, 60, 100], 20)]
    test = mean_pdf_test(np.repeat([0.05, 0.14, 0.23], 20), pdf, GRID)
    assert len(test.observed) == 3 and np.isnan(test.p_value)
