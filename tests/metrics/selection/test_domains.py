import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from photoz_morph.metrics.selection.domains import (
    a_distance,
    density_ratio,
    domain_auc,
    effective_number,
    group_parts,
    held_out_domain,
)


def latents(shift, n=600, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)), rng.normal(size=(n, 4)) + np.array([shift, 0, 0, 0])


def told_apart(shift, **options):
    source, target = latents(shift, **options)
    groups = np.arange(len(source)) // 3
    return held_out_domain(source, target, groups, groups + 10_000)


def test_domains_that_are_equal_cannot_be_told_apart_and_distant_ones_can():
    equal, distant = told_apart(0.0), told_apart(8.0)
    assert domain_auc(*equal) == pytest.approx(0.5, abs=0.05)  # three standard errors of 600 against 600
    assert a_distance(*equal) == pytest.approx(0, abs=0.12)
    assert domain_auc(*distant) > 0.999 and a_distance(*distant) > 1.99
    assert domain_auc(*equal) < domain_auc(*told_apart(1.0)) < domain_auc(*told_apart(2.0))


def test_error_of_gaussians_is_the_known_one():
    # Two unit Gaussians d apart: the best classifier errs by Phi(-d / 2), its AUC is Phi(d / sqrt 2).
    found = told_apart(2.0, n=4000)
    assert a_distance(*found) == pytest.approx(2 * (1 - 2 * 0.1587), abs=0.04)
    assert domain_auc(*found) == pytest.approx(0.9214, abs=0.012)


def test_ratio_of_gaussians_is_the_known_one():
    source, target = latents(1.0, n=6000)
    groups = np.arange(6000)
    ratio = density_ratio(held_out_domain(source, target, groups, groups + 6000)[0])
    np.testing.assert_allclose(np.log(ratio), source[:, 0] - 0.5, atol=0.25)  # x d - d^2 / 2
    assert np.mean(ratio) == pytest.approx(1, abs=0.06)
    assert effective_number(ratio) == pytest.approx(6000 / np.e, rel=0.15)  # mean of the square is exp(d^2)
    assert effective_number(np.ones(7)) == 7


def test_domains_of_different_size_count_alike():
    source, target = latents(0.0, n=900)
    probability = held_out_domain(source, target[:90], np.arange(900), 900 + np.arange(90))[0]
    assert np.median(probability) == pytest.approx(0.5, abs=0.1)


def test_auc_is_that_of_scikit_learn_with_weights_too():
    rng = np.random.default_rng(3)
    source, target = rng.random(40).round(1), rng.random(30).round(1) + 0.1
    weights = rng.integers(0, 4, (3, 40)), rng.integers(0, 4, (3, 30))
    truth, values = np.repeat([0, 1], [40, 30]), np.concatenate([source, target])
    assert domain_auc(source, target) == pytest.approx(roc_auc_score(truth, values))
    reference = [roc_auc_score(truth, values, sample_weight=np.r_[one, other]) for one, other in zip(*weights)]
    np.testing.assert_allclose(domain_auc(source, target, *weights), reference)


def test_two_images_of_a_galaxy_are_never_known_by_heart():
    # 300 galaxies in 280 dimensions: a regression that has seen a galaxy separates its two identical images.
    latent = np.random.default_rng(0).normal(size=(300, 280))
    found = held_out_domain(latent, latent, np.arange(300), np.arange(300))
    np.testing.assert_allclose(found[0], found[1])
    assert domain_auc(*found) == pytest.approx(0.5)


def test_parts_keep_groups_together_and_are_of_equal_size():
    group = np.repeat([7, 3, 9, 1, 4, 2, 8], 3)
    part = group_parts(group)
    assert all(len(set(part[group == name])) == 1 for name in group)
    assert set(np.bincount(part)) == {3, 6}
    assert group_parts(np.array([5, 5, 6])).max() == 1


def test_a_single_group_is_refused():
    with pytest.raises(ValueError, match="two groups or more"):
        held_out_domain(np.ones((3, 2)), np.ones((3, 2)), np.zeros(3), np.zeros(3))


def test_latents_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="latents: 1 of 12 values are not finite"):
        held_out_domain(np.ones((3, 2)), np.array([[1, np.nan], [1, 1], [1, 1]]), np.arange(3), np.arange(3))
