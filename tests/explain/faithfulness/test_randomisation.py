import numpy as np
import pytest

from photoz_morph.explain.attribution.saliency import gradient_times_input
from photoz_morph.explain.faithfulness.randomisation import cascading_randomisation
from photoz_morph.explain.gradients import Score
from photoz_morph.explain.targets import class_logit
from tests.support.explain import galaxies, total, two_inputs


def test_an_edge_detector_is_found_out_and_a_gradient_is_not():
    network, inputs = two_inputs(side=10), galaxies(side=10)
    score = Score(network, class_logit(1))

    def edges(score):
        return {"image": np.abs(np.diff(inputs["image"], axis=1, prepend=0))}

    found = cascading_randomisation(score, edges)
    np.testing.assert_allclose(found.correlation["image"], 1)
    gradient = cascading_randomisation(score, lambda score: gradient_times_input(score, inputs))
    assert gradient.layers == ("logits", "hidden", "maps")
    assert gradient.correlation["image"].shape == (5, 3) and set(gradient.correlation) == {"image"}
    assert gradient.correlation["image"][:, -1].mean() < 0.8


def test_weights_are_shuffled_in_between_and_as_they_were_in_the_end_even_after_an_error():
    network, inputs = two_inputs(), galaxies()
    before = [weights.copy() for weights in network.get_weights()]
    score, seen = Score(network, class_logit(1)), []

    def explain(score):
        seen.append(network.get_layer("maps").get_weights()[0].copy())
        if len(seen) == 4:
            raise RuntimeError("stopped")
        return gradient_times_input(score, inputs)

    with pytest.raises(RuntimeError, match="stopped"):
        cascading_randomisation(score, explain)
    np.testing.assert_array_equal(seen[2], before[0])  # the first convolution is shuffled last
    assert not np.array_equal(seen[3], before[0])
    np.testing.assert_array_equal(np.sort(seen[3].ravel()), np.sort(before[0].ravel()))
    for weights, kept in zip(network.get_weights(), before):
        np.testing.assert_array_equal(weights, kept)


def test_every_other_layer_and_the_last_are_explained():
    score = Score(two_inputs(), class_logit(1))
    found = cascading_randomisation(score, lambda score: gradient_times_input(score, galaxies()), every=2)
    assert found.layers == ("hidden", "maps")


def test_a_function_without_layers_is_refused():
    with pytest.raises(ValueError, match="has no layers with weights to randomise"):
        cascading_randomisation(Score(lambda images: images, total), lambda score: None)
