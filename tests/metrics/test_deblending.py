import galsim
import numpy as np
import pytest

from photoz_morph.metrics.deblending import (
    adaptive_moments,
    binned_errors,
    colour_errors,
    coverage,
    coverage_terms,
    flux_errors,
    sample_intervals,
    shape_errors,
)


def gaussian(shape=(41, 45), y=20.0, x=22.0, size=3.0, e1=0.0, e2=0.0, flux=1.0):
    """Gaussian sampled at the centres of pixels, with det(M)^(1/4) = size."""
    trace = 2 * size**2 / np.sqrt(1 - e1**2 - e2**2)
    moments = trace / 2 * np.array([[1 + e1, e2], [e2, 1 - e1]])
    dy, dx = np.meshgrid(np.arange(shape[0]) - y, np.arange(shape[1]) - x, indexing="ij")
    offsets = np.stack([dx, dy], axis=-1)
    exponent = np.einsum("...i,ij,...j", offsets, np.linalg.inv(moments), offsets)
    return flux * np.exp(-exponent / 2) / (2 * np.pi * size**2)


def test_flux_and_colour_errors_by_hand():
    true = np.array([[1.0, 2, 4], [1, 0, 1]])
    measured = np.array([[1.1, 2, 3], [0.5, 1, -1]])
    np.testing.assert_allclose(flux_errors(true, measured), [[0.1, 0, -0.25], [-0.5, np.nan, -2]])
    errors = colour_errors(true, measured)
    np.testing.assert_allclose(errors[0], [-2.5 * np.log10(1.1), 2.5 * np.log10(0.75)])
    assert np.isnan(errors[1]).all()
    # g too faint makes a source too red.
    assert colour_errors([10, 10], [8, 10])[0] > 0


@pytest.mark.parametrize("e1, e2", [(0, 0), (0.3, 0), (-0.2, 0.4), (0.1, -0.5)])
def test_adaptive_moments_of_a_gaussian_are_its_own(e1, e2):
    # Its neighbours' pixels hold no light beyond 5 sigma, and sampling at the centres needs no correction.
    found = adaptive_moments(gaussian(y=19.4, x=22.7, e1=e1, e2=e2), 21, 21)
    np.testing.assert_allclose(found, [19.4, 22.7, 3, e1, e2], atol=3e-5)


@pytest.mark.parametrize("seed", range(4))
def test_adaptive_moments_are_those_of_galsim(seed):
    rng = np.random.default_rng(seed)
    profile = galsim.Sersic(n=rng.uniform(1, 4), half_light_radius=rng.uniform(0.5, 1.2)).shear(
        e1=rng.uniform(-0.4, 0.4), e2=rng.uniform(-0.4, 0.4)
    )
    drawn = galsim.Convolve(profile, galsim.Kolmogorov(fwhm=0.7)).drawImage(nx=61, ny=57, scale=0.2)
    drawn.addNoise(galsim.GaussianNoise(galsim.BaseDeviate(seed + 1), sigma=drawn.array.max() / 50))
    expected = galsim.hsm.FindAdaptiveMom(drawn)
    y, x, size, e1, e2 = adaptive_moments(drawn.array, 28, 30)
    np.testing.assert_allclose([x + 1, y + 1], [expected.moments_centroid.x, expected.moments_centroid.y], atol=2e-3)
    # GalSim leaves out what is far from the centre, and stops a little earlier.
    np.testing.assert_allclose(size, expected.moments_sigma, rtol=2e-3)
    np.testing.assert_allclose([e1, e2], [expected.observed_e1, expected.observed_e2], atol=2e-3)


def test_moments_do_not_depend_on_flux_and_turn_with_the_image():
    image = gaussian(shape=(45, 45), y=22, x=22, e1=0.3, e2=0.2)
    np.testing.assert_allclose(adaptive_moments(1e6 * image, 22, 22), adaptive_moments(image, 22, 22))
    np.testing.assert_allclose(adaptive_moments(np.rot90(image), 22, 22)[3:], [-0.3, -0.2], atol=3e-5)


def test_images_without_a_source_have_no_shape():
    noise = np.random.default_rng(0).normal(size=(31, 31))
    for image in (np.zeros((31, 31)), -gaussian((31, 31), 15, 15), np.full((31, 31), np.nan)):
        assert np.isnan(adaptive_moments(image, 15, 15)).all()
    assert np.isnan([adaptive_moments(np.roll(noise, k), 15, 15)[2] for k in range(30)]).mean() > 0.3


def test_shape_errors_by_hand():
    true = [gaussian(size=2), gaussian(size=3, e1=0.2), gaussian()]
    deblended = [gaussian(size=3), gaussian(size=3, e1=0.1, e2=0.05), np.zeros((41, 45))]
    errors = shape_errors(true, deblended, np.full(3, 20.0), np.full(3, 22.0))
    np.testing.assert_allclose(errors[:2], [[0.5, 0, 0], [0, -0.1, 0.05]], atol=1e-4)
    assert np.isnan(errors[2]).all()


def test_errors_in_bins_by_hand():
    errors = np.array([0.1, -0.3, 0.2, np.nan, 5])
    low, high = binned_errors(errors, [0.0, 0, 0.5, 0.5, 2], [0, 0.2, 1], [0, 1, 1, 1, 2], n_resamples=50)
    assert (low["n"], low["n_missing"], high["n"], high["n_missing"]) == (2, 0, 1, 1)
    assert low["median"][0] == pytest.approx(-0.1) and low["median_absolute"][0] == pytest.approx(0.2)
    assert low["mean_absolute"][0] == pytest.approx(0.2) and low["sigma_mad"][0] == pytest.approx(1.4826 * 0.2)
    assert low["mean_absolute"][1] == pytest.approx(0.1) and low["mean_absolute"][2] == pytest.approx(0.3)
    assert high["median"][0] == 0.2 and np.isnan(high["median"][1:]).all()  # of one image no interval is known
    nothing = binned_errors(errors, errors, [10, 11], np.arange(5))[0]
    assert nothing["n"] == 0 and np.isnan(nothing["median"]).all()


def test_intervals_of_errors_are_those_of_images_not_of_sources():
    rng = np.random.default_rng(3)
    image = np.repeat(np.arange(100), 20)
    errors = rng.normal(size=100)[image] + 0.1 * rng.normal(size=2000)
    row = binned_errors(errors, np.zeros(2000), [0, 1], image)[0]
    _, lower, upper = row["mean_absolute"]
    expected = 2 * 1.96 * np.std([np.abs(errors[image == one]).mean() for one in range(100)]) / np.sqrt(100)
    assert upper - lower == pytest.approx(expected, rel=0.15)  # quantiles of 1,000 resamples are known to 5 %


@pytest.mark.parametrize("n_samples", [9, 19, 32, 200])
def test_samples_drawn_like_the_truth_cover_it_as_stated(n_samples):
    rng = np.random.default_rng(n_samples)
    levels = np.array([0.2, 0.6, 0.8])  # whole ranks of 9 and 19
    centre = rng.normal(size=40_000)
    samples = centre + rng.gumbel(size=(n_samples, 40_000))
    terms = coverage_terms(centre + rng.gumbel(size=40_000), *sample_intervals(samples, levels))
    np.testing.assert_allclose(terms[:, 0] / terms[:, 1], levels, atol=0.01)  # 4 sigma of 40,000


def test_too_narrow_samples_cover_too_little_and_wide_ones_too_much():
    rng = np.random.default_rng(1)
    truth, noise = rng.normal(size=4000), rng.normal(size=(99, 4000))
    narrow, wide = (coverage_terms(truth, *sample_intervals(width * noise, [0.683]))[0] for width in (0.5, 2))
    # P(|t| < 0.5) and P(|t| < 2) of a standard Gaussian; noise 0.008, and 99 samples know their quantiles to 0.02.
    assert narrow[0] / narrow[1] == pytest.approx(0.383, abs=0.03)
    assert wide[0] / wide[1] == pytest.approx(0.954, abs=0.015)


def test_coverage_has_an_interval_over_images():
    inside = np.random.default_rng(0).random((200, 50)) < np.random.default_rng(1).uniform(0.4, 0.9, (200, 1))
    terms = np.stack([coverage_terms(row - 0.5, [np.zeros(50)], [np.ones(50)]) for row in inside.astype(float)])
    value, lower, upper = coverage(terms)[0]
    assert value == inside.mean()
    assert upper - lower == pytest.approx(2 * 1.96 * inside.mean(axis=1).std() / np.sqrt(200), rel=0.15)
    assert coverage_terms([np.nan, 1], [[0, 0]], [[2, 2]]).tolist() == [[1, 1]]


def test_levels_that_so_few_samples_cannot_tell_are_refused():
    samples = np.random.default_rng(0).normal(size=(19, 3))
    low, high = sample_intervals(samples, [0.9])
    np.testing.assert_array_equal([low[0], high[0]], [samples.min(axis=0), samples.max(axis=0)])
    with pytest.raises(ValueError, match="19 samples tell intervals of up to 0.9, asked for 0.95; draw more"):
        sample_intervals(samples, [0.5, 0.95])
