"""Backward rules against captum on the same weights, see scripts/make_explain_reference.py."""

import numpy as np
import pytest

from photoz_morph.explain.backward.projections import projecting
from photoz_morph.explain.backward.relevance import layerwise_relevance
from photoz_morph.explain.gradients import Score
from photoz_morph.explain.targets import class_logit
from tests.support.explain import captum_reference, network_of_captum

SECOND = class_logit(1)


def projection(method):
    return lambda network, inputs: Score(projecting(network, method), SECOND).value_and_gradient(inputs)[1]


METHODS = {
    "GuidedBackprop": projection("guided"),
    "Deconvolution": projection("deconvnet"),
    "LRP": lambda network, inputs: layerwise_relevance(network, SECOND, inputs, epsilon=1e-9),  # its default
}


@pytest.mark.parametrize("method", METHODS)
def test_pixels_and_the_scalar_have_what_captum_gives(method):
    stored = captum_reference()
    inputs = {name: stored[name] for name in ("image", "scalar")}
    found = METHODS[method](network_of_captum(stored), inputs)
    for name in inputs:
        np.testing.assert_allclose(found[name], stored[f"{method}_{name}"], rtol=1e-4, atol=1e-5)
        assert np.abs(found[name]).max() > 1e-2
