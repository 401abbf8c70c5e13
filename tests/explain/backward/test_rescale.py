import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from photoz_morph.explain import targets
from photoz_morph.explain.backward.projections import projecting
from photoz_morph.explain.backward.relevance import layerwise_relevance
from photoz_morph.explain.backward.rescale import deep_lift
from photoz_morph.explain.gradients import Score
from photoz_morph.models.layers.photometric_inputs import Deredden, PixelScales
from tests.support.explain import galaxies, linear, total
from tests.support.explain_layers import NETWORKS, network_of, total_of, two_layers, unit_target
from tests.support.paths import ROOT


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "resnet18"])
def test_pixels_and_ebv_together_make_up_the_change_from_the_reference(name):
    network, target, inputs, dark = network_of(name)
    found = deep_lift(network, target, inputs, dark)
    score = Score(network, target)
    change = score(inputs) - score(dark)
    # The moments of the photometry have bends, see `multipliers.along_path`.
    tolerance = 3e-2 if "PSF" in name else 2e-3
    np.testing.assert_allclose(total_of(found), change, rtol=tolerance, atol=2e-6)
    assert np.abs(change).max() > 1e-4


def test_a_linear_network_contributes_weights_times_change():
    network, weights, of_ebv = linear()
    inputs = galaxies()
    reference = {name: values[::-1] for name, values in inputs.items()}
    found = deep_lift(network, total, inputs, reference)
    np.testing.assert_allclose(found["image"], (inputs["image"] - reference["image"]) * weights, atol=1e-4)
    np.testing.assert_allclose(found["ebv"], (inputs["ebv"] - reference["ebv"]) * of_ebv, atol=1e-5)


def test_two_layers_have_the_multipliers_of_the_rescale_rule():
    network, (first, first_bias, second, second_bias) = two_layers(seed=1, activations=("relu", None))
    x, reference = np.random.default_rng(2).normal(size=(2, 8, 6))
    before, before_reference = (values @ first + first_bias for values in (x, reference))
    ratio = (np.maximum(before, 0) - np.maximum(before_reference, 0)) / (before - before_reference)
    multipliers = (second[:, 1] * ratio) @ first.T
    found = deep_lift(network, unit_target(1), x.astype("float32"), reference.astype("float32"))
    np.testing.assert_allclose(found, multipliers * (x - reference), rtol=1e-3, atol=1e-4)


def test_a_target_that_is_not_linear_is_shared_out_too():
    network, _ = two_layers(seed=3, activations=("relu", "softmax"))
    x, reference = np.random.default_rng(4).normal(size=(2, 8, 6)).astype("float32")
    target = targets.entropy()
    found = deep_lift(network, target, x, reference, batch_size=3)
    score = Score(network, target)
    np.testing.assert_allclose(total_of(found), score(x) - score(reference), atol=1e-4)


def test_classes_of_galaxies_stay_with_their_galaxies():
    network, _ = two_layers(seed=3, activations=("relu", None))
    x = np.random.default_rng(4).normal(size=(5, 6)).astype("float32")
    classes = np.array([0, 2, 1, 1, 0])
    found = deep_lift(network, targets.class_logit(classes), x, np.zeros_like(x), batch_size=2)
    for row, index in enumerate(classes):
        alone = deep_lift(network, unit_target(int(index)), x[row : row + 1], np.zeros_like(x[:1]))
        np.testing.assert_allclose(found[row], alone[0], atol=1e-5)


def test_references_of_another_form_are_refused():
    network, target, inputs, dark = network_of("resnet18 of two domains")
    with pytest.raises(ValueError, match=r"image has shape \(2, 24, 24, 3\) and \(1, 24, 24, 3\) in the reference"):
        deep_lift(network, target, inputs, {**dark, "image": dark["image"][:1]})
    with pytest.raises(ValueError, match="domain, which are integers, differ"):
        deep_lift(network, target, inputs, {**dark, "domain": dark["domain"][::-1]})
    with pytest.raises(ValueError, match="the reference has image, the inputs have image, domain"):
        deep_lift(network, target, inputs, {"image": dark["image"]})


def by_all_rules():
    """What the rules pass back through layers of all kinds, with fixed weights."""
    rng = np.random.default_rng(0)
    image, ebv = keras.Input((8, 8, 3), name="image"), keras.Input((), name="ebv")
    pixels = PixelScales([0.1, 0.2, 0.3])(Deredden([4.0, 3.0, 2.0])([image, ebv]))
    maps = layers.PReLU(shared_axes=[1, 2])(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(pixels)))
    pooled = layers.Concatenate()([layers.MaxPooling2D(2)(maps), layers.AveragePooling2D(2)(maps)])
    hidden = layers.Dense(6, activation="gelu")(layers.Flatten()(pooled))
    network = keras.Model({"image": image, "ebv": ebv}, layers.Dense(5, activation="softmax")(hidden))
    for variable in network.weights:
        values = rng.normal(0, 0.3, variable.shape)
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.path else values)
    inputs = {"image": rng.normal(0.3, 1, (2, 8, 8, 3)).astype("float32"), "ebv": np.array([0.1, 0.3], "float32")}
    dark = {name: np.zeros_like(values) for name, values in inputs.items()}
    target = targets.pdf_mean(np.arange(5.0))
    found = {method: Score(projecting(network, method), target).value_and_gradient(inputs)[1]
             for method in ("guided", "deconvnet")}  # fmt: skip
    found["relevance"] = layerwise_relevance(network, target, inputs, "alpha_beta")
    found["rescale"] = deep_lift(network, target, inputs, dark)
    return {f"{method}, {name}": values.tolist() for method, parts in found.items() for name, values in parts.items()}


def test_jax_passes_back_what_tensorflow_does():
    pytest.importorskip("jax", reason="jax, the other backend, is not installed")
    code = "import json, tests.explain.backward.test_rescale as rules; print(json.dumps(rules.by_all_rules()))"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    of_jax = json.loads(result.stdout.splitlines()[-1])
    for name, values in by_all_rules().items():
        largest = np.abs(values).max()
        np.testing.assert_allclose(of_jax[name], values, atol=2e-3 * largest, err_msg=name)
        assert largest > 0
