"""A network with the same outputs and weights whose gradient follows other rules.

Each layer of a functional network is wrapped in one that computes the same and passes gradients back by a rule. What is
explained then is an ordinary gradient of the new network, so that one rule serves all targets, inputs and batches, on
TensorFlow and JAX, and a network is walked in the order of its own graph: sums at forks are those of the chain rule.
"""

from collections import Counter

import keras
from keras import ops, tree


def with_rules(network, rule_of):
    """Network of wrapped layers.

    Parameters
    ----------
    network : keras.Model
        Functional or Sequential, in float32; networks inside it are unfolded as well.
    rule_of : callable
        Function of a layer or operation that returns a function with the arguments and values of its call, in
        `keras.ops`, or the layer itself, whose gradient then is its own.

    Returns
    -------
    keras.Model
        It shares the weights of the network, which stays as it is.

    Raises
    ------
    ValueError
        If the network is not built of layers on known inputs, a layer is not in float32, or `rule_of` knows none.
    """
    if not _is_graph(network):
        raise ValueError(
            f"network {getattr(network, 'name', network)!r} is not a functional or Sequential keras.Model, whose "
            "layers are known; make it one, or use a method of gradients or occlusion"
        )
    is_sequence = isinstance(network, keras.Sequential)  # which knows no `input`
    ends = (network.inputs[0], network.outputs[0]) if is_sequence else (network.input, network.output)
    plain = keras.Model(*ends, name=network.name)  # neither compiled nor of another class
    names = Counter()

    def wrapped(operation, *args, **kwargs):
        names[operation.name] += 1
        name = operation.name if names[operation.name] == 1 else f"{operation.name}_{names[operation.name]}"
        if _is_graph(operation):
            inner = with_rules(operation, rule_of)
            inner.name = name
            return inner(*args, **kwargs)
        if getattr(operation, "compute_dtype", "float32") != "float32":
            raise ValueError(
                f"layer {operation.name!r} computes in {operation.compute_dtype}, backward rules in float32; "
                "load the network with photoz_morph.models.loading.in_float32"
            )
        leaves = tree.flatten((args, kwargs))
        structure = tree.map_structure(lambda leaf: leaf, (args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, keras.KerasTensor)]
        return _RuledLayer(operation, rule_of(operation), structure, name)(tensors)

    return keras.models.clone_model(plain, clone_function=lambda operation: operation, call_function=wrapped)


def with_gradient(value, surrogate):
    """A value, with the gradient of something else of its shape; trees of tensors."""
    # In these brackets, what is added is 0 and changes no digit of the value.
    return tree.map_structure(lambda y, g: ops.stop_gradient(y) + (g - ops.stop_gradient(g)), value, surrogate)


def _is_graph(operation):
    """True for a functional or a built Sequential model."""
    is_sequence = isinstance(operation, keras.Sequential) and operation.built
    return is_sequence or isinstance(operation, keras.Model) and hasattr(operation, "operations")


class _RuledLayer(keras.layers.Layer):
    """A layer or operation whose call is another function of the same value."""

    def __init__(self, operation, function, structure, name):
        super().__init__(name=name, dtype="float32")
        self.operation = operation  # so that its weights are those of this layer

        def arguments(tensors):
            tensors = iter(tensors)
            return tree.map_structure(
                lambda leaf: next(tensors) if isinstance(leaf, keras.KerasTensor) else leaf, structure
            )

        self.arguments, self.function = arguments, function
        self.built = True

    def call(self, tensors):
        args, kwargs = self.arguments(tensors)
        return self.function(*args, **kwargs)

    def compute_output_spec(self, tensors):
        args, kwargs = self.arguments(tensors)
        return self.operation.compute_output_spec(*args, **kwargs)
