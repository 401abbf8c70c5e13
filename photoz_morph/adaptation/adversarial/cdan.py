"""Conditional adversarial adaptation (CDAN; Long et al. 2018, NeurIPS 31; arXiv 1705.10667).

The discriminator sees the product of latents and class probabilities, and so the domains class by class.
"""

import math

import keras
import numpy as np
from keras import ops

from photoz_morph.adaptation.adversarial.discriminator import Discriminator, domain_cross_entropy, reversed_gradient
from photoz_morph.adaptation.entropy import entropy

MAX_FEATURES = 4096  # the paper's: larger products are replaced by a random projection of this size


def cdan_loss(discriminator_width=1024, discriminator_dropout=0.5, entropy_conditioning=False):
    """Adaptation loss: cross-entropy of a discriminator of latents times class probabilities.

    Parameters
    ----------
    discriminator_width : int
        Units of each of its two hidden layers.
    discriminator_dropout : float
    entropy_conditioning : bool
        Whether galaxies count by the certainty of their class, the variant CDAN+E.

    Returns
    -------
    CdanLoss
        See `adaptation.losses`.
    """
    return CdanLoss(discriminator_width, discriminator_dropout, entropy_conditioning)


def multilinear_map(latents, probability):
    """Products of all latents with all class probabilities, shape (n, n_classes n_latent); Long et al. (2018), Eq. 5.

    Parameters
    ----------
    latents : tensor, shape (n, n_latent)
    probability : tensor, shape (n, n_classes)
    """
    products = probability[:, :, None] * latents[:, None, :]
    return ops.reshape(products, (-1, probability.shape[-1] * latents.shape[-1]))


def randomised_map(latents, probability, of_latents, of_classes):
    """Random projections of the products, which have the inner products of `multilinear_map` on average.

    Parameters
    ----------
    latents : tensor, shape (n, n_latent)
    probability : tensor, shape (n, n_classes)
    of_latents : tensor, shape (n_latent, n_features)
    of_classes : tensor, shape (n_classes, n_features)
        N(0, 1), drawn once.

    Returns
    -------
    tensor, shape (n, n_features)

    Notes
    -----
    Long et al. (2018), Eq. 6.
    """
    products = ops.matmul(latents, of_latents) * ops.matmul(probability, of_classes)
    return products / math.sqrt(of_latents.shape[1])


def certainty_weights(logits):
    """Weights 1 + exp(-entropy) over their mean, shape (n,); Long et al. (2018), Eq. 8 (CDAN+E)."""
    weights = ops.stop_gradient(1 + ops.exp(-entropy(logits)))
    return weights / ops.mean(weights)


class CdanLoss(keras.layers.Layer):
    """`domain_cross_entropy` of latents times class probabilities; see `cdan_loss`.

    The gradient reaches the latents and not the probabilities, as in the authors' code.
    """

    def __init__(self, width, dropout, entropy_conditioning, max_features=MAX_FEATURES):
        super().__init__(dtype="float32")
        self.discriminator = Discriminator(width, dropout)
        self.entropy_conditioning, self.max_features = entropy_conditioning, max_features
        self.projections = None

    def create(self, n_latent, n_classes, seed):
        """Make the weights of the discriminator, and the random projection where the product is too large."""
        n_features = n_latent * n_classes
        if n_features > self.max_features:
            n_features = self.max_features
            seeds = np.random.SeedSequence([seed, 1]).generate_state(2).tolist()
            self.projections = [
                self.add_weight(
                    shape=(size, n_features), initializer=keras.initializers.RandomNormal(stddev=1.0, seed=own),
                    trainable=False, name=f"projection_{index}",
                )
                for index, (size, own) in enumerate(zip((n_latent, n_classes), seeds))
            ]  # fmt: skip
        self.discriminator.create(n_features, 1, seed)
        self.built = True

    def call(self, source, target, labels):
        latents, logits = (
            ops.cast(ops.concatenate([source[key], target[key]], axis=0), "float32") for key in ("latent", "logits")
        )
        n = ops.shape(source["latent"])[0]
        latents, probability = reversed_gradient(latents), ops.stop_gradient(ops.softmax(logits))
        if self.projections is None:
            features = multilinear_map(latents, probability)
        else:
            features = randomised_map(latents, probability, *self.projections)
        domain = self.discriminator(features)[:, 0]
        weights = ()
        if self.entropy_conditioning:
            weights = certainty_weights(logits[:n]), certainty_weights(logits[n:])
        return domain_cross_entropy(domain[:n], domain[n:], *weights)
