"""Minimum class confusion (Jin et al. 2020, ECCV; arXiv 1912.03699): how far classes of the target are mixed up."""

from keras import ops

from photoz_morph.adaptation.entropy import entropy


def mcc_loss(temperature=2.5):
    """Adaptation loss: class confusion of the target.

    Parameters
    ----------
    temperature : float
        That of the paper by default.

    Returns
    -------
    callable
        See `adaptation.losses`.
    """
    return lambda source, target, labels: class_confusion(target["logits"], temperature)


def class_confusion(logits, temperature=2.5):
    """Mean probability of being taken for another class, over the classes of a batch.

    Parameters
    ----------
    logits : tensor, shape (n, n_classes)
    temperature : float
        Divides the logits, so that the confusion of a confident network has a gradient.

    Returns
    -------
    scalar tensor
        0 where every galaxy has a certain class and every class a galaxy, 1 - 1 / n_classes where none is known.

    Notes
    -----
    Jin et al. (2020), Eq. 3 (temperature), 5 (weights of certain galaxies), 6 (confusion), 7 (normalisation of each
    class) and 8.
    """
    logits = ops.cast(logits, "float32") / temperature
    probability = ops.softmax(logits)
    certainty = 1 + ops.exp(-entropy(logits))
    weights = certainty / ops.mean(certainty)
    confusion = ops.matmul(ops.transpose(probability), weights[:, None] * probability)
    confusion = confusion / ops.sum(confusion, axis=1, keepdims=True)
    return 1 - ops.sum(ops.diagonal(confusion)) / ops.cast(ops.shape(confusion)[0], "float32")
