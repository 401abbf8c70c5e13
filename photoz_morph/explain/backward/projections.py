"""Deconvnet projections and guided backpropagation: what in an image excites a unit of a network.

Both pass a signal from a unit back to the pixels as its gradient does, but for the rectifiers:

=================  ===========================================  =====================================================
layer              deconvnet (Zeiler & Fergus 2014, Sec. 2.1)   guided backpropagation (Springenberg et al. 2015, Eq. 1)
=================  ===========================================  =====================================================
convolution,       transposed kernel                            transposed kernel
dense
ReLU               s where s > 0, wherever the map was          s where s > 0 and the map was
PReLU              s where s > 0, a s elsewhere (slope a)       s where s > 0, times 1 or a as the map was > 0 or not
GELU, other        the layer's own function of s                s where s > 0, times the layer's derivative
max pooling        to the place of the maximum ("switches")     the same
average pooling    shared by the pixels it was the mean of      the same
batch norm         times its scale                              the same
sum, concatenation to each part                                 the same
scalings,          their gradient: they are part of the         the same
photometry         instrument, and rectify nothing
softmax, tanh      their gradient                               the same
=================  ===========================================  =====================================================

A deconvnet reconstructs maps that a rectifier could have given, so the signal passes the rectifier's own function: that
of a PReLU keeps what is negative at its slope, as its maps do. Guided backpropagation asks what raises the unit: only
signals that are positive pass, and where the layer passed the map.
"""

import keras
from keras import ops

from photoz_morph.explain.backward.layer_kinds import activation_kind, kind_of, values_before_activation
from photoz_morph.explain.backward.substitution import with_gradient, with_rules

METHODS = ("deconvnet", "guided")


def projecting(network, method, kinds=None):
    """Network with the same outputs whose gradient is a projection.

    Parameters
    ----------
    network : keras.Model
        Functional or Sequential, in float32.
    method : {"deconvnet", "guided"}
    kinds : dict of str to str, optional
        See `layer_kinds.kind_of`.

    Returns
    -------
    keras.Model
        The gradient of a unit by `gradients.Score` is its projection [per unit of each input].

    Raises
    ------
    ValueError
        If there is no such method, or a layer has no rule.
    """
    if method not in METHODS:
        raise ValueError(f"no projection {method!r}; there are {', '.join(METHODS)}")
    rectified = {"deconvnet": _deconvnet, "guided": _guided}[method]

    def rule_of(operation):
        kind = kind_of(operation, kinds)
        if kind == "rectifier":
            return lambda x: rectified(operation, x)
        if kind == "weighted" and activation_kind(operation) == "rectifier":
            return lambda x: rectified(operation.activation, values_before_activation(operation, x))
        return operation

    return with_rules(network, rule_of)


def _guided(rectifier, x):
    """Value of a rectifier, whose gradient is that of the positive part of the signal."""
    return _signal(rectifier(x), ops.relu)


def _deconvnet(rectifier, x):
    """Value of a rectifier, whose gradient is the rectifier's own function of the signal."""
    if isinstance(rectifier, keras.layers.PReLU):
        # A variable, which a function of the signal may not reach for by itself.
        slope = ops.convert_to_tensor(rectifier.alpha)
        passed = _signal(x, lambda signal, slope: ops.relu(signal) - slope * ops.relu(-signal), slope)
    else:
        passed = _signal(x, rectifier)
    return with_gradient(rectifier(x), passed)


def _signal(x, function, *constants):
    """x, whose gradient is a function of the signal that arrives and of constants."""

    @ops.custom_gradient
    def identity(x, *constants):
        def pull_back(*signals, upstream=None):
            signal = signals[0] if upstream is None else upstream
            return (function(signal, *constants), *(ops.zeros_like(constant) for constant in constants))

        return x, pull_back

    return identity(x, *constants)
