"""The Fourier renderer against GalSim, and the noise of a stack against what the survey promises."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.simulation.sdss import images
from photoz_morph.simulation.sdss.images import draw_observation, noiseless_images, observe
from photoz_morph.simulation.sdss.noise import MARGIN, correlate, median_variance, resampled_variance
from photoz_morph.simulation.sdss.population import Parents, draw_galaxy
from photoz_morph.surveys import SDSS


@pytest.fixture(scope="module")
def parents():
    return Parents()


@pytest.fixture(scope="module")
def observations(parents):
    return [scene(parents, seed)[1] for seed in range(1500)]


def scene(parents, seed=0, **changes):
    rng = np.random.default_rng(seed)
    galaxy = draw_galaxy(parents, rng)
    return galaxy, replace(draw_observation(galaxy, parents, SDSS, rng), **changes)


PERFECT = {"flux_scale": np.ones(5), "sky_residual": np.zeros(5), "leak": 0.0, "artefacts": ()}


def drawn(parents, n_frames):
    """A galaxy without light and the first drawn observation of it in so many frames."""
    deep_fraction = float(n_frames > 2)
    for seed in range(2000):
        rng = np.random.default_rng(seed)
        galaxy = draw_galaxy(parents, rng)
        observation = draw_observation(galaxy, parents, SDSS, rng, deep_fraction)
        if observation.n_frames == n_frames:
            dark = replace(galaxy, components=tuple(replace(c, flux=c.flux * 1e-6) for c in galaxy.components))
            dark = replace(dark, clumps=None)
            return dark, replace(observation, neighbours=(), positions=np.zeros((0, 2)), artefacts=())
    raise AssertionError(f"no observation of {n_frames} frames")


@pytest.mark.parametrize("n_frames", [1, 2, 30])
def test_background_of_a_simulated_stack_has_the_noise_of_a_median(parents, n_frames):
    galaxy, observation = drawn(parents, n_frames)
    image, _, _ = observe(galaxy, observation, SDSS, np.random.default_rng(3))
    # The noise is correlated over two pixels, so that 4,096 of them count as some 3,000: four sigma.
    np.testing.assert_allclose(image.std(axis=(0, 1)), observation.sky_sigma, rtol=0.052)


def test_drawn_noise_is_that_of_real_frames_at_the_median_sky(observations):
    single = np.array([o.sky_sigma / np.sqrt(median_variance(o.n_frames)) for o in observations])
    # Real frames at the survey's median sky: 0.045, 0.0175, 0.028, 0.045, 0.18. Resampling takes a tenth.
    expected = np.array([0.045, 0.0175, 0.028, 0.045, 0.180]) * np.sqrt(resampled_variance())
    np.testing.assert_allclose(np.median(single, axis=0), expected, rtol=0.015)  # four sigma of a scatter of 0.11
    n_frames = np.array([o.n_frames for o in observations])
    assert np.mean(n_frames == 1) == pytest.approx(0.70, abs=0.04)
    assert np.mean(n_frames >= 10) == pytest.approx(0.03, abs=0.015)


def test_seeing_is_correlated_between_bands(observations):
    fwhm = np.log([observation.psf_fwhm for observation in observations])
    np.testing.assert_allclose(np.median(np.exp(fwhm), axis=0), SDSS.psf_fwhm, rtol=0.02)
    # 14 % common and 4 % per band: correlation 0.14^2 / (0.14^2 + 0.04^2) = 0.92.
    assert np.corrcoef(fwhm[:, 0], fwhm[:, 4])[0, 1] == pytest.approx(0.92, abs=0.03)
    # Quartiles of SDSS r: 1.30, 1.43, 1.58 arcsec.
    assert np.subtract(*np.percentile(fwhm[:, 2], (75, 25))) == pytest.approx(np.log(1.58 / 1.30), rel=0.12)


@pytest.mark.parametrize("n_frames", [1, 30])
def test_a_bright_core_adds_the_photon_noise_of_its_flux(parents, n_frames):
    sky_sigma = np.array(SDSS.sky_sigma) * np.sqrt(median_variance(n_frames))
    galaxy, observation = scene(parents, 8, neighbours=(), n_frames=n_frames, sky_sigma=sky_sigma, **PERFECT)
    bright = replace(galaxy, components=tuple(replace(c, flux=c.flux * 50) for c in galaxy.components))
    target, _ = noiseless_images(bright, observation, SDSS)
    rng = np.random.default_rng(0)
    core = np.array([observe(bright, observation, SDSS, rng)[0][31, 31] for _ in range(600)])
    # Electrons are counted: variance of the flux is flux / gain, beside the sky's; of 30 frames the median's share of
    # it. Interpolation then mixes the pixels around with its weights.
    in_frames = sky_sigma[:, None, None] ** 2 / resampled_variance()
    in_frames = in_frames + target / np.array(SDSS.gain)[:, None, None] * median_variance(n_frames)
    impulse = np.zeros((64 + MARGIN, 64 + MARGIN), np.float32)
    impulse[31, 31] = 1
    expected = (in_frames * correlate(impulse, observation.frame_angle) ** 2).sum(axis=(1, 2))
    assert np.all(expected[1:4] > 3 * sky_sigma[1:4] ** 2)
    np.testing.assert_allclose(core.var(axis=0), expected, rtol=0.23)  # four sigma of a variance of 600 draws


def test_magnitudes_are_unbiased_and_scatter_more_than_the_catalogue_states(parents):
    rng = np.random.default_rng(5)
    pulls = []
    for seed in range(400):
        galaxy, observation = scene(parents, seed, **PERFECT)
        _, flux, flux_error = observe(galaxy, observation, SDSS, rng)
        pulls.append((flux - 10 ** (0.4 * (22.5 - galaxy.true_mags))) / flux_error)
    # Four sigma of 400 normals; their scatter of 1.2 is that of Scranton et al. (2005).
    np.testing.assert_allclose(np.mean(pulls, axis=0), 0, atol=0.2)
    np.testing.assert_allclose(np.std(pulls, axis=0), 1.2, atol=0.18)


def test_neighbours_have_the_density_of_the_sky(observations):
    flux_22 = 10 ** (0.4 * (22.5 - 22.0))
    inside = [
        np.sum((np.abs(o.positions).max(axis=1) < 32) & np.array([c.flux[2] > flux_22 for c in o.neighbours]))
        for o in observations
        if o.neighbours
    ]
    # 2.3 galaxies and 0.95 stars per arcmin^2 brighter than r = 22: 0.58 in 25.3 arcsec squared. Galactic dust hides
    # one in twenty.
    assert np.sum(inside) / len(observations) == pytest.approx(0.56, abs=0.08)


def test_the_image_without_noise_is_the_mean_of_the_noisy_ones(parents):
    galaxy, observation = scene(parents, 21, **PERFECT)
    target, neighbours = noiseless_images(galaxy, observation, SDSS)
    expected = np.moveaxis(target if neighbours is None else target + neighbours, 0, -1)
    rng = np.random.default_rng(1)
    mean = np.mean([observe(galaxy, observation, SDSS, rng)[0] for _ in range(400)], axis=0)
    photons = np.maximum(expected, 0) / np.array(SDSS.gain) * median_variance(observation.n_frames)
    error = np.sqrt(observation.sky_sigma**2 + resampled_variance() * photons) / 20
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
            draw_observation(replace(galaxy, true_ebv=ebv), parents, SDSS, np.random.default_rng(seed))
            for ebv in (0, 0.5)
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


def test_photometry_is_that_of_the_real_catalogue_in_what_goes_wrong(parents):
    galaxy, observation = next(
        found for found in (scene(parents, seed, **PERFECT) for seed in range(99)) if len(found[1].neighbours) > 2
    )
    rng = np.random.default_rng
    clean, blended = (observe(galaxy, replace(observation, leak=leak), SDSS, rng(0)) for leak in (0, 1))
    np.testing.assert_array_equal(clean[0], blended[0])  # pixels hold the neighbours anyway
    assert np.all(blended[1] > clean[1])
    offset, off = np.full(5, 0.01), observe(galaxy, replace(observation, sky_residual=np.full(5, 0.01)), SDSS, rng(0))
    np.testing.assert_allclose(off[0] - clean[0], np.broadcast_to(offset, off[0].shape), atol=1e-4)
    assert np.all(off[1] > clean[1])


def test_centres_scatter_by_the_errors_of_positions(observations):
    offsets = np.array([observation.offsets for observation in observations]) * SDSS.pixel_scale
    # 45 mas of a field and 30 mas of a band, in each coordinate (Pier et al. 2003).
    np.testing.assert_allclose(offsets.std(axis=0), np.hypot(0.045, 0.030), rtol=0.08)
    np.testing.assert_allclose((offsets[:, 0] - offsets[:, 3]).std(axis=0), 0.030 * np.sqrt(2), rtol=0.08)


def test_calibration_errors_are_those_published(observations):
    errors = -2.5 * np.log10([observation.flux_scale for observation in observations])
    np.testing.assert_allclose(errors.std(axis=0), [0.015, 0.009, 0.007, 0.007, 0.008], rtol=0.08)
    assert np.corrcoef(errors[:, 1], errors[:, 3])[0, 1] == pytest.approx(0.5, abs=0.08)


def test_defects_are_rare_and_named(parents, observations, monkeypatch):
    assert 0 < np.mean([observation.defects > 0 for observation in observations]) < 0.025
    monkeypatch.setattr(images, "WRONG_REDSHIFT_FRACTION", 1.0)
    monkeypatch.setattr(images, "BLEND_FRACTION", 1.0)
    for seed in range(20):
        galaxy, observation = scene(parents, seed)
        assert observation.defects & images.WRONG_REDSHIFT and observation.z_spec != galaxy.z
        # The redshift is of a galaxy of the same fold.
        assert parents.fold[parents.parent_id == galaxy.parent_id][0] in parents.fold[parents.z == observation.z_spec]
        assert bool(observation.defects & images.BLENDED) == bool(observation.neighbours)
