import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoz_morph.photoz.formats.binning import Layout, read_layout, to_grid, with_kind_of_values
from photoz_morph.redshift_grid import RedshiftGrid

EDGES = np.array([0.0, 0.1, 0.15, 0.3, 0.6])


def triangle(nodes):
    """Density that rises from 0 at 0.1 to 10 at 0.2 and falls to 0 at 0.3."""
    return np.interp(nodes, [0.1, 0.2, 0.3], [0, 10, 0])


def _cdf_of_triangle():
    """Its cumulative distribution at many redshifts."""
    z = np.linspace(0, 0.4, 16_001)
    return z, np.where(z < 0.2, 50 * np.clip(z - 0.1, 0, None) ** 2, 1 - 50 * np.clip(0.3 - z, 0, None) ** 2)


def test_equal_bins_keep_their_grid_and_their_probabilities():
    layout = Layout("bins", np.linspace(0, 0.4, 181).astype("f4"), are_densities=False)
    pdf = np.random.default_rng(0).dirichlet(np.ones(180), 5)
    found, integral, inside = to_grid(pdf, layout, layout.grid)
    assert layout.grid.n_bins == 180 and layout.grid.z_max == pytest.approx(0.4)
    np.testing.assert_allclose(found, pdf, atol=1e-7)
    np.testing.assert_allclose([integral, inside], 1)


def test_densities_between_nodes_are_integrated_exactly():
    layout = Layout("nodes", np.linspace(0, 0.4, 9))  # nodes at 0.1, 0.2, 0.3
    grid = RedshiftGrid(0.0, 0.4, 16)
    pdf, integral, inside = to_grid(triangle(layout.points)[None], layout, grid)
    expected = np.interp(grid.edges, *_cdf_of_triangle())
    np.testing.assert_allclose(grid.cdf(pdf)[0], expected, atol=1e-6)
    assert integral[0] == pytest.approx(1) and inside[0] == pytest.approx(1)


def test_bins_of_unequal_width_take_densities_for_densities_and_probabilities_for_probabilities():
    probability = np.array([[0.2, 0.1, 0.6, 0.1]])
    density = probability / np.diff(EDGES)
    for values in (probability, density):
        layout = with_kind_of_values(Layout("bins", EDGES), values)
        pdf, _, _ = to_grid(values, layout, layout.grid)
        at = layout.grid.cdf_at(np.repeat(pdf, 5, axis=0), EDGES)
        np.testing.assert_allclose(at, [0, 0.2, 0.3, 0.9, 1], atol=1e-6)


def test_probabilities_at_nodes_are_those_of_bins_about_them():
    nodes = np.linspace(0.05, 0.35, 4)
    layout = with_kind_of_values(Layout("nodes", nodes), [[0.1, 0.2, 0.3, 0.4]])
    assert layout.kind == "bins"
    np.testing.assert_allclose(layout.points, [0, 0.1, 0.2, 0.3, 0.4], atol=1e-12)


def test_what_lies_beyond_the_grid_is_cut_and_counted():
    layout = Layout("bins", np.array([0.0, 0.1, 0.2]), are_densities=False)
    pdf, integral, inside = to_grid([[1.5, 0.5]], layout, RedshiftGrid(0.0, 0.1, 2))
    np.testing.assert_allclose(pdf, [[0.5, 0.5]])
    assert integral[0] == 2 and inside[0] == 0.75


@pytest.mark.parametrize("row", [[1, np.nan, 1], [1, -0.1, 1], [0, 0, 0], [np.inf, 1, 1]])
def test_what_is_no_density_gives_no_pdf(row):
    pdf, _, _ = to_grid([row, [1, 1, 1]], Layout("nodes", [0, 0.1, 0.2]), RedshiftGrid(0.0, 0.2, 4))
    assert np.isnan(pdf[0]).all() and pdf[1].sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "text", ["bins=0,0.4", "bins=0.4,0,180", "nodes=0,3,1", "edges=0,1,2", "bins=0,x,3", "bins=0,1,0"]
)
def test_a_layout_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="--grid is"):
        read_layout(text)


def test_layouts_of_text():
    assert read_layout("bins=0, 0.4, 180").grid == RedshiftGrid()
    assert read_layout("nodes=0,3,301").n_columns == 301


@pytest.mark.parametrize("points", [[0.0], [0, 0.2, 0.1], [0, np.nan], [0.1, 0.1]])
def test_points_that_do_not_increase_are_refused(points):
    with pytest.raises(ValueError, match="not two or more increasing numbers"):
        Layout("nodes", points)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(1e-3, 0.3), min_size=1, max_size=30), st.integers(0, 2**32 - 1),
    st.sampled_from(["bins", "nodes"]),
)  # fmt: skip
def test_mean_of_the_pdf_is_kept_on_any_grid(steps, seed, kind):
    points = np.concatenate([[0.0], np.cumsum(steps)])
    layout = Layout(kind, points)
    values = np.random.default_rng(seed).uniform(0, 1, (3, layout.n_columns)) + 1e-6
    grid = layout.grid
    pdf, _, inside = to_grid(values, layout, grid)
    if kind == "bins":
        mass, centre = values * np.diff(points), 0.5 * (points[1:] + points[:-1])
        mean = mass @ centre / mass.sum(axis=1)
    else:
        fine = np.linspace(points[0], points[-1], 200_001)
        density = np.array([np.interp(fine, points, row) for row in values])
        mean = density @ fine / density.sum(axis=1)
    np.testing.assert_allclose(inside, 1, rtol=1e-9)
    np.testing.assert_allclose(grid.expectation(pdf), mean, atol=0.5 * grid.width)
