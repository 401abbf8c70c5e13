import dataclasses

import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from photoz_morph.simulation.morphology.encounters import N_PARTICLES, simulate_encounter
from photoz_morph.simulation.morphology.mergers import (
    MAX_SEPARATION,
    draw_bulge,
    draw_light,
    draw_merger,
    merger_populations,
)
from photoz_morph.simulation.morphology.populations import BANDS, PIXEL_KPC

TNG = FlatLambdaCDM(H0=67.74, Om0=0.3089)


@pytest.fixture(scope="module")
def encounter():
    return simulate_encounter(1, 2)


@pytest.fixture(scope="module")
def views(encounter):
    return [draw_merger(encounter, np.random.default_rng([7, k])) for k in range(16)]


def light_of(is_dry):
    """The first drawn light that is dry, or is not."""
    rng = np.random.default_rng(0)
    return next(light for light in (draw_light(rng) for _ in range(100)) if light.is_dry == is_dry)


def test_flux_is_the_stated_luminosity(views):
    for galaxy in views:
        flux = galaxy.band_image("r").sum(dtype=float) * 1e-9  # [Jy]
        absolute = -2.5 * np.log10(flux / 3631) - TNG.distmod(0.05).value
        lost = -2.5 * np.log10(1 - galaxy.truth["fraction_outside"])
        assert absolute == pytest.approx(galaxy.truth["abs_mag_r"] + lost, abs=0.01)


def test_pixels_are_finite_and_not_negative(views):
    for galaxy in views:
        image = galaxy.image()
        assert image.shape == (500, 500, 3) and image.dtype == np.float32
        assert np.isfinite(image).all() and image.min() >= 0


def test_band_is_a_plane_of_the_image(views):
    image = views[0].image()
    for i, band in enumerate(BANDS):
        assert np.array_equal(image[..., i], views[0].band_image(band))


def test_view_is_a_function_of_its_stream(encounter, views):
    again = draw_merger(encounter, np.random.default_rng([7, 3]))
    assert np.array_equal(again.image(), views[3].image()) and again.truth == views[3].truth
    assert not np.array_equal(views[4].image(), views[3].image())


def test_nuclei_are_near_and_the_brightest_is_at_the_centre(views):
    for galaxy in views:
        assert galaxy.truth["separation"] < MAX_SEPARATION
        assert galaxy.truth["separation"] <= galaxy.truth["separation_3d"] + 1e-6
        core = gaussian_filter(galaxy.maps["old"], 3)
        row, column = np.unravel_index(np.argmax(core), core.shape)
        offset = np.hypot(row - 249.5, column - 249.5) * PIXEL_KPC
        assert offset < 2 or offset == pytest.approx(galaxy.truth["separation"], abs=2)  # [kpc]


def test_dry_merger_is_red_and_without_dust(encounter):
    colours = {}
    for is_dry in (True, False):
        light = light_of(is_dry)
        maps, dust, _ = merger_populations(encounter, 6, Rotation.identity(), light, np.random.default_rng(1))
        assert (dust is None) == is_dry and ("young" in maps) != is_dry
        red = 0.80 * maps["old"].sum() + 0.55 * maps["intermediate"].sum() + 0.20 * maps.get("young", np.zeros(1)).sum()
        colours[is_dry] = red / sum(image.sum() for image in maps.values())
    assert colours[True] > colours[False] + 0.1


def test_dust_reddens_and_dims(views):
    galaxy = next(view for view in views if view.dust is not None)
    clear = dataclasses.replace(galaxy, dust=None)
    kept = [galaxy.band_image(band).sum() / clear.band_image(band).sum() for band in BANDS]
    assert kept[0] < kept[1] < kept[2] < 1


def test_companion_outside_the_field_is_skipped(encounter):
    positions, centres = encounter.positions.copy(), encounter.centres.copy()
    positions[6, N_PARTICLES[0] :, 0] += 12_000  # 240 kpc
    centres[6, 1, 0] += 240
    away = dataclasses.replace(encounter, positions=positions, centres=centres)
    light = light_of(False)
    maps, _, fraction_outside = merger_populations(away, 6, Rotation.identity(), light, np.random.default_rng(1))
    share = encounter.mass_ratio**1.3 / (1 + encounter.mass_ratio**1.3)
    # Not the share alone: the other galaxy may have particles outside, and young light goes where it is dense.
    assert fraction_outside == pytest.approx(share, abs=0.1) and fraction_outside > 0.5 * share
    edge = sum(maps.values())[:, -50:]
    assert np.isfinite(edge).all() and edge.sum() < 0.01 * sum(image.sum() for image in maps.values())


def test_bulge_has_its_flux_and_half_light_radius():
    light = dataclasses.replace(light_of(True), bulge_radius=(0.5, 0.5), bulge_slope=(2.0, 2.0), bulge_ratio=(1.0, 1.0))
    image = draw_bulge(np.array([240.3, 255.8]), 3.0, 20.0, 0, light, np.random.default_rng(0))
    assert image.sum() == pytest.approx(3.0, rel=0.01)
    rows, columns = np.indices(image.shape)
    inside = np.hypot(columns - 240.3, rows - 255.8) < 10.0
    assert image[inside].sum() == pytest.approx(1.5, rel=0.03)


def young_map(encounter, **changes):
    """Young light of one view, of unit sum, with the same random numbers whatever the changes."""
    light = dataclasses.replace(light_of(False), clump_fraction=0.0, nuclear_fraction=0.0, n_clumps=20)
    light = dataclasses.replace(light, **changes)
    rng = np.random.default_rng(1)
    maps, dust, _ = merger_populations(encounter, 6, Rotation.identity(), light, rng)
    total = sum(image.sum(dtype=float) for image in maps.values())
    return maps["young"] / maps["young"].sum(dtype=float), maps["young"].sum(dtype=float) / total


def test_clumps_hold_the_stated_part_of_the_young_light_and_are_compact(encounter):
    smooth, fraction = young_map(encounter)
    clumpy, same = young_map(encounter, clump_fraction=0.4)
    assert same == pytest.approx(fraction, rel=1e-3)  # light is moved, not made
    # What the clumps gain is what the rest loses: 0.4 x (clumps - smooth).
    clumps = (clumpy - 0.6 * smooth) / 0.4
    assert clumps.min() > -1e-6 and clumps.sum() == pytest.approx(1, abs=1e-3)
    brightest = np.sort(clumps.ravel())[::-1]
    assert brightest[:20_000].sum() > 0.99  # 20 clumps of at most 2.4 pixels, 5 sigma: 9,000 pixels
    assert np.vdot(clumps, clumps) > 3 * np.vdot(smooth, smooth)


def test_nuclear_starbursts_lie_at_the_nuclei(encounter):
    smooth, _ = young_map(encounter)
    burst, _ = young_map(encounter, nuclear_fraction=0.2)
    added = (burst - 0.8 * smooth) / 0.2
    rows, columns = np.indices(added.shape) - 249.5
    offset = encounter.centres[6, 1, :2] * light_of(False).size / PIXEL_KPC
    near = np.minimum(np.hypot(columns, rows), np.hypot(columns - offset[0], rows - offset[1])) < 4 / PIXEL_KPC
    assert added[near].sum() > 0.95
