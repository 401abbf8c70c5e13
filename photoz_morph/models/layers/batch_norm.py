"""Batch normalisation that takes TensorFlow's fused kernel where it can.

Keras computes moments, scale and offset as operations of their own, each of which reads and writes the maps once
more. On a CPU the fused kernel saves an eighth of a training step of ResNet18 and a quarter of one of the ConvNet
(`scripts/benchmarks/fused_layers.py`).
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable("photoz_morph")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, with the same arguments, weights and values, but faster in training.

    The fused kernel is for maps with the channels last, on TensorFlow and one replica: on several, the moments are
    those of all of them, which it cannot give. Elsewhere this is Keras's own layer.
    """

    def call(self, inputs, training=None, mask=None):
        """Normalised maps, shape as `inputs`."""
        if not (training and self.trainable and mask is None and self._can_fuse(inputs)):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        maps = ops.cast(inputs, "float32")  # as Keras's own: bfloat16 has too few digits for moments
        none = ops.zeros((0,), "float32")
        # Not tf.nn's function, which raises epsilon to 1.001e-5.
        normalised, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=maps, scale=ops.convert_to_tensor(self.gamma), offset=ops.convert_to_tensor(self.beta), mean=none,
            variance=none, epsilon=self.epsilon, is_training=True,
        )  # fmt: skip
        n_values = ops.cast(ops.prod(ops.shape(maps)[:3]), "float32")
        variance = variance * (n_values - 1) / n_values  # the kernel divides by n - 1, Keras by n
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + ops.stop_gradient(new) * (1 - self.momentum))
        return ops.cast(normalised, self.compute_dtype)

    def _can_fuse(self, maps):
        if keras.backend.backend() != "tensorflow" or len(maps.shape) != 4 or self.axis not in (-1, 3):
            return False
        if self.renorm or not (self.scale and self.center):
            return False
        import tensorflow as tf

        replicas = tf.distribute.get_replica_context()
        return replicas is not None and replicas.num_replicas_in_sync == 1
