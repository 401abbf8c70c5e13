"""Batch norms that belong to the convolution before them.

A rule that treats positive and negative contributions differently needs the sign that they have behind the batch norm,
and a rule with a denominator should divide once: such rules see convolution and batch norm as one layer.
"""

from keras import ops, tree

from photoz_morph.explain.backward.layer_kinds import activation_kind, kind_of

NORMS = ("BatchNormalization", "DomainBatchNormalization")


def norms_of_layers(network, kinds=None):
    """Batch norms that directly follow a weighted layer whose output nothing else sees.

    Parameters
    ----------
    network : keras.Model
        Functional or Sequential; networks inside it are searched, too.
    kinds : dict of str to str, optional
        See `layer_kinds.kind_of`.

    Returns
    -------
    dict of int to keras.layers.Layer
        Batch norm by the `id` of the layer before it.
    """
    made, seen, found = {}, {}, {}
    for operation in getattr(network, "operations", None) or network.layers:
        if hasattr(operation, "layers"):
            found |= norms_of_layers(operation, kinds)
            continue
        outputs, inputs = tree.flatten(operation.output), tree.flatten(operation.input)
        made |= {id(tensor): operation for tensor in outputs}
        for tensor in inputs:
            seen.setdefault(id(tensor), []).append(operation)
    if seen.keys() - made.keys() - {id(tensor) for tensor in network.inputs}:
        return found  # behind a network or a layer of several calls: who sees what is not known
    for tensor in network.outputs:
        seen.setdefault(id(tensor), []).append(None)
    for tensor, operation in made.items():
        after = seen.get(tensor, [])
        if len(after) == 1 and _is_norm(after[0]) and _may_precede(operation, kinds):
            found[id(operation)] = after[0]
    return found


def scale_and_offset(norm, domain=0):
    """Scale and offset of the maps of a batch norm in use, shape (n_maps,) each.

    Parameters
    ----------
    norm : keras.layers.BatchNormalization or DomainBatchNormalization
    domain : int
        Of the images, for a batch norm of several domains.
    """
    weights = [norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance]
    weights = [None if weight is None else ops.convert_to_tensor(weight) for weight in weights]
    if type(norm).__name__ == "DomainBatchNormalization":
        weights = [weight[domain] for weight in weights]
    gamma, beta, mean, variance = weights
    scale = ops.rsqrt(variance + norm.epsilon)
    scale = scale if gamma is None else gamma * scale
    return scale, -mean * scale if beta is None else beta - mean * scale


def folded_weights(layer, norm=None, domain=0):
    """Kernel and bias of a weighted layer with the batch norm after it.

    Parameters
    ----------
    layer : keras.layers.Layer
        Of the kind "weighted".
    norm : keras.layers.Layer, optional
        From `norms_of_layers`.
    domain : int
        See `scale_and_offset`.

    Returns
    -------
    kernel : tensor
        Of the shape of the layer's own.
    bias : tensor, shape (n_maps,)
    """
    kernel = ops.convert_to_tensor(layer.kernel)
    depthwise = type(layer).__name__.startswith("Depthwise")
    n_maps = kernel.shape[-1] * kernel.shape[-2] if depthwise else kernel.shape[-1]
    bias = ops.convert_to_tensor(layer.bias) if layer.use_bias else ops.zeros(n_maps)
    if norm is None:
        return kernel, bias
    scale, offset = scale_and_offset(norm, domain)
    return kernel * (ops.reshape(scale, kernel.shape[-2:]) if depthwise else scale), bias * scale + offset


def _is_norm(operation):
    """True for a batch norm over the last axis."""
    return type(operation).__name__ in NORMS and getattr(operation, "axis", -1) in (-1, len(_maps(operation).shape) - 1)


def _maps(norm):
    """Tensor that a batch norm normalises."""
    return tree.flatten(norm.input)[0]


def _may_precede(operation, kinds):
    """True for a weighted layer without activation."""
    is_weighted = hasattr(operation, "kernel") and kind_of(operation, kinds) == "weighted"
    return is_weighted and activation_kind(operation) == "linear"
