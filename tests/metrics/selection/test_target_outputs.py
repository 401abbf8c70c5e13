import numpy as np
import pytest

from photoz_morph.metrics.selection import target_outputs
from photoz_morph.metrics.selection.target_outputs import (
    entropies,
    information_maximisation,
    mean_entropy,
    neighbourhood_entropies,
)


def test_entropy_of_certainty_and_ignorance():
    found = entropies(np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]]))
    assert found == pytest.approx([0, np.log(3), np.log(2)])
    probability = np.array([[1.0, 0], [0.5, 0.5]])
    np.testing.assert_allclose(mean_entropy(probability, np.array([[1, 1], [1, 3]])), np.log(2) * np.array([0.5, 0.75]))


def test_one_class_for_all_is_certain_but_holds_no_information():
    spirals, mixed = np.eye(3)[np.zeros(30, int)], np.eye(3)[np.arange(30) % 3]
    assert mean_entropy(spirals) == mean_entropy(mixed) == 0
    assert information_maximisation(spirals) == pytest.approx(0)
    assert information_maximisation(mixed) == pytest.approx(np.log(3))
    assert information_maximisation(np.full((30, 3), 1 / 3)) == pytest.approx(0)


def test_soft_neighbourhoods_are_those_of_the_formula():
    probability = np.random.default_rng(0).dirichlet(np.ones(3), 12)
    for row, found in enumerate(neighbourhood_entropies(probability)):
        others = np.delete(probability, row, axis=0)
        cosine = others @ probability[row] / np.linalg.norm(others, axis=1) / np.linalg.norm(probability[row])
        near = np.exp(cosine / 0.05) / np.exp(cosine / 0.05).sum()
        assert found == pytest.approx(-np.sum(near * np.log(near)))


def test_galaxies_that_are_alike_are_all_neighbours_and_those_of_a_cluster_each_others():
    np.testing.assert_allclose(neighbourhood_entropies(np.full((9, 3), 1 / 3)), np.log(8))
    # Three certain classes of ten galaxies: nine neighbours, the others weigh exp(-20) each.
    np.testing.assert_allclose(neighbourhood_entropies(np.eye(3)[np.arange(30) % 3]), np.log(9), atol=1e-5)


def test_the_matrix_may_be_made_in_parts(monkeypatch):
    probability = np.random.default_rng(1).dirichlet(np.ones(3), 25)
    whole = neighbourhood_entropies(probability)
    monkeypatch.setattr(target_outputs, "ROWS_AT_ONCE", 4)
    np.testing.assert_allclose(neighbourhood_entropies(probability), whole)


def test_a_single_galaxy_has_no_neighbours():
    with pytest.raises(ValueError, match="1 galaxies have no neighbours"):
        neighbourhood_entropies(np.array([[0.5, 0.5]]))
