"""DeepLIFT's Rescale rule: how the change of a target from a reference comes from the inputs.

The network is shown a galaxy and a reference, such as its own sky; each layer shares out the change between the two,
and the contributions of all pixels and of E(B-V) together are the change of the target, whatever biases there are. The
target itself, such as the entropy of the PDF, is shared out as a layer is.
"""

from functools import partial

import numpy as np
from keras import ops, tree

from photoz_morph.explain.backward.layer_kinds import activation_kind, kind_of, values_before_activation
from photoz_morph.explain.backward.multipliers import along_path, nonlinear
from photoz_morph.explain.backward.substitution import with_rules
from photoz_morph.explain.gradients import BATCH_SIZE, Score, is_number, named, unnamed


def deep_lift(network, target, inputs, reference, batch_size=BATCH_SIZE, kinds=None):
    """Contributions of all inputs to the change of a target from a reference.

    Parameters
    ----------
    network : keras.Model
        Functional or Sequential, in float32.
    target : callable
        See `targets`.
    inputs : ndarray or dict of ndarray
    reference : ndarray or dict of ndarray
        Of the form of the inputs.
    batch_size : int
        Galaxies that pass the network together.
    kinds : dict of str to str, optional
        See `layer_kinds.kind_of`.

    Returns
    -------
    ndarray or dict of ndarray
        Of the form of the inputs [target]; the sum over all inputs of a galaxy is the target less that of the
        reference. 0 for integers, which must be those of the reference.

    Raises
    ------
    ValueError
        If a layer has no rule, or the reference has not the form of the inputs.

    Notes
    -----
    Shrikumar, Greenside & Kundaje (2017, arXiv 1704.02685), Sec. 3.5.1. Layers that are nonlinear in several values at
    once, which the paper does not have, are shared out along the straight way from the reference
    (`multipliers.along_path`), and max pooling between the places of the two maxima (`multipliers.of_maximum`).
    """
    given, other = named(inputs), named(reference)
    _check_reference(given, other)
    pairs = {name: np.stack([values, other[name]], axis=1).reshape(-1, *np.shape(values)[1:])
             for name, values in given.items()}  # fmt: skip
    n = len(next(iter(given.values())))
    score = Score(with_rules(network, lambda operation: _rule_of(operation, kinds)), _shared(target), 2 * batch_size)
    _, gradient = score.value_and_gradient(unnamed(pairs, inputs), np.repeat(np.arange(n), 2))
    contributions = {}
    for name, multipliers in named(gradient).items():
        multipliers, change = multipliers[::2], given[name] - other[name]
        # An unknown observing condition, NaN, contributes nothing: its layer takes a typical one.
        contributions[name] = np.where(multipliers == 0, 0, multipliers * change).astype(np.float32)
    return unnamed(contributions, inputs)


def _check_reference(given, other):
    """Raise a ValueError unless inputs and reference have the same names, shapes and integers."""
    if given.keys() != other.keys():
        raise ValueError(f"the reference has {', '.join(other)}, the inputs have {', '.join(given)}; give the same")
    for name, values in given.items():
        if np.shape(values) != np.shape(other[name]):
            raise ValueError(f"{name} has shape {np.shape(values)} and {np.shape(other[name])} in the reference")
        if not is_number(np.asarray(values)) and not np.array_equal(values, other[name]):
            raise ValueError(f"{name}, which are integers, differ from those of the reference; give the same")


def _of_reference(values):
    """The reference of each row, where rows are pairs of a galaxy and its reference; views keep the order of pairs."""
    return ops.repeat(values[1::2], 2, axis=0)


def _rule_of(operation, kinds):
    """Function of the value of a layer whose gradient are multipliers; rows are pairs."""
    kind = kind_of(operation, kinds)
    if kind == "weighted":
        activation = activation_kind(operation)
        if activation == "linear":
            return operation
        return lambda x: nonlinear(
            operation.activation, activation, _of_reference, values_before_activation(operation, x)
        )
    if kind == "linear":
        return operation
    return partial(nonlinear, operation, kind, _of_reference)


def _shared(target):
    """Target of pairs of outputs that is shared out like a layer."""

    def of_pairs(output, galaxies):
        outputs = tree.flatten(output)

        def of_outputs(*values):
            *values, galaxies = values
            return target(tree.pack_sequence_as(output, values), galaxies)

        return along_path(of_outputs, outputs, [_of_reference(value) for value in outputs], [galaxies])

    return of_pairs
