"""The Fourier renderer against GalSim, and the noise of a stack against what the survey promises."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.simulation.sdss.images import draw_observation, median_variance, noiseless_images, observe
from photoz_morph.simulation.sdss.population import Parents, draw_galaxy
from photoz_morph.surveys import SDSS


@pytest.fixture(scope="module")
def parents():
    return Parents()


def scene(parents, seed=0, **changes):
    rng = np.random.default_rng(seed)
    galaxy = draw_galaxy(parents, rng)
    return galaxy, replace(draw_observation(galaxy, parents, SDSS, rng), **changes)


@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 11, 30, 64])
def test_noise_of_a_stack_is_that_of_the_median_of_its_frames(n_frames):
    medians = np.median(np.random.default_rng(n_frames).standard_normal((60000, n_frames)), axis=1)
    # The variance of 60,000 normal deviates is known to 0.6 %; four sigma. The mean would be 34 % below at 3 frames.
    assert median_variance(n_frames) == pytest.approx(medians.var(), rel=0.024)


def test_variance_of_a_median_has_its_exact_values():
    assert median_variance(1) == 1 and median_variance(2) == 0.5  # the mean, to the bit
    assert median_variance(3) == pytest.approx(1 - np.sqrt(3) / np.pi, rel=1e-9)
    assert median_variance(1001) == pytest.approx(np.pi / 2002, rel=1e-3)  # the limit of many


def drawn(parents, n_frames):
    """A galaxy without light and the first drawn observation of it in so many frames."""
    deep_fraction = float(n_frames > 2)
    for seed in range(2000):
        rng = np.random.default_rng(seed)
        galaxy = draw_galaxy(parents, rng)
        observation = draw_observation(galaxy, parents, SDSS, rng, deep_fraction)
        if observation.n_frames == n_frames:
            dark = replace(galaxy, components=tuple(replace(c, flux=c.flux * 1e-6) for c in galaxy.components))
            return dark, replace(observation, neighbours=(), positions=np.zeros((0, 2)))
    raise AssertionError(f"no observation of {n_frames} frames")


@pytest.mark.parametrize("n_frames", [1, 2, 30])
def test_background_of_a_simulated_stack_has_the_noise_of_a_median(parents, n_frames):
    galaxy, observation = drawn(parents, n_frames)
    image, _, _ = observe(galaxy, observation, SDSS, np.random.default_rng(3))
    frames = np.random.default_rng(4).standard_normal((n_frames, 64, 64))
    relative = np.median(frames, axis=0).std()  # to that of one frame
    sky = observation.sky_sigma / np.array(SDSS.sky_sigma)
    np.testing.assert_allclose(image.std(axis=(0, 1)), observation.sky_sigma, rtol=0.045)  # four sigma of 4,096 pixels
    assert np.exp(np.mean(np.log(sky))) == pytest.approx(relative, rel=0.09)  # 5 bands with 5 % of scatter, four sigma


def test_drawn_noise_has_the_median_of_the_survey_for_one_frame(parents):
    observations = [scene(parents, seed)[1] for seed in range(1500)]
    single = np.array([o.sky_sigma / np.sqrt(median_variance(o.n_frames)) for o in observations])
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


def test_photon_noise_of_a_deep_core_is_that_of_a_median_too(parents):
    galaxy, observation = scene(parents, 8, neighbours=(), n_frames=30, sky_sigma=np.full(5, 1e-6))
    bright = replace(galaxy, components=tuple(replace(c, flux=c.flux * 50) for c in galaxy.components))
    target, _ = noiseless_images(bright, observation, SDSS)
    rng = np.random.default_rng(0)
    core = np.array([observe(bright, observation, SDSS, rng)[0][31, 31] for _ in range(1500)])
    one_frame = target[:, 31, 31] / np.array(SDSS.gain)
    medians = np.median(rng.standard_normal((20000, 30)), axis=1).var()  # 0.050, where a mean has 0.033
    np.testing.assert_allclose(core.var(axis=0) / one_frame, medians, rtol=0.16)  # four sigma of 1,500 draws


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


def test_arms_of_a_galaxy_are_in_its_image(parents):
    galaxy, observation = next(
        found for found in (scene(parents, seed) for seed in range(1000)) if found[0].arms is not None
    )
    images = [noiseless_images(replace(galaxy, arms=arms), observation, SDSS)[0] for arms in (galaxy.arms, None)]
    assert np.abs(images[0] - images[1]).max() > 0.02 * images[1].max() * galaxy.arms.amplitude.min()
    np.testing.assert_allclose(images[0].sum(axis=(1, 2)), images[1].sum(axis=(1, 2)), rtol=0.02)


def test_neighbours_lie_behind_the_dust_of_the_field_stars_too(parents):
    kinds = set()
    for seed in range(30):
        galaxy = draw_galaxy(parents, np.random.default_rng(seed))
        bare, dusty = (
            draw_observation(replace(galaxy, ebv=ebv), parents, SDSS, np.random.default_rng(seed)) for ebv in (0, 0.5)
        )
        for before, after in zip(bare.neighbours, dusty.neighbours, strict=True):
            dimming = 2.5 * np.log10(before.flux / after.flux)
            np.testing.assert_allclose(dimming, 0.5 * np.array(SDSS.extinction_per_ebv))
            kinds.add("star" if before.half_light_radius == 0 else "galaxy")
    assert kinds == {"star", "galaxy"}


def test_neighbours_have_the_calibration_error_of_their_band(parents):
    galaxy, observation = next(found for found in (scene(parents, seed) for seed in range(99)) if found[1].neighbours)
    scale = np.array([0.9, 1.0, 1.1, 1.2, 1.3])
    right, off = (
        noiseless_images(galaxy, replace(observation, flux_scale=factor), SDSS) for factor in (np.ones(5), scale)
    )
    for part, other in zip(right, off):  # the galaxy, and its neighbours
        np.testing.assert_allclose(other, part * scale[:, None, None], rtol=1e-5, atol=1e-9)


def test_neighbours_have_spectra_of_the_fold_of_the_galaxy(parents):
    """A stamp in the training set must not show the spectrum of a test galaxy, even in its corner."""
    n_galaxies = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        galaxy, others = draw_galaxy(parents, rng), copy.copy(parents)
        inside = np.isin(np.arange(len(parents.fraction)), parents.in_fold(galaxy.parent_id))
        others.fraction = np.where(inside[:, None], parents.fraction, np.nan)
        neighbours = draw_observation(galaxy, others, SDSS, rng).neighbours
        assert all(np.isfinite(neighbour.flux).all() for neighbour in neighbours)
        n_galaxies += sum(neighbour.half_light_radius > 0 for neighbour in neighbours)
    assert n_galaxies > 20
