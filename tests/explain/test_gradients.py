import keras
import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.explain.gradients import Score
from photoz_morph.explain.targets import class_logit, class_probability
from photoz_morph.models.exports.saved_model import write_saved_model
from tests.support.explain import galaxies, linear, total, two_inputs


def differences(score, inputs, name, step=1e-2):
    """Gradient with respect to an input along a random direction, by central differences, shape (n,)."""
    direction = np.random.default_rng(3).normal(size=inputs[name].shape).astype("float32")
    ends = [score({**inputs, name: inputs[name] + sign * step * direction}) for sign in (1, -1)]
    return direction, (ends[0] - ends[1]) / (2 * step)


@pytest.mark.parametrize("name", ["image", "ebv"])
def test_gradient_is_the_slope_of_the_target_for_every_input(name):
    inputs = galaxies()
    score = Score(two_inputs(), class_probability(2), batch_size=2)
    values, gradient = score.value_and_gradient(inputs)
    np.testing.assert_allclose(values, score(inputs), atol=1e-6)
    direction, slope = differences(score, inputs, name)
    axes = tuple(range(1, direction.ndim))
    np.testing.assert_allclose(np.sum(gradient[name] * direction, axis=axes), slope, atol=2e-4)
    assert np.abs(slope).max() > 1e-2


def test_gradient_of_a_linear_network_are_its_weights_and_of_a_lone_array_has_its_form():
    network, weights, of_ebv = linear()
    inputs = galaxies()
    _, gradient = Score(network, total).value_and_gradient(inputs)
    for row in range(5):
        np.testing.assert_allclose(gradient["image"][row], weights, atol=1e-6)
    np.testing.assert_allclose(gradient["ebv"], np.full(5, of_ebv), atol=1e-6)
    lone = keras.Sequential([keras.Input((6, 6, 3), name="image"), keras.layers.Flatten(), keras.layers.Dense(1)])
    _, gradient = Score(lone, total).value_and_gradient(inputs["image"])
    assert gradient.shape == inputs["image"].shape
    named = keras.Model({"image": lone.inputs[0]}, lone.outputs[0])
    np.testing.assert_allclose(Score(named, total).value_and_gradient(inputs["image"])[1], gradient)


def test_batches_do_not_change_values_or_the_class_of_a_galaxy():
    network, inputs, classes = two_inputs(), galaxies(), np.array([0, 3, 1, 2, 2])
    whole = Score(network, class_logit(classes), 64).value_and_gradient(inputs)
    parts = Score(network, class_logit(classes), 2).value_and_gradient(inputs)
    np.testing.assert_allclose(parts[0], np.asarray(network(inputs))[np.arange(5), classes], rtol=1e-5)
    np.testing.assert_allclose(whole[1]["image"], parts[1]["image"], atol=1e-6)
    turned = {name: values[::-1] for name, values in inputs.items()}
    of_turned = Score(network, class_logit(classes))(turned, np.arange(5)[::-1])
    np.testing.assert_allclose(of_turned[::-1], parts[0], rtol=1e-5)


def test_exported_functions_have_the_gradient_of_their_network(tmp_path):
    network, inputs = two_inputs(), galaxies()
    specs = [tf.TensorSpec((None, 6, 6, 3), name="image"), tf.TensorSpec((None,), name="ebv")]
    function = lambda image, ebv: {"logits": network({"image": image, "ebv": ebv})}  # noqa: E731
    write_saved_model(tmp_path / "export", {"serve": (function, specs)}, {})
    loaded = tf.saved_model.load(str(tmp_path / "export"))
    values, gradient = Score(network, class_logit(1)).value_and_gradient(inputs)
    for exported in (loaded.serve_dict, loaded.signatures["serving_default"]):
        found, of_export = Score(exported, class_logit(1)).value_and_gradient(inputs)
        np.testing.assert_allclose(found, values, atol=1e-6)
        for name in inputs:
            np.testing.assert_allclose(of_export[name], gradient[name], atol=1e-6)


def test_a_function_of_numpy_arrays_has_values_and_no_gradient():
    score = Score(lambda images: np.asarray(images).sum(axis=(1, 2)), total)
    images = galaxies()["image"]
    np.testing.assert_allclose(score(images), images[..., 0].sum(axis=(1, 2)), rtol=1e-5)
    with pytest.raises(ValueError, match="no gradient with respect to the inputs: the network is no function"):
        score.value_and_gradient(images)


def test_integers_and_unused_inputs_have_gradient_zero():
    image, domain = keras.Input((4,), name="image"), keras.Input((), dtype="int32", name="domain")
    unused = keras.Input((), name="unused")
    factor = keras.layers.Reshape((1,))(keras.layers.Embedding(2, 1, embeddings_initializer="ones")(domain))
    network = keras.Model(
        {"image": image, "domain": domain, "unused": unused}, keras.layers.Multiply()([image, factor])
    )
    inputs = {"image": np.ones((2, 4), "float32"), "domain": np.array([0, 1], "int32"), "unused": np.ones(2, "float32")}
    _, gradient = Score(network, total).value_and_gradient(inputs)
    np.testing.assert_array_equal(gradient["image"], np.tile([1, 0, 0, 0], (2, 1)))
    np.testing.assert_array_equal(gradient["domain"], [0, 0])
    np.testing.assert_array_equal(gradient["unused"], [0, 0])


def test_what_was_compiled_under_a_key_is_not_compiled_again():
    score = Score(two_inputs(), class_logit(1))
    first = score.compiled(lambda value, inputs, galaxies: value(inputs, galaxies), "a")
    assert score.compiled(lambda value, inputs, galaxies: None, "a") is first
    assert score.compiled(lambda value, inputs, galaxies: None, "b") is not first


def test_weights_that_change_after_compilation_count():
    network, inputs = two_inputs(), galaxies()
    score = Score(network, class_logit(1))
    before = score(inputs)
    network.get_layer("logits").kernel.assign(2 * network.get_layer("logits").kernel)
    np.testing.assert_allclose(score(inputs), 2 * before, rtol=1e-5)
