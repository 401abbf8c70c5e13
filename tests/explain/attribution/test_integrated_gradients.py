import numpy as np

from photoz_morph.explain.attribution.integrated_gradients import completeness_error, integrated_gradients
from photoz_morph.explain.gradients import Score
from photoz_morph.explain.targets import class_probability
from tests.support.explain import galaxies, linear, total, two_inputs


def test_of_a_linear_network_they_are_weights_times_the_difference_from_the_baseline():
    network, weights, of_ebv = linear()
    inputs, start = galaxies(), galaxies(seed=7)
    found = integrated_gradients(Score(network, total), inputs, start, n_steps=3)
    np.testing.assert_allclose(found["image"], weights * (inputs["image"] - start["image"]), atol=1e-5)
    np.testing.assert_allclose(found["ebv"], of_ebv * (inputs["ebv"] - start["ebv"]), atol=1e-6)


def test_pixels_and_reddening_together_are_complete_and_the_pixels_alone_are_not():
    score = Score(two_inputs(), class_probability(2))
    inputs = {**galaxies(), "ebv": np.full(5, 3.0, "float32")}
    start = {"image": np.zeros_like(inputs["image"]), "ebv": np.zeros(5, "float32")}
    found = integrated_gradients(score, inputs, start)
    error, change = completeness_error(score, inputs, start, found)
    assert np.abs(change).max() > 0.1
    np.testing.assert_allclose(error, 0, atol=2e-5)
    alone, _ = completeness_error(score, inputs, start, {"image": found["image"]})
    assert np.abs(alone).max() > 100 * np.abs(error).max()


def test_inputs_without_a_baseline_stay_and_are_not_attributed():
    score, inputs = Score(two_inputs(), class_probability(2)), galaxies()
    inputs["ebv"][0] = np.nan  # an unknown input of one galaxy does not spoil the others
    start = {"image": np.zeros_like(inputs["image"])}
    found = integrated_gradients(score, inputs, start)
    assert set(found) == {"image"} and np.isfinite(found["image"][1:]).all()
    np.testing.assert_allclose(completeness_error(score, inputs, start, found)[0][1:], 0, atol=2e-5)


def test_over_several_baselines_they_are_the_mean_and_complete_from_the_mean_of_the_targets():
    score, inputs = Score(two_inputs(), class_probability(2)), galaxies()
    starts = [galaxies(seed=seed) for seed in (11, 12)]
    found = integrated_gradients(score, inputs, starts)
    each = [integrated_gradients(score, inputs, start) for start in starts]
    np.testing.assert_allclose(found["image"], (each[0]["image"] + each[1]["image"]) / 2, atol=1e-6)
    np.testing.assert_allclose(completeness_error(score, inputs, starts, found)[0], 0, atol=2e-5)


def test_they_do_not_depend_on_the_batch_size():
    inputs, start = galaxies(), galaxies(seed=7)
    network = two_inputs()
    whole, parts = (
        integrated_gradients(Score(network, class_probability(2), size), inputs, start, 8) for size in (64, 7)
    )
    np.testing.assert_allclose(whole["image"], parts["image"], atol=1e-6)
