import numpy as np
import pytest
from scipy.stats import norm

from photoz_morph.photoz.calibration.quality import (
    BITS,
    MEANINGS,
    fit_latent_distance,
    fit_latent_limit,
    fit_quality_limits,
    pixel_bits,
    second_peak,
    smoothing_matrix,
)
from tests.support.miscalibrated import GRID, planted


def names(bits):
    return {name for name, bit in BITS.items() if bits & bit}


def test_every_bit_is_a_power_of_two_with_a_meaning():
    assert sorted(BITS.values()) == [2**power for power in range(len(BITS))]
    assert BITS.keys() == MEANINGS.keys()


def stamps(n=6):
    return np.random.default_rng(1).normal(size=(n, 16, 16, 5)).astype(np.float32)


def test_pixels_that_are_blank_not_finite_or_at_an_edge_set_their_bits_and_noise_none():
    images = stamps(8)
    images[1, ..., 2] = 3.5  # a constant band
    images[2, :, :9, 0] = 0  # more than half of it
    images[3, 4, 4, 1] = np.nan
    images[4, 0, :, 4] = 0
    images[5, :, -1, 4] = -2.0
    images[6, 0, :15, 4] = 0  # a line of noise in it
    images[7] = np.nan
    expected = [set(), {"blank_band"}, {"blank_band"}, {"bad_pixels"}, {"frame_edge"}, {"frame_edge"}, set(),
                {"bad_pixels"}]  # fmt: skip
    assert [names(bits) for bits in pixel_bits(images)] == expected


def test_the_second_peak_is_measured_from_the_valley_before_it():
    smoothing = smoothing_matrix(GRID, 0.002)

    def pdf_of(*peaks):
        pdf = sum(weight * np.diff(norm.cdf((GRID.edges - z) / 0.01)) for z, weight in peaks)
        return pdf[None] / pdf.sum()

    assert second_peak(pdf_of((0.2, 1)), smoothing)[0] == pytest.approx(0, abs=1e-9)
    assert second_peak(pdf_of((0.1, 1), (0.3, 0.4)), smoothing)[0] == pytest.approx(0.4, abs=0.01)
    assert second_peak(pdf_of((0.3, 1), (0.1, 0.4)), smoothing)[0] == pytest.approx(0.4, abs=0.01)
    assert second_peak(pdf_of((0.2, 1), (0.21, 1)), smoothing)[0] == pytest.approx(0, abs=1e-9)  # one wide peak


def test_noise_from_bin_to_bin_is_no_second_peak():
    _, pdf = planted(200)
    noisy = pdf * np.exp(0.3 * np.random.default_rng(3).normal(size=pdf.shape))
    noisy /= noisy.sum(axis=1, keepdims=True)
    latents, training = (np.random.default_rng(seed).normal(size=(1, 200, 4)) for seed in (2, 1))
    limits = fit_quality_limits(noisy, *fit_latent_limit(latents, training), GRID)
    multimodal = limits.bits(noisy, np.zeros(200), GRID) & BITS["multimodal"]
    assert (multimodal > 0).mean() < 0.02


def test_the_latent_distance_is_that_of_mahalanobis_where_all_directions_are_kept_apart():
    rng = np.random.default_rng(5)
    latent = rng.normal(size=(4000, 6)) * [5, 3, 2, 1, 1, 1] @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    found = fit_latent_distance(latent).of(latent[:50])
    offset = latent[:50] - latent.mean(axis=0)
    expected = np.sqrt(np.sum(offset @ np.linalg.inv(np.cov(latent.T)) * offset, axis=1) / 6)
    np.testing.assert_allclose(found, expected, rtol=0.05)  # the three small variances are equal to 2 %


def test_latents_in_a_direction_that_training_galaxies_do_not_take_are_far():
    rng = np.random.default_rng(6)
    directions = np.linalg.qr(rng.normal(size=(40, 40)))[0][:, :5]
    training = np.maximum(rng.normal(size=(500, 5)) @ directions.T + 0.5, 0)
    new = np.maximum(rng.normal(size=(100, 5)) @ directions.T + 0.5, 0)
    distance = fit_latent_distance(training)
    strange = new + 3 * rng.normal(size=(100, 40))
    assert np.quantile(distance.of(new), 0.9) < np.quantile(distance.of(strange), 0.1)


def test_latents_that_are_all_the_same_are_refused():
    with pytest.raises(ValueError, match="latents of 5 training galaxies are all the same"):
        fit_latent_distance(np.ones((5, 3)))
    with pytest.raises(ValueError, match="latents of 1 training galaxies"):
        fit_latent_distance(np.ones((1, 3)))


def test_limits_are_the_stated_quantiles_of_the_validation_galaxies():
    _, pdf = planted(1000)
    rng = np.random.default_rng(7)
    latents, training = rng.normal(size=(2, 1000, 8)), rng.normal(size=(2, 800, 8))
    limits = fit_quality_limits(pdf, *fit_latent_limit(latents, training), GRID)
    score = limits.ood_score(latents)
    assert np.mean(score > 1) == pytest.approx(0.01) and np.std(score) > 0.05
    bits = limits.bits(pdf, score, GRID)
    assert np.mean(bits & BITS["wide"] > 0) == pytest.approx(0.05)
    assert np.mean(bits & BITS["out_of_distribution"] > 0) == pytest.approx(0.01)
    assert (limits.ood_score(latents + 20) > 1).all()


def test_a_galaxy_without_a_pdf_has_that_bit_alone():
    _, pdf = planted(50)
    latents = np.random.default_rng(8).normal(size=(1, 50, 4))
    limits = fit_quality_limits(pdf, *fit_latent_limit(latents, latents), GRID)
    pdf[3, 7] = np.nan
    assert names(limits.bits(pdf, np.full(50, np.nan), GRID)[3]) == {"no_pdf"}
