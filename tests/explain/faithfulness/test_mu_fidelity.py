import numpy as np
import pytest
from scipy.stats import spearmanr

from photoz_morph.explain.faithfulness.mu_fidelity import mu_fidelity, rank_correlation
from photoz_morph.explain.gradients import Score
from tests.support.explain import galaxies, linear, total


def test_rank_correlation_is_spearmans():
    a, b = np.random.default_rng(0).normal(size=(2, 50)).round(1)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert np.isnan(rank_correlation(a, np.ones(50)))


@pytest.mark.parametrize("each_band", [True, False])
def test_the_attribution_of_a_linear_network_tells_every_loss(each_band):
    network, weights, _ = linear()
    inputs, filling = galaxies(), galaxies(seed=9)
    exact = {"image": weights * (inputs["image"] - filling["image"])}
    score = Score(network, total)
    np.testing.assert_allclose(mu_fidelity(score, inputs, exact, filling, 2, each_band=each_band), 1, atol=1e-3)
    wrong = {"image": -exact["image"]}
    np.testing.assert_allclose(mu_fidelity(score, inputs, wrong, filling, 2, each_band=each_band), -1, atol=1e-3)
    chance = np.random.default_rng(1).normal(size=inputs["image"].shape)
    assert np.abs(mu_fidelity(score, inputs, chance, filling, 2, each_band=each_band)).mean() < 0.5
