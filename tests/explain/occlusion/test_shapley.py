import numpy as np
import pytest

from photoz_morph.explain.gradients import Score
from photoz_morph.explain.occlusion.regions import patches, whole_bands
from photoz_morph.explain.occlusion.shapley import exact_shapley, kernel_shap, leave_one_out
from photoz_morph.explain.targets import class_probability
from tests.support.explain import galaxies, two_inputs
from tests.support.players import WEIGHTS, additive, nothing, ones, product

BANDS = whole_bands((4, 4, 3), ("ebv",))


@pytest.mark.parametrize("method", [exact_shapley, kernel_shap, leave_one_out])
def test_of_a_sum_every_player_gets_its_own_term(method):
    found = method(additive(), ones(), nothing(), BANDS)
    np.testing.assert_allclose(found, np.outer([1, 2], [*WEIGHTS, 3]), atol=1e-5)


@pytest.mark.parametrize("method", [exact_shapley, kernel_shap])
def test_of_a_product_equal_players_share_and_players_without_effect_get_nothing(method):
    np.testing.assert_allclose(method(product(), ones(), nothing(), BANDS), [[0.5, 0.5, 0, 0], [2, 2, 0, 0]], atol=1e-5)
    np.testing.assert_allclose(leave_one_out(product(), ones(), nothing(), BANDS)[0], [1, 1, 0, 0], atol=1e-6)


def test_values_add_up_to_the_change_of_the_target():
    score, inputs, filling = Score(two_inputs(), class_probability(2)), galaxies(), galaxies(seed=9)
    change = score(inputs) - score(filling)
    bands = whole_bands((6, 6, 3), ("ebv",))
    np.testing.assert_allclose(exact_shapley(score, inputs, filling, bands).sum(axis=1), change, atol=1e-6)
    many = patches((6, 6, 3), 2, each_band=True, scalars=("ebv",))
    sampled = kernel_shap(score, inputs, filling, many, 200)
    np.testing.assert_allclose(sampled.sum(axis=1), change, atol=1e-6)


def test_all_subsets_give_the_exact_values_and_samples_approach_them():
    score, inputs, filling = Score(two_inputs(), class_probability(2)), galaxies(), galaxies(seed=9)
    players = patches((6, 6, 3), 3, each_band=True)
    exact = exact_shapley(score, inputs, filling, players)
    np.testing.assert_allclose(kernel_shap(score, inputs, filling, players, 2**12), exact, atol=2e-6)
    sampled = [kernel_shap(score, inputs, filling, players, n_samples, seed=3) for n_samples in (60, 1500)]
    errors = [np.abs(found - exact).mean() for found in sampled]
    assert errors[1] < 0.5 * errors[0] and errors[1] < 0.1 * np.abs(exact).mean()


def test_too_many_players_are_refused():
    with pytest.raises(ValueError, match="16 players have too many subsets, at most 14; use kernel_shap"):
        exact_shapley(additive(), ones(), nothing(), patches((4, 4, 3), 1))


def test_a_single_player_gets_the_whole_change():
    found = kernel_shap(additive(), ones(), nothing(), patches((4, 4, 3), 4))
    np.testing.assert_allclose(found[:, 0], np.array([1, 2]) * WEIGHTS.sum(), atol=1e-5)
