"""Unpaired consistency by augmentation (FixMatch; Sohn et al. 2020, NeurIPS 33; arXiv 2001.07685), on the target.

The class of a target image, where the network is sure of it, is the label of the same image under strong augmentation:
flipped, rotated, shifted, with a hole and with more noise. No galaxy is needed at both depths.
"""

import keras
from keras import ops

from photoz_morph.adaptation.augmented.views import Draws, flipped, noise_level, shifted, with_hole


def fixmatch_loss(threshold=0.95, view_shift=4):
    """Adaptation loss: cross-entropy of strongly augmented target images with the network's own sure classes.

    Parameters
    ----------
    threshold : float
        Lowest probability of a sure class; that of the paper by default.
    view_shift : int
        Largest shift of an augmented image [pixel].

    Returns
    -------
    FixmatchLoss
        See `adaptation.losses`.
    """
    return FixmatchLoss(threshold, view_shift)


def pseudo_label_loss(logits, view_logits, threshold):
    """Mean cross-entropy of augmented images with the sure classes of the plain ones, over all galaxies.

    Parameters
    ----------
    logits : tensor, shape (n, n_classes)
        Of the plain images; they are taken as given and have no gradient.
    view_logits : tensor, shape (n, n_classes)
        Of the augmented ones.
    threshold : float
        Galaxies whose largest probability is below it count as 0.

    Returns
    -------
    scalar tensor

    Notes
    -----
    Sohn et al. (2020), Eq. 4.
    """
    probability = ops.stop_gradient(ops.softmax(logits))
    is_sure = ops.cast(ops.max(probability, axis=-1) >= threshold, "float32")
    classes = ops.one_hot(ops.argmax(probability, axis=-1), logits.shape[-1])
    return ops.mean(is_sure * ops.sum(classes * -ops.log_softmax(view_logits), axis=-1))


class FixmatchLoss(keras.layers.Layer):
    """`pseudo_label_loss` of the target; see `fixmatch_loss`."""

    def __init__(self, threshold, view_shift):
        super().__init__(dtype="float32")
        self.threshold, self.view_shift, self.draws = threshold, view_shift, Draws()

    def create(self, n_latent, n_classes, seed):
        """Make the seed generator of the augmentation."""
        self.draws.create(seed)
        self.built = True

    def view(self, source, target, rows):
        """Target images under strong augmentation; `rows` as in `Draws.uniform`."""
        draw = self.draws.uniform((8,), rows)
        images = flipped(target, draw[:, :3] < 0.5)
        steps = 2 * self.view_shift + 1
        images = shifted(images, ops.cast(ops.floor(draw[:, 3:5] * steps), "int32") - self.view_shift)
        # Up to as much noise again as the image has, so that its own level is among those seen.
        level = noise_level(target) * draw[:, 5, None, None, None]
        images = images + level * self.draws.normal(tuple(target.shape[1:]), rows)
        return with_hole(images, draw[:, 6:])

    def call(self, source, target, labels):
        return pseudo_label_loss(target["logits"], target["view_logits"], self.threshold)
