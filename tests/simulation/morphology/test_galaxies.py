"""Simulated spirals and ellipticals: their light, shape, colour and dust."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from photoz_morph.simulation.morphology.disk_patterns import arm_phase, draw_texture, scatter_clumps
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
