import numpy as np
import pytest
from scipy.spatial.distance import cdist

from photoz_morph.adaptation.lmmd import group_shares, lmmd_loss, local_mmd
from photoz_morph.adaptation.mmd import MEDIAN_FACTORS, PAPER_VARIANCES, median_mmd


def sample(n, d=5, shift=0.0, n_classes=3, spread=3.0, seed=0, shares=None):
    """Latents of classes that lie apart along the first axis, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(n_classes, n, p=shares)
    latents = rng.normal(size=(n, d)) + shift
    latents[:, 0] += spread * labels
    return latents.astype(np.float32), labels


def in_numpy(source, target, source_weights, target_weights, estimator):
    """Eq. 7 of Zhu et al. (2021), one class after the other, in float64."""
    latents = np.concatenate([source, target]).astype(float)
    distances = cdist(latents, latents, "sqeuclidean")
    n, values = len(source), []
    if estimator == "median":
        scale = np.median(distances[~np.eye(len(latents), dtype=bool)])
        kernel = np.mean([np.exp(-distances / (2 * factor * scale)) for factor in MEDIAN_FACTORS], axis=0)
    else:
        kernel = np.sum([np.exp(-distances / (2 * variance)) for variance in PAPER_VARIANCES], axis=0)
    for ws, wt in zip(source_weights.T.astype(float), target_weights.T.astype(float)):
        ws, wt = ws / ws.sum(), wt / wt.sum()
        parts = []
        for w, block in ((ws, kernel[:n, :n]), (wt, kernel[n:, n:])):
            pairs = np.outer(w, w)
            if estimator == "median":
                pairs[np.eye(len(w), dtype=bool)] = 0
                pairs /= pairs.sum()
            parts.append(np.sum(pairs * block))
        values.append(sum(parts) - 2 * ws @ kernel[:n, n:] @ wt)
    return np.mean(values)


def weights(n, n_groups=3, seed=1):
    return np.random.default_rng(seed).dirichlet(np.ones(n_groups), n).astype(np.float32)


@pytest.mark.parametrize("estimator", ["median", "paper"])
def test_lmmd_is_the_mean_of_weighted_discrepancies(estimator):
    source, target = sample(40)[0], sample(30, shift=0.5, seed=2)[0]
    arguments = (source, target, weights(40), weights(30, seed=3))
    assert float(local_mmd(*arguments, estimator)) == pytest.approx(in_numpy(*arguments, estimator), rel=1e-4)


def test_lmmd_of_one_class_is_the_mmd():
    source, target = sample(40)[0], sample(30, shift=0.5, seed=2)[0]
    one = np.ones((40, 1), np.float32), np.ones((30, 1), np.float32)
    assert float(local_mmd(source, target, *one)) == pytest.approx(float(median_mmd(source, target)), rel=1e-4)


def logits_of(labels, n_classes=3):
    return 20 * np.eye(n_classes, dtype=np.float32)[labels]


def losses(shift, target_shares, seed):
    """LMMD and MMD of a batch whose target has other shares of the classes."""
    source, labels = sample(120, seed=seed)
    target, others = sample(120, shift=shift, seed=seed + 100, shares=target_shares)
    value = lmmd_loss()({"latent": source}, {"latent": target, "logits": logits_of(others)}, labels.astype(np.int32))
    return float(value), float(median_mmd(source, target))


def test_other_shares_of_the_classes_are_no_difference_and_a_shift_is():
    """Zero on average for equal classes, where the MMD, blind to classes, sees the shares; both see a shift."""
    shares = (0.7, 0.2, 0.1)
    equal, shifted = (np.mean([losses(shift, shares, seed) for seed in range(12)], axis=0) for shift in (0.0, 1.0))
    assert abs(equal[0]) < 0.01 and equal[1] > 0.05
    assert shifted[0] > 10 * abs(equal[0]) and shifted[0] > 0.1
    values = [np.mean([losses(shift, None, seed)[0] for seed in range(4)]) for shift in (0.0, 0.5, 1.0, 2.0)]
    assert np.all(np.diff(values) > 0)


def test_a_class_that_a_domain_lacks_is_left_out():
    source, labels = sample(40)
    target = sample(30, shift=0.5, seed=2)[0]
    both = np.eye(3, dtype=np.float32)[labels], weights(30)
    both[1][:, 2] = 0.01  # less than a galaxy in all
    two = [part[:, :2] for part in both]
    assert float(local_mmd(source, target, *both)) == pytest.approx(float(local_mmd(source, target, *two)), rel=1e-4)
    assert float(local_mmd(source, target, np.zeros((40, 3), np.float32), both[1])) == 0


def test_groups_hold_equally_many_galaxies_of_neighbouring_bins():
    rng = np.random.default_rng(4)
    z = rng.beta(2, 5, 64)
    bins = np.eye(180, dtype=np.float32)[np.minimum((180 * z).astype(int), 179)]
    shares = np.asarray(group_shares(bins, 8))
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose((bins @ shares).sum(axis=0), 8, atol=0.1)
    group = shares.argmax(axis=1)
    assert np.all(np.diff(group) >= 0) and set(group) == set(range(8))  # bins without galaxies, too, have a place


def test_labels_may_be_probabilities_pooled_into_groups():
    source, target = sample(40)[0], sample(30, shift=0.5, seed=2)[0]
    labels, logits = weights(40, 12), np.log(weights(30, 12, seed=3))
    shares = np.asarray(group_shares(labels, 4))
    value = lmmd_loss(n_groups=4)({"latent": source}, {"latent": target, "logits": logits}, labels)
    pooled = labels @ shares, np.exp(logits) @ shares
    assert float(value) == pytest.approx(in_numpy(source, target, *pooled, "median"), rel=1e-3)


def test_an_unknown_estimator_is_named():
    with pytest.raises(ValueError, match="no MMD estimator 'mean'; there are median, paper"):
        lmmd_loss("mean")
