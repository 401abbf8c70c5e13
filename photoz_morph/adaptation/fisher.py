"""Fisher terms of DeepMerge II (Ciprijanovic et al. 2021, arXiv 2103.01373): classes compact and far from each other.

Learnable centres of the classes in latent space, after Zhang et al. (2021), arXiv 2002.06157 and Wen et al. (2016).
The labels are those of the source; beside another adaptation loss the target follows.
"""

import keras
from keras import ops

CENTRE_RATE = 10.0  # code of DeepMerge II: learning rate of the centres over that of the network


def fisher_loss():
    """Adaptation loss: scatter within the classes of the source over scatter between their centres.

    Returns
    -------
    FisherLoss
        See `adaptation.losses`.
    """
    return FisherLoss()


def trace_ratio(latents, labels, centres):
    """Trace of the scatter within classes over that between classes.

    Parameters
    ----------
    latents : tensor, shape (n, n_latent)
    labels : tensor, shape (n,)
    centres : tensor, shape (n_classes, n_latent)

    Returns
    -------
    scalar tensor
        0 where each latent is at the centre of its class.

    Notes
    -----
    Sum over galaxies of |h_i - c_y|^2 over sum over classes of |c_k - mean(c)|^2, as coded in DeepMerge II ("trace
    ratio"); it grows with the size of the batch. Its lambda_w / lambda_b is the weight of the loss, 0.01 there.
    """
    latents = ops.cast(latents, "float32")
    within = ops.sum(ops.square(latents - ops.take(centres, ops.cast(labels, "int32"), axis=0)))
    return within / ops.sum(ops.square(centres - ops.mean(centres, axis=0)))


class FisherLoss(keras.layers.Layer):
    """`trace_ratio` of the source, with its learnable centres."""

    def create(self, n_latent, n_classes, seed):
        """Make the centres, N(0, 1) as in DeepMerge II."""
        start = keras.initializers.RandomNormal(stddev=1 / CENTRE_RATE, seed=seed)
        # A step of Adam has the length of its learning rate, whatever the gradient; the factor makes it ten times that.
        self.scaled_centres = self.add_weight(shape=(n_classes, n_latent), initializer=start, name="centres")
        self.built = True

    def call(self, source, target, labels):
        return trace_ratio(source["latent"], labels, CENTRE_RATE * self.scaled_centres)
