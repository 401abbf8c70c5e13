"""Entropy minimisation (Grandvalet & Bengio 2004, NeurIPS 17): class boundaries are kept away from the galaxies."""

from keras import ops


def entropy_loss():
    """Adaptation loss: mean entropy of the class probabilities of both domains together, as in DeepMerge II [nat].

    Returns
    -------
    callable
        See `adaptation.losses`.

    Notes
    -----
    Grandvalet & Bengio (2004), Eq. 6; Ciprijanovic et al. (2021), arXiv 2103.01373, whose code takes both domains.
    """
    return lambda source, target, labels: ops.mean(
        entropy(ops.concatenate([source["logits"], target["logits"]], axis=0))
    )


def entropy(logits):
    """Entropy of the class probabilities of each galaxy [nat].

    Parameters
    ----------
    logits : tensor, shape (n, n_classes)

    Returns
    -------
    tensor, shape (n,)
        0 where the class is certain, ln(n_classes) where it is unknown.
    """
    log_probability = ops.log_softmax(logits)
    return -ops.sum(ops.exp(log_probability) * log_probability, axis=-1)
