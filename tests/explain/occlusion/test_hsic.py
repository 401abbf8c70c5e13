import numpy as np
import pytest

from photoz_morph.explain.occlusion.hsic import hsic
from photoz_morph.explain.occlusion.regions import MaskedScore, whole_bands
from tests.support.players import additive, nothing, ones, product

BANDS = whole_bands((4, 4, 3), ("ebv",))


def test_it_orders_players_by_their_effect_and_does_not_depend_on_the_unit():
    found = hsic(additive(), ones(), nothing(), BANDS, 400)
    assert found[0].argsort()[::-1].tolist() == [3, 1, 0, 2]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)


def test_players_without_effect_are_independent():
    found = hsic(product(), ones(), nothing(), BANDS, 400)
    assert found[0, :2].min() > 10 * found[0, 2:].max()


def test_it_is_the_trace_of_its_definition():
    n, score = 30, additive()
    found = hsic(score, ones(), nothing(), BANDS, n, seed=5)
    kept = (np.random.default_rng(5).random((n, 4)) < 0.5).astype(float)
    values = MaskedScore(score, ones(), nothing(), BANDS)(0, kept)
    distance = np.abs(values[:, None] - values)
    kernel = np.exp(-0.5 * (distance / np.median(distance[np.triu_indices(n, 1)])) ** 2)
    centring = np.eye(n) - 1 / n
    for player in range(4):
        presence = (kept[:, None, player] == kept[None, :, player]).astype(float)
        expected = np.trace(presence @ centring @ kernel @ centring) / (n - 1) ** 2
        assert found[0, player] == pytest.approx(expected, rel=1e-6)
