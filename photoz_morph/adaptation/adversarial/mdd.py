"""Margin disparity discrepancy (MDD; Zhang et al. 2019, ICML; arXiv 1904.05801).

A second head is trained to agree with the classifier on the source and to disagree on the target; the latents are
trained to leave it no room for that.
"""

import keras
from keras import ops

from photoz_morph.adaptation.adversarial.discriminator import Discriminator, reversed_gradient


def mdd_loss(discriminator_width=1024, discriminator_dropout=0.5, margin=4.0):
    """Adaptation loss: disparity of a second head, which it lowers and the latents raise.

    Parameters
    ----------
    discriminator_width : int
        Units of each of its two hidden layers.
    discriminator_dropout : float
    margin : float
        Factor of the source, gamma of the paper.

    Returns
    -------
    MddLoss
        See `adaptation.losses`.
    """
    return MddLoss(discriminator_width, discriminator_dropout, margin)


def margin_disparity(source, target, source_logits, target_logits, margin):
    """Disagreement of a second head with a classifier.

    Parameters
    ----------
    source, target : tensor, shape (n, n_classes)
        Logits of the second head.
    source_logits, target_logits : tensor, shape (n, n_classes)
        Logits of the classifier, of which only the most probable class counts.
    margin : float

    Returns
    -------
    scalar tensor
        gamma times the cross-entropy of agreement on the source, plus that of disagreement on the target. With
        probability 1 / K of each class, gamma ln K - ln(1 - 1 / K) [nat].

    Notes
    -----
    Zhang et al. (2019), Eq. 27 to 30, with the sign that the second head lowers.
    """
    classes = ops.one_hot(ops.argmax(source_logits, axis=-1), source.shape[-1])
    agreement = ops.mean(ops.sum(classes * -ops.log_softmax(source), axis=-1))
    others = ops.one_hot(ops.argmax(target_logits, axis=-1), target.shape[-1])
    # log(1 - p) from the logits of the other classes, exact where p rounds to 1.
    not_this = ops.logsumexp(target - 1e9 * others, axis=-1) - ops.logsumexp(target, axis=-1)
    return margin * agreement - ops.mean(not_this)


class MddLoss(keras.layers.Layer):
    """`margin_disparity` of a second head of the latents behind a gradient reversal; see `mdd_loss`."""

    def __init__(self, width, dropout, margin):
        super().__init__(dtype="float32")
        self.head, self.margin = Discriminator(width, dropout), margin

    def create(self, n_latent, n_classes, seed):
        """Make the weights of the second head."""
        self.head.create(n_latent, n_classes, seed)
        self.built = True

    def call(self, source, target, labels):
        latents = ops.concatenate([source["latent"], target["latent"]], axis=0)
        logits = self.head(reversed_gradient(latents))
        n = ops.shape(source["latent"])[0]
        return margin_disparity(logits[:n], logits[n:], source["logits"], target["logits"], self.margin)
