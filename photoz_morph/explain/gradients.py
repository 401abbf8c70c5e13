"""A target of a network as a function of arrays, with its gradient with respect to all inputs, on TensorFlow and JAX.

`Score` is what the methods of this package explain. The inputs are those of the network: one array, galaxies first, or
a dictionary of them, such as `image`, shape (n, rows, columns, n_bands), and `ebv`, shape (n,). A gradient has the form
of the inputs.
"""

import keras
import numpy as np
from keras import ops

BATCH_SIZE = 64
ONLY = "inputs"  # name of an input that has none


class Score:
    """Target of a network, compiled once, in inference mode.

    Parameters
    ----------
    network : callable
        A Keras model; a function of a loaded SavedModel that takes a dictionary, such as `serve_dict` of the exports of
        this package; one of its `signatures`; or any function of the inputs. One that leaves TensorFlow or JAX, such as
        a function of NumPy arrays, has no gradient.
    target : callable
        See `targets`.
    batch_size : int
        Galaxies or changed copies of them that pass the network together.
    """

    def __init__(self, network, target, batch_size=BATCH_SIZE):
        self.network, self.target, self.batch_size = network, target, batch_size
        self._backend = {"tensorflow": _TensorFlow, "jax": _Jax}.get(keras.backend.backend())
        if self._backend is None:
            raise ValueError(f"Keras runs on {keras.backend.backend()}; explanations need TensorFlow or JAX")
        self._value = self.compiled(self._of_rows)
        self._value_and_gradient = self._backend.with_gradient(self)

    def __call__(self, inputs, galaxies=None):
        """Values of the target.

        Parameters
        ----------
        inputs : ndarray or dict of ndarray
        galaxies : ndarray of int, shape (n,), optional
            Number of the galaxy of each row, where a target has something of each galaxy; by default of the row.

        Returns
        -------
        ndarray, shape (n,)
        """
        parts = [ops.convert_to_numpy(self._value(*batch)) for batch in self.batches(inputs, galaxies)]
        return np.concatenate(parts).astype(np.float64)

    def value_and_gradient(self, inputs, galaxies=None):
        """Values of the target and their gradients with respect to all inputs.

        Parameters
        ----------
        inputs : ndarray or dict of ndarray
        galaxies : ndarray of int, shape (n,), optional
            As in calls.

        Returns
        -------
        values : ndarray, shape (n,)
        gradient : ndarray or dict of ndarray
            Of the form of the inputs [target per unit of the input]; 0 for integers and for inputs that the target does
            not depend on.

        Raises
        ------
        ValueError
            If the target has no gradient with respect to any of the inputs.
        """
        values, gradients = [], []
        for batch, galaxies_of_batch in self.batches(inputs, galaxies):
            value, gradient = self._value_and_gradient(batch, galaxies_of_batch)
            values.append(ops.convert_to_numpy(value))
            gradients.append(
                {
                    name: ops.convert_to_numpy(gradient[name])
                    if gradient.get(name) is not None
                    else np.zeros(ops.shape(batch[name]), np.float32)
                    for name in batch
                }
            )
            if all(gradient.get(name) is None for name in batch):
                raise ValueError(
                    "the target has no gradient with respect to the inputs: the network is no function of tensors; use "
                    "occlusion or another method without gradients"
                )
        joined = {name: np.concatenate([part[name] for part in gradients]) for name in gradients[0]}
        return np.concatenate(values).astype(np.float64), unnamed(joined, inputs)

    def batches(self, inputs, galaxies=None, batch_size=None):
        """Inputs by name and numbers of the galaxies, a batch at a time, as tensors."""
        inputs = named(inputs)
        n, size = len(next(iter(inputs.values()))), batch_size or self.batch_size
        galaxies = np.arange(n) if galaxies is None else np.asarray(galaxies)
        for start in range(0, n, size):
            rows = slice(start, start + size)
            yield {name: as_tensor(values[rows]) for name, values in inputs.items()}, as_tensor(galaxies[rows])

    def compiled(self, function):
        """Compiled function of tensors that makes use of the network.

        Parameters
        ----------
        function : callable
            (value, *arguments) to tensors, where `value(inputs, galaxies)` is the target of inputs by name, shape (n,).

        Returns
        -------
        callable
            Of the arguments. Where the network is not known to be a function of tensors, it is not compiled.
        """
        return self._backend.compiled(self, function)

    @property
    def is_graph(self):
        """Whether the network is a function of tensors that can be compiled."""
        return isinstance(self.network, keras.Model) or hasattr(self.network, "structured_input_signature")

    @staticmethod
    def _of_rows(value, inputs, galaxies):
        return value(inputs, galaxies)

    def output(self, inputs):
        """Output of the network for inputs by name."""
        return _call(self.network, inputs, lambda given: self.network(given, training=False))


def named(inputs):
    """Inputs by name: a dictionary as it is, an array under the name `ONLY`."""
    return inputs if isinstance(inputs, dict) else {ONLY: inputs}


def unnamed(values, inputs):
    """Arrays by name in the form of the inputs: undoes `named`."""
    return values if isinstance(inputs, dict) else values[ONLY]


def is_number(values):
    """Whether an input has a gradient: it is of floating-point numbers."""
    return "float" in keras.backend.standardize_dtype(values.dtype)


def as_tensor(values):
    """Tensor of an input: float32 for numbers of any precision, whatever else as it is."""
    values = np.asarray(values)
    return ops.convert_to_tensor(values, "float32" if values.dtype.kind == "f" else None)


def _call(network, inputs, of_model):
    """Call a network with its inputs in the form that it takes them."""
    if isinstance(network, keras.Model):
        expected = getattr(network, "input", None)
        if ONLY in inputs:  # an array is the only input of the network, or the first of those it names
            inputs = {next(iter(expected)): inputs[ONLY]} if isinstance(expected, dict) else inputs[ONLY]
        return of_model(inputs)
    given = inputs[ONLY] if ONLY in inputs else inputs
    signature = getattr(network, "structured_input_signature", None)
    if signature and not signature[0] and isinstance(given, dict):  # of `signatures`, which take keywords
        return network(**given)
    return network(given)


class _TensorFlow:
    """Functions compiled and differentiated by TensorFlow."""

    @staticmethod
    def compiled(score, function):
        import tensorflow as tf

        def value(inputs, galaxies):
            return ops.convert_to_tensor(score.target(score.output(inputs), galaxies))

        def of_arguments(*arguments):
            return function(value, *arguments)

        return tf.function(of_arguments, reduce_retracing=True) if score.is_graph else of_arguments

    @staticmethod
    def with_gradient(score):
        import tensorflow as tf

        def value_and_gradient(value, inputs, galaxies):
            numbers = {name: values for name, values in inputs.items() if is_number(values)}
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(numbers)
                values = value({**inputs, **numbers}, galaxies)
            # Rows do not depend on each other, so the gradient of their sum is that of each.
            return values, tape.gradient(values, numbers)

        return _TensorFlow.compiled(score, value_and_gradient)


class _Jax:
    """Functions compiled and differentiated by JAX; weights are arguments, so that they may change afterwards."""

    @staticmethod
    def compiled(score, function):
        import jax

        is_model = isinstance(score.network, keras.Model)

        def of_weights(weights, *arguments):
            def value(inputs, galaxies):
                if not is_model:
                    return ops.convert_to_tensor(score.target(score.output(inputs), galaxies))

                def stateless(given):
                    return score.network.stateless_call(*weights, given, training=False)[0]

                return score.target(_call(score.network, inputs, stateless), galaxies)

            return function(value, *arguments)

        call = jax.jit(of_weights) if score.is_graph else of_weights

        def of_arguments(*arguments):
            weights = ()
            if is_model:
                groups = score.network.trainable_variables, score.network.non_trainable_variables
                weights = [[variable.value for variable in group] for group in groups]
            return call(weights, *arguments)

        return of_arguments

    @staticmethod
    def with_gradient(score):
        import jax

        def value_and_gradient(value, inputs, galaxies):
            numbers = {name: values for name, values in inputs.items() if is_number(values)}
            values, pull_back = jax.vjp(lambda numbers: value({**inputs, **numbers}, galaxies), numbers)
            (gradient,) = pull_back(ops.ones_like(values))
            return values, gradient

        differentiate = _Jax.compiled(score, value_and_gradient)

        def of_tensors(inputs, galaxies):
            try:
                return differentiate(inputs, galaxies)
            except jax.errors.TracerArrayConversionError:  # by a function of NumPy arrays
                return score(inputs, galaxies), {}

        return of_tensors
