"""Values of captum on the same weights, see scripts/make_explain_reference.py."""

import numpy as np
import pytest
from keras import ops

from photoz_morph.explain.attribution.grad_cam import grad_cam
from photoz_morph.explain.attribution.integrated_gradients import integrated_gradients
from photoz_morph.explain.attribution.saliency import gradient_times_input, saliency
from photoz_morph.explain.gradients import Score
from photoz_morph.explain.occlusion.patches import occlusion, occlusion_map
from photoz_morph.explain.occlusion.regions import whole_bands
from photoz_morph.explain.occlusion.shapley import exact_shapley, leave_one_out
from photoz_morph.explain.targets import class_logit
from tests.support.explain import captum_reference, network_of_captum

BANDS = whole_bands((8, 8, 3), ("scalar",))


@pytest.fixture(scope="module")
def case():
    stored = captum_reference()
    inputs, start = ({name: stored[prefix + name] for name in ("image", "scalar")} for prefix in ("", "baseline_"))
    return stored, Score(network_of_captum(stored), class_logit(1)), inputs, start


def test_the_network_is_the_same(case):
    stored, score, inputs, _ = case
    np.testing.assert_allclose(score.network(inputs), stored["output"], atol=1e-5)


@pytest.mark.parametrize(
    "name, method",
    [
        ("Saliency", lambda score, inputs, start: saliency(score, inputs)),
        ("InputXGradient", lambda score, inputs, start: gradient_times_input(score, inputs)),
        ("IntegratedGradients", lambda score, inputs, start: integrated_gradients(score, inputs, start, 20)),
    ],
)
def test_gradients_are_those_of_captum_for_the_image_and_the_scalar(case, name, method):
    stored, score, inputs, start = case
    found = method(score, inputs, start)
    for part in ("image", "scalar"):
        np.testing.assert_allclose(found[part], stored[f"{name}_{part}"], atol=1e-5)
        assert np.abs(stored[f"{name}_{part}"]).max() > 0.01


def test_occlusion_is_that_of_captum(case):
    stored, score, inputs, start = case
    maps = occlusion_map(occlusion(score, inputs, start, 3, 2), (8, 8), 3, 2)
    np.testing.assert_allclose(maps, stored["Occlusion_image"][..., 0], atol=1e-5)


@pytest.mark.parametrize("name, method", [("FeatureAblation", leave_one_out), ("ShapleyValues", exact_shapley)])
def test_losses_and_shapley_values_of_bands_and_scalar_are_those_of_captum(case, name, method):
    stored, score, inputs, start = case
    found = method(score, inputs, start, BANDS)
    np.testing.assert_allclose(found[:, :3], stored[f"{name}_image"][:, 0, 0], atol=1e-5)
    np.testing.assert_allclose(found[:, 3], stored[f"{name}_scalar"], atol=1e-5)


def test_grad_cam_is_that_of_captum_before_interpolation(case):
    stored, score, inputs, _ = case
    found = grad_cam(score, inputs, "conv2", signed=True)
    expected = ops.image.resize(stored["LayerGradCam"][..., None], (8, 8))[..., 0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
