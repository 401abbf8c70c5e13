"""Domain-adversarial training (DANN; Ganin et al. 2016, JMLR 17, 59; arXiv 1505.07818)."""

import keras
from keras import ops

from photoz_morph.adaptation.adversarial.discriminator import Discriminator, domain_cross_entropy, reversed_gradient


def dann_loss(discriminator_width=1024, discriminator_dropout=0.5):
    """Adaptation loss: cross-entropy of a discriminator of the latents, which these raise and it lowers.

    Parameters
    ----------
    discriminator_width : int
        Units of each of its two hidden layers.
    discriminator_dropout : float

    Returns
    -------
    DannLoss
        See `adaptation.losses`.
    """
    return DannLoss(discriminator_width, discriminator_dropout)


class DannLoss(keras.layers.Layer):
    """`domain_cross_entropy` of the latents behind a gradient reversal; see `dann_loss`."""

    def __init__(self, width, dropout):
        super().__init__(dtype="float32")
        self.discriminator = Discriminator(width, dropout)

    def create(self, n_latent, n_classes, seed):
        """Make the weights of the discriminator."""
        self.discriminator.create(n_latent, 1, seed)
        self.built = True

    def call(self, source, target, labels):
        latents = ops.concatenate([source["latent"], target["latent"]], axis=0)
        logits = self.discriminator(reversed_gradient(latents))[:, 0]
        n = ops.shape(source["latent"])[0]
        return domain_cross_entropy(logits[:n], logits[n:])
