import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from photoz_morph.simulation.morphology.encounter_orbit import PRIMARY_MASS, STEP_MYR, Body, Orbit, orbit
from photoz_morph.simulation.morphology.encounters import (
    DISK_EDGE,
    draw_disk,
    encounter_path,
    follow,
    load_encounter,
    simulate_encounter,
)

PRIMARY = Body(PRIMARY_MASS)
UPRIGHT, UPSIDE_DOWN = Rotation.identity(), Rotation.from_euler("x", 180, degrees=True)


@pytest.fixture(scope="module")
def encounter():
    return simulate_encounter(3, 5)


def disk_in_encounter(tilt, pericentre=7.0):
    """Radii of the primary's particles 400 Myr after an encounter with its equal [scale lengths]."""
    bodies = (PRIMARY, PRIMARY)
    path = orbit(bodies, pericentre)
    disk = draw_disk(PRIMARY, 4000, tilt, np.random.default_rng(1))
    step = path.first_pericentre + round(400 / STEP_MYR)
    x = follow(bodies, path, disk.x, disk.v + path.start_velocities[0], [step])[0]
    return np.linalg.norm(x - path.centres[step, 0], axis=1) / PRIMARY.scale_length


def test_isolated_disk_is_stable():
    disk = draw_disk(PRIMARY, 8000, UPRIGHT, np.random.default_rng(0))
    far = np.array([[0.0, 0, 0], [1e5, 0, 0]])
    n_steps = round(800 / STEP_MYR)
    path = Orbit(np.array([far] * (n_steps + 1)), np.zeros((n_steps + 1, 2, 3)), np.zeros((2, 3)), 0)
    x = follow((PRIMARY, Body(1.0)), path, disk.x, disk.v, [n_steps])[0]
    before, after = np.linalg.norm(disk.x, axis=1), np.linalg.norm(x, axis=1)
    for percentile in (10, 50, 90):
        assert np.percentile(after, percentile) == pytest.approx(np.percentile(before, percentile), rel=0.05)
    # Only the far wings of the velocity dispersion leave the disk.
    assert np.mean(after > 1.6 * DISK_EDGE * PRIMARY.scale_length) < 1e-3
    assert np.std(x[:, 2]) < 1.5 * np.std(disk.x[:, 2])


def test_drawn_disk_turns_about_its_axis_at_circular_speed():
    disk = draw_disk(PRIMARY, 8000, UPRIGHT, np.random.default_rng(0))
    radius = np.linalg.norm(disk.x[:, :2], axis=1)
    spin = (disk.x[:, 0] * disk.v[:, 1] - disk.x[:, 1] * disk.v[:, 0]) / radius
    # dPhi/dr of the potential, by differences.
    circular = np.sqrt(radius * (PRIMARY.potential(radius + 1e-4) - PRIMARY.potential(radius - 1e-4)) / 2e-4)
    assert np.median(spin / circular) == pytest.approx(1, abs=0.01)


def test_prograde_disk_grows_longer_tails_than_retrograde():
    # Toomre & Toomre (1972), Sec. II: the tide resonates with a disk that turns as the orbit does.
    prograde, retrograde = (disk_in_encounter(tilt) for tilt in (UPRIGHT, UPSIDE_DOWN))
    assert np.mean(prograde > 2 * DISK_EDGE) > 0.03
    assert np.mean(prograde > 2 * DISK_EDGE) > 2 * np.mean(retrograde > 2 * DISK_EDGE)


def test_disks_stay_on_their_nuclei(encounter):
    last = encounter.snapshot(-1)
    core = last[: len(last) // 2][encounter.radii[: len(last) // 2] < 0.3]
    assert np.linalg.norm(np.median(core, axis=0)) < 0.5  # [kpc]; the nucleus of the primary is the origin


def test_encounter_is_a_function_of_seed_and_index(encounter):
    again = simulate_encounter(3, 5)
    for name, value in vars(encounter).items():
        assert np.array_equal(value, getattr(again, name)), name
    assert not np.array_equal(simulate_encounter(3, 6).positions, encounter.positions)


def test_cached_encounter_is_the_simulated_one(tmp_path, encounter):
    load_encounter(tmp_path / "new", 3, 5)
    read = load_encounter(tmp_path / "new", 3, 5)
    for name, value in vars(encounter).items():
        assert np.array_equal(value, getattr(read, name)), name
    assert encounter_path(tmp_path / "new", 3, 5).stat().st_size < 1.5e6


def test_processes_may_share_a_cache(tmp_path):
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        ratios = list(pool.map(mass_ratio, [tmp_path] * 4))
    assert len(set(ratios)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["encounter-1-00002.npz"]


def mass_ratio(cache_dir):
    return load_encounter(cache_dir, 1, 2).mass_ratio


def test_truncated_cache_is_named(tmp_path):
    load_encounter(tmp_path, 3, 5)
    path = encounter_path(tmp_path, 3, 5)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="encounter-3-00005.npz: cannot be read as an encounter .* remove it"):
        load_encounter(tmp_path, 3, 5)


def test_cache_of_another_recipe_is_refused(tmp_path):
    np.savez(encounter_path(tmp_path, 3, 5), recipe=0)
    with pytest.raises(ValueError, match="is of recipe 0, this version makes 1; remove"):
        load_encounter(tmp_path, 3, 5)
