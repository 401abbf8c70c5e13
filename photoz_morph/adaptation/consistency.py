"""Divergence of class probabilities, the loss of paired consistency."""

from keras import ops


def consistency_loss():
    """Adaptation loss: mean divergence of the class probabilities of a galaxy in source and target.

    Returns
    -------
    callable
        See `adaptation.losses`; row i of source and target must be the same galaxy.
    """
    return lambda source, target, labels: ops.mean(probability_divergence(source["logits"], target["logits"]))


def probability_divergence(logits, other_logits):
    """Symmetrised Kullback-Leibler divergence of the class probabilities, [KL(p, q) + KL(q, p)] / 2 [nat].

    Parameters
    ----------
    logits, other_logits : tensor, shape (n, n_classes)

    Returns
    -------
    tensor, shape (n,)

    Notes
    -----
    Half of J in Kullback & Leibler (1951), Eq. 2.6: sum over classes of (p - q) (log p - log q) / 2.
    """
    log_p, log_q = ops.log_softmax(logits), ops.log_softmax(other_logits)
    return ops.sum((ops.exp(log_p) - ops.exp(log_q)) * (log_p - log_q), axis=-1) / 2
