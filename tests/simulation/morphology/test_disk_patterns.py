import numpy as np
import pytest

from photoz_morph.simulation.morphology.disk_patterns import arm_phase, draw_texture, scatter_clumps


def test_arms_are_logarithmic_with_the_stated_pitch_and_number():
    pitch, n_arms = np.radians(20), 3
    r = np.linspace(0.5, 3, 50)
    theta = np.log(r) / np.tan(pitch)  # dr / (r dtheta) = tan(pitch)
    phase = arm_phase(r, theta, n_arms, pitch)
    assert np.ptp(phase) < 0.02
    around = arm_phase(np.ones(1000), np.linspace(0, 2 * np.pi, 1000, endpoint=False), n_arms, pitch)
    crests = np.cos(around)
    assert ((crests > np.roll(crests, 1)) & (crests > np.roll(crests, -1))).sum() == n_arms


def test_texture_is_standardised_and_lumpy_at_the_scale_of_the_disk():
    texture = draw_texture(np.random.default_rng(5))
    assert texture.mean() == pytest.approx(0, abs=1e-3) and texture.std() == pytest.approx(1, abs=1e-3)
    # Neighbours are alike, places two disk radii apart are not.
    assert (texture * np.roll(texture, 2, axis=0)).mean() > 0.5
    assert abs((texture * np.roll(texture, 64, axis=0)).mean()) < 0.3


def test_clumps_keep_their_flux_and_follow_the_light():
    light = np.zeros((80, 80), np.float32)
    light[20:60, 20:40] = 1
    clumps = scatter_clumps(light, 300, 1.7, (0.6, 1.6), np.random.default_rng(6))
    assert clumps.min() >= 0
    assert clumps.sum(dtype=float) == pytest.approx(1, abs=1e-5)
    assert clumps[:, 45:].sum() < 1e-3 * clumps[:, 15:45].sum()
