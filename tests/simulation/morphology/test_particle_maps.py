import numpy as np
import pytest

from photoz_morph.simulation.morphology.particle_maps import NEIGHBOURS, WIDTHS, adaptive_widths, smooth_field, splat


@pytest.mark.parametrize("width", [1.2, 3.0, 9.6, 19.2])
def test_splat_is_a_gaussian_of_its_width_and_flux(width):
    x, y = np.full(50, 251.3), np.linspace(200, 260, 50)
    image = splat(x, y, np.full((1, 50), 0.02), np.full(50, width))[0]
    assert image.sum() == pytest.approx(1, rel=1e-4)
    columns = np.arange(500)
    light = image.sum(axis=0)
    mean = (light * columns).sum()
    assert mean == pytest.approx(251.3, abs=0.5 * max(1, width / 1.2))  # half a cell
    # A mixture of two widths around the wanted one is wider by up to (1 + 4) / 2 / 2.
    assert width < np.sqrt((light * (columns - mean) ** 2).sum()) + 1e-3 < 1.15 * width + 0.1


def test_splat_keeps_maps_apart_and_loses_only_what_is_outside():
    x, y = np.array([100.0, 499.5, 540.0]), np.array([50.0, 250.0, 250.0])
    maps = splat(x, y, np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]), np.full(3, 2.4))
    assert maps.sum(axis=(1, 2)) == pytest.approx([1, 0.5, 0], abs=0.2)
    assert np.unravel_index(np.argmax(maps[0]), maps[0].shape) == pytest.approx((50, 100), abs=1)


@pytest.mark.parametrize("density", [0.02, 0.3])
def test_width_follows_the_density(density):
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-64, 564, (2, int(density * 628**2)))
    inner = (np.abs(x - 250) < 150) & (np.abs(y - 250) < 150)
    wanted = np.sqrt(NEIGHBOURS / (4 * np.pi * density))
    assert np.median(adaptive_widths(x, y)[inner]) == pytest.approx(wanted, rel=0.1)


def test_lone_particles_are_widest_and_crowded_ones_narrowest():
    rng = np.random.default_rng(0)
    x, y = np.concatenate([rng.normal(250, 5, (2, 5000)), [[20, 480], [30, 40]]], axis=1)
    widths = adaptive_widths(x, y)
    assert widths[-2:] == pytest.approx(WIDTHS[-1]) and np.median(widths[:5000]) == pytest.approx(WIDTHS[0])


def test_smooth_field_has_unit_variance_and_its_correlation():
    field = np.array([smooth_field(WIDTHS[2], np.random.default_rng(k)) for k in range(8)])
    assert field.std() == pytest.approx(1, abs=0.05) and field.mean() == pytest.approx(0, abs=0.05)
    lag = round(2 * WIDTHS[2])  # exp(-lag^2 / (4 sigma^2))
    assert (field[:, :, lag:] * field[:, :, :-lag]).mean() == pytest.approx(np.exp(-1), abs=0.06)
