import numpy as np
import pytest

from photoz_morph.simulation.morphology.encounter_orbit import (
    HALO_MASS,
    PRIMARY_MASS,
    STEP_MYR,
    Body,
    G,
    accelerate,
    orbit,
)

PRIMARY = Body(PRIMARY_MASS)
RATIOS = 10 ** np.array([-1.1, -0.7, -0.4, 0.0])


def separations(path):
    return np.linalg.norm(path.centres[:, 1] - path.centres[:, 0], axis=1)


def energies(path, bodies):
    """Energy of the relative motion over reduced mass at inner steps [kpc^2 Myr^-2], from the positions alone."""
    between = path.centres[:, 1] - path.centres[:, 0]
    speed = np.linalg.norm(between[2:] - between[:-2], axis=1) / (2 * STEP_MYR)
    radius = np.linalg.norm(between[1:-1], axis=1)
    return speed**2 / 2 + bodies[0].potential(radius) + bodies[1].potential(radius)


def test_parabola_without_friction_keeps_its_energy_and_pericentre():
    for ratio in RATIOS:
        bodies = (PRIMARY, Body(PRIMARY_MASS * ratio))
        path = orbit(bodies, 6.0, friction=0.0)
        depth = -bodies[0].potential(6.0) - bodies[1].potential(6.0)
        assert np.abs(energies(path, bodies)).max() < 0.02 * depth
        assert separations(path).min() == pytest.approx(6.0, rel=0.03)
        assert separations(path)[-1] > 100


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("pericentre", [3.0, 12.0])
def test_friction_takes_energy_until_the_pair_has_merged(ratio, pericentre):
    bodies = (PRIMARY, Body(PRIMARY_MASS * ratio))
    path = orbit(bodies, pericentre)
    energy = energies(path, bodies)
    assert energy[-1] < energy[path.first_pericentre] < energy[0]
    assert separations(path)[-round(50 / STEP_MYR) :].max() < 5  # [kpc] of nuclei in the last 50 Myr


def test_nuclei_turn_about_each_other_as_the_upright_disk_does():
    between = np.diff(orbit((PRIMARY, PRIMARY), 8.0).centres[:, :, :2], axis=1)[:, 0]
    turn = between[:-1, 0] * between[1:, 1] - between[:-1, 1] * between[1:, 0]
    assert turn[0] > 0


@pytest.mark.parametrize("radius", [0.5, 5.0, 60.0])
def test_pull_is_the_gradient_of_the_potential(radius):
    body, step = Body(0.3 * PRIMARY_MASS), 1e-4
    gradient = (body.potential(radius + step) - body.potential(radius - step)) / (2 * step)
    assert body.pull(radius**2) * radius == pytest.approx(gradient, rel=1e-6)
    assert body.pull(radius**2) * radius**3 == pytest.approx(G * body.mass_inside(radius**2), rel=1e-12)  # Newton


def test_masses_of_halo_and_stars_add_up_and_the_density_is_that_of_the_halo():
    assert PRIMARY.mass_inside(1e12) == pytest.approx(PRIMARY_MASS, rel=1e-6)
    radius = np.linspace(0, 3000, 300_001)
    halo = np.trapezoid(4 * np.pi * radius**2 * PRIMARY.halo_density(radius**2), radius) / G
    assert halo == pytest.approx(HALO_MASS, rel=1e-4)


def test_friction_opposes_the_motion_of_both_galaxies():
    bodies = (PRIMARY, Body(0.5 * PRIMARY_MASS))
    x, v = np.array([[0.0, 0, 0], [10.0, 0, 0]]), np.array([[0.0, 0, 0], [-0.1, 0.2, 0]])
    _, drag = accelerate(bodies, x, v, 1.3)
    motion = v[1] - v[0]
    assert drag[0] @ motion > 0 > drag[1] @ motion  # each slows down with respect to the other
    np.testing.assert_allclose(np.cross(drag, motion), 0, atol=1e-15)
    assert np.linalg.norm(drag[1]) > np.linalg.norm(drag[0])  # the companion moves in the denser halo
    np.testing.assert_array_equal(accelerate(bodies, x, v, 0.0)[1], 0)
