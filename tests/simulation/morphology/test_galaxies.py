"""Simulated spirals and ellipticals: their light, shape, colour and dust."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from photoz_morph.simulation.morphology import disk_patterns
from photoz_morph.simulation.morphology import galaxies as module
from photoz_morph.simulation.morphology.galaxies import Box, draw_elliptical, draw_spiral
from photoz_morph.simulation.morphology.populations import FIELD_PIXELS, PIXEL_KPC, r_flux

N = 12
DRAWS = {"spiral": draw_spiral, "elliptical": draw_elliptical}


@pytest.fixture(scope="module")
def galaxies():
    return {name: [draw(np.random.default_rng([21, i])) for i in range(N)] for name, draw in DRAWS.items()}


@pytest.mark.parametrize("kind", DRAWS)
def test_r_light_in_the_field_is_the_stated_luminosity(galaxies, kind):
    for galaxy in galaxies[kind]:
        assert galaxy.band_image("r").sum(dtype=float) == pytest.approx(r_flux(galaxy.truth["abs_mag_r"]), rel=1e-4)


@pytest.mark.parametrize("kind", DRAWS)
def test_light_is_finite_and_nowhere_negative(galaxies, kind):
    for galaxy in galaxies[kind]:
        image = galaxy.image()
        assert image.shape == (FIELD_PIXELS, FIELD_PIXELS, 3) and image.dtype == np.float32
        assert np.isfinite(image).all() and (image >= 0).all()
        assert galaxy.dust is None or (galaxy.dust >= 0).all()


@pytest.mark.parametrize("kind", DRAWS)
def test_a_generator_of_the_same_state_draws_the_same_galaxy(galaxies, kind):
    again = DRAWS[kind](np.random.default_rng([21, 3]))
    assert again.truth == galaxies[kind][3].truth
    np.testing.assert_array_equal(again.image(), galaxies[kind][3].image())


def test_spirals_are_bluer_than_ellipticals(galaxies):
    colour = {
        kind: [-2.5 * np.log10(galaxy.band_image("g").sum() / galaxy.band_image("i").sum()) for galaxy in drawn]
        for kind, drawn in galaxies.items()
    }
    assert max(colour["spiral"]) < min(colour["elliptical"])
    # Half way in g - i between the spectra of the old (1.2) and the young (0.25) population.
    assert 0.5 < np.median(colour["spiral"]) < 0.95 and np.ptp(colour["spiral"]) > 0.1


def test_dust_dims_and_reddens(galaxies):
    for galaxy in galaxies["spiral"]:
        clear = replace(galaxy, dust=None)
        through = [galaxy.band_image(band).sum() / clear.band_image(band).sum() for band in "gri"]
        assert 0.2 < through[0] < through[1] < through[2] < 1


def test_nuclei_fall_anywhere_on_a_stamp_pixel(galaxies):
    images = [galaxy.band_image("i") for galaxy in galaxies["elliptical"]]
    brightest = np.array([np.unravel_index(image.argmax(), image.shape) for image in images])
    offset = brightest - (FIELD_PIXELS - 1) / 2
    assert np.abs(offset).max() <= 3
    assert (offset.std(axis=0) > 0.8).all()  # uniform over five pixels: 1.4


def test_inclined_disks_look_as_flat_as_they_are():
    """Second moments of the light follow the axis ratio; arms and lumps scatter them."""
    measured, true = [], []
    for i in range(25):
        galaxy = draw_spiral(np.random.default_rng([22, i]))
        measured.append(moment_axis_ratio(galaxy.band_image("i")))
        true.append(galaxy.truth["axis_ratio"])
    assert np.corrcoef(measured, true)[0, 1] > 0.8
    assert np.median(np.subtract(measured, true)) == pytest.approx(0, abs=0.1)


def moment_axis_ratio(image):
    rows, columns = np.indices(image.shape)
    weight = image / image.sum(dtype=float)
    covariance = np.cov(np.stack([rows.ravel(), columns.ravel()]), aweights=weight.ravel(), ddof=0)
    small, large = np.linalg.eigvalsh(covariance)
    return np.sqrt(small / large)


@pytest.mark.parametrize("offset", [(0.0, 0.0), (2.3, -1.6)])
@pytest.mark.parametrize("n", [1.0, 4.0])
def test_sersic_curve_of_growth_is_the_analytic_one_down_to_the_nucleus(n, offset):
    """A cusp needs sub-pixels: whole ones would be off by 2 % within 1.5 kpc of a de Vaucouleurs nucleus."""
    r_e = 3.0
    image = Box(np.array(offset), FIELD_PIXELS).sersic(r_e, n, 0.7, 0.4)
    rows, columns = (np.indices(image.shape) - (FIELD_PIXELS - 1) / 2) * PIXEL_KPC
    x, y = columns - offset[0] * PIXEL_KPC, rows - offset[1] * PIXEL_KPC
    along, across = x * np.cos(0.4) + y * np.sin(0.4), y * np.cos(0.4) - x * np.sin(0.4)
    radius = np.hypot(along, across / 0.7)
    b = special.gammaincinv(2 * n, 0.5)

    def enclosed(r):
        return special.gammainc(2 * n, b * (r / r_e) ** (1 / n))

    # Relative to what lies within 35 kpc, which the field holds; the edge of an aperture cuts pixels.
    total = image[radius < 35].sum(dtype=float) / enclosed(35)
    for r, tolerance in ((1.5, 0.006), (3.0, 0.006), (12.0, 0.001)):
        assert image[radius < r].sum(dtype=float) / total == pytest.approx(enclosed(r), rel=tolerance)


@pytest.fixture(scope="module")
def spirals_with_patterns():
    """Spirals in their boxes, the radius and the arm phase of each pixel, and all clumps in one dark corner."""
    drawn, seen = [], {}

    def arm_phase(r, theta, *args):
        seen["r"], seen["phase"] = r, disk_patterns.arm_phase(r, theta, *args)
        return seen["phase"]

    def scatter_clumps(light, *args):
        clumps = np.zeros_like(disk_patterns.scatter_clumps(light, *args))
        clumps[0, 0] = 1
        return clumps

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "arm_phase", arm_phase)
        patch.setattr(module, "scatter_clumps", scatter_clumps)
        for i in range(N):
            galaxy = draw_spiral(np.random.default_rng([23, i]))
            low = (FIELD_PIXELS - len(seen["r"])) // 2
            box = slice(low, low + len(seen["r"]))
            drawn.append(({name: image[box, box] for name, image in galaxy.maps.items()}, dict(seen)))
    return drawn


def test_spirals_are_brighter_on_their_arms_than_between_the_more_so_in_young_stars(spirals_with_patterns):
    for maps, pattern in spirals_with_patterns:
        ring = (pattern["r"] > 0.5) & (pattern["r"] < 2)
        arm, gap = ring & (np.cos(pattern["phase"]) > 0.7), ring & (np.cos(pattern["phase"]) < -0.7)
        ratio = {name: maps[name][arm].mean() / maps[name][gap].mean() for name in ("intermediate", "young")}
        # exp(2 kappa) on ridge over trough is 2.7 at least; lopsided disks without arms reach 1.5.
        assert ratio["young"] > 1.2 * ratio["intermediate"] and ratio["intermediate"] > 2


def test_clumps_hold_a_part_of_the_young_light_of_every_spiral_and_of_no_other(spirals_with_patterns):
    parts = np.array([maps["young"][0, 0] / maps["young"].sum(dtype=float) for maps, _ in spirals_with_patterns])
    assert parts.min() > 0.05 - 1e-4 and parts.max() < 0.55 + 1e-4
    assert parts.mean() == pytest.approx(0.05 + 0.5 / 3, abs=3 * 0.5 * np.sqrt(1 / 18 / N))  # Beta(1, 2)
    for maps, _ in spirals_with_patterns:
        assert maps["intermediate"][0, 0] < 1e-3 * maps["young"][0, 0]
