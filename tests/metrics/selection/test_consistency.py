import numpy as np
import pytest

from photoz_morph.metrics.selection.consistency import circular_classes, mixval


def clusters(n=300, seed=0, shift=0.0):
    """Three clusters of latents, and their classes."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 3
    return 4 * np.eye(3)[label] + rng.normal(0, 0.5, (n, 3)) + shift, label


def test_the_way_back_is_right_where_the_way_there_was_and_wrong_where_it_was_not():
    (source, label), (target, target_label) = clusters(), clusters(seed=1)
    groups = np.arange(300) // 3, 500 + np.arange(300) // 3
    assert np.mean(circular_classes(source, target, target_label, *groups) == label) > 0.98
    swapped = np.array([1, 0, 2])[target_label]  # a network that takes spirals for ellipticals on the target
    back = circular_classes(source, target, swapped, *groups)
    assert np.mean(back == label) == pytest.approx(1 / 3, abs=0.02)
    random = np.random.default_rng(2).integers(0, 3, 300)
    assert np.mean(circular_classes(source, target, random, *groups) == label) < 0.6


def test_one_class_for_all_comes_back_as_that_class():
    source, label = clusters()
    back = circular_classes(source, source, np.full(300, 2), np.arange(300), np.arange(300))
    assert np.all(back == 2)


def test_the_head_never_learns_from_the_group_it_is_asked_for():
    # Each group has a latent direction of its own; its class can only be known from itself.
    n = 60
    latent, given = np.eye(n), np.random.default_rng(0).integers(0, 2, n)
    back = circular_classes(latent, latent, given, np.arange(n), np.arange(n))
    assert np.mean(back == given) < 0.75


def test_a_single_group_is_refused():
    with pytest.raises(ValueError, match="two groups or more"):
        circular_classes(np.ones((2, 2)), np.ones((2, 2)), np.array([0, 1]), np.zeros(2), np.zeros(2))


def test_mixval_worked_by_hand():
    # Pairs of one class: rows 0 and 1, one consistent. Of two classes: rows 2 and 3, both.
    given, partner, mixed = np.array([0, 0, 0, 1]), np.array([1, 0, 3, 2]), np.array([0, 1, 0, 1])
    assert mixval(given, partner, mixed) == pytest.approx((1 / 2 + 1) / 2)
    np.testing.assert_allclose(mixval(given, partner, mixed, np.array([[1, 1, 1, 1], [3, 1, 0, 0]])), [3 / 4, 3 / 4])


def test_mixval_of_one_class_is_that_of_its_pairs():
    assert mixval(np.zeros(4, int), np.array([1, 2, 3, 0]), np.array([0, 0, 0, 1])) == pytest.approx(3 / 4)
