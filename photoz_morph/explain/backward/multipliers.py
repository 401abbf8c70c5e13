"""Rules that share out the change of a nonlinear layer from a reference among its inputs.

A multiplier m of an input is the gradient that such a rule passes back; the contribution of the input is m times its
change. The contributions to a layer's output add up to the change of the output (Shrikumar, Greenside & Kundaje 2017,
Eq. 1), so those of the network's inputs add up to the change of the target.
"""

import numpy as np
from keras import ops, tree

from photoz_morph.explain.backward.substitution import with_gradient
from photoz_morph.explain.gradients import is_number

# Gauss-Legendre in s, where s^3 (10 - 15 s + 6 s^2) is the part of the way: nodes are close near both ends. Then asinh
# of a flux of 1e3 times its noise is right to 3e-5, p log p down to p = 1e-6 and a softmax of 180 bins to 1e-8.
N_NODES = 32
PLACES, WEIGHTS = np.polynomial.legendre.leggauss(N_NODES)
PLACES, WEIGHTS = (1 + PLACES) / 2, WEIGHTS / 2
NODES = PLACES**3 * (10 - 15 * PLACES + 6 * PLACES**2)
WEIGHTS = WEIGHTS * 30 * PLACES**2 * (1 - PLACES) ** 2


def nonlinear(function, kind, reference_of, *args, **kwargs):
    """Value of a nonlinear layer whose gradient are the multipliers by the rule of its kind.

    Parameters
    ----------
    function : callable
        A layer, an operation or an activation.
    kind : {"rectifier", "elementwise", "selecting", "joint"}
        See `layer_kinds`.
    reference_of : callable
        Reference of a tensor.
    *args, **kwargs
        Of the function; only tensors of floating-point numbers, which have galaxies along their first
        axis, have multipliers.

    Returns
    -------
    tree of tensor
    """
    leaves = tree.flatten((args, kwargs))
    tensors = [index for index, leaf in enumerate(leaves) if ops.is_tensor(leaf)]
    tensors.sort(key=lambda index: not is_number(leaves[index]))  # the constants last
    values = [leaves[index] for index in tensors if is_number(leaves[index])]
    constants = [leaves[index] for index in tensors[len(values) :]]

    def of_tensors(*given):
        changed = list(leaves)
        for index, value in zip(tensors, given):
            changed[index] = value
        new_args, new_kwargs = tree.pack_sequence_as((args, kwargs), changed)
        return function(*new_args, **new_kwargs)

    references = [reference_of(value) for value in values]
    if kind == "joint" or len(values) > 1:
        return along_path(of_tensors, values, references, constants)

    def of_value(value):
        return of_tensors(value, *constants)

    if kind == "selecting":
        return of_maximum(of_value, *values, *references)
    return of_difference(of_value, *values, *references)


def of_difference(function, x, reference):
    """Elementwise function whose gradient is (f(x) - f(x')) / (x - x').

    Parameters
    ----------
    function : callable
        Elementwise.
    x, reference : tensor

    Returns
    -------
    tensor
        f(x); where x is the reference, or not finite, the gradient is that of f.

    Notes
    -----
    The Rescale rule of DeepLIFT (Shrikumar et al. 2017, Sec. 3.5.1); with a reference of 0 the rule of layer-wise
    relevance propagation, which passes all relevance through.
    """
    value, change = function(x), ops.stop_gradient(x - reference)
    has_changed = ops.logical_and(ops.isfinite(change), change != 0)
    ratio = ops.stop_gradient(value - function(reference)) / ops.where(has_changed, change, ops.ones_like(change))
    return with_gradient(value, ops.where(has_changed, x * ops.where(has_changed, ratio, ops.zeros_like(ratio)), value))


def along_path(function, inputs, references, constants=()):
    """Function of several values whose gradient is the mean of its own on the straight way from the reference.

    Parameters
    ----------
    function : callable
        Of the inputs and constants, to a tree of tensors.
    inputs, references : list of tensor, shape (n, ...)
    constants : sequence of tensor, shape (n, ...)
        What stays as it is on the way.

    Returns
    -------
    tree of tensor
        Value at the inputs.

    Notes
    -----
    Integrated gradients (Sundararajan, Taly & Yan 2017, Eq. 1) of one layer, by quadrature; of a function of one value
    it is the ratio of `of_difference`. Of a function with bends, such as the clipped moments of `PsfMatchedPhotometry`,
    it is right to 1 or 2 %.
    """
    on_way = [_on_way(x, reference) for x, reference in zip(inputs, references)]
    fixed = [ops.tile(values, (N_NODES, *[1] * (len(values.shape) - 1))) for values in constants]
    means = tree.map_structure(_mean_of_way, function(*on_way, *fixed))
    return with_gradient(function(*inputs, *constants), means)


def of_maximum(function, x, reference):
    """Max pooling whose change from a reference goes to the places of both maxima.

    Parameters
    ----------
    function : callable
        Max pooling.
    x, reference : tensor

    Returns
    -------
    tensor
        f(x).

    Notes
    -----
    With c the larger of the maxima, c - f(x') is what the brightest place of x contributes and f(x) - c what the
    brightest place of the reference does, which is lower in x: exact, and none of the two changes is 0 by which the
    multiplier is divided. As SHAP's DeepExplainer does (Lundberg & Lee 2017).
    """
    value, before = ops.stop_gradient(function(x)), ops.stop_gradient(function(reference))
    larger = ops.maximum(value, before)
    change = ops.stop_gradient(x - reference)
    has_changed = change != 0
    # Of derivative 1 / change, value 0: pooling it adds to the derivative and not to the choice of the place.
    unit = ops.where(has_changed, x / ops.where(has_changed, change, ops.ones_like(change)), ops.zeros_like(x))
    unit = unit - ops.stop_gradient(unit)
    gain = function(ops.stop_gradient(x) + unit) * (larger - before)
    loss = function(ops.stop_gradient(reference) + unit) * (value - larger)
    return with_gradient(value, gain + loss)


def _on_way(x, reference):
    """Nodes on the straight way from the reference to x, joined along the first axis; their gradient is that of x."""
    nodes = ops.reshape(ops.convert_to_tensor(NODES, x.dtype), (-1, *[1] * len(x.shape)))
    places = ops.stop_gradient(reference + nodes * (x - reference)) + (x - ops.stop_gradient(x))
    return ops.reshape(places, (-1, *x.shape[1:]))


def _mean_of_way(values):
    """Mean over the way, of values at its nodes."""
    weights = ops.reshape(ops.convert_to_tensor(WEIGHTS, values.dtype), (-1, *[1] * len(values.shape)))
    return ops.sum(weights * ops.reshape(values, (N_NODES, -1, *values.shape[1:])), axis=0)
