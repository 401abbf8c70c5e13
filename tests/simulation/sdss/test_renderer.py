import galsim
import numpy as np
import pytest

from photoz_morph.simulation.sdss.population import Component, SpiralArms
from photoz_morph.simulation.sdss.renderer import draw_components, grid_size
from photoz_morph.surveys import SDSS

SIZE, SCALE = SDSS.stamp_size, SDSS.pixel_scale


def one_component(n=1.0, half_light_radius=2.0, axis_ratio=0.6, angle=0.7, flux=(1.0,)):
    return Component(np.array(flux), n, half_light_radius, axis_ratio, angle)


def galsim_image(component, fwhm, offset=(0, 0)):
    # GalSim's half-light radius is that of the circle of equal area.
    circular = component.half_light_radius * np.sqrt(component.axis_ratio)
    profile = galsim.Sersic(n=component.n, half_light_radius=circular)
    profile = profile.shear(q=component.axis_ratio, beta=component.angle * galsim.radians)
    parameters = galsim.GSParams(folding_threshold=5e-4, maximum_fft_size=16384)
    image = galsim.Convolve(profile, galsim.Moffat(beta=3.5, fwhm=fwhm), gsparams=parameters)
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


def test_a_point_is_the_pixel_integrated_moffat_profile():
    point = Component(np.ones(2), 1, 0.0, 1.0, 0.0)
    for fwhm, ours in zip((1.2, 1.6), draw_components([point], [1.2, 1.6], SIZE, SCALE)):
        theirs = galsim.Moffat(beta=3.5, fwhm=fwhm).drawImage(nx=SIZE, ny=SIZE, scale=SCALE).array
        # The rendering has no frequency beyond Nyquist, of which a 3-pixel image has 1e-3.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3 * theirs.max())


def test_flux_is_kept_in_every_band():
    flux = np.array([3.0, 20.0, 50.0, 70.0, 90.0])
    image = draw_components([one_component(1.0, 0.8, flux=flux)], SDSS.psf_fwhm, SIZE, SCALE)
    # 1e-3 of a Moffat profile of beta 3.5 lies outside the stamp.
    np.testing.assert_allclose(image.sum(axis=(1, 2)), flux, rtol=2e-3)


def test_the_centre_lies_between_the_middle_pixels():
    image = draw_components([one_component(2.5, 1.5)], [1.3], SIZE, SCALE)[0].astype(float)
    row, column = np.indices(image.shape)
    assert np.sum(row * image) / image.sum() == pytest.approx(31.5, abs=1e-3)
    assert np.sum(column * image) / image.sum() == pytest.approx(31.5, abs=1e-3)


def test_spiral_arms_keep_the_flux_and_follow_point_symmetry():
    disk = one_component(1.0, 2.5, 0.7)
    arms = SpiralArms(np.array([0.6]), np.radians(20), 1.0)
    smooth = draw_components([disk], [1.3], SIZE, SCALE)[0]
    spiral = draw_components([disk], [1.3], SIZE, SCALE, arms=arms)[0]
    assert spiral.sum() == pytest.approx(smooth.sum(), rel=2e-3)  # arms end outside the stamp
    assert np.abs(spiral - smooth).max() > 0.02 * smooth.max()
    np.testing.assert_allclose(spiral, spiral[::-1, ::-1], atol=1e-5 * smooth.max())


def test_large_galaxies_get_larger_grids():
    sizes = [grid_size(radius, SIZE, SCALE) for radius in (0.5, 3, 6, 12, 30)]
    assert sizes[0] == 128 and sizes == sorted(sizes) and sizes[-1] > 256
