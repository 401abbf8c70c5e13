"""Deep CORAL (Sun & Saenko 2016, arXiv 1607.01719): distance of the covariances of the latents of two domains."""

from keras import ops


def coral_loss():
    """Adaptation loss: CORAL between the latents of source and target.

    Returns
    -------
    callable
        See `adaptation.losses`.
    """
    return lambda source, target, labels: coral(source["latent"], target["latent"])


def coral(source, target):
    """Squared Frobenius distance of two covariances over 4 d^2.

    Parameters
    ----------
    source : tensor, shape (n, d)
    target : tensor, shape (m, d)

    Returns
    -------
    scalar tensor, float32
        0 where the covariances are equal, whatever the means.

    Notes
    -----
    Sun & Saenko (2016), Eq. 1 to 3.
    """
    difference = covariance(source) - covariance(target)
    return ops.mean(ops.square(difference)) / 4  # the mean is over d^2 elements


def covariance(latents):
    """Unbiased covariance of latents of shape (n, d), shape (d, d), float32."""
    latents = ops.cast(latents, "float32")
    centred = latents - ops.mean(latents, axis=0)
    return ops.matmul(ops.transpose(centred), centred) / (ops.cast(ops.shape(latents)[0], "float32") - 1)
