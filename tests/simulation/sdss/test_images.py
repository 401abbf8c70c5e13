"""The Fourier renderer against GalSim, and the noise of a stack against what the survey promises."""

from dataclasses import replace

import galsim
import numpy as np
import pytest

from photoz_morph.simulation.sdss.images import draw_observation, noiseless_images, observe
from photoz_morph.simulation.sdss.population import Component, Parents, SpiralArms, draw_galaxy
from photoz_morph.simulation.sdss.renderer import draw_components, grid_size
from photoz_morph.surveys import SDSS

SIZE, SCALE = SDSS.stamp_size, SDSS.pixel_scale


@pytest.fixture(scope="module")
def parents():
    return Parents()


def one_component(n=1.0, half_light_radius=2.0, axis_ratio=0.6, angle=0.7, flux=(1.0,)):
    return Component(np.array(flux), n, half_light_radius, axis_ratio, angle)


def scene(parents, seed=0, **changes):
    rng = np.random.default_rng(seed)
    galaxy = draw_galaxy(parents, rng)
    return galaxy, replace(draw_observation(galaxy, parents, SDSS, rng), **changes)


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


@pytest.mark.parametrize("n_frames", [1, 2, 40])
def test_background_noise_falls_with_the_square_root_of_the_number_of_frames(parents, n_frames):
    rng = np.random.default_rng(3)
    sky_sigma = np.array(SDSS.sky_sigma) / np.sqrt(n_frames)
    galaxy, observation = scene(parents, 3, n_frames=n_frames, neighbours=(), sky_sigma=sky_sigma)
    faint = replace(galaxy, components=tuple(replace(c, flux=c.flux * 1e-6) for c in galaxy.components))
    image, _, _ = observe(faint, observation, SDSS, rng)
    # 4,096 pixels give a standard deviation to 1.1 %; five bands, four sigma.
    np.testing.assert_allclose(image.std(axis=(0, 1)), np.array(SDSS.sky_sigma) / np.sqrt(n_frames), rtol=0.045)


def test_drawn_noise_has_the_median_of_the_survey_for_one_frame(parents):
    observations = [scene(parents, seed)[1] for seed in range(1500)]
    single = np.array([o.sky_sigma * np.sqrt(o.n_frames) for o in observations])
    np.testing.assert_allclose(np.median(single, axis=0), SDSS.sky_sigma, rtol=0.01)
    n_frames = np.array([o.n_frames for o in observations])
    assert np.mean(n_frames == 1) == pytest.approx(0.70, abs=0.04)
    assert np.mean(n_frames >= 10) == pytest.approx(0.03, abs=0.015)


def test_seeing_is_correlated_between_bands(parents):
    fwhm = np.log([scene(parents, seed)[1].psf_fwhm for seed in range(1500)])
    np.testing.assert_allclose(np.median(np.exp(fwhm), axis=0), SDSS.psf_fwhm, rtol=0.02)
    # 12 % common and 4 % per band: correlation 0.12^2 / (0.12^2 + 0.04^2) = 0.9.
    assert np.corrcoef(fwhm[:, 0], fwhm[:, 4])[0, 1] == pytest.approx(0.9, abs=0.03)


def test_a_bright_core_adds_the_photon_noise_of_its_flux(parents):
    galaxy, observation = scene(parents, 8, neighbours=(), n_frames=1, sky_sigma=np.array(SDSS.sky_sigma))
    bright = replace(galaxy, components=tuple(replace(c, flux=c.flux * 50) for c in galaxy.components))
    target, _ = noiseless_images(bright, observation, SDSS)
    rng = np.random.default_rng(0)
    core = np.array([observe(bright, observation, SDSS, rng)[0][31, 31] for _ in range(1500)])
    # Electrons are counted: variance of the flux is flux / gain, beside the sky's.
    expected = np.array(SDSS.sky_sigma) ** 2 + target[:, 31, 31] / np.array(SDSS.gain)
    assert np.all(expected[1:4] > 3 * np.array(SDSS.sky_sigma[1:4]) ** 2)
    np.testing.assert_allclose(core.var(axis=0), expected, rtol=0.16)  # four sigma of a variance of 1,500 draws


def test_matched_filter_is_unbiased_with_honest_errors(parents):
    rng = np.random.default_rng(5)
    pulls = []
    for seed in range(400):
        galaxy, observation = scene(parents, seed, flux_scale=np.ones(5))
        _, flux, flux_error = observe(galaxy, observation, SDSS, rng)
        pulls.append((flux - 10 ** (0.4 * (22.5 - galaxy.true_mags))) / flux_error)
    # Four sigma of 400 unit normals.
    np.testing.assert_allclose(np.mean(pulls, axis=0), 0, atol=0.2)
    np.testing.assert_allclose(np.std(pulls, axis=0), 1, atol=0.15)


def test_neighbours_have_the_density_of_the_sky(parents):
    observations = [scene(parents, seed)[1] for seed in range(2500)]
    flux_22 = 10 ** (0.4 * (22.5 - 22.0))
    inside = [
        np.sum((np.abs(o.positions).max(axis=1) < 32) & np.array([c.flux[2] > flux_22 for c in o.neighbours]))
        for o in observations
        if o.neighbours
    ]
    # 2.3 galaxies and 0.95 stars per arcmin^2 brighter than r = 22: 0.58 in 25.3 arcsec squared. Galactic dust hides
    # one in twenty.
    assert np.sum(inside) / len(observations) == pytest.approx(0.56, abs=0.06)


def test_the_image_without_noise_is_the_mean_of_the_noisy_ones(parents):
    galaxy, observation = scene(parents, 21)
    target, neighbours = noiseless_images(galaxy, observation, SDSS)
    expected = np.moveaxis(target if neighbours is None else target + neighbours, 0, -1)
    rng = np.random.default_rng(1)
    mean = np.mean([observe(galaxy, observation, SDSS, rng)[0] for _ in range(400)], axis=0)
    error = np.sqrt(observation.sky_sigma**2 + np.maximum(expected, 0) / np.array(SDSS.gain)) / 20
    assert np.std((mean - expected) / error) == pytest.approx(1, abs=0.03)
