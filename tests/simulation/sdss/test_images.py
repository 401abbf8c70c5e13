"""The Fourier renderer against GalSim, and the noise of a stack against what the survey promises."""

from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.simulation.sdss.images import draw_observation, noiseless_images, observe
from photoz_morph.simulation.sdss.population import Parents, draw_galaxy
from photoz_morph.surveys import SDSS


@pytest.fixture(scope="module")
def parents():
    return Parents()


def scene(parents, seed=0, **changes):
    rng = np.random.default_rng(seed)
    galaxy = draw_galaxy(parents, rng)
    return galaxy, replace(draw_observation(galaxy, parents, SDSS, rng), **changes)


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
