import numpy as np
import pytest
from keras import ops

from photoz_morph.adaptation.mmd import PAPER_VARIANCES, maximum_mean_discrepancy, median_mmd, mmd_loss, paper_mmd


def latents(n, d=8, shift=0.0, seed=0):
    return (np.random.default_rng(seed).normal(size=(n, d)) + shift).astype(np.float32)


def mean_kernel(a, b, variances, skip_diagonal=False):
    """Mean of the summed Gaussians over pairs, in plain loops and float64."""
    values = [
        sum(np.exp(-np.sum((x.astype(np.float64) - y) ** 2) / (2 * s)) for s in variances)
        for i, x in enumerate(a)
        for j, y in enumerate(b)
        if not (skip_diagonal and i == j)
    ]
    return np.mean(values)


@pytest.mark.parametrize("unbiased", [False, True])
def test_mmd_is_the_double_sum_over_pairs(unbiased):
    source, target = latents(9), latents(7, shift=0.5, seed=1)
    expected = sum(mean_kernel(a, a, PAPER_VARIANCES, unbiased) for a in (source, target))
    expected -= 2 * mean_kernel(source, target, PAPER_VARIANCES)
    value = float(maximum_mean_discrepancy(source, target, PAPER_VARIANCES, unbiased))
    assert value == pytest.approx(expected, abs=2e-5)  # float32, of numbers near 19


def test_median_estimator_is_the_double_sum_with_widths_of_the_pooled_median():
    source, target = latents(9), latents(7, shift=0.5, seed=1)
    pooled = np.concatenate([source, target])
    scale = np.median([np.sum((pooled[i] - pooled[j]) ** 2) for i in range(16) for j in range(i)])
    variances = scale * np.array([0.25, 0.5, 1, 2, 4])
    expected = sum(mean_kernel(a, a, variances, True) for a in (source, target))
    expected -= 2 * mean_kernel(source, target, variances)
    assert float(median_mmd(source, target)) == pytest.approx(expected / 5, abs=1e-6)


def test_paper_kernel_of_a_latent_with_itself_is_19():
    far = np.full((1, 8), 1e5, np.float32)  # k(x, y) = exp(-4e4) even for the widest kernel
    value = maximum_mean_discrepancy(0 * far, far, PAPER_VARIANCES, unbiased=False)
    assert float(value) == 19 + 19


def test_biased_and_unbiased_differ_by_the_diagonal():
    source, target = latents(12), latents(12, shift=0.3, seed=1)
    off_diagonal = [mean_kernel(a, a, PAPER_VARIANCES, skip_diagonal=True) for a in (source, target)]
    biased, unbiased = (float(maximum_mean_discrepancy(source, target, PAPER_VARIANCES, u)) for u in (False, True))
    assert biased - unbiased == pytest.approx(sum(19 - mean for mean in off_diagonal) / 12, abs=2e-5)


@pytest.mark.parametrize("estimator", [median_mmd, paper_mmd])
def test_mmd_grows_with_the_shift_of_a_domain(estimator):
    values = [float(estimator(latents(64), latents(64, shift=shift, seed=1))) for shift in (0, 0.25, 0.5, 1, 2)]
    assert values == sorted(values) and values[-1] > 5 * abs(values[0])


def test_mmd_of_a_sample_with_itself_is_zero():
    source = latents(32)
    value = maximum_mean_discrepancy(source, source, (1.0, 5.0, 25.0), unbiased=False)
    assert float(value) == pytest.approx(0, abs=1e-6)


def test_unbiased_estimate_is_zero_on_average_for_equal_distributions():
    values = [float(median_mmd(latents(32, seed=2 * i), latents(32, seed=2 * i + 1))) for i in range(100)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 10  # four standard errors of a mean of 100
    assert min(values) < 0 < max(values)


@pytest.mark.parametrize(("norm", "expected"), [(0.1, 0.07), (1, 0.11), (5, 0.19), (20, 0.24)])
def test_paper_estimate_has_its_known_bias_for_equal_distributions(norm, expected):
    """Two batches of 128 Gaussian latents of dimension 256, of a given mean length."""
    source, target = (latents(128, 256, seed=seed) * np.float32(norm / 16) for seed in (1, 2))
    assert float(paper_mmd(source, target)) == pytest.approx(expected, abs=0.006)


def test_paper_estimate_has_a_floor():
    assert float(paper_mmd(np.zeros((4, 2)), np.zeros((4, 2)))) == pytest.approx(1e-4)


def test_median_estimate_does_not_depend_on_the_scale_of_the_latents():
    source, target = latents(16), latents(16, shift=1, seed=1)
    value = float(median_mmd(source, target))
    assert [float(median_mmd(c * source, c * target)) for c in (1e-3, 1e3)] == pytest.approx([value] * 2, rel=1e-4)


def test_latents_far_from_zero_keep_their_digits():
    source, target = latents(16, 256), latents(16, 256, shift=0.2, seed=1)
    moved = float(median_mmd(source + np.float32(100), target + np.float32(100)))
    assert moved == pytest.approx(float(median_mmd(source, target)), abs=1e-5)


def test_bfloat16_latents_are_compared_in_float32():
    source, target = (ops.cast(x, "bfloat16") for x in (latents(16), latents(16, shift=1, seed=1)))
    exact = float(median_mmd(ops.cast(source, "float32"), ops.cast(target, "float32")))
    assert float(median_mmd(source, target)) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize(("name", "estimator"), [("median", median_mmd), ("paper", paper_mmd)])
def test_loss_compares_the_latents_alone(name, estimator):
    source, target = latents(16), latents(16, shift=1, seed=1)
    logits = np.zeros((16, 3), np.float32)
    value = mmd_loss(name)({"latent": source, "logits": logits}, {"latent": target, "logits": logits + 9}, None)
    assert float(value) == float(estimator(source, target))


def test_unknown_estimator_is_named():
    with pytest.raises(ValueError, match="no MMD estimator 'coral'; there are median, paper"):
        mmd_loss("coral")
