"""Layer-wise relevance propagation (LRP; Bach et al. 2015): how the score of a galaxy is made up of its inputs.

The score is handed back from layer to layer, to each unit as much as it contributed. What leaves a layer is what
enters it, but for the biases, which keep their own share: in a network without biases the relevance of all pixels and
of E(B-V) together is the score.

Rules for the layers with weights, where w x are the contributions to z = sum w x + b, and R the relevance of z:

epsilon
    w x / (z + epsilon sign z) R: with a small epsilon the plain share, with a large one only that of units whose
    contributions do not cancel (Bach et al. 2015, Eq. 58).
gamma
    The same with contributions of the sign of z times 1 + gamma (Montavon et al. 2019, Sec. 10.2.3; for contributions
    of both signs Andeol et al. 2021).
alpha_beta
    alpha R to the positive contributions, less (alpha - 1) R to the negative ones (Bach et al. 2015, Eq. 60).
z_plus
    alpha_beta with alpha = 1: the positive contributions only.

Inputs may have both signs, as pixels of the sky do: what counts is the sign of w x. A batch norm is part of the
convolution before it. Sums, concatenations and average pooling pass relevance in proportion to what they add, max
pooling to the maximum, a function of one value all of it, and others (softmax, photometry) by `multipliers.along_path`
from inputs of 0.
"""

from functools import partial

import numpy as np
from keras import ops

from photoz_morph.explain.backward.folding import folded_weights, norms_of_layers
from photoz_morph.explain.backward.layer_kinds import activation_kind, kind_of, linear_part
from photoz_morph.explain.backward.multipliers import nonlinear
from photoz_morph.explain.backward.substitution import with_gradient, with_rules
from photoz_morph.explain.gradients import BATCH_SIZE, Score, named, unnamed

RULES = ("epsilon", "gamma", "alpha_beta", "z_plus")
EPSILON, GAMMA, ALPHA = 1e-6, 0.25, 2.0  # Montavon et al. (2019) have gamma 0.25, Bach et al. (2015) alpha 2
DOMAIN = "domain"  # input with the index of the domain of each image


def layerwise_relevance(
    network, target, inputs, rule="epsilon", epsilon=EPSILON, gamma=GAMMA, alpha=ALPHA, rules_of_layers=None,
    batch_size=BATCH_SIZE, kinds=None,
):
    """Relevance of all inputs for a target.

    Parameters
    ----------
    network : keras.Model
        Functional or Sequential, in float32.
    target : callable
        See `targets`. What is handed back is the target to first order in the outputs: for a logit, a probability, a
        mean or the mass of an interval the target itself.
    inputs : ndarray or dict of ndarray
    rule : {"epsilon", "gamma", "alpha_beta", "z_plus"}
    epsilon, gamma, alpha : float
        Of the rules of these names; `epsilon` is in units of the maps.
    rules_of_layers : dict of str to str, optional
        Other rules of single layers, by their names.
    batch_size : int
        Galaxies that pass the network together.
    kinds : dict of str to str, optional
        See `layer_kinds.kind_of`.

    Returns
    -------
    ndarray or dict of ndarray
        Of the form of the inputs [target]; 0 for integers.

    Raises
    ------
    ValueError
        If there is no such rule, a layer has none, or `rules_of_layers` names no layer with weights of the network.

    Notes
    -----
    Bach et al. (2015, PLoS ONE 10, e0130140). The gradient that is passed back is relevance over value (Ancona et al.
    2018, Sec. 3), so that values of 0, which have no relevance, need no care.
    """
    chosen = dict(rules_of_layers or {})
    for name in (rule, *chosen.values()):
        if name not in RULES:
            raise ValueError(f"no rule {name!r}; there are {', '.join(RULES)}")
    if alpha < 1 or gamma < 0 or epsilon < 0:
        raise ValueError(f"alpha is {alpha:g}, gamma {gamma:g}, epsilon {epsilon:g}; they must be at least 1, 0 and 0")
    norms, used = norms_of_layers(network, kinds), set()
    kernels = {
        "epsilon": partial(_epsilon, epsilon=epsilon), "gamma": partial(_gamma, gamma=gamma),
        "alpha_beta": partial(_alpha_beta, alpha=alpha), "z_plus": partial(_alpha_beta, alpha=1.0),
    }  # fmt: skip

    def rule_of(operation, domain):
        kind = kind_of(operation, kinds)
        if any(operation is norm for norm in norms.values()):
            return lambda maps, *args, **kwargs: maps  # it is part of the layer before
        if kind == "weighted":
            used.add(operation.name)
            share = kernels[chosen.get(operation.name, rule)]
            return partial(_weighted, operation, share, norms.get(id(operation)), domain)
        if kind in ("linear", "selecting"):
            return operation
        return partial(nonlinear, operation, kind, ops.zeros_like)

    relevance = None
    for domain, rows in _rows_of_domains(inputs):
        explained = with_rules(network, partial(rule_of, domain=domain))
        if unknown := chosen.keys() - used:
            raise ValueError(f"no layer with weights {', '.join(sorted(unknown))}; there are {', '.join(sorted(used))}")
        part = {name: np.asarray(values)[rows] for name, values in named(inputs).items()}
        _, gradient = Score(explained, target, batch_size).value_and_gradient(unnamed(part, inputs), rows)
        if relevance is None:
            relevance = {name: np.zeros(np.shape(values), np.float32) for name, values in named(inputs).items()}
        for name, multipliers in named(gradient).items():
            relevance[name][rows] = np.where(multipliers == 0, 0, multipliers * part[name])
    return unnamed(relevance, inputs)


def _rows_of_domains(inputs):
    """Domain and rows of the images of each domain."""
    given = named(inputs)
    n = len(next(iter(given.values())))
    domains = np.asarray(given[DOMAIN]) if DOMAIN in given else np.zeros(n, int)
    return [(int(domain), np.flatnonzero(domains == domain)) for domain in np.unique(domains)]


def _weighted(layer, share, norm, domain, x):
    """Value of a layer with weights, with its batch norm and activation, whose gradient hands relevance back."""
    kernel, bias = folded_weights(layer, norm, domain)
    apply = linear_part(layer)
    value = apply(x, kernel) + bias
    value = with_gradient(value, share(apply, x, kernel, bias, ops.stop_gradient(value)))
    kind = activation_kind(layer)
    return value if kind == "linear" else nonlinear(layer.activation, kind, ops.zeros_like, value)


def _epsilon(apply, x, kernel, bias, z, epsilon):
    return apply(x, kernel) * _ratio(z, z + epsilon * ops.where(z >= 0, 1.0, -1.0))


def _gamma(apply, x, kernel, bias, z, gamma):
    """Contributions of the sign of z count 1 + gamma times."""
    positive, negative = _parts(apply, x, kernel)
    same = ops.where(z >= 0, positive, negative)
    same_bias = ops.where(z >= 0, ops.relu(bias), -ops.relu(-bias))
    total = ops.stop_gradient(z + gamma * (same + same_bias))
    return (apply(x, kernel) + gamma * same) * _ratio(z, total)


def _alpha_beta(apply, x, kernel, bias, z, alpha):
    """Contributions of one sign only take all the relevance, so that none is lost or made."""
    positive, negative = _parts(apply, x, kernel)
    all_positive = ops.stop_gradient(positive + ops.relu(bias))
    all_negative = ops.stop_gradient(negative - ops.relu(-bias))
    if alpha == 1:
        return positive * _ratio(z, all_positive)
    to_positive = ops.where(all_negative == 0, 1.0, alpha)
    to_negative = ops.where(all_positive == 0, 1.0, 1 - alpha)
    return positive * _ratio(to_positive * z, all_positive) + negative * _ratio(to_negative * z, all_negative)


def _parts(apply, x, kernel):
    """Sums of the positive and of the negative contributions w x."""
    above, below = ops.relu(x), -ops.relu(-x)
    raising, lowering = ops.relu(kernel), -ops.relu(-kernel)
    return apply(above, raising) + apply(below, lowering), apply(above, lowering) + apply(below, raising)


def _ratio(value, total):
    """Ratio of constants, 0 where the total is 0: nothing was contributed."""
    is_known = total != 0
    return ops.where(is_known, value / ops.where(is_known, total, ops.ones_like(total)), ops.zeros_like(total))
