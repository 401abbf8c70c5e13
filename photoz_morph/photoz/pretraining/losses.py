"""The terms of the triple loss, in keras.ops: contrast of two views, colours, redshift.

Each is a mean over galaxies of the whole batch, so under a distribution strategy it is given the values of all
replicas.
"""

import keras
from keras import ops

__all__ = ["TERMS", "colour_loss", "contrast_loss", "redshift_loss"]

TERMS = ("contrast", "colours", "redshift")


def contrast_loss(first, second, temperature):
    """Cross-entropy of recognising the other view of a galaxy among all views of the batch.

    Parameters
    ----------
    first, second : tensor, shape (n, n_projection)
        Projections of the two views; row i of both is the same galaxy.
    temperature : float
        By which the cosines between projections are divided.

    Returns
    -------
    scalar tensor
        ln(2 n - 1) for views that are all alike.

    Notes
    -----
    InfoNCE in the form of NT-Xent (Chen et al. 2020, Eq. 1), over 2 n views.
    """
    views = ops.concatenate([first, second], axis=0)
    views = views / ops.maximum(ops.norm(views, axis=-1, keepdims=True), keras.config.epsilon())
    n_views = ops.shape(views)[0]
    logits = ops.matmul(views, ops.transpose(views)) / temperature - 1e9 * ops.eye(n_views)  # itself is no candidate
    partner = ops.roll(ops.eye(n_views), n_views // 2, axis=0)
    return -ops.mean(ops.sum(partner * ops.log_softmax(logits, axis=-1), axis=-1))


def colour_loss(predicted, colours):
    """Huber loss of the colours that were measured.

    Parameters
    ----------
    predicted, colours : tensor, shape (n, n_colours)
        In units of the scatter of galaxies; measured ones are NaN where unknown.

    Returns
    -------
    scalar tensor
        0 without any.
    """
    is_known = ops.isfinite(colours)
    error = ops.abs(predicted - ops.where(is_known, colours, predicted))
    return _mean_where(ops.where(error < 1, ops.square(error) / 2, error - 0.5), is_known)


def redshift_loss(pdf, target):
    """Cross-entropy of the redshift PDFs of the galaxies whose redshift is known.

    Parameters
    ----------
    pdf, target : tensor, shape (n, n_bins)
        The target is NaN where the redshift is unknown.

    Returns
    -------
    scalar tensor
        0 without any.
    """
    is_known = ops.isfinite(target)
    log_pdf = ops.log(ops.maximum(pdf, keras.config.epsilon()))
    return _mean_where(-ops.sum(ops.where(is_known, target, 0.0) * log_pdf, axis=-1), is_known[:, 0])


def _mean_where(values, is_known):
    """Mean of the known values, 0 without any."""
    is_known = ops.cast(is_known, "float32")
    return ops.sum(values * is_known) / ops.maximum(ops.sum(is_known), 1.0)
