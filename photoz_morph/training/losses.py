"""Losses of binned redshift PDFs."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("photoz_morph")
class BinnedCrps(keras.losses.Loss):
    """Continuous ranked probability score of a binned PDF against a target over the same bins.

    Unlike cross-entropy it knows the order of the bins: probability far from the target costs more than beside it.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits, not PDFs.
    name : str

    Notes
    -----
    The sum over bins of the squared difference of the cumulative distributions (Hersbach 2000, Eq. 4), times
    6 ln(n_bins) / n_bins: the mean over targets of a uniform PDF is ln(n_bins), as that of cross-entropy.
    """

    def __init__(self, from_logits=False, name="binned_crps", **kwargs):
        super().__init__(name=name, **kwargs)
        self.from_logits = from_logits

    def call(self, y_true, y_pred):
        """Loss of each galaxy, shape (n,), of targets and PDFs of shape (n, n_bins)."""
        n_bins = y_pred.shape[-1]
        y_pred = ops.softmax(y_pred) if self.from_logits else y_pred
        difference = ops.cumsum(y_pred - y_true, axis=-1)
        return 6 * np.log(n_bins) / n_bins * ops.sum(ops.square(difference), axis=-1)

    def get_config(self):
        return {**super().get_config(), "from_logits": self.from_logits}


def pdf_loss(name, from_logits=False):
    """Loss of its name in a config, "cross_entropy" or "crps", of PDFs or of their logits."""
    loss = BinnedCrps if name == "crps" else keras.losses.CategoricalCrossentropy
    return loss(from_logits=from_logits, name=name)
