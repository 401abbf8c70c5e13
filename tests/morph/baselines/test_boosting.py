import numpy as np
import pytest

from photoz_morph.morph.baselines.boosting import boosted_probabilities


def sample(n, seed):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n)
    return rng.normal(size=(n, 4)) + 2 * np.eye(3, 4)[label], label


def test_the_booster_finds_classes_and_its_seeds_differ():
    train, label = sample(600, 0)
    test, truth = sample(300, 1)
    (probability,) = boosted_probabilities(train, label, [test], 3, range(3))
    assert probability.shape == (300, 3, 3) and probability.dtype == np.float32
    np.testing.assert_allclose(probability.sum(axis=2), 1, rtol=1e-5)
    best = np.mean((test[:, :3] - test[:, :3].max(axis=1, keepdims=True) == 0).argmax(axis=1) == truth)  # Bayes
    accuracy = (probability.argmax(axis=2) == truth[:, None]).mean(axis=0)
    assert np.all(accuracy > best - 0.05) and not np.array_equal(probability[:, 0], probability[:, 1])
    again = boosted_probabilities(train, label, [test[:10], test], 3, [1])
    assert np.array_equal(again[1][:, 0], probability[:, 1]) and np.array_equal(again[0][:, 0], probability[:10, 1])


def test_a_missing_measurement_is_a_value_like_others():
    train, label = sample(300, 0)
    train[::7, 2] = np.nan
    (probability,) = boosted_probabilities(train, label, [np.full((2, 4), np.nan)], 3, [0])
    assert np.isfinite(probability).all()


def test_a_class_without_training_galaxies_is_never_given():
    train, label = sample(300, 0)
    kept = label != 1
    (probability,) = boosted_probabilities(train[kept], label[kept], [train], 3, [0])
    assert not probability[..., 1].any()


@pytest.mark.parametrize("label, found", [(np.zeros(50, int), "got 50 of 1"), (np.arange(9) % 3, "got 9 of 3")])
def test_too_little_to_train_on_is_refused(label, found):
    with pytest.raises(ValueError, match=f"needs 40 training galaxies or more of two classes or more, {found}"):
        boosted_probabilities(np.zeros((len(label), 4)), label, [], 3, [0])
