"""Bars, arms and clumps: their geometry on the sky."""

import numpy as np
import pytest

from photoz_morph.simulation.sdss import structure
from photoz_morph.simulation.sdss.structure import (
    SpiralArms,
    draw_arms,
    draw_clumps,
    draw_early_type,
    draw_late_type,
    projected_bar,
)


@pytest.mark.parametrize("azimuth", [0.0, 0.4, 1.3, np.pi / 2, 2.5])
@pytest.mark.parametrize("axis_ratio", [0.25, 0.7, 1.0])
def test_a_bar_is_projected_as_the_points_of_its_outline(azimuth, axis_ratio):
    radius, q, angle = projected_bar(2.0, azimuth, axis_ratio)
    t = np.linspace(0, 2 * np.pi, 20001)
    along, across = 2.0 * np.cos(t), 2.0 * structure.BAR_AXIS_RATIO * np.sin(t)
    x = along * np.cos(azimuth) - across * np.sin(azimuth)
    y = (along * np.sin(azimuth) + across * np.cos(azimuth)) * axis_ratio
    distance = np.hypot(x, y)
    assert radius == pytest.approx(distance.max(), rel=1e-6)
    assert radius * q == pytest.approx(distance.min(), rel=1e-6)
    farthest = np.argmax(distance)
    assert np.cos(np.arctan2(y[farthest], x[farthest]) - angle) ** 2 == pytest.approx(1, abs=1e-5)


def test_clumps_lie_on_the_arms():
    arms = SpiralArms(np.ones(5), np.radians(20), 1.0, 2)
    near = []
    for seed in range(300):
        clumps = draw_clumps(np.ones(5), 0.3, 2.0, 1.0, 0.0, arms, np.random.default_rng(seed))
        radius = np.hypot(*clumps.positions.T) / 2.0
        azimuth = np.arctan2(clumps.positions[:, 1], clumps.positions[:, 0])
        # The phase of the pattern that the renderer draws: 2 theta - 2 ln r / tan(pitch) - phase.
        near.extend(np.cos(2 * azimuth - 2 * np.log(radius) / np.tan(arms.pitch) - arms.phase))
    # The mean cosine of twice a normal deviate of 0.35 rad; 0 if they were anywhere.
    assert np.mean(near) == pytest.approx(np.exp(-2 * 0.35**2), abs=0.03)


def test_clumps_follow_the_inclined_disk_and_share_its_young_light():
    disk = np.array([1.0, 2, 3, 4, 5])
    flat = [draw_clumps(disk, 0.3, 2.0, 0.3, 0.7, None, np.random.default_rng(seed)) for seed in range(300)]
    x, y = np.concatenate([clumps.positions for clumps in flat]).T
    along, across = x * np.cos(0.7) + y * np.sin(0.7), y * np.cos(0.7) - x * np.sin(0.7)
    assert across.std() / along.std() == pytest.approx(0.3, rel=0.06)
    assert all(clumps.share.sum() == pytest.approx(1) for clumps in flat)
    assert np.mean([clumps.flux[2] / 3 for clumps in flat]) == pytest.approx(0.03, rel=0.08)
    old = draw_clumps(disk, 0.0, 2.0, 0.3, 0.7, None, np.random.default_rng(0))
    assert not old.flux.any()


def test_the_luminosity_function_of_clumps_is_that_of_hii_regions(monkeypatch):
    monkeypatch.setattr(structure, "CLUMP_NUMBER", 200_000)
    share = draw_clumps(np.ones(5), 0.3, 2.0, 1.0, 0.0, None, np.random.default_rng(0)).share
    luminosity = share / share.min()
    # N(> L) ~ 1 / L for dN / dL ~ L^-2 (Kennicutt, Edgar & Hodge 1989), but for the end at a hundred times the least.
    expected = (1 / 10 - 1 / 100) / (1 - 1 / 100)
    assert np.mean(luminosity > 10) == pytest.approx(expected, rel=0.03) and luminosity.max() < 100.1


def test_inclined_disks_have_no_visible_arms():
    rng = np.random.default_rng(0)
    assert draw_arms(0.29, rng) is None and draw_arms(0.31, rng) is not None


@pytest.mark.parametrize("draw, exponent", [(draw_early_type, 1.48), (draw_late_type, 0.75)])
def test_galaxies_of_a_mass_were_smaller_before(draw, exponent):
    now, before = (draw(10.8, z, np.random.default_rng(3)).r_e for z in (0.1, 0.3))
    assert before / now == pytest.approx((1.3 / 1.1) ** -exponent)  # van der Wel et al. (2014)
    assert sum(draw(10.8, 0.1, np.random.default_rng(5)).light) == pytest.approx(1)
