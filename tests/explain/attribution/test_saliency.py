import numpy as np

from photoz_morph.explain.attribution.saliency import gradient_times_input, saliency
from photoz_morph.explain.gradients import Score
from tests.support.explain import galaxies, linear, total


def test_saliency_of_a_linear_network_is_the_size_of_its_weights_in_each_band():
    network, weights, of_ebv = linear()
    found = saliency(Score(network, total), galaxies())
    np.testing.assert_allclose(found["image"], np.broadcast_to(np.abs(weights), (5, 6, 6, 3)), atol=1e-6)
    np.testing.assert_allclose(found["ebv"], abs(of_ebv), atol=1e-6)


def test_gradient_times_input_of_a_linear_network_is_weights_times_input_or_difference():
    network, weights, of_ebv = linear()
    inputs = galaxies()
    found = gradient_times_input(Score(network, total), inputs)
    np.testing.assert_allclose(found["image"], weights * inputs["image"], atol=1e-5)
    np.testing.assert_allclose(found["ebv"], of_ebv * inputs["ebv"], atol=1e-6)
    start = {"ebv": np.full(5, 0.1, "float32")}
    found = gradient_times_input(Score(network, total), inputs, start)
    assert set(found) == {"ebv"}
    np.testing.assert_allclose(found["ebv"], of_ebv * (inputs["ebv"] - 0.1), atol=1e-6)
