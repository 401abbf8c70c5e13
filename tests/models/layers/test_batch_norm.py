import keras
import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.models.layers.batch_norm import BatchNormalization

ON_TENSORFLOW = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the fused kernel is TensorFlow's")


def maps(shape=(6, 5, 4, 3), seed=1):
    return (3 + 2 * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def trained_pair(shape):
    """Our layer and Keras's, after two batches in training mode, with the outputs of each."""
    kinds = (BatchNormalization, keras.layers.BatchNormalization)
    pair = [kind(momentum=0.9, epsilon=1e-5) for kind in kinds]
    outputs = []
    for layer in pair:
        layer.build(shape)
        layer.gamma.assign(np.linspace(0.5, 2, shape[-1])), layer.beta.assign(np.linspace(-1, 1, shape[-1]))
        outputs.append([np.asarray(layer(maps(shape, seed), training=True)) for seed in (1, 2)])
    return pair, outputs


@pytest.mark.parametrize("shape", [(6, 5, 4, 3), (1, 2, 1, 3), (8, 3)])
def test_outputs_and_moving_moments_are_those_of_keras(shape):
    (own, of_keras), (outputs, expected) = trained_pair(shape)
    np.testing.assert_allclose(outputs, expected, atol=2e-5)
    for weight, other in zip(own.get_weights(), of_keras.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-5)
    np.testing.assert_allclose(own(maps(shape, 3)), of_keras(maps(shape, 3)), atol=2e-5)  # in use


@ON_TENSORFLOW
def test_gradients_are_those_of_keras():
    (own, of_keras), _ = trained_pair((6, 5, 4, 3))
    slopes = []
    for layer in (own, of_keras):
        pixels = tf.Variable(maps(seed=4))
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(layer(pixels, training=True) ** 3)
        slopes.append(tape.gradient(value, [pixels, layer.gamma.value, layer.beta.value]))
    for slope, other in zip(*slopes, strict=True):
        np.testing.assert_allclose(slope, other, rtol=1e-4, atol=2e-4 * np.abs(other).max())


@ON_TENSORFLOW
def test_the_fused_kernel_is_used_in_training_alone():
    layer = BatchNormalization()
    layer.build((None, 5, 4, 3))

    def kernels(training):
        graph = tf.function(lambda x: layer(x, training=training)).get_concrete_function(tf.TensorSpec((None, 5, 4, 3)))
        return [node.type for node in graph.graph.get_operations() if "FusedBatchNorm" in node.type]

    assert kernels(True) == ["FusedBatchNormV3"] and kernels(False) == []
    layer.trainable = False
    assert kernels(True) == []


def test_bfloat16_is_normalised_in_float32():
    layer = BatchNormalization(dtype="mixed_bfloat16")
    outputs = layer(maps((64, 9, 9, 3)), training=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    assert layer.moving_mean.dtype == "float32"
    np.testing.assert_allclose(layer.moving_mean, 0.01 * maps((64, 9, 9, 3)).mean((0, 1, 2)), rtol=4e-3)
