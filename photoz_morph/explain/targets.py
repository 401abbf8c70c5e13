"""Targets: the number of a network's output that is explained, such as the mean of a PDF or a class's probability.

A target is a function of the output of a network, a tensor or a dictionary of tensors, and of the numbers of the
galaxies that its rows show, shape (n,), to a tensor of shape (n,). Those here are differentiable; any function of that
form will do. A class may be one for all galaxies, or an array with the class of each. In keras.ops.
"""

import numpy as np
from keras import ops

LEVELS_OF_WIDTH = (0.16, 0.84)  # of the cumulative distribution: its 68 % in the middle


def class_logit(classes, key="logits"):
    """Target: logit of a class.

    Parameters
    ----------
    classes : int or ndarray of int, shape (n_galaxies,)
    key : str
        Name of the logits where the output is a dictionary.

    Returns
    -------
    callable
        (output, galaxies) to shape (n,).
    """
    return lambda output, galaxies: _of_class(_part(output, key), classes, galaxies)


def class_probability(classes, key="logits", from_logits=True):
    """Target: probability of a class.

    Parameters
    ----------
    classes : int or ndarray of int, shape (n_galaxies,)
    key : str
        Name of the logits or probabilities where the output is a dictionary.
    from_logits : bool
        Whether the output are logits, of which the softmax is taken.

    Returns
    -------
    callable
        (output, galaxies) to shape (n,).
    """

    def target(output, galaxies):
        values = _part(output, key)
        return _of_class(ops.softmax(values, axis=-1) if from_logits else values, classes, galaxies)

    return target


def logit_margin(classes, key="logits"):
    """Target: logit of a class less the largest of the others; negative where another class is given.

    Parameters
    ----------
    classes : int or ndarray of int, shape (n_galaxies,)
    key : str
        Name of the logits where the output is a dictionary.

    Returns
    -------
    callable
        (output, galaxies) to shape (n,).
    """

    def target(output, galaxies):
        logits = _part(output, key)
        own = ops.one_hot(_classes_of(classes, galaxies, logits), logits.shape[-1])
        others = ops.where(own > 0, ops.full_like(logits, -np.inf), logits)
        return _of_class(logits, classes, galaxies) - ops.max(others, axis=-1)

    return target


def pdf_mean(positions, key="pdf"):
    """Target: mean of a binned PDF.

    Parameters
    ----------
    positions : ndarray, shape (n_bins,)
        Redshift that stands for each bin, as `RedshiftGrid.positions` gives it.
    key : str
        Name of the PDF where the output is a dictionary.

    Returns
    -------
    callable
        (output, galaxies) to redshifts of shape (n,).
    """
    return lambda output, galaxies: ops.sum(_pdf(output, key) * np.asarray(positions, np.float32), axis=-1)


def pdf_quantile(edges, probability, key="pdf"):
    """Target: redshift below which a binned PDF holds a probability; inside a bin the density is constant.

    Parameters
    ----------
    edges : ndarray, shape (n_bins + 1,)
        Edges of the bins, as of `RedshiftGrid.edges`.
    probability : float
        Between 0 and 1.
    key : str
        Name of the PDF where the output is a dictionary.

    Returns
    -------
    callable
        (output, galaxies) to redshifts of shape (n,).
    """
    return lambda output, galaxies: _quantile(_pdf(output, key), edges, probability)


def pdf_median(edges, key="pdf"):
    """Target: median of a binned PDF, see `pdf_quantile`."""
    return pdf_quantile(edges, 0.5, key)


def pdf_width(edges, key="pdf"):
    """Target: width of the middle 68 % of a binned PDF, between its 16 % and 84 % quantiles, see `pdf_quantile`."""

    def target(output, galaxies):
        low, high = (_quantile(_pdf(output, key), edges, level) for level in LEVELS_OF_WIDTH)
        return high - low

    return target


def interval_mass(edges, low, high, key="pdf"):
    """Target: probability that a binned PDF gives to an interval of redshift.

    Parameters
    ----------
    edges : ndarray, shape (n_bins + 1,)
    low, high : float
        Ends of the interval [redshift]; of a bin that an end cuts, the part inside counts.
    key : str
        Name of the PDF where the output is a dictionary.

    Returns
    -------
    callable
        (output, galaxies) to shape (n,).

    Raises
    ------
    ValueError
        If the interval is empty or does not meet the bins.
    """
    edges = np.asarray(edges, np.float64)
    if not (low < high and low < edges[-1] and high > edges[0]):
        raise ValueError(f"the interval from {low} to {high} is empty or outside the bins, {edges[0]} to {edges[-1]}")
    inside = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None) / np.diff(edges)
    return lambda output, galaxies: ops.sum(_pdf(output, key) * inside.astype(np.float32), axis=-1)


def entropy(key="pdf", from_logits=False):
    """Target: entropy of a PDF or of class probabilities [nat].

    Parameters
    ----------
    key : str
        Name of the probabilities or logits where the output is a dictionary.
    from_logits : bool
        Whether the output are logits, of which the softmax is taken.

    Returns
    -------
    callable
        (output, galaxies) to shape (n,).
    """

    def target(output, galaxies):
        values = _part(output, key)
        if from_logits:
            log_probability = ops.log_softmax(values, axis=-1)
            return -ops.sum(ops.exp(log_probability) * log_probability, axis=-1)
        smallest = np.finfo(np.float32).tiny  # p log p is 0 at p = 0
        return -ops.sum(values * ops.log(ops.maximum(values, smallest)), axis=-1)

    return target


def _part(output, key):
    """The output, or the part of this name of a dictionary, in float32."""
    if isinstance(output, dict):
        if key not in output:
            raise ValueError(f"the network returns {', '.join(output)}, not {key!r}; give the target another key")
        output = output[key]
    return ops.cast(output, "float32")


def _pdf(output, key):
    """Probabilities that sum to one; those of a float32 softmax do to 1e-6."""
    pdf = _part(output, key)
    return pdf / ops.sum(pdf, axis=-1, keepdims=True)


def _classes_of(classes, galaxies, logits):
    """Class of each row, shape (n,)."""
    if np.ndim(classes) == 0:
        return ops.full(ops.shape(logits)[:1], int(classes), "int32")
    return ops.take(ops.convert_to_tensor(np.asarray(classes), "int32"), ops.cast(galaxies, "int32"), axis=0)


def _of_class(values, classes, galaxies):
    """Value of the class of each row, shape (n,)."""
    own = ops.one_hot(_classes_of(classes, galaxies, values), values.shape[-1], dtype=values.dtype)
    return ops.sum(values * own, axis=-1)


def _quantile(pdf, edges, probability):
    """Redshift at a level of the cumulative distribution, shape (n,)."""
    edges = np.asarray(edges, np.float32)
    cumulative = ops.cumsum(pdf, axis=-1)
    # The bin is the first at whose upper edge the level is reached; as a choice it has no gradient.
    index = ops.minimum(ops.sum(ops.cast(cumulative < probability, "int32"), axis=-1), len(edges) - 2)
    chosen = ops.one_hot(index, len(edges) - 1)
    mass = ops.sum(pdf * chosen, axis=-1)
    below = ops.sum(cumulative * chosen, axis=-1) - mass
    share = (probability - below) / ops.maximum(mass, np.finfo(np.float32).tiny)
    return ops.take(edges[:-1], index) + ops.take(np.diff(edges), index) * ops.clip(share, 0.0, 1.0)
