import galsim
import numpy as np
import pytest

from photoz_morph.simulation.sdss.population import Component
from photoz_morph.simulation.sdss.renderer import STEEP_SHARE, draw_components, fwhm_in_scale_radii, grid_size
from photoz_morph.simulation.sdss.structure import Clumps, SpiralArms
from photoz_morph.surveys import SDSS

SIZE, SCALE = SDSS.stamp_size, SDSS.pixel_scale


def one_component(n=1.0, half_light_radius=2.0, axis_ratio=0.6, angle=0.7, flux=(1.0,)):
    return Component(np.array(flux), n, half_light_radius, axis_ratio, angle)


def galsim_psf(fwhm, steep_share=STEEP_SHARE[0], ellipticity=(0.0, 0.0)):
    """The sum of two Moffat profiles of one scale radius, sheared at constant area."""
    radius = fwhm / fwhm_in_scale_radii(steep_share)
    steep, shallow = (galsim.Moffat(beta=beta, scale_radius=radius) for beta in (3.5, 2.5))
    # (1 - e) x^2 + (1 + e) y^2 is constant on ellipses of axis ratio sqrt((1 - e) / (1 + e)).
    e = np.hypot(*ellipticity)
    angle = np.arctan2(ellipticity[1], ellipticity[0]) / 2
    psf = steep * steep_share + shallow * (1 - steep_share)
    return psf.shear(q=np.sqrt((1 - e) / (1 + e)), beta=angle * galsim.radians)


def galsim_image(component, fwhm, offset=(0, 0), **psf):
    # GalSim's half-light radius is that of the circle of equal area.
    circular = component.half_light_radius * np.sqrt(component.axis_ratio)
    profile = galsim.Sersic(n=component.n, half_light_radius=circular)
    profile = profile.shear(q=component.axis_ratio, beta=component.angle * galsim.radians)
    parameters = galsim.GSParams(folding_threshold=5e-4, maximum_fft_size=16384)
    image = galsim.Convolve(profile, galsim_psf(fwhm, **psf), gsparams=parameters)
    return image.drawImage(nx=SIZE, ny=SIZE, scale=SCALE, offset=offset).array


@pytest.mark.parametrize("n", [1.0, 1.2, 2.61, 4.0, 5.9])
@pytest.mark.parametrize("half_light_radius", [0.3, 1.5, 3.1, 6.2])
@pytest.mark.parametrize("axis_ratio, fwhm", [(0.25, 1.2), (0.9, 1.2), (0.6, 1.6)])
def test_pixels_are_those_of_galsim(n, half_light_radius, axis_ratio, fwhm):
    component = one_component(n, half_light_radius, axis_ratio)
    ours = draw_components([component], [fwhm], SIZE, SCALE)[0]
    theirs = galsim_image(component, fwhm)
    # Wings that wrap around the grid, and frequencies beyond Nyquist for the sharpest images.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-4 * theirs.max())


def test_moved_components_are_those_of_galsim():
    component = one_component(half_light_radius=0.8)
    ours = draw_components([component], [1.4], SIZE, SCALE, SIZE + SIZE // 2, [(11.3, -20.6)])[0]
    theirs = galsim_image(component, 1.4, offset=(11.3, -20.6))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-4 * theirs.max())


@pytest.mark.parametrize("steep_share", [0.0, 0.5, 1.0])
def test_a_point_is_the_pixel_integrated_sum_of_moffat_profiles(steep_share):
    point, share = Component(np.ones(2), 1, 0.0, 1.0, 0.0), (steep_share, steep_share)
    images = draw_components([point], [1.2, 1.6], SIZE, SCALE, steep_share=share)
    for fwhm, ours in zip((1.2, 1.6), images):
        theirs = galsim_psf(fwhm, steep_share).drawImage(nx=SIZE, ny=SIZE, scale=SCALE).array
        # The rendering has no frequency beyond Nyquist, of which a 3-pixel image has 1e-3; its wings wrap around.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1.2e-3 * theirs.max())


def test_the_width_of_the_point_spread_function_is_that_asked_for():
    for steep_share in (0.0, 0.3, 1.0):
        psf = galsim_psf(1.3, steep_share)
        assert psf.xValue(0.65, 0) == pytest.approx(psf.xValue(0, 0) / 2, rel=1e-6)
    # A single Moffat profile: 2 sqrt(2^(1 / beta) - 1) scale radii.
    assert fwhm_in_scale_radii(1.0) == pytest.approx(2 * np.sqrt(2 ** (1 / 3.5) - 1))
    assert fwhm_in_scale_radii(0.0) == pytest.approx(2 * np.sqrt(2 ** (1 / 2.5) - 1))


@pytest.mark.parametrize("ellipticity", [(0.15, 0.0), (-0.1, 0.0), (0.05, 0.12)])
def test_an_elliptical_point_spread_function_is_that_of_galsim(ellipticity):
    component = one_component(1.5, 0.8)
    ours = draw_components([component], [1.3], SIZE, SCALE, psf_ellipticity=ellipticity)[0]
    theirs = galsim_image(component, 1.3, ellipticity=ellipticity)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-4 * theirs.max())


def test_bands_are_displaced_each_by_its_own_offset():
    component, offsets = one_component(1.0, 0.8, flux=(1.0, 1.0)), [(0.3, -0.2), (-0.15, 0.4)]
    images = draw_components([component], [1.3, 1.3], SIZE, SCALE, offsets=offsets, steep_share=STEEP_SHARE[:1] * 2)
    for ours, offset in zip(images, offsets):
        theirs = galsim_image(component, 1.3, offset)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-4 * theirs.max())


def test_clumps_are_the_points_of_galsim():
    rng, radius = np.random.default_rng(0), 2.0
    share = rng.random(12)
    clumps = Clumps(np.array([5.0]), share / share.sum(), rng.normal(0, radius, (12, 2)))
    disk = one_component(1.0, radius)
    ours = draw_components([disk], [1.3], SIZE, SCALE, clumps=clumps)[0]
    smooth = draw_components([disk], [1.3], SIZE, SCALE)[0]
    points = [galsim.DeltaFunction(5.0 * f).shift(*position) for f, position in zip(clumps.share, clumps.positions)]
    theirs = galsim.Convolve(galsim.Sum(points), galsim_psf(1.3)).drawImage(nx=SIZE, ny=SIZE, scale=SCALE).array
    np.testing.assert_allclose(ours - smooth, theirs, rtol=0, atol=1.2e-3 * theirs.max())


def test_flux_is_kept_in_every_band():
    flux = np.array([3.0, 20.0, 50.0, 70.0, 90.0])
    image = draw_components([one_component(1.0, 0.8, flux=flux)], SDSS.psf_fwhm, SIZE, SCALE)
    # 4e-3 of a Moffat profile of beta 2.5 lies outside the stamp.
    np.testing.assert_allclose(image.sum(axis=(1, 2)), flux, rtol=6e-3)


def test_the_centre_lies_between_the_middle_pixels():
    image = draw_components([one_component(2.5, 1.5)], [1.3], SIZE, SCALE)[0].astype(float)
    row, column = np.indices(image.shape)
    assert np.sum(row * image) / image.sum() == pytest.approx(31.5, abs=1e-3)
    assert np.sum(column * image) / image.sum() == pytest.approx(31.5, abs=1e-3)


@pytest.mark.parametrize("number", [2, 4])
def test_spiral_arms_keep_the_flux_and_have_their_symmetry(number):
    disk = one_component(1.0, 3.5, 1.0, 0.0)
    arms = SpiralArms(np.array([0.6]), np.radians(20), 1.0, number)
    smooth = draw_components([disk], [1.3], SIZE, SCALE)[0]
    spiral = draw_components([disk], [1.3], SIZE, SCALE, arms=arms)[0]
    assert spiral.sum() == pytest.approx(smooth.sum(), rel=2e-3)  # arms end outside the stamp
    assert np.abs(spiral - smooth).max() > 0.02 * smooth.max()
    np.testing.assert_allclose(spiral, spiral[::-1, ::-1], atol=1e-5 * smooth.max())
    # Face-on, a quarter turn leaves four arms where they are and puts two between each other.
    change = spiral - smooth
    sign = {2: -1, 4: 1}[number]
    assert np.corrcoef(change.ravel(), np.rot90(change).ravel())[0, 1] * sign > 0.95


def test_large_galaxies_get_larger_grids():
    sizes = [grid_size(radius, SIZE, SCALE) for radius in (0.5, 3, 6, 12, 30)]
    assert sizes[0] == 128 and sizes == sorted(sizes) and sizes[-1] > 256
