import numpy as np
import pytest
from scipy.stats import rv_histogram

from photoz_morph.redshift_grid import RedshiftGrid
from tests.support.redshifts import around_edges

SMALL = RedshiftGrid(0.0, 0.4, 4)  # bins of 0.1


def test_default_grid_is_the_papers():
    grid = RedshiftGrid()
    assert grid.n_bins == 180 and grid.edges[0] == 0.0 and grid.edges[-1] == 0.4
    assert grid.width == pytest.approx(2.22e-3, abs=5e-6)  # Pasquet et al. (2019), Sec. 3.6


def test_midpoints_lie_half_a_bin_above_the_lower_edges():
    np.testing.assert_allclose(SMALL.midpoints, [0.05, 0.15, 0.25, 0.35])


def test_z_phot_uses_bin_midpoints():
    np.testing.assert_allclose(SMALL.expectation([[0, 1, 0, 0], [0.5, 0, 0, 0.5]]), [0.15, 0.2])


def test_left_edges_lower_z_phot_by_half_a_bin():
    np.testing.assert_allclose(SMALL.expectation([[0, 1, 0, 0], [0.5, 0, 0, 0.5]], "left-edges"), [0.1, 0.15])
    with pytest.raises(ValueError, match="over bin midpoints or left-edges, got 'edges'"):
        SMALL.expectation([[0, 1, 0, 0]], "edges")


def test_mean_of_members_is_the_mean_of_the_mean_pdf():
    grid, rng = RedshiftGrid(), np.random.default_rng(0)
    members = rng.dirichlet(np.ones(180), size=(6, 20))
    np.testing.assert_allclose(
        np.mean([grid.expectation(pdf) for pdf in members], axis=0), grid.expectation(members.mean(axis=0)), rtol=1e-12
    )


def test_bins_hold_their_lower_edge_and_the_last_bin_both():
    np.testing.assert_array_equal(SMALL.bin_index([0.0, 0.099, 0.1, 0.399, 0.4]), [0, 0, 1, 3, 3])


def test_every_midpoint_falls_in_its_own_bin():
    grid = RedshiftGrid()
    np.testing.assert_array_equal(grid.bin_index(grid.midpoints), np.arange(180))


def test_redshift_outside_the_grid_is_named():
    with pytest.raises(ValueError, match=r"1 redshifts are outside \[0.0, 0.4\], the first is 0.41"):
        SMALL.bin_index([0.1, 0.41])
    with pytest.raises(ValueError, match="the first is nan"):
        SMALL.bin_index([np.nan])


def test_grid_without_extent_is_refused():
    with pytest.raises(ValueError, match="z_max > z_min"):
        RedshiftGrid(0.4, 0.4)


def test_cdf_runs_from_zero_to_one_and_normalises():
    np.testing.assert_allclose(SMALL.cdf([[1, 1, 0, 2]]), [[0, 0.25, 0.5, 0.5, 1]])


def test_cdf_and_quantiles_agree_with_scipy():
    grid, rng = RedshiftGrid(), np.random.default_rng(1)
    pdf = rng.dirichlet(np.ones(180), size=5)
    z = rng.uniform(0, 0.4, 5)
    reference = [rv_histogram((row, grid.edges), density=False) for row in pdf]
    np.testing.assert_allclose(grid.cdf_at(pdf, z), [r.cdf(x) for r, x in zip(reference, z)], atol=1e-12)
    for probability in (0.025, 0.16, 0.5, 0.84):
        np.testing.assert_allclose(grid.quantile(pdf, probability), [r.ppf(probability) for r in reference], atol=1e-12)


def test_cdf_outside_the_grid_is_zero_or_one():
    np.testing.assert_array_equal(SMALL.cdf_at(np.full((2, 4), 0.25), [-0.1, 0.5]), [0, 1])


def test_quantile_inverts_the_cdf():
    grid, rng = RedshiftGrid(), np.random.default_rng(2)
    pdf = rng.dirichlet(np.full(180, 0.05), size=50)  # mostly empty bins: the CDF has flat stretches
    np.testing.assert_allclose(grid.cdf_at(pdf, grid.quantile(pdf, 0.3)), 0.3, atol=1e-9)


def test_quantiles_0_and_1_are_the_ends_of_a_full_grid():
    pdf = np.full((1, 4), 0.25)
    np.testing.assert_allclose([SMALL.quantile(pdf, 0.0)[0], SMALL.quantile(pdf, 1.0)[0]], [0, 0.4])


def test_mode_is_the_midpoint_of_the_highest_bin():
    np.testing.assert_allclose(SMALL.mode([[0.1, 0.2, 0.6, 0.1]]), [0.25])


@pytest.mark.parametrize("grid", [RedshiftGrid(), RedshiftGrid(0.0, 5.3, 300), RedshiftGrid(-0.01, 1.2, 77)])
def test_every_redshift_near_an_edge_is_in_the_bin_whose_edges_enclose_it(grid):
    z = around_edges(grid)
    z = z[grid.contains(z)]
    index, inside = grid.bin_index(z), (z >= grid.z_min) & (z < grid.z_max)
    assert (grid.edges[index[inside]] <= z[inside]).all() and (z[inside] < grid.edges[index[inside] + 1]).all()
    assert set(index[z < grid.z_min]) <= {0} and set(index[z >= grid.z_max]) == {grid.n_bins - 1}
    # The ends of the grid in float32 are redshifts of the grid, a thousandth of a bin beyond is none.
    assert grid.contains(np.float32([grid.z_min, grid.z_max])).all()
    assert not grid.contains([grid.z_min - 1e-3 * grid.width, grid.z_max + 1e-3 * grid.width]).any()
