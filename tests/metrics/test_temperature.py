import numpy as np
import pytest
from scipy.special import softmax

from photoz_morph.metrics.classification import scores
from photoz_morph.metrics.temperature import fit_temperature, log_probability, tempered, transcal_temperature


def drawn(n, temperature, seed=0, strength=2.0):
    """Labels drawn from known probabilities, and those of a network that is surer by the temperature."""
    rng = np.random.default_rng(seed)
    logits = strength * rng.normal(size=(n, 3))
    true = softmax(logits, axis=1)
    label = (rng.random(n)[:, None] > true.cumsum(axis=1)).sum(axis=1)
    return label, softmax(logits * temperature, axis=1), true


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_an_overconfident_network_is_found(temperature):
    label, probability, true = drawn(20_000, temperature)
    found = fit_temperature(probability, label)
    assert found == pytest.approx(temperature, rel=0.03)  # error of a fit to 20,000 galaxies
    np.testing.assert_allclose(tempered(probability, temperature), true, atol=1e-6)
    assert scores(label, tempered(probability, found))["ece"] < 0.012


def test_temperature_keeps_the_class_and_one_changes_nothing():
    _, probability, _ = drawn(500, 1.0)
    np.testing.assert_allclose(tempered(probability, 1.0), probability, atol=1e-12)
    hot = tempered(probability, np.full(500, 7.0))
    np.testing.assert_array_equal(hot.argmax(axis=1), probability.argmax(axis=1))
    assert np.all(hot.max(axis=1) <= probability.max(axis=1) + 1e-12)


def test_weights_choose_the_galaxies_that_the_temperature_is_for():
    parts = [drawn(10_000, temperature, seed) for seed, temperature in enumerate((1.0, 3.0))]
    label, probability = (np.concatenate([part[index] for part in parts]) for index in (0, 1))
    for number, temperature in enumerate((1.0, 3.0)):
        weights = np.repeat(np.arange(2) == number, 10_000)
        assert fit_temperature(probability, label, weights) == pytest.approx(temperature, rel=0.05)


def test_transcal_finds_the_temperature_of_a_target_that_differs_in_nothing():
    # Ratios of 1 leave the accuracy of the source; at the temperature found, the mean confidence is as high.
    label, probability, _ = drawn(20_000, 2.5)
    _, target, _ = drawn(20_000, 2.5, seed=1)
    found = transcal_temperature(target, probability, label, np.ones(20_000))
    confidence = tempered(target, found).max(axis=1).mean()
    assert confidence == pytest.approx(np.mean(probability.argmax(axis=1) == label), abs=0.01)
    assert found == pytest.approx(2.5, rel=0.1)


def test_transcal_never_raises_the_confidence_and_flattens_no_further_than_allowed():
    label, shy, _ = drawn(2000, 0.5)
    assert transcal_temperature(shy, shy, label, np.ones(2000)) == 1
    wrong = np.eye(3)[np.arange(300) % 3] * 0.9997 + 1e-4
    assert transcal_temperature(wrong, wrong, (np.arange(300) + 1) % 3, np.ones(300)) == 20


def test_transcal_lowers_the_confidence_where_heavy_galaxies_are_wrong():
    label, probability, _ = drawn(4000, 1.0)
    wrong = probability.argmax(axis=1) != label
    equal = transcal_temperature(probability, probability, label, np.ones(4000))
    assert transcal_temperature(probability, probability, label, np.where(wrong, 3.0, 0.5)) > equal + 0.3


def test_a_network_that_is_certain_and_wrong_has_a_finite_likelihood():
    probability = np.eye(3)[[0, 1, 1]]
    assert np.isfinite(log_probability(probability)).all()
    assert scores(np.array([0, 1, 2]), probability)["nll"] == pytest.approx(87.3365 / 3, rel=1e-4)
    assert 1 < fit_temperature(probability, np.array([0, 1, 2])) <= 20.0


def test_weights_of_nothing_are_refused():
    with pytest.raises(ValueError, match="weights of 2 galaxies sum to 0"):
        fit_temperature(np.full((2, 2), 0.5), np.array([0, 1]), np.zeros(2))
