import numpy as np
import pytest

from photoz_morph.simulation.morphology.galaxies import draw_elliptical, draw_spiral
from photoz_morph.simulation.morphology.populations import DUST_CURVE, FIELD_PIXELS, StellarMaps
from photoz_morph.simulation.populations import maps as drawing
from photoz_morph.simulation.populations.assignment import Stars
from photoz_morph.simulation.populations.maps import (
    MAPS,
    PIXEL_KPC,
    V_OVER_R,
    galaxy_maps,
    surface_brightness,
)
from photoz_morph.simulation.populations.stellar_table import mass_per_flux, population_mags, relative_fluxes


def blob(flux=1e6, dust=None):
    """A round Gaussian galaxy of one population."""
    y, x = np.indices((FIELD_PIXELS, FIELD_PIXELS)) - (FIELD_PIXELS - 1) / 2
    light = np.exp(-(x**2 + y**2) / (2 * 8.0**2)).astype(np.float32)
    tau = None if dust is None else np.full(light.shape, dust, np.float32)
    return StellarMaps({"old": flux * light / light.sum()}, tau, {"abs_mag_r": -20.0})


@pytest.fixture
def same_stars(monkeypatch):
    """All stars are 10^9.7 years old with 10^-0.2 of the metals of the Sun."""

    def assign(light, abs_mag_r, rng):
        shape = next(iter(light.values())).shape
        return Stars({name: np.full(shape, 9.7) for name in light}, {name: np.full(shape, -0.2) for name in light})

    monkeypatch.setattr(drawing, "assign_stars", assign)


def test_a_galaxy_of_one_population_has_its_colours_its_mass_and_flat_maps(same_stars):
    found = galaxy_maps(blob(), 32, np.random.default_rng(1))
    mags = population_mags(9.7, -0.2)
    total = found.expected.sum(axis=(0, 1))
    np.testing.assert_allclose(total / total[1], relative_fluxes(mags), rtol=1e-3)
    assert total[1] == pytest.approx(1e6, rel=0.01)  # the wings of the point-spread function go on beyond the stamp
    assert found.truth["log_mass"] == pytest.approx(np.log10(total[1] * mass_per_flux(mags)), abs=1e-3)
    inside = found.brightness > 1
    for name, expected in (("age", 9.7), ("metallicity", -0.2), ("a_v", 0.0)):
        np.testing.assert_allclose(found.maps[inside][:, MAPS.index(name)], expected, atol=1e-3)
        assert found.truth["log_age" if name == "age" else name] == pytest.approx(expected, abs=1e-3)
    mass = 10 ** found.maps[inside][:, 0].astype(float) * PIXEL_KPC**2
    np.testing.assert_allclose(mass, found.brightness[inside] * mass_per_flux(mags), rtol=1e-3)


def test_a_screen_of_dust_dims_and_reddens_by_its_curve_and_hides_no_mass(same_stars):
    bare, screened = (galaxy_maps(blob(dust=dust), 32, np.random.default_rng(1)) for dust in (None, 0.7))
    np.testing.assert_allclose(
        screened.expected.sum(axis=(0, 1)) / bare.expected.sum(axis=(0, 1)), np.exp(-0.7 * np.array(DUST_CURVE)),
        rtol=1e-4,
    )  # fmt: skip
    inside = screened.brightness > 1
    np.testing.assert_allclose(screened.maps[inside][:, 3], 1.0857 * V_OVER_R * 0.7, rtol=1e-3)
    np.testing.assert_allclose(screened.maps[inside][:, :3], bare.maps[inside][:, :3], atol=1e-3)


def test_the_optical_depth_in_v_is_that_of_the_curve():
    """Calzetti et al. (2000), Eq. 4, at 0.55 and 0.62 micrometres."""
    k_v, k_r = (2.659 * (-2.156 + 1.509 / x - 0.198 / x**2 + 0.011 / x**3) + 4.05 for x in (0.55, 0.62))
    assert k_v / k_r == pytest.approx(V_OVER_R, abs=1e-3) and k_v == pytest.approx(4.05, abs=0.01)


def test_the_image_is_seen_through_the_point_spread_function(same_stars):
    """A point spreads over 0.7 arcsec, 3.5 camera pixels, and the map of its mass with it."""
    light = np.zeros((FIELD_PIXELS, FIELD_PIXELS), np.float32)
    light[FIELD_PIXELS // 2, FIELD_PIXELS // 2] = 1e6
    found = galaxy_maps(StellarMaps({"old": light}, None, {"abs_mag_r": -20.0}), 32, np.random.default_rng(1))
    seen = found.expected[..., 1]
    width = 2 * np.sqrt((seen > seen.max() / 2).sum() / np.pi)
    assert 3.0 < width < 5.0
    assert seen.sum() == pytest.approx(1e6, rel=0.02)  # Kolmogorov's wings go on beyond the stamp
    lit = np.isfinite(found.maps[..., 0])
    mass = np.where(lit, 10 ** found.maps[..., 0], 0)
    np.testing.assert_allclose(mass[lit] / mass[lit].sum(), found.brightness[lit] / found.brightness[lit].sum(),
                               rtol=1e-3, atol=1e-7)  # fmt: skip


@pytest.mark.parametrize("draw", [draw_spiral, draw_elliptical])
def test_the_same_light_can_be_of_different_masses_and_colours_tell_of_them(draw):
    """Galaxies of one shape with other stars: masses scatter, and the redder has the more mass for its light."""
    galaxy = draw(np.random.default_rng(4))
    found = [galaxy_maps(galaxy, 32, np.random.default_rng([2, seed])) for seed in range(24)]
    masses = np.array([one.truth["log_mass"] for one in found])
    colours = np.array([-2.5 * np.log10(np.divide(*one.expected.sum(axis=(0, 1))[:2])) for one in found])
    assert 0.03 < masses.std() < 0.25
    assert np.corrcoef(colours, masses)[0, 1] > 0.3
    dust = [one.truth["a_v"] for one in found]
    assert (np.std(dust) < 0.05) and (max(dust) > 0.02) == (galaxy.dust is not None)


def test_maps_vary_within_a_galaxy_and_are_unknown_where_there_is_no_light():
    found = galaxy_maps(draw_spiral(np.random.default_rng(4)), 64, np.random.default_rng(2))
    assert found.maps.shape == (64, 64, 4) and found.maps.dtype == np.float32
    inside = found.brightness > 10
    assert (found.maps[inside].std(axis=0) > [0.2, 0.1, 0.03, 0.03]).all()
    dark = np.isnan(found.maps[..., 0])
    np.testing.assert_array_equal(np.isnan(found.maps).all(axis=-1), dark)
    assert (found.brightness[dark] <= max(1e-2, 1e-5 * found.brightness.max())).all()


def test_surface_brightness_is_per_square_arcsecond():
    found = surface_brightness(np.array([0.16, 0.0, -1.0]), 31.4, 0.4)  # 1 nJy per square arcsecond
    assert found[0] == pytest.approx(31.4) and (found[1:] == np.inf).all()
