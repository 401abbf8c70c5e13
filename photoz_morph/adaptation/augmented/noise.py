"""Noise augmentation towards the target: labelled source images with as much noise as the target has.

The plainest way to a shallower survey, which every other loss must beat. The noise is measured in the images, so that
no survey need be known; `data.noise_augmentation` of a config thins the electrons of simulated LSST images instead.
"""

import keras
from keras import ops

from photoz_morph.adaptation.augmented.views import Draws, noise_level


def noise_loss():
    """Adaptation loss: cross-entropy of source images with the noise of the target.

    Returns
    -------
    NoiseLoss
        See `adaptation.losses`.
    """
    return NoiseLoss()


def added_noise(source, target):
    """Standard deviation of the noise that source images lack, shape (n, 1, 1, n_bands) [image unit].

    Parameters
    ----------
    source, target : tensor, shape (n, rows, columns, n_bands)
        Each image is compared with the one of its row.

    Returns
    -------
    tensor
        sqrt(s_t^2 - s_s^2), and 0 where the source has more noise.
    """
    variance = ops.square(noise_level(target)) - ops.square(noise_level(source))
    return ops.sqrt(ops.maximum(variance, 0.0))


class NoiseLoss(keras.layers.Layer):
    """Cross-entropy of the labels with the noisy view of the source; see `noise_loss`."""

    def __init__(self):
        super().__init__(dtype="float32")
        self.draws = Draws()

    def create(self, n_latent, n_classes, seed):
        """Make the seed generator of the noise."""
        self.draws.create(seed)
        self.built = True

    def view(self, source, target, rows):
        """Source images with the noise of the target; `rows` as in `Draws.uniform`."""
        return source + added_noise(source, target) * self.draws.normal(tuple(source.shape[1:]), rows)

    def call(self, source, target, labels):
        each = keras.losses.sparse_categorical_crossentropy(labels, source["view_logits"], from_logits=True)
        return ops.mean(each)
