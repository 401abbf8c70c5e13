import numpy as np
import pytest
from scipy import stats

from photoz_morph.metrics.bootstrap import bootstrap
from photoz_morph.metrics.fractions import fraction_error
from photoz_morph.metrics.redshifts.mean_pdf import mean_pdf_test
from photoz_morph.metrics.redshifts.point_scores import eta, sigma_mad
from photoz_morph.metrics.redshifts.width_cuts import MIN_GALAXIES, width_cuts
from photoz_morph.photoz.report.figures.mean_pdfs import mean_pdfs
from photoz_morph.photoz.report.figures.widths import coverage_figure, width_cut_figure, width_histogram
from photoz_morph.redshift_grid import RedshiftGrid

GRID = RedshiftGrid()


def sample(n, seed=0):
    """Widths, and residuals whose scatter is half the width."""
    rng = np.random.default_rng(seed)
    width = rng.gamma(9, 0.003, n)
    return width, 0.5 * width * rng.normal(size=n)


def calibrated(n, seed=0, shift=0.0):
    """PDFs of Gaussians about random centres, and z_spec drawn from them, `shift` added."""
    rng = np.random.default_rng(seed)
    centre, sigma = rng.normal(0.15, 0.04, n), rng.uniform(0.01, 0.03, n)
    pdf = np.diff(stats.norm.cdf(GRID.edges, centre[:, None], sigma[:, None]), axis=1)
    pdf /= pdf.sum(axis=1, keepdims=True)
    cdf = np.cumsum(pdf, axis=1)
    drawn = np.sum(cdf < rng.random(n)[:, None] * cdf[:, -1:], axis=1)
    return GRID.edges[drawn] + GRID.width * rng.random(n) + shift, pdf


# Cuts in width


def test_the_widest_are_removed_and_the_rest_scored():
    width, residual = sample(1000)
    crps = np.abs(residual)
    cuts = width_cuts(width, residual, crps, fractions=(0, 0.1, 0.2))
    assert list(cuts["n"]) == [1000, 900, 800]
    kept = width <= np.sort(width)[799]
    assert cuts["widest"][2] == width[kept].max()
    assert cuts["sigma_mad"][2] == pytest.approx(sigma_mad(residual[kept]))
    assert cuts["eta"][2] == pytest.approx(eta(residual[kept]))
    assert cuts["bias"][2] == pytest.approx(residual[kept].mean())
    assert cuts["crps"][2] == pytest.approx(crps[kept].mean())


def test_errors_agree_with_the_bootstrap():
    width, residual = sample(8000)
    cuts = width_cuts(width, residual, fractions=(0, 0.2))
    kept = np.sort(np.argsort(width)[:6400])
    for index, part in enumerate((residual, residual[kept])):
        drawn = np.array([bootstrap(f, part, 200) for f in (lambda v: v.mean(axis=-1), sigma_mad, eta)])
        errors = [cuts[f"{name}_error"][index] for name in ("bias", "sigma_mad", "eta")]
        assert errors == pytest.approx(drawn.std(axis=1), rel=0.35)  # noise 11 %


def test_eta_without_outliers_has_an_error():
    cuts = width_cuts(np.arange(100.0), np.linspace(-0.01, 0.01, 100), fractions=(0,))
    assert cuts["eta"][0] == 0 and 0 < cuts["eta_error"][0] < 0.02


def test_cuts_refuse_what_they_cannot_score():
    with pytest.raises(ValueError, match="20 of 40 galaxies would be left"):
        width_cuts(np.ones(40), np.ones(40), fractions=(0.5,))
    with pytest.raises(ValueError, match="crps has shape"):
        width_cuts(np.ones(40), np.ones(40), np.ones(39))


def test_fractions_that_leave_too_few_are_dropped():
    width, residual = sample(50)
    cuts = width_cuts(width, residual)
    assert cuts["n"].min() == 30 and cuts["removed"].max() == pytest.approx(0.4)
    for n in (MIN_GALAXIES, 34):
        axes = width_cut_figure(width[:n], residual[:n], "toy").axes[0]
        marked = [line for line in axes.lines if line.get_marker() == "o"]
        assert len(marked) == (1 if n == MIN_GALAXIES else 2)  # 0 %, and 10 % of 34
    with pytest.raises(ValueError, match="29 of 29"):
        width_cut_figure(width[:29], residual[:29], "toy")


def test_errors_of_copies_that_are_all_alike_are_those_of_one_of_each():
    width, residual = sample(2000)
    residual *= 3
    alone = width_cuts(width, residual, np.abs(residual), (0, 0.2))
    copied = (np.repeat(array, 4) for array in (width, residual, np.abs(residual)))
    grouped = width_cuts(*copied, (0, 0.2), np.repeat(np.arange(2000), 4))
    for name, rel in (("bias", 1e-9), ("crps", 1e-9), ("eta", 0.02), ("sigma_mad", 0.15)):
        assert grouped[name] == pytest.approx(alone[name])
        assert grouped[f"{name}_error"] == pytest.approx(alone[f"{name}_error"], rel=rel)


def test_width_figure_marks_the_cuts_of_the_paper():
    width, residual = sample(500)
    figure = width_cut_figure(width, residual, "toy")
    drawn = [axes for axes in figure.axes if axes.axison]
    assert len(drawn) == 3  # no CRPS given
    cuts = width_cuts(width, residual)
    marks = [line.get_xydata()[0] for line in drawn[0].lines if line.get_marker() == "o"]
    assert np.allclose([x for x, _ in marks], [0, 10, 20])
    assert np.allclose([y for _, y in marks], cuts["sigma_mad"][[0, 5, 10]])
    (axes,) = width_histogram(width, "toy").axes
    limits = [line.get_xdata()[0] for line in axes.lines]
    assert np.allclose(limits, np.quantile(width, [0.5, 0.9, 0.8]))


def test_coverage_figure_shows_the_difference_from_calibration():
    levels = np.linspace(0, 1, 11)
    observed = levels**0.8
    error = fraction_error(100 * observed, 100)
    upper, lower = coverage_figure(levels, observed, 2 * error, 100, "toy").axes
    (curve,) = [line for line in upper.lines if line.get_label() == "observed"]
    assert np.allclose(curve.get_ydata(), observed)
    (curve,) = [line for line in lower.lines if line.get_label() == "observed"]
    assert np.allclose(curve.get_ydata(), observed - levels)
    (band,) = lower.collections
    top = band.get_paths()[0].get_extents().y1
    assert top == pytest.approx(2 * 1.96 * 0.05, rel=1e-3)  # at the level 1/2: 0.05 for 100 galaxies, twice for groups


# Mean PDF


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


def test_figure_shows_each_region_beside_its_z_spec():
    z_spec, pdf = calibrated(600)
    north = np.arange(600) < 400
    figure = mean_pdfs({"north": north, "south": ~north}, z_spec, pdf, GRID, "toy")
    upper = figure.axes[1]
    steps = {patch.get_label(): patch for patch in upper.patches if hasattr(patch, "get_data")}
    density = steps["mean PDF"].get_data().values
    assert np.sum(density) * GRID.width == pytest.approx(1)
    assert np.allclose(density, pdf[~north].mean(axis=0) / GRID.width)
    assert "mean PDF, north" in steps and "south, n = 200" in upper.get_title()
    with pytest.raises(ValueError, match="region 'east' has no galaxy"):
        mean_pdfs({"east": north & False}, z_spec, pdf, GRID, "toy")
