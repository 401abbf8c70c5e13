import itertools

import numpy as np
import pytest
from scipy.special import log_softmax

from photoz_morph.adaptation.deepjdot import deepjdot_loss, optimal_plan, transport_cost


def batch(n=6, d=5, seed=0):
    rng = np.random.default_rng(seed)
    source, target, logits = (rng.normal(size=size).astype(np.float32) for size in ((n, d), (n, d), (n, 3)))
    return source, target, logits, np.arange(n) % 3


def jdot_of_skada(source, target, logits, labels, reg_dist):
    """`deepjdot_loss` of skada 0.6 (skada/deep/losses.py) with reg_cl 1, in loops.

    Its ot.emd2 has equal weights, so that the least cost is that of a permutation (Birkhoff); all are tried.
    """
    source, target, log_probability = (values.astype(np.float64) for values in (source, target, log_softmax(logits, 1)))
    n = len(source)
    cost = [[reg_dist * np.sum((source[i] - target[j]) ** 2) - log_probability[j, labels[i]] for j in range(n)]
            for i in range(n)]  # fmt: skip
    return min(np.mean([cost[i][order[i]] for i in range(n)]) for order in itertools.permutations(range(n)))


@pytest.mark.parametrize("jdot_distance", [1e-3, 1.0])
def test_loss_is_that_of_skada(jdot_distance):
    source, target, logits, labels = batch()
    value = deepjdot_loss(jdot_distance)({"latent": source}, {"latent": target, "logits": logits}, labels)
    assert float(value) == pytest.approx(jdot_of_skada(source, target, logits, labels, jdot_distance), abs=1e-5)


def test_loss_is_the_squared_shift_of_sure_galaxies():
    """Of all matchings of a set with itself, shifted, the identity is the best; in another order as well."""
    source, _, _, labels = batch()
    logits = np.float32(100 * np.eye(3)[labels])
    order = np.random.default_rng(2).permutation(6)
    for shift in (0.0, 0.5, 1.0, 3.0):
        target = {"latent": (source + np.float32(shift))[order], "logits": logits[order]}
        value = float(deepjdot_loss(0.1)({"latent": source}, target, labels))
        assert value == pytest.approx(0.1 * 5 * shift**2, abs=1e-5)


def test_plan_has_the_weights_of_all_galaxies_and_a_cost_that_is_not_finite_stays_so():
    plan = np.asarray(optimal_plan(np.random.default_rng(3).normal(size=(7, 7)).astype(np.float32)))
    np.testing.assert_allclose([plan.sum(axis=0), plan.sum(axis=1)], 1 / 7, rtol=1e-6)
    assert np.isnan(float(transport_cost(np.full((3, 3), np.nan, np.float32))))
