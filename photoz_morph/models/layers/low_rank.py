"""Dense and convolution layers with a low-rank change of their kernel: LoRA (Hu et al. 2022, arXiv 2106.09685).

The kernel W stays as it is; what is trained are two thin matrices whose product is added to it, W + A B. B starts at
zero, so that at first nothing changes. Unlike those of Keras, these layers are saved with A and B, without which an
interrupted training could not go on as if it had not been interrupted. At the end A B is added to the kernel for good.
"""

import keras
from keras import ops


class _LowRank:
    """What both layers have in common: the two matrices, and the kernel with their product."""

    def __init__(self, *arguments, adapter_rank=8, adapter_seed=0, **kwargs):
        super().__init__(*arguments, **kwargs)
        self.adapter_rank, self.adapter_seed = adapter_rank, adapter_seed

    def build(self, input_shape):
        super().build(input_shape)
        shape = self.kernel.shape
        for weight in (self.kernel, self.bias):
            if weight is not None:
                weight.trainable = False
        start = keras.initializers.HeUniform(seed=self.adapter_seed)
        self.adapter_a = self.add_weight(shape=(*shape[:-1], self.adapter_rank), initializer=start, name="adapter_a")
        self.adapter_b = self.add_weight(shape=(self.adapter_rank, shape[-1]), initializer="zeros", name="adapter_b")

    @property
    def merged_kernel(self):
        """The kernel with the change, a tensor of its shape."""
        return self.kernel + ops.matmul(self.adapter_a, self.adapter_b)

    def merged_weights(self):
        """Weights of the plain layer that computes the same, as from its `get_weights`."""
        return [ops.convert_to_numpy(self.merged_kernel), *([ops.convert_to_numpy(self.bias)] if self.use_bias else [])]

    def _own_weights(self):
        """All weights of the layer, in the order of its file; Keras's own layers save kernel and bias alone."""
        return [self.kernel, *([self.bias] if self.use_bias else []), self.adapter_a, self.adapter_b]

    def save_own_variables(self, store):
        for number, weight in enumerate(self._own_weights()):
            store[str(number)] = weight

    def load_own_variables(self, store):
        for number, weight in enumerate(self._own_weights()):
            weight.assign(store[str(number)])

    def get_config(self):
        return {**super().get_config(), "adapter_rank": self.adapter_rank, "adapter_seed": self.adapter_seed}


@keras.saving.register_keras_serializable("photoz_morph")
class LowRankDense(_LowRank, keras.layers.Dense):
    """Dense layer whose kernel and bias are fixed, with a trainable change of the kernel of low rank.

    Parameters
    ----------
    adapter_rank : int
        Largest rank of the change.
    adapter_seed : int
        Of the start of A.
    **kwargs
        Those of `keras.layers.Dense`.
    """

    def call(self, inputs, training=None):
        outputs = ops.matmul(inputs, self.merged_kernel)
        if self.use_bias:
            outputs = outputs + self.bias
        return self.activation(outputs)


@keras.saving.register_keras_serializable("photoz_morph")
class LowRankConv2D(_LowRank, keras.layers.Conv2D):
    """Convolution whose kernel and bias are fixed, with a trainable change of the kernel of low rank.

    A is a convolution with `adapter_rank` filters, B mixes these.

    Parameters
    ----------
    adapter_rank : int
        Largest rank of the change, as a matrix of (rows, columns, maps) times filters.
    adapter_seed : int
        Of the start of A.
    **kwargs
        Those of `keras.layers.Conv2D`.
    """

    def call(self, inputs):
        outputs = ops.conv(
            inputs, self.merged_kernel, strides=list(self.strides), padding=self.padding,
            dilation_rate=self.dilation_rate, data_format=self.data_format,
        )  # fmt: skip
        if self.use_bias:
            outputs = outputs + self.bias
        return self.activation(outputs)


def with_adapters(network, names, rank, seed):
    """Copy of a network in which some layers have a low-rank change of their kernel, its outputs at first the same.

    Parameters
    ----------
    network : keras.Model
        Functional.
    names : collection of str
        Dense and convolution layers that get one; no other layer is changed.
    rank : int
    seed : int
        Of the start of all A.

    Returns
    -------
    keras.Model
    """
    numbers = {name: number for number, name in enumerate(names)}

    def cloned(layer):
        config = layer.get_config()
        if layer.name not in numbers:
            return layer.__class__.from_config(config)
        kind = LowRankDense if isinstance(layer, keras.layers.Dense) else LowRankConv2D
        adapter = {"trainable": True, "adapter_rank": rank, "adapter_seed": seed + numbers[layer.name]}
        return kind.from_config(config | adapter)

    copy = keras.models.clone_model(network, clone_function=cloned)
    for layer in network.layers:
        own = copy.get_layer(layer.name)
        if layer.name not in numbers:
            own.set_weights(layer.get_weights())
            continue
        own.kernel.assign(layer.kernel)
        if layer.use_bias:
            own.bias.assign(layer.bias)
    return copy


def merged_weights(layer):
    """Weights of a layer, as a plain layer of its name has them; see `_LowRank.merged_weights`."""
    return layer.merged_weights() if isinstance(layer, _LowRank) else layer.get_weights()
